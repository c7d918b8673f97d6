"""What a project may do, spend and send is changed by its owner alone, audited, and asks at once for what it allows."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company


def test_a_permission_that_is_turned_on_proposes_at_once(desk: Desk) -> None:
    firm = company(desk)
    firm.permitted = {}
    desk.ada.put(f"/api/projects/{firm.id}/permissions", json={"emailSend": False})
    firm.packet()
    made = desk.ada.put(f"/api/projects/{firm.id}/permissions", json={"emailSend": True, "reason": "Letters."}).json()
    assert made["ok"] is True
    assert made["changed"] is True
    assert made["permissions"]["emailSend"] is True
    proposed = {answer["actionType"]: answer for answer in made["proposals"]}
    assert set(proposed) == {"send_welcome_email_sequence"}
    asked = desk.ada.get(f"/api/inbox/{proposed['send_welcome_email_sequence']['approvalId']}").json()
    assert (asked["status"], asked["payload"]["requested_by"]) == ("pending", "ada")
    [entry, *_] = desk.ada.get(f"/api/projects/{firm.id}/audit").json()["entries"]
    assert (entry["actor"], entry["what"], entry["reason"]) == ("ada", "permissions", "Letters.")
    again = desk.ada.put(f"/api/projects/{firm.id}/permissions", json={"emailSend": True}).json()
    assert (again["changed"], again["proposals"]) == (False, [])


def test_what_is_permitted_and_cannot_be_done_yet_is_withheld_with_its_reason(desk: Desk) -> None:
    firm = company(desk, phase=3, repo_url="https://example.org/not/hub", permissions=Jsonb({}))
    desk.ada.put(f"/api/projects/{firm.id}/permissions", json={"repoWrite": False, "deploy": False})
    firm.packet()
    made = desk.ada.put(f"/api/projects/{firm.id}/permissions", json={"repo_write": True}).json()
    assert made["proposals"] == []
    assert [answer["actionType"] for answer in made["withheld"]] == ["trigger_phase3_repo_workflow"]
    assert made["withheld"][0]["reason"]


def test_a_slip_changes_nothing(desk: Desk) -> None:
    project = desk.project()
    for body in ({"emailSent": True}, {"adsBudgetCap": -1}, {"adsBudgetCap": 1e12}, {"deploy": "perhaps"}, []):
        assert desk.ada.put(f"/api/projects/{project}/permissions", json=body).status_code == 422, body
    assert desk.ada.get(f"/api/projects/{project}/audit").json()["entries"] == []
    assert desk.ada.put(f"/api/projects/{project}/permissions", json={}).json()["changed"] is False


def test_the_cap_for_ads_is_money_to_the_digit(desk: Desk) -> None:
    project = desk.project()
    made = desk.ada.put(f"/api/projects/{project}/permissions", json={"adsBudgetCap": "12.35"}).json()
    assert made["permissions"]["adsBudgetCap"] == 12.35


def test_a_budget_is_changed_in_part(desk: Desk) -> None:
    firm = company(desk)
    body = {"usd": "2.50", "tokens": 1000, "calls": 7, "reason": "Enough."}
    made = desk.ada.put(f"/api/projects/{firm.id}/budget", json=body).json()["budget"]
    assert (made["capMicros"], made["capTokens"], made["capCalls"]) == (2_500_000, 1000, 7)
    made = desk.ada.put(f"/api/projects/{firm.id}/budget", json={"calls": 8}).json()["budget"]
    assert (made["capMicros"], made["capCalls"]) == (2_500_000, 8)
    entries = desk.ada.get(f"/api/projects/{firm.id}/audit").json()["entries"]
    assert [(e["actor"], e["what"], e["reason"]) for e in entries[:2]] == [
        ("ada", "budget", None),
        ("ada", "budget", "Enough."),
    ]
    for bad in ({"usd": -1}, {"usd": "NaN"}, {"tokens": 1.5}, {"calls": -1}, {"calls": 10**16}, {"usd": "1e-999999"}):
        assert desk.ada.put(f"/api/projects/{firm.id}/budget", json=bad).status_code == 422, bad


def test_mail_has_hours_and_a_cap(desk: Desk) -> None:
    project = desk.project()
    where = f"/api/projects/{project}/mail"
    body = {"timezone": "Europe/Berlin", "quietFrom": "22:00", "quietTo": "07:00", "dailyCap": 20}
    assert desk.ada.put(where, json=body).json() == {"ok": True, "mail": body}
    made = desk.ada.put(where, json={"quiet_from": None, "quiet_to": None}).json()["mail"]
    assert made == body | {"quietFrom": None, "quietTo": None}
    assert desk.ada.put(where, json={}).json()["mail"] == made
    assert desk.ada.get(f"/api/projects/{project}").json()["mail"] == made
    bad: list[dict[str, object]] = [
        {"timezone": "Mars/Olympus"},
        {"timezone": "a\0b"},
        {"quietFrom": "22:00"},
        {"quietFrom": "22:00", "quietTo": "22:00"},
        {"quietFrom": "24:00", "quietTo": "07:00"},
        {"dailyCap": -1},
        {"dailyCap": 2**31},
    ]
    for said in bad:
        assert desk.ada.put(where, json=said).status_code == 422, said


def test_a_project_is_paused_resumed_and_killed(desk: Desk) -> None:
    firm = company(desk)
    firm.gate()
    where = f"/api/projects/{firm.id}/life"
    job = desk.ada.post(f"/api/projects/{firm.id}/chat", json={"message": "Hello"}).json()["jobId"]
    paused = desk.ada.post(where, json={"action": "pause", "reason": "Holiday"}).json()
    assert (paused["status"], paused["before"], paused["outcome"], paused["jobsCanceled"]) == (
        "paused", "active", "changed", 1,
    )  # fmt: skip
    assert desk.ada.get(f"/api/jobs/{job}").json()["status"] == "canceled"
    assert desk.ada.post(where, json={"action": "pause"}).json()["outcome"] == "unchanged"
    assert desk.ada.post(where, json={"action": "resume"}).json()["jobsRevived"] == 1
    killed = desk.ada.post(where, json={"action": "kill"}).json()
    assert (killed["status"], killed["approvalsDenied"]) == ("killed", 1)
    assert desk.ada.post(where, json={"action": "resume"}).status_code == 409
    assert desk.ada.post(where, json={"action": "revive"}).status_code == 422


def test_the_night_shift_is_turned_off_and_on(desk: Desk) -> None:
    project = desk.project()
    where = f"/api/projects/{project}/night-shift"
    assert desk.ada.put(where, json={"enabled": False}).json() == {"ok": True, "nightShift": False, "changed": True}
    assert desk.ada.put(where, json={"enabled": False}).json()["changed"] is False
    assert desk.ada.get(f"/api/projects/{project}").json()["nightShift"] is False
    assert desk.ada.put(where, json={}).status_code == 422


@pytest.mark.parametrize("limit", [0, 1001])
def test_the_audit_log_is_read_in_pages(desk: Desk, limit: int) -> None:
    project = desk.project()
    assert desk.ada.get(f"/api/projects/{project}/audit?limit={limit}").status_code == 422
