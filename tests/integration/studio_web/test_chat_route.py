"""A founder says something, gets the answer's job at once, and decides on what an answer suggests (seed plan §5.4)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company, say, suggest
from tests.support.approvals import DEPLOY


def test_a_message_is_stored_and_its_answer_is_a_job(desk: Desk) -> None:
    project = desk.project()
    posted = desk.ada.post(f"/api/projects/{project}/chat", json={"message": "  What about schools?  "}).json()
    assert posted["ok"] is True
    assert posted["streaming"] is True
    assert (posted["outcome"], posted["status"]) == ("created", "queued")
    page = desk.ada.get(f"/api/projects/{project}/chat").json()
    assert page["hasMore"] is False
    assert [(m["id"], m["role"], m["content"], m["jobId"], m["jobStatus"]) for m in page["messages"]] == [
        (posted["userMessageId"], "user", "What about schools?", posted["jobId"], "queued")
    ]
    job = desk.ada.get(f"/api/jobs/{posted['jobId']}").json()
    assert (job["jobType"], job["lane"]) == ("chat.reply", "realtime")
    assert job["payload"]["ownerClerkId"] == "ada"


def test_pages_go_back_in_time(desk: Desk) -> None:
    project = desk.project()
    ids = [str(say(desk.db, project, "ada", f"Message {n}")[0]) for n in range(5)]
    newest = desk.ada.get(f"/api/projects/{project}/chat?limit=2").json()
    assert [m["id"] for m in newest["messages"]] == ids[3:]
    assert newest["hasMore"] is True
    older = desk.ada.get(f"/api/projects/{project}/chat?limit=3&before={ids[3]}").json()
    assert [m["id"] for m in older["messages"]] == ids[:3]
    assert older["hasMore"] is False
    assert desk.ada.get(f"/api/projects/{project}/chat?before={uuid4()}").status_code == 404
    assert desk.ada.get(f"/api/projects/{project}/chat?limit=0").status_code == 422


@pytest.mark.parametrize("message", ["", "   ", "x" * 3001, "a\0b", None, 7])
def test_what_is_no_message_is_refused_and_nothing_is_stored(desk: Desk, message: object) -> None:
    project = desk.project()
    answer = desk.ada.post(f"/api/projects/{project}/chat", json={"message": message})
    assert answer.status_code == 422
    assert desk.ada.get(f"/api/projects/{project}/chat").json()["messages"] == []
    assert desk.ada.get(f"/api/projects/{project}/jobs").json()["jobs"] == []


def test_nothing_is_said_in_a_project_that_is_paused(desk: Desk) -> None:
    project = desk.project()
    desk.ada.post(f"/api/projects/{project}/life", json={"action": "pause"})
    assert desk.ada.post(f"/api/projects/{project}/chat", json={"message": "Hello"}).status_code == 403


def test_a_suggestion_becomes_an_approval_once_it_is_confirmed(desk: Desk) -> None:
    firm = company(desk)
    firm.packet()
    message = suggest(desk.db, firm.id, "ada")
    shown = desk.ada.get(f"/api/projects/{firm.id}/chat").json()["messages"][0]["suggestion"]
    assert (shown["state"], shown["decidable"], shown["actionType"]) == ("open", True, "refine_phase_assets")
    made = desk.ada.post(f"/api/projects/{firm.id}/chat/{message}/confirm").json()
    assert (made["ok"], made["outcome"]) == (True, "created")
    again = desk.ada.post(f"/api/projects/{firm.id}/chat/{message}/confirm").json()
    assert (again["outcome"], again["approvalId"]) == ("pending", made["approvalId"])
    asked = desk.ada.get(f"/api/inbox/{made['approvalId']}").json()
    assert asked["status"] == "pending"
    assert asked["payload"]["requested_by"] == "ada"
    assert desk.ada.post(f"/api/projects/{firm.id}/chat/{message}/dismiss").status_code == 409


def test_what_cannot_be_asked_says_why(desk: Desk) -> None:
    firm = company(desk)
    message = suggest(desk.db, firm.id, "ada", DEPLOY)
    made = desk.ada.post(f"/api/projects/{firm.id}/chat/{message}/confirm").json()
    assert (made["ok"], made["outcome"], made["approvalId"]) == (False, "refused", None)
    assert made["reason"]
    shown = desk.ada.get(f"/api/projects/{firm.id}/chat").json()["messages"][0]["suggestion"]
    assert (shown["state"], shown["note"]) == ("refused", made["reason"])


def test_a_suggestion_is_dismissed_for_good(desk: Desk) -> None:
    firm = company(desk)
    firm.packet()
    message = suggest(desk.db, firm.id, "ada")
    assert desk.ada.post(f"/api/projects/{firm.id}/chat/{message}/dismiss").json() == {"ok": True}
    assert desk.ada.post(f"/api/projects/{firm.id}/chat/{message}/dismiss").json() == {"ok": True}
    assert desk.ada.post(f"/api/projects/{firm.id}/chat/{message}/confirm").status_code == 409


def test_a_message_that_suggests_nothing_is_neither_confirmed_nor_dismissed(desk: Desk) -> None:
    project = desk.project()
    message, _ = say(desk.db, project, "ada")
    for deed in ("confirm", "dismiss"):
        assert desk.ada.post(f"/api/projects/{project}/chat/{message}/{deed}").status_code == 404
