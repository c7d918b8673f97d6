"""A launch answers at once with its job, and says truly whether that is new, was there, or is done (seed plan §5.1)."""

from __future__ import annotations

import pytest

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company


def test_the_first_launch_creates_the_job_and_the_second_finds_it(desk: Desk) -> None:
    project = desk.project()
    first = desk.ada.post(f"/api/projects/{project}/launch").json()
    assert first == {
        "ok": True,
        "started": True,
        "jobId": first["jobId"],
        "outcome": "created",
        "status": "queued",
        "alreadyRunning": False,
        "alreadyCompleted": False,
    }
    again = desk.ada.post(f"/api/projects/{project}/launch", json={}).json()
    assert again["jobId"] == first["jobId"]
    assert (again["started"], again["outcome"], again["alreadyRunning"]) == (False, "existing", True)


def test_a_completed_launch_says_so(desk: Desk) -> None:
    project = desk.project()
    job = desk.ada.post(f"/api/projects/{project}/launch").json()["jobId"]
    desk.db.execute("update agent_jobs set status = 'completed', completed_at = now() where id = %s", [job])
    again = desk.ada.post(f"/api/projects/{project}/launch").json()
    assert (again["started"], again["alreadyCompleted"], again["alreadyRunning"]) == (False, True, False)


def test_a_failed_launch_is_revived(desk: Desk) -> None:
    project = desk.project()
    job = desk.ada.post(f"/api/projects/{project}/launch").json()["jobId"]
    desk.db.execute("update agent_jobs set status = 'failed', completed_at = now() where id = %s", [job])
    again = desk.ada.post(f"/api/projects/{project}/launch").json()
    assert (again["started"], again["outcome"], again["jobId"]) == (True, "revived", job)


def test_a_relaunch_with_guidance_is_another_job(desk: Desk) -> None:
    firm = company(desk, phase=0)
    firm.gate()
    wish = {"revisionGuidance": "Aim it at schools.", "forceNewApproval": True, "unheardOf": 1}
    made = desk.ada.post(f"/api/projects/{firm.id}/launch", json=wish)
    assert made.status_code == 200
    payload = desk.ada.get(f"/api/jobs/{made.json()['jobId']}").json()["payload"]
    assert payload["revisionGuidance"] == "Aim it at schools."
    assert payload["ownerClerkId"] == "ada"


def test_a_relaunch_while_one_is_under_way_is_a_conflict(desk: Desk) -> None:
    project = desk.project()
    desk.ada.post(f"/api/projects/{project}/launch")
    answer = desk.ada.post(f"/api/projects/{project}/launch", json={"revisionGuidance": "Aim it at schools."})
    assert answer.status_code == 409
    assert "greenlight " not in answer.json()["error"]


@pytest.mark.parametrize("status", ["paused", "killed"])
def test_a_project_that_is_not_active_is_not_launched(desk: Desk, status: str) -> None:
    project = desk.project()
    desk.db.execute("update projects set status = %s where id = %s", [status, project])
    answer = desk.ada.post(f"/api/projects/{project}/launch")
    assert answer.status_code == 403
    assert desk.ada.get(f"/api/projects/{project}/jobs").json()["jobs"] == []


def test_guidance_beyond_its_length_is_refused(desk: Desk) -> None:
    project = desk.project()
    answer = desk.ada.post(f"/api/projects/{project}/launch", json={"revisionGuidance": "x" * 2001})
    assert answer.status_code == 422
