"""An owner sees who he is and where he is signed in, and ends sessions of his own alone."""

from __future__ import annotations

from contextlib import closing
from uuid import uuid4

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company


def test_me_is_who_has_signed_in(desk: Desk) -> None:
    before = desk.ada.get("/api/me").json()
    assert (before["ownerClerkId"], before["via"]) == ("ada", "link")
    company(desk).gate()
    company(desk, "bob").gate()
    assert desk.ada.get("/api/me").json()["pendingApprovals"] == before["pendingApprovals"] + 1
    assert desk.stranger.get("/api/me").status_code == 401


def test_a_session_is_ended_by_its_owner(desk: Desk) -> None:
    telephone = desk.web.sign_in("ada")
    other = telephone.get("/api/me").json()["sessionId"]
    listed = desk.ada.get("/api/sessions").json()["sessions"]
    assert {one["id"]: one["current"] for one in listed}[other] is False
    assert sum(one["current"] for one in listed) == 1
    assert desk.bob.delete(f"/api/sessions/{other}").status_code == 404
    assert desk.ada.delete(f"/api/sessions/{other}").json() == {"ok": True, "ended": 1}
    assert desk.ada.delete(f"/api/sessions/{other}").status_code == 404
    assert desk.ada.delete(f"/api/sessions/{uuid4()}").status_code == 404
    with closing(telephone):
        assert telephone.get("/api/me").status_code == 401
    assert desk.ada.get("/api/me").status_code == 200


def test_an_owner_signs_out_everywhere(desk: Desk) -> None:
    with closing(desk.web.sign_in("carol")) as one, closing(desk.web.sign_in("carol")) as two:
        assert one.delete("/api/sessions").json() == {"ok": True, "ended": 2}
        assert two.get("/api/me").status_code == 401
    assert desk.ada.get("/api/me").status_code == 200
