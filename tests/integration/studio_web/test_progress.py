"""Progress and live agents are told from rows of jobs and tasks, and from nothing else (domain specification D18)."""

from __future__ import annotations

from studio.tasks import log_task
from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company, say


def test_a_new_project_has_no_progress_and_nobody_at_work(desk: Desk) -> None:
    project = desk.project()
    assert desk.ada.get(f"/api/projects/{project}/progress").json() == {
        "projectId": str(project),
        "phase": 0,
        "status": "active",
        "tasks": [],
        "approvals": [],
    }
    live = desk.ada.get(f"/api/projects/{project}/agents/live").json()
    assert (live["running"], live["completions"]) == ([], [])


def test_fifty_tasks_and_twenty_approvals_are_told_newest_first(desk: Desk) -> None:
    firm = company(desk)
    job = firm.job()
    for number in range(60):
        with desk.db.transaction() as conn:
            log_task(conn, firm.id, job, "ceo", f"task {number}", "completed", "done")
    for number in range(25):
        desk.db.execute(
            "insert into approval_queue (project_id, phase, title, description, risk, action_type, status, created_at)"
            " values (%s, 1, %s, 'd', 'low', 'x', 'denied', now() + make_interval(secs => %s))",
            [firm.id, f"Approval {number}", number],
        )
    told = desk.ada.get(f"/api/projects/{firm.id}/progress").json()
    assert [task["description"] for task in told["tasks"]] == [f"task {n}" for n in range(59, 9, -1)]
    assert [asked["title"] for asked in told["approvals"]] == [f"Approval {n}" for n in range(24, 4, -1)]
    assert told["tasks"][0]["jobId"] == str(job)


def test_a_running_job_is_told_with_its_last_step_and_its_open_task(desk: Desk) -> None:
    project = desk.project()
    _, job = say(desk.db, project, "ada")
    desk.db.execute(
        "update agent_jobs set status = 'running', claim_no = 1, attempts = 1, locked_by = 'w', started_at = now(),"
        " leased_until = now() + interval '1 hour' where id = %s",
        [job],
    )
    desk.db.execute(
        "insert into agent_job_steps (job_id, step, output, claim_no, attempt) values (%s, 'context', '{}', 1, 1)",
        [job],
    )
    with desk.db.transaction() as conn:
        log_task(conn, project, job, "researcher", "phase0_research", "running")
    [running] = desk.ada.get(f"/api/projects/{project}/agents/live").json()["running"]
    assert running["jobId"] == str(job)
    assert (running["agent"], running["task"], running["step"]) == ("researcher", "phase0_research", "context")
    assert (running["attempt"], running["cancelRequestedAt"]) == (1, None)
    assert running["since"].endswith("Z")


def test_the_last_eight_completions_of_a_quarter_of_an_hour_are_told(desk: Desk) -> None:
    firm = company(desk)
    jobs = [firm.job() for _ in range(10)]
    old, failed = firm.job(), firm.job(status="failed")
    for minutes, job in enumerate(jobs):
        _ended(desk, job, minutes)
    _ended(desk, old, 16)
    _ended(desk, failed, 0)
    live = desk.ada.get(f"/api/projects/{firm.id}/agents/live").json()
    assert live["running"] == []
    assert [one["jobId"] for one in live["completions"]] == [str(job) for job in jobs[:8]]


def _ended(desk: Desk, job: object, minutes: int) -> None:
    desk.db.execute(
        "update agent_jobs set completed_at = now() - make_interval(mins => %s) where id = %s", [minutes, job]
    )
