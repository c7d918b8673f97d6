"""A decision and what follows from it happen together or not at all."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.approvals.decisions.deciding import decide
from tests.support.approvals import EMAIL, Company
from tests.support.queue import separate_connection


def test_a_decision_whose_process_dies_before_the_commit_was_never_made(company: Company) -> None:
    company.packet()
    approval = company.asked(EMAIL)
    before = company.snapshot()
    with separate_connection(company.db) as conn:
        conn.execute("begin")
        conn.execute("select public.decide_approval(%s, 'approved', 1, 'founder')", [approval.id])
        company.db.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            conn.execute("commit")
    assert company.snapshot() == before
    assert decide(company, approval, "approved").job_outcome == "created"


@pytest.mark.parametrize("table", ["agent_jobs", "tasks", "task_log", "project_events"])
def test_where_any_part_of_a_decision_fails_none_of_it_stands(company: Company, table: str) -> None:
    gate = company.gate()
    before = company.snapshot()
    with company.db.connection() as conn:
        conn.execute(
            "create function public.refuse_for_test() returns trigger language plpgsql as"
            " $$ begin raise exception 'no'; end $$"
        )
        conn.execute(
            f"create trigger refuse_for_test before insert on public.{table} for each row"
            " execute function public.refuse_for_test()".encode()
        )
        try:
            with pytest.raises(psycopg.errors.RaiseException, match="no"):
                decide(company, gate, "approved")
        finally:
            conn.execute("drop function public.refuse_for_test() cascade")
    assert company.snapshot() == before
