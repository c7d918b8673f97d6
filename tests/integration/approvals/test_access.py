"""Other clients decide through the same functions over PostgREST: the server's role may, a user's token may not."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import sql

from studio.database.errors import translate
from studio.errors import DecisionConflict
from tests.support.approvals import Company

CALLS = {
    "decide_approval": {"p_approval_id": None, "p_decision": "denied", "p_version": 1, "p_decided_by": "founder"},
    "set_project_status": {"p_project_id": None, "p_status": "paused", "p_actor": "founder"},
    "change_project_limits": {"p_project_id": None, "p_actor": "founder", "p_permissions": '{"deploy": false}'},
    "action_refusal": {"p_project_id": None, "p_action_type": "deploy_landing_page"},
}


def call(company: Company, role: str, function: str, **given: object) -> object:
    """Call a function as PostgREST does: by the names of its parameters, under the role of the token."""
    arguments = {name: company.id if value is None else value for name, value in CALLS[function].items()} | given
    statement = sql.SQL("select to_jsonb(r) as answer from public.{}({}) r").format(
        sql.Identifier(function),
        sql.SQL(", ").join(
            sql.SQL("{} => {}{}").format(
                sql.Identifier(name), sql.Placeholder(name), sql.SQL("::jsonb" if name == "p_permissions" else "")
            )
            for name in arguments
        ),
    )
    with company.db.transaction() as conn:
        conn.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        conn.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": "founder"})])
        row = conn.execute(statement, arguments).fetchone()
    assert row is not None
    return row["answer"]


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.parametrize("role", ["authenticated", "anon"])
def test_a_users_token_calls_none_of_them(company: Company, function: str, role: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        call(company, role, function)


def test_the_servers_role_calls_all_of_them(company: Company) -> None:
    gate = company.gate()
    decided = call(company, "service_role", "decide_approval", p_approval_id=gate.id)
    assert isinstance(decided, dict)
    assert decided == {
        "approval_id": str(gate.id), "project_id": str(company.id), "status": "denied", "version": 2,
        "project_phase": 1, "job_id": None, "job_outcome": None,
    }  # fmt: skip
    limits = call(company, "service_role", "change_project_limits")
    assert isinstance(limits, dict)
    assert limits["permissions"]["deploy"] is False
    paused = call(company, "service_role", "set_project_status")
    assert isinstance(paused, dict)
    assert paused["outcome"] == "changed"
    assert call(company, "service_role", "action_refusal") == "The project is paused."


def test_a_conflict_says_the_expected_version_as_json(company: Company) -> None:
    gate = company.gate()
    company.gate(company.packet())
    with pytest.raises(psycopg.Error) as caught:
        call(company, "service_role", "decide_approval", p_approval_id=gate.id)
    assert caught.value.sqlstate == "GL031"
    assert json.loads(caught.value.diag.message_detail or "") == {"expectedVersion": 2, "status": "pending"}
    known = translate(caught.value)
    assert isinstance(known, DecisionConflict)
    assert known.permanent
