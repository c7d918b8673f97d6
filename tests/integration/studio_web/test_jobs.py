"""An owner sees the jobs of his projects, stops them and has them done again; steps, calls and cost are as recorded."""

from __future__ import annotations

from uuid import UUID

from studio import queue
from tests.integration.studio_web.conftest import Desk
from tests.support.queue import LEASE


def launched(desk: Desk) -> tuple[UUID, str]:
    project = desk.project()
    return project, desk.ada.post(f"/api/projects/{project}/launch").json()["jobId"]


def test_jobs_are_listed_newest_first_and_by_status(desk: Desk) -> None:
    project, job = launched(desk)
    message = desk.ada.post(f"/api/projects/{project}/chat", json={"message": "Hello"}).json()["jobId"]
    listed = desk.ada.get(f"/api/projects/{project}/jobs").json()["jobs"]
    assert [one["id"] for one in listed] == [message, job]
    desk.ada.post(f"/api/jobs/{job}/cancel")
    by_status = f"/api/projects/{project}/jobs?status=canceled"
    assert [one["id"] for one in desk.ada.get(by_status).json()["jobs"]] == [job]
    assert len(desk.ada.get(f"/api/projects/{project}/jobs?limit=1").json()["jobs"]) == 1
    assert desk.ada.get(f"/api/projects/{project}/jobs?status=lost").status_code == 422
    assert desk.ada.get(f"/api/projects/{project}/jobs?limit=201").status_code == 422


def test_a_job_shows_its_steps_calls_and_cost(desk: Desk) -> None:
    project, job = launched(desk)
    desk.db.execute(
        "insert into agent_job_steps (job_id, step, output, claim_no, attempt, duration_ms)"
        " values (%s, 'research', '{}', 1, 1, 250)",
        [job],
    )
    desk.db.execute(
        "insert into model_calls (project_id, job_id, step, agent, model, status, reserved_micros, reserved_tokens,"
        " cost_micros, input_tokens, output_tokens, searches) values (%s, %s, 'research', 'researcher', 'sandbox',"
        " 'settled', 10, 10, 7, 3, 4, 0)",
        [project, job],
    )
    shown = desk.ada.get(f"/api/jobs/{job}").json()
    assert (shown["status"], shown["jobType"], shown["runUrl"]) == ("queued", "phase0.generate_packet", None)
    assert [(s["step"], s["durationMs"]) for s in shown["steps"]] == [("research", 250)]
    assert [c["agent"] for c in shown["modelCalls"]] == ["researcher"]
    assert shown["spent"] == {"calls": 1, "costMicros": 7, "inputTokens": 3, "outputTokens": 4, "searches": 0}


def test_a_queued_job_is_canceled_and_queued_again(desk: Desk) -> None:
    _, job = launched(desk)
    assert desk.ada.post(f"/api/jobs/{job}/cancel").json() == {"ok": True, "jobId": job, "status": "canceled"}
    assert desk.ada.get(f"/api/jobs/{job}").json()["lastError"] == "Canceled in the studio."
    assert desk.ada.post(f"/api/jobs/{job}/cancel").json()["status"] == "canceled"
    again = desk.ada.post(f"/api/jobs/{job}/retry").json()
    assert (again["jobId"], again["outcome"], again["status"]) == (job, "revived", "queued")


def test_a_running_job_is_asked_to_stop(desk: Desk) -> None:
    _, job = launched(desk)
    desk.db.execute("update agent_jobs set status = 'canceled' where status = 'queued' and id <> %s", [job])
    assert [str(one.id) for one in queue.claim(desk.db, "w", limit=1, lane="heavy", lease=LEASE, slots=99)] == [job]
    assert desk.ada.post(f"/api/jobs/{job}/cancel").json()["status"] == "cancel_requested"
    assert desk.ada.get(f"/api/jobs/{job}").json()["cancelRequestedAt"] is not None


def test_only_what_has_failed_or_was_canceled_is_done_again(desk: Desk) -> None:
    _, job = launched(desk)
    answer = desk.ada.post(f"/api/jobs/{job}/retry")
    assert answer.status_code == 409
    assert "queued" in answer.json()["error"]


def test_a_payload_of_another_client_is_shown_whatever_it_is(desk: Desk) -> None:
    project = desk.project()
    row = desk.db.fetch_one(
        "insert into agent_jobs (project_id, job_type, agent_key, payload, idempotency_key, lane)"
        " values (%s, 'their.own', 'them', '[1]', 'k', 'standard') returning id",
        [project],
    )
    assert row is not None
    assert desk.ada.get(f"/api/jobs/{row['id']}").json()["payload"] == {"stored": [1]}
