"""What a decision lacks is named, and nothing is decided in a project that is not active."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from studio import decisions, lifecycle
from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound, PermissionRefused
from tests.integration.approvals.decisions.deciding import decide
from tests.support.approvals import FOUNDER, GUIDANCE, Company


def test_there_must_be_such_an_approval(db: Database) -> None:
    with pytest.raises(NotFound, match="no approval"):
        decisions.decide(db, uuid4(), "approved", version=1, decided_by=FOUNDER)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"decision": "accepted"}, "approved, denied or revised, not accepted"),
        ({"decision": None}, "approved, denied or revised, not empty"),
        ({"version": None}, "names the version"),
        ({"decided_by": " "}, "names who made it"),
        ({"guidance": "NUL \x00"}, "NUL"),
        ({"decided_by": "\udcff"}, "surrogate"),
    ],
)
def test_what_a_decision_lacks_is_named(company: Company, fields: dict[str, Any], said: str) -> None:
    gate = company.gate()
    wish: dict[str, Any] = {"decision": "denied", "version": 1, "decided_by": FOUNDER} | fields
    before = company.snapshot()
    with pytest.raises(InvalidInput, match=said):
        decisions.decide(company.db, gate.id, wish.pop("decision"), **wish)
    assert company.snapshot() == before


@pytest.mark.parametrize(("status", "decision"), [("paused", "approved"), ("paused", "revised"), ("killed", "denied")])
def test_in_a_project_that_is_not_active_nothing_is_decided(company: Company, status: str, decision: str) -> None:
    gate = company.gate()
    company.db.execute("update public.projects set status = %s where id = %s", [status, company.id])
    before = company.snapshot()
    with pytest.raises(PermissionRefused, match=f"The project is {status}"):
        decide(company, gate, decision, guidance=GUIDANCE)
    assert company.snapshot() == before


def test_a_paused_project_can_be_told_no(company: Company) -> None:
    gate = company.gate()
    lifecycle.set_status(company.db, company.id, "paused", FOUNDER)
    assert decide(company, gate, "denied").status == "denied"
