"""A founder's first project is welcomed, where the founder can be written to, and no other."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from studio import projects
from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.settings import Settings
from tests.integration.mail.drips.people import drip_log, receivers
from tests.support.mail import mails


def test_the_first_project_is_welcomed_and_no_other(db: Database, settings: Settings) -> None:
    owner = f"user-{uuid4()}"
    for idea in ("A tool library for neighbours.", "A soup subscription for offices."):
        with db.transaction() as conn:
            projects.create(conn, settings, owner_clerk_id=owner, idea=idea, email="ada@example.org")
    (row,) = mails(db, SYSTEM_PROJECT_ID)
    assert row["subject"] == "A tool library for neighbours is set up: what happens next"
    assert (row["category"], row["sender"], row["unsubscribe_reason"]) == ("transactional", "studio", None)
    assert [row["email_type"] for row in drip_log(db)] == ["welcome"]


def test_a_project_is_created_also_where_nobody_can_be_written_to(db: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    for email in (None, "ada", "ada@example.org"):
        with db.transaction() as conn:
            projects.create(conn, settings, owner_clerk_id=f"user-{uuid4()}", idea="A tea shop.", email=email)
    assert set(receivers(db)) == {"ada@example.org"}
