"""What a project may do in the world, and what it may spend: asked before each act, changed by one audited function.

The conditions of each action are rows of `action_types`, judged by `action_refusal` in the database; both and the
change of limits are SQL (migration `approvals`), so that no client can come to another answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import InvalidInput, PermissionRefused
from studio.queue import transiently
from studio.text import require_storable

SWITCHES = ("repo_write", "deploy", "email_send", "ads_enabled")
ADS_CAP = "ads_budget_cap"
CAPS = ("cap_micros", "cap_tokens", "cap_calls")
# Numbers beyond this many digits are slips, and too long to be written out.
NUMBER_DIGITS = 100


@dataclass(frozen=True)
class Limits:
    """What is in force: `permissions` with the cap for ads in dollars a day, `budget` as stored (None: no row)."""

    permissions: dict[str, Any]
    budget: dict[str, Any] | None
    changed: bool


@dataclass(frozen=True)
class AuditEntry:
    """A change of a project's life, permissions, budget, mail or published page: who, what, from what to what, why."""

    id: UUID
    project_id: UUID
    actor: str
    what: str
    before: Any
    after: Any
    reason: str | None
    details: dict[str, Any]
    created_at: Any


def refusal(conn: Connection, project_id: UUID, action_type: str) -> str | None:
    """Return one sentence why the project may not carry out the action now; None where it may."""
    row = conn.execute("select public.action_refusal(%s, %s) as why", [project_id, action_type]).fetchone()
    return None if row is None else row["why"]


def require(conn: Connection, project_id: UUID, action_type: str) -> None:
    """Raise `PermissionRefused` where the project may not carry out the action now."""
    why = refusal(conn, project_id, action_type)
    if why is not None:
        raise PermissionRefused(why, "Change it with `greenlight projects permissions`, or leave the action.")


def change_limits(
    db: Database,
    project_id: UUID,
    by: str,
    *,
    permissions: Mapping[str, bool | int | Decimal] | None = None,
    budget: Mapping[str, int] | None = None,
    reason: str | None = None,
) -> Limits:
    """Change those permissions and spend caps that are given, audited, in a transaction of its own.

    `permissions` has keys of `SWITCHES` and `ADS_CAP` (dollars a day), `budget` keys of `CAPS`. Raises
    `InvalidInput` that names what does not fit, `NotFound` for an unknown project.
    """

    def work() -> Limits:
        with db.transaction() as conn:
            return change_limits_in(conn, project_id, by, permissions=permissions, budget=budget, reason=reason)

    return transiently(work)


def change_limits_in(
    conn: Connection,
    project_id: UUID,
    by: str,
    *,
    permissions: Mapping[str, bool | int | Decimal] | None = None,
    budget: Mapping[str, int] | None = None,
    reason: str | None = None,
) -> Limits:
    """Do the same as `change_limits` in the caller's transaction."""
    if reason is not None:
        require_storable(reason, "The reason")
    with translated():
        row = conn.execute(
            "select * from public.change_project_limits(%s, %s, %s::jsonb, %s::jsonb, %s)",
            [project_id, by, _object(permissions), _object(budget), reason],
        ).fetchone()
    assert row is not None  # noqa: S101 - the function returns a row or raises
    return Limits(row["permissions"], row["budget"], row["changed"])


def audit(db: Database, project_id: UUID, limit: int = 100) -> list[AuditEntry]:
    """Return the newest entries of a project's audit log first."""
    rows = db.fetch_all(
        "select id, project_id, actor, what, before, after, reason, details, created_at"
        " from public.project_audit_log where project_id = %s order by created_at desc, id limit %s",
        [project_id, limit],
    )
    return [AuditEntry(**row) for row in rows]


def _object(values: Mapping[str, bool | int | Decimal] | None) -> str | None:
    if values is None:
        return None
    for key in values:
        require_storable(key, "A permission's or cap's name")
    return "{" + ", ".join(f"{json.dumps(key)}: {_number(key, value)}" for key, value in values.items()) + "}"


def _number(key: str, value: bool | int | Decimal) -> str:
    """Return a value as JSON, money digit by digit: a float would round it."""
    if not isinstance(value, Decimal):
        slip = not isinstance(value, bool) and isinstance(value, int) and abs(value) >= 10**NUMBER_DIGITS
        if not slip:
            return json.dumps(value)
    elif value.is_finite() and abs(value.adjusted()) < NUMBER_DIGITS:
        return format(value, "f")
    raise InvalidInput(f"The number for {key} is a slip.", "Give one like 25 or 0.50.")
