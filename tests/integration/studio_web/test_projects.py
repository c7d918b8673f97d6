"""An owner creates projects from a form and sees exactly his own, with their limits, packets and figures."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company

IDEA = "Bread by bicycle to offices before nine"


def test_a_project_is_created_from_an_idea_with_everything_off(desk: Desk) -> None:
    made = desk.ada.post("/api/projects", json={"ideaDescription": IDEA, "focusAreas": ["mornings"]})
    assert made.status_code == 200
    answer = made.json()
    assert answer["ok"] is True
    assert answer["createdCount"] == 1
    assert answer["projectIds"] == [answer["projectId"]]

    shown = desk.ada.get(f"/api/projects/{answer['projectId']}").json()
    assert (shown["phase"], shown["status"], shown["runtimeMode"]) == (0, "active", "shared")
    assert shown["nightShift"] is True
    assert IDEA in shown["ideaDescription"]
    assert shown["permissions"] == {
        "repoWrite": False,
        "deploy": False,
        "emailSend": False,
        "adsEnabled": False,
        "adsBudgetCap": 0,
    }
    assert shown["budget"]["capMicros"] > 0
    assert shown["packets"] == []
    assert shown["kpis"]["leads7d"] == 0


def test_older_clients_write_snake_case(desk: Desk) -> None:
    body = {"idea_description": IDEA, "domains": ["one.example", "two.example"], "focus_areas": ["a"]}
    answer = desk.ada.post("/api/projects", json=body | {"runtime_mode": "shared", "permissions": {"deploy": True}})
    assert answer.status_code == 200
    assert answer.json()["createdCount"] == 2
    domains = [desk.ada.get(f"/api/projects/{p}").json()["domain"] for p in answer.json()["projectIds"]]
    assert domains == ["one.example", "two.example"]
    shown = desk.ada.get(f"/api/projects/{answer.json()['projectId']}").json()
    assert shown["permissions"]["deploy"] is False


def test_the_same_form_under_the_same_key_makes_its_project_once(desk: Desk) -> None:
    body = {"ideaDescription": IDEA, "creationKey": str(uuid4())}
    first = desk.ada.post("/api/projects", json=body).json()
    again = desk.ada.post("/api/projects", json=body).json()
    assert again["projectIds"] == first["projectIds"]
    assert (first["createdCount"], again["createdCount"]) == (1, 0)
    other = desk.ada.post("/api/projects", json=body | {"ideaDescription": "Another idea"})
    assert other.status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ideaDescription": "x" * 2001},
        {"ideaDescription": "A\0B"},
        {"domain": "not a domain"},
        {"domains": [f"{n}.example" for n in range(11)]},
        {"ideaDescription": IDEA, "scanJobId": "none"},
        {"ideaDescription": IDEA, "unheardOf": 1},
        ["a list"],
    ],
    ids=["empty", "long", "nul", "domain", "eleven", "scan", "unknown", "list"],
)
def test_what_cannot_be_used_is_named_and_nothing_is_made(desk: Desk, body: object) -> None:
    before = len(desk.ada.get("/api/projects?limit=500").json()["projects"])
    answer = desk.ada.post("/api/projects", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert len(desk.ada.get("/api/projects?limit=500").json()["projects"]) == before


def test_a_scan_that_does_not_exist_is_missing(desk: Desk) -> None:
    answer = desk.ada.post("/api/projects", json={"ideaDescription": IDEA, "scanJobId": str(uuid4())})
    assert answer.status_code == 404


def test_the_list_has_the_owners_own_newest_first(desk: Desk) -> None:
    mine, newer, foreign = desk.project(), desk.project(), desk.project("bob")
    ids = [project["id"] for project in desk.ada.get("/api/projects?limit=500").json()["projects"]]
    assert ids.index(str(newer)) < ids.index(str(mine))
    assert str(foreign) not in ids
    assert len(desk.ada.get("/api/projects?limit=1").json()["projects"]) == 1


def test_a_project_shows_its_packets_and_its_permissions(desk: Desk) -> None:
    firm = company(desk)
    firm.packet(confidence=41)
    firm.packet(confidence=72)
    shown = desk.ada.get(f"/api/projects/{firm.id}").json()
    assert [(p["phase"], p["version"], p["confidence"]) for p in shown["packets"]] == [(1, 2, 72)]
    assert shown["permissions"]["adsBudgetCap"] == 20
    assert shown["permissions"]["deploy"] is True


def test_permissions_that_are_not_there_are_not_given(desk: Desk) -> None:
    project = desk.project()
    desk.db.execute("update projects set permissions = '{}' where id = %s", [project])
    shown = desk.ada.get(f"/api/projects/{project}").json()["permissions"]
    assert not any(shown.values())
