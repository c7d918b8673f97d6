"""A claim looks at each project a few times, however many there are; the server counts the rows it goes through."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from studio.database.connection import Database
from studio.mail import sequences
from tests.support.mail import SENDING

PROJECTS = 2000
# Rows in all nodes of all statements of a claim, joins' discarded ones included. A join of all projects with all
# would come to PROJECTS for each.
ROWS_PER_PROJECT = 60


@pytest.fixture
def many(database: Database) -> Database:
    """As many projects, each with a campaign that is not due."""
    database.execute(
        "insert into public.projects (owner_clerk_id, name, idea_description, permissions)"
        " select 'o' || n, 'P' || n, 'x', %s::jsonb from generate_series(1, %s) n",
        [json.dumps(SENDING), PROJECTS],
    )
    database.execute(
        "insert into public.email_jobs (project_id, outbox_key, to_email, subject, html_body, category, scheduled_for)"
        " select p.id, 'm' || k, 'r' || k || '@example.org', 's', '<p>x</p>', 'sequence', now() + interval '3 days'"
        " from public.projects p, generate_series(1, 3) k where p.owner_clerk_id like 'o%%'"
    )
    with database.connect() as conn:
        conn.autocommit = True
        conn.execute("analyze public.email_jobs, public.projects")
    return database


def rows_of(node: dict[str, Any]) -> float:
    """Return how many rows a plan's node and those below it went through."""
    own = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter"))
    return own * node.get("Actual Loops", 1) + sum(rows_of(below) for below in node.get("Plans", []))


def choosing(db: Database, limit: int) -> tuple[int, float]:
    """Run the claim's choice alone; return how many mails it chose, and how many rows it went through."""
    row = db.fetch_one("select prosrc from pg_proc where proname = 'claim_due_emails'")
    assert row is not None
    found = re.search(r"with recursive waiting.*?(?=\n    select \(select array_agg)", row["prosrc"], re.DOTALL)
    assert found is not None, "the choice has another shape"
    choice = re.sub(r"\bv_left\b", str(limit), found[0].replace("p_now", "now()"))
    with db.connect() as conn:
        conn.execute("set search_path = public")
        plan = conn.execute(f"explain (analyze, timing off, format json) {choice} select id from chosen").fetchone()  # type: ignore[arg-type]
    assert plan is not None
    (top,) = plan["QUERY PLAN"]
    return top["Plan"]["Actual Rows"], rows_of(top["Plan"])


def test_a_claim_goes_through_each_project_a_few_times(many: Database) -> None:
    few = "select id from public.projects where owner_clerk_id like 'o%%' order by id limit 40"
    for whose in (few, "select id from public.projects"):
        many.execute(
            "update public.email_jobs set scheduled_for = now() - interval '1 hour'"
            f" where outbox_key = 'm1' and project_id in ({whose})"
        )
        chosen, rows = choosing(many, 20)
        assert chosen == 20
        assert rows < PROJECTS * ROWS_PER_PROJECT
        with many.transaction() as conn:
            assert len(conn.execute("select id from public.claim_due_emails('w', 20)").fetchall()) == 20


def test_looking_for_newcomers_touches_only_projects_that_have_some(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute(
        "with p as (insert into public.projects (owner_clerk_id, name, idea_description)"
        "   select 'q' || n, 'P' || n, 'x' from generate_series(1, 200) n returning id),"
        " a as (insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type,"
        "   status) select id, 1, 'Send', 'Send it', 'low', 'execution', 'send_welcome_email_sequence', 'approved'"
        "   from p returning id, project_id)"
        " insert into public.email_sequences (approval_id, project_id, category, marker, emails)"
        " select id, project_id, 'sequence', 'm',"
        """   '[{"step": 1, "day": 0, "subject": "s", "html": "h", "text": "t"}]' from a"""
    )
    database.execute(
        "insert into public.waitlist_signups (project_id, email, status, confirmed_at)"
        " select id, 'ann@example.org', 'confirmed', now() from public.projects where owner_clerk_id = 'q7'"
    )
    begun = 0
    transaction = Database.transaction

    def counted(db: Database, *args: Any, **kwargs: Any) -> Any:
        nonlocal begun
        begun += 1
        return transaction(db, *args, **kwargs)

    monkeypatch.setattr(Database, "transaction", counted)
    assert sequences.enroll_newcomers(database) == 1
    assert begun == 1
    assert sequences.enroll_newcomers(database) == 0
    assert begun == 1
