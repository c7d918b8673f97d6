"""Effects and mails stand in one list, of which each owner sees the own part."""

from __future__ import annotations

from uuid import uuid4

from studio import outbox
from tests.integration.test_row_level_security import acting_as
from tests.support.actions import Stage
from tests.support.approvals import HOOK


def test_effects_and_mails_stand_in_one_list_of_their_owner(stage: Stage) -> None:
    company = stage.company(HOOK, owner_clerk_id=f"owner-{uuid4()}")
    company, approval = stage.approved(HOOK, company)
    stage.run(approval)
    stage.db.execute(
        "insert into public.email_jobs (project_id, to_email, subject, html_body, scheduled_for)"
        " values (%s, 'anna@example.org', 'Hello', '<p>Hello</p>', now())",
        [company.id],
    )
    listed = outbox.find(stage.db, project_id=company.id)
    assert {(entry.kind, entry.status) for entry in listed} == {("effect", "done"), ("mail", "queued")}
    assert [e.kind for e in outbox.find(stage.db, project_id=company.id, status="done")] == ["effect"]
    assert [e.kind for e in outbox.find(stage.db, project_id=company.id, kind="mail")] == ["mail"]
    owner = company.row("owner_clerk_id")["owner_clerk_id"]
    with acting_as(stage.db, "authenticated", owner) as conn:
        assert len(conn.execute("select * from public.outbox_entries").fetchall()) == 2
    with acting_as(stage.db, "authenticated", "mallory") as conn:
        assert conn.execute("select * from public.outbox_entries").fetchall() == []
