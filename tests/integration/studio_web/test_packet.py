"""A packet is read in each of its versions, printed, shared for a while, and refined on request (domain spec §4)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company, stored
from tests.support.approvals import GUIDANCE


def test_the_latest_version_is_shown_and_every_other_by_its_number(desk: Desk) -> None:
    firm = company(desk)
    first, second = firm.packet(confidence=40), firm.packet(confidence=70)
    shown = desk.ada.get(f"/api/projects/{firm.id}/packet?phase=1").json()
    assert (shown["id"], shown["version"], shown["isLatest"]) == (str(second.id), 2, True)
    assert shown["versions"] == [2, 1]
    assert shown["packet"] == second.packet
    assert shown["deliverables"] == []
    older = desk.ada.get(f"/api/projects/{firm.id}/packet?phase=1&version=1").json()
    assert (older["id"], older["confidence"], older["isLatest"]) == (str(first.id), 40, False)


def test_a_packet_that_is_not_there_is_missing(desk: Desk) -> None:
    firm = company(desk)
    firm.packet()
    for query in ("", "?phase=2", "?phase=1&version=9"):
        answer = desk.ada.get(f"/api/projects/{firm.id}/packet{query}")
        assert answer.status_code == 404
        assert answer.json()["error"]
    for query in ("?phase=4", "?phase=one", "?phase=1&version=0", f"?phase=1&version={2**31}"):
        assert desk.ada.get(f"/api/projects/{firm.id}/packet{query}").status_code == 422


def test_a_packet_is_printed_as_a_pdf_that_is_the_same_every_time(desk: Desk) -> None:
    firm = company(desk)
    firm.packet()
    first = desk.ada.get(f"/api/projects/{firm.id}/packet/export?phase=1")
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/pdf"
    assert first.headers["content-disposition"].startswith("attachment;")
    assert first.headers["cache-control"] == "private, no-store"
    assert first.content.startswith(b"%PDF-")
    assert desk.ada.get(f"/api/projects/{firm.id}/packet/export?phase=1&version=1").content == first.content
    assert desk.ada.get(f"/api/projects/{firm.id}/packet/export?phase=2").status_code == 404


def test_a_share_link_is_told_once_and_ends_when_it_is_revoked(desk: Desk) -> None:
    firm = company(desk)
    firm.packet()
    made = desk.ada.post(f"/api/projects/{firm.id}/packet/share", json={"phase": 1, "days": 7}).json()
    assert made["shareUrl"].startswith(f"{desk.web.url}/packet/share/")
    assert (made["share"]["version"], made["share"]["live"], made["share"]["createdBy"]) == (1, True, "ada")
    [listed] = desk.ada.get(f"/api/projects/{firm.id}/packet/share").json()["shares"]
    assert listed == made["share"]
    link = f"/api/projects/{firm.id}/packet/share/{listed['id']}"
    assert desk.ada.delete(link).json() == {"ok": True, "revoked": True}
    assert desk.ada.delete(link).json() == {"ok": True, "revoked": False}
    assert desk.ada.get(f"/api/projects/{firm.id}/packet/share").json()["shares"][0]["live"] is False
    assert desk.ada.delete(f"/api/projects/{firm.id}/packet/share/{uuid4()}").status_code == 404


def test_without_a_body_the_pitch_is_shared(desk: Desk) -> None:
    firm = company(desk, phase=0)
    assert desk.ada.post(f"/api/projects/{firm.id}/packet/share").status_code == 404
    firm.packet()
    made = desk.ada.post(f"/api/projects/{firm.id}/packet/share").json()
    assert made["share"]["phase"] == 0


@pytest.mark.parametrize("body", [{"days": 0}, {"days": 366}, {"phase": 4}, {"version": 0}, {"days": "long"}])
def test_what_cannot_be_shared_is_refused(desk: Desk, body: dict[str, object]) -> None:
    firm = company(desk, phase=0)
    firm.packet()
    assert desk.ada.post(f"/api/projects/{firm.id}/packet/share", json=body).status_code == 422


def test_a_refinement_waits_in_the_inbox_once(desk: Desk) -> None:
    firm = company(desk)
    firm.packet()
    made = desk.ada.post(f"/api/projects/{firm.id}/refine", json={"guidance": f"  {GUIDANCE}  "}).json()
    assert (made["ok"], made["outcome"], made["phase"]) == (True, "created", 1)
    again = desk.ada.post(f"/api/projects/{firm.id}/refine", json={"guidance": "Something else entirely."}).json()
    assert (again["outcome"], again["approvalId"]) == ("pending", made["approvalId"])
    asked = desk.ada.get(f"/api/inbox/{made['approvalId']}").json()
    assert asked["payload"]["guidance"] == GUIDANCE
    assert (asked["payload"]["target_phase"], asked["payload"]["requested_by"]) == (1, "ada")
    assert asked["agentSource"] == "refine_control"


def test_a_refinement_may_be_about_a_file_of_the_project(desk: Desk) -> None:
    firm, other = company(desk), company(desk)
    firm.packet()
    mine, elsewhere = stored(desk, firm.id), stored(desk, other.id)
    for asset in (elsewhere, uuid4()):
        body = {"guidance": GUIDANCE, "assetId": str(asset)}
        assert desk.ada.post(f"/api/projects/{firm.id}/refine", json=body).status_code == 404
    made = desk.ada.post(f"/api/projects/{firm.id}/refine", json={"guidance": GUIDANCE, "assetId": str(mine)}).json()
    asked = desk.ada.get(f"/api/inbox/{made['approvalId']}").json()
    assert asked["assetId"] == str(mine)
    assert asked["payload"]["about"]["filename"] == "plan.md"


def test_without_a_packet_there_is_nothing_to_refine(desk: Desk) -> None:
    firm = company(desk)
    assert desk.ada.post(f"/api/projects/{firm.id}/refine", json={"guidance": GUIDANCE}).status_code == 409
    firm.packet()
    body = {"guidance": GUIDANCE, "phase": 2}
    assert desk.ada.post(f"/api/projects/{firm.id}/refine", json=body).status_code == 409


@pytest.mark.parametrize("guidance", ["", "short", "        x        ", "x" * 2001, "guidance\0", None])
def test_guidance_has_a_length(desk: Desk, guidance: object) -> None:
    firm = company(desk)
    firm.packet()
    assert desk.ada.post(f"/api/projects/{firm.id}/refine", json={"guidance": guidance}).status_code == 422
