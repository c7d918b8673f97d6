"""Operators: the owners whose projects may use what the installation pays for, and how far those of others may go.

Where anybody can sign up at the identity provider, an owner is not yet somebody whom the installation knows. Without
an identity provider every owner was given a link by whoever runs it, and counts as an operator.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from studio.database.connection import Connection
from studio.errors import PermissionRefused
from studio.model import spend
from studio.model.prices import MICROS
from studio.settings import Settings

# Who kills a project and begins the next has its budget anew: so often, and no more, it may be.
KILLED_COUNT_FOR = timedelta(days=30)


def is_operator(settings: Settings, clerk_id: str) -> bool:
    """Say whether an owner's projects may act under the installation's own accounts, and spend what they like."""
    if settings.clerk_issuer is None:
        return True
    return clerk_id in {name.strip() for name in (settings.operators or "").split(",") if name.strip()}


def require_budget(
    conn: Connection,
    settings: Settings,
    project_id: UUID,
    *,
    by: str,
    usd: Decimal | None = None,
    tokens: int | None = None,
    calls: int | None = None,
) -> None:
    """Raise `PermissionRefused` where an owner who is no operator would raise a cap above that of a new project.

    A cap that an operator has set higher may stay, or be lowered. Holds the project until the transaction ends, so
    that what is compared is what the change finds.
    """
    if is_operator(settings, by):
        return
    conn.execute("select 1 from public.projects where id = %s for no key update", [project_id])
    now = spend.budget_in(conn, project_id)
    dollars = Decimal(0) if now is None else Decimal(now.cap_micros or 0) / MICROS
    wanted: tuple[tuple[Decimal | int | None, Decimal | int, Decimal | int, str], ...] = (
        (usd, dollars, settings.project_budget_usd, f"${settings.project_budget_usd:,.2f}"),
        (tokens, (now and now.cap_tokens) or 0, settings.project_token_cap, f"{settings.project_token_cap:,} tokens"),
        (calls, (now and now.cap_calls) or 0, settings.project_call_cap, f"{settings.project_call_cap:,} calls"),
    )
    over = [said for value, is_now, most, said in wanted if value is not None and value > max(is_now, most)]
    if over:
        raise PermissionRefused(
            f"You can set this project's budget to {' and '.join(over)} at most.",
            "Whoever runs this studio can set more.",
        )


def require_room(conn: Connection, settings: Settings, owner_clerk_id: str, wanted: int) -> None:
    """Raise `PermissionRefused` where `wanted` more projects are more than an owner who is no operator may have.

    Those count that are not killed, and those of the last 30 days in any case: each began with a budget. Holds the
    owner's row until the transaction ends: of two forms at once, the second counts the projects of the first.
    """
    if is_operator(settings, owner_clerk_id):
        return
    conn.execute(
        "insert into public.users (clerk_id) values (%s) on conflict (clerk_id) do update set email = users.email",
        [owner_clerk_id],
    )
    row = conn.execute(
        "select count(*)::int as there from public.projects where owner_clerk_id = %s"
        " and (status <> 'killed' or created_at > now() - %s)",
        [owner_clerk_id, KILLED_COUNT_FOR],
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate returns a row
    most = settings.projects_per_owner
    if row["there"] + wanted > most:
        raise PermissionRefused(
            f"You have {row['there']} projects and may have {most}, so there is no room for {wanted} more.",
            "Kill one that you no longer need: it counts for a month from its beginning. Whoever runs this studio can"
            " allow more.",
        )
