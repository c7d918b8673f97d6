"""Permissions and budgets change through one function, which checks every key and writes down who did it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from studio import permissions, projects
from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound
from studio.model import spend
from studio.settings import Settings
from tests.support.approvals import FOUNDER, Company
from tests.support.queue import InBackground

MakeCompany = Callable[..., Company]
OFF: dict[str, Any] = {
    "repo_write": False, "deploy": False, "email_send": False, "ads_enabled": False, "ads_budget_cap": 0,
}  # fmt: skip


@pytest.fixture
def company(make_company: MakeCompany) -> Company:
    return make_company(permitted={})


def test_what_is_given_changes_and_the_rest_stays(company: Company) -> None:
    made = permissions.change_limits(
        company.db, company.id, FOUNDER, permissions={"email_send": True, "ads_budget_cap": Decimal("19.90")},
        reason=" The first campaign. ",
    )  # fmt: skip
    after = OFF | {"email_send": True, "ads_budget_cap": 19.9}
    assert (made.permissions, made.budget, made.changed) == (after, None, True)
    assert company.row("permissions")["permissions"] == after
    (entry,) = permissions.audit(company.db, company.id)
    assert (entry.actor, entry.what, entry.before, entry.after, entry.reason) == (
        FOUNDER, "permissions", OFF, after, "The first campaign.",
    )  # fmt: skip
    (event,) = company.events("project.permissions_changed")
    assert event["data"] == {"by": FOUNDER, "before": OFF, "after": after, "reason": "The first campaign."}


def test_money_is_kept_digit_by_digit(company: Company) -> None:
    permissions.change_limits(company.db, company.id, FOUNDER, permissions={"ads_budget_cap": Decimal("0.1")})
    row = company.row("(permissions ->> 'ads_budget_cap')::numeric as cap")
    assert row["cap"] == Decimal("0.1")


def test_a_budget_is_set_and_written_down(company: Company) -> None:
    first = permissions.change_limits(
        company.db, company.id, FOUNDER, budget={"cap_micros": 5_000_000, "cap_tokens": 10, "cap_calls": 3}
    )
    assert first.budget is not None
    assert (first.budget["cap_micros"], first.budget["spent_micros"]) == (5_000_000, 0)
    permissions.change_limits(company.db, company.id, "operator", budget={"cap_calls": 4})
    budget = spend.budget(company.db, company.id)
    assert (budget.cap_micros, budget.cap_tokens, budget.cap_calls) == (5_000_000, 10, 4)
    second, before = permissions.audit(company.db, company.id)
    assert (before.before, before.after["cap_micros"]) == (None, 5_000_000)
    assert (second.actor, second.before["cap_calls"], second.after["cap_calls"]) == ("operator", 3, 4)
    events = company.events("project.budget_set")
    assert events[0]["message"] == "Budget set to $5, 10 tokens, 3 calls"
    assert events[1]["data"]["calls"] == 4


def test_what_changes_nothing_leaves_no_trace(company: Company) -> None:
    permissions.change_limits(company.db, company.id, FOUNDER, permissions={"deploy": True}, budget={"cap_calls": 1})
    before = company.snapshot()
    again = permissions.change_limits(
        company.db, company.id, FOUNDER, permissions={"deploy": True}, budget={"cap_calls": 1}
    )
    assert not again.changed
    assert permissions.change_limits(company.db, company.id, FOUNDER).permissions == OFF | {"deploy": True}
    assert company.snapshot() == before


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"permissions": {"email_send": 1}}, "email_send is true or false"),
        ({"permissions": {"deploy": "true"}}, "deploy is true or false"),
        ({"permissions": {"repo_write": None}}, "repo_write is true or false"),
        ({"permissions": {"fly": True}}, "no permission fly"),
        ({"permissions": {"ads_budget_cap": -1}}, "cap for ads"),
        ({"permissions": {"ads_budget_cap": "5"}}, "cap for ads"),
        ({"permissions": {"ads_budget_cap": True}}, "cap for ads"),
        ({"permissions": {"ads_budget_cap": 10**7}}, "is a slip"),
        ({"permissions": {"ads_budget_cap": Decimal("NaN")}}, "is a slip"),
        ({"permissions": {"ads_budget_cap": Decimal("1e1000")}}, "is a slip"),
        ({"permissions": {"email_send": True, "x\x00": True}}, "NUL"),
        ({"budget": {"cap_micros": -1}}, "cannot be negative"),
        ({"budget": {"cap_micros": None}}, "whole number"),
        ({"budget": {"cap_tokens": 1.5}}, "whole number"),
        ({"budget": {"cap_calls": True}}, "whole number"),
        ({"budget": {"cap_calls": 10**16}}, "is a slip"),
        ({"budget": {"cap_calls": 10**5000}}, "is a slip"),
        ({"budget": {"spent_micros": 0}}, "no cap spent_micros"),
        ({"by": " ", "budget": {"cap_calls": 1}}, "names who makes it"),
        ({"permissions": {"email_send": True}, "budget": {"cap_calls": -1}}, "negative"),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(company: Company, wish: dict[str, Any], said: str) -> None:
    before = company.snapshot()
    with pytest.raises(InvalidInput, match=said):
        permissions.change_limits(company.db, company.id, wish.pop("by", FOUNDER), **wish)
    assert company.snapshot() == before


@pytest.mark.parametrize("given", ["[]", '"email_send"', "7"])
def test_only_objects_are_limits(company: Company, given: str) -> None:
    with pytest.raises(psycopg.Error, match="are JSON objects"):
        company.db.execute("select public.change_project_limits(%s, 'x', %s::jsonb)", [company.id, given])
    with pytest.raises(psycopg.Error, match="are JSON objects"):
        company.db.execute("select public.change_project_limits(%s, 'x', null, %s::jsonb)", [company.id, given])


def test_there_must_be_such_a_project(db: Database) -> None:
    with pytest.raises(NotFound, match="no project"):
        permissions.change_limits(db, uuid4(), FOUNDER, permissions={"deploy": True})


def test_many_who_change_different_things_at_once_do_not_undo_each_other(company: Company) -> None:
    wishes: list[dict[str, Any]] = [{"permissions": {key: True}} for key in permissions.SWITCHES] + [
        {"budget": {key: 7}} for key in permissions.CAPS
    ]
    changing = [
        InBackground(lambda wish=wish: permissions.change_limits(company.db, company.id, FOUNDER, **wish))  # type: ignore[misc]
        for wish in wishes
    ]
    for change in changing:
        change.result()
    assert company.row("permissions")["permissions"] == OFF | dict.fromkeys(permissions.SWITCHES, True)
    budget = spend.budget(company.db, company.id)
    assert (budget.cap_micros, budget.cap_tokens, budget.cap_calls) == (7, 7, 7)
    assert len(permissions.audit(company.db, company.id)) == len(wishes)


def test_a_budget_that_is_set_by_part_gets_the_rest_from_the_settings(company: Company) -> None:
    settings = Settings()
    with company.db.transaction() as conn:
        projects.set_budget(conn, settings, company.id, usd=Decimal("0.50"), by=FOUNDER, reason="A try.")
    budget = spend.budget(company.db, company.id)
    assert (budget.cap_micros, budget.cap_tokens) == (500_000, settings.project_token_cap)
    (entry,) = permissions.audit(company.db, company.id)
    assert (entry.actor, entry.reason) == (FOUNDER, "A try.")


# --- the audit log


@pytest.mark.parametrize(
    "statement",
    [
        "update public.project_audit_log set actor = 'nobody'",
        "update public.project_audit_log set reason = null, details = '{}'",
        "delete from public.project_audit_log",
        "truncate public.project_audit_log",
    ],
)
@pytest.mark.parametrize("role", ["service_role", "postgres"])
def test_the_audit_log_can_only_be_added_to(company: Company, statement: str, role: str) -> None:
    permissions.change_limits(company.db, company.id, FOUNDER, permissions={"deploy": True}, reason="r")
    before = json.dumps(company.rows("project_audit_log"), default=str)
    with company.db.connection() as conn, conn.transaction(force_rollback=True):
        conn.execute(f"set local role {role}".encode())
        with pytest.raises(psycopg.Error) as caught:
            conn.execute(statement.encode())
    assert caught.value.sqlstate == "GL035"
    assert json.dumps(company.rows("project_audit_log"), default=str) == before


def test_the_audit_log_goes_with_its_project(company: Company) -> None:
    permissions.change_limits(company.db, company.id, FOUNDER, permissions={"deploy": True})
    company.db.execute("delete from public.projects where id = %s", [company.id])
    assert company.rows("project_audit_log") == []
