"""What has left is listed for its owner, and his word settles what nobody knows of, once."""

from __future__ import annotations

from uuid import uuid4

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company, unknown_effect, unknown_mail


def test_effects_and_mails_are_listed_and_filtered(desk: Desk) -> None:
    firm, foreign = company(desk), company(desk, "bob")
    effect, mail = unknown_effect(desk.db, firm.id), unknown_mail(desk.db, firm.id)
    hidden = unknown_effect(desk.db, foreign.id)
    listed = desk.ada.get("/api/outbox?limit=200").json()["entries"]
    ids = {entry["id"] for entry in listed}
    assert {str(effect), str(mail)} <= ids
    assert str(hidden) not in ids
    [only] = desk.ada.get(f"/api/outbox?projectId={firm.id}&kind=mail&status=unknown").json()["entries"]
    assert (only["id"], only["recipient"]) == (str(mail), "ann@example.org")
    assert desk.ada.get(f"/api/outbox?projectId={foreign.id}").json()["entries"] == []
    assert desk.ada.get("/api/outbox?status=lost").status_code == 422


def test_an_owner_says_what_became_of_it_once(desk: Desk) -> None:
    firm = company(desk)
    for entry, status in ((unknown_effect(desk.db, firm.id), "done"), (unknown_mail(desk.db, firm.id), "sent")):
        body = {"resolution": "done", "note": "It is there.", "providerId": "x-1"}
        said = desk.ada.post(f"/api/outbox/{entry}/resolve", json=body)
        assert said.status_code == 200
        assert said.json()["status"] == status
        assert desk.ada.post(f"/api/outbox/{entry}/resolve", json=body).status_code == 409
    row = desk.db.fetch_one("select resolved_by, note from outbox where project_id = %s", [firm.id])
    assert row == {"resolved_by": "ada", "note": "It is there."}


def test_what_is_no_answer_is_refused(desk: Desk) -> None:
    entry = unknown_effect(desk.db, company(desk).id)
    for body in ({}, {"resolution": "perhaps"}, {"resolution": "done", "note": "a\0b"}, {"resolution": "done", "x": 1}):
        assert desk.ada.post(f"/api/outbox/{entry}/resolve", json=body).status_code == 422, body
    assert desk.ada.post(f"/api/outbox/{uuid4()}/resolve", json={"resolution": "done"}).status_code == 404
