"""What the models cost now, and which projects are near a cap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from studio.database.connection import Connection
from studio.settings import Settings

Cap = Literal["money", "tokens", "calls"]

LISTED = 20
# A project that nobody works on has used what it has; that is no news.
NEAR_CAP_DAYS = 7


@dataclass(frozen=True)
class NearCap:
    """A project that has used much of a cap: micro-dollars for money. `share` is 1 where it is used up.

    `used` is what is spent and what running calls have reserved: both refuse the next call.
    """

    project_id: UUID
    name: str
    cap: Cap
    used: int
    allowed: int
    share: float


@dataclass(frozen=True)
class Spending:
    """What all model calls cost that were begun today (UTC), and in the last 24 hours, in micro-dollars.

    A call that has not settled counts with what it has reserved. `near_cap` are at most 20 of `near_cap_projects`.
    """

    today_micros: int
    day_micros: int
    day_calls: int
    near_cap_projects: int
    near_cap: list[NearCap]


# Only the projects that have spent something since: their calls are found by their index, and no others are read.
_SPENT: LiteralString = """
select coalesce(sum(c.micros), 0)::bigint as day_micros, count(c.micros)::int as day_calls,
  coalesce(sum(c.micros) filter (
    where c.created_at >= date_trunc('day', now() at time zone 'utc') at time zone 'utc'), 0)::bigint as today_micros
from public.project_budgets b
cross join lateral (
  select coalesce(cost_micros, reserved_micros) as micros, created_at from public.model_calls
  where project_id = b.project_id and created_at > now() - interval '1 day'
) c
where b.updated_at > now() - interval '1 day'
"""
# A cap of nothing is somebody's decision, and no surprise.
_NEAR_CAP: LiteralString = """
select b.project_id, p.name, u.cap, u.used, u.allowed, u.used::float8 / u.allowed as share
from public.project_budgets b
join public.projects p on p.id = b.project_id and p.status <> 'killed'
cross join lateral (values
  ('money', b.spent_micros + b.reserved_micros, b.cap_micros),
  ('tokens', b.spent_tokens + b.reserved_tokens, b.cap_tokens),
  ('calls', b.calls, b.cap_calls)
) u (cap, used, allowed)
where b.updated_at > now() - make_interval(days => %(days)s) and u.allowed > 0 and u.used >= u.allowed * %(share)s
order by max(u.used::float8 / u.allowed) over (partition by b.project_id) desc, b.project_id, share desc, u.cap
"""


def look_in(conn: Connection, settings: Settings) -> Spending:
    """Return what is spent, in the caller's transaction; near a cap is from `alert_spend_percent` of it on."""
    spent = conn.execute(_SPENT).fetchone()
    assert spent is not None  # noqa: S101 - an aggregate returns its row
    nearest: dict[UUID, NearCap] = {}
    for one in near_caps(conn, settings):
        nearest.setdefault(one.project_id, one)
    return Spending(near_cap_projects=len(nearest), near_cap=list(nearest.values())[:LISTED], **spent)


def near_caps(conn: Connection, settings: Settings) -> list[NearCap]:
    """Return the caps of which a project has used `alert_spend_percent` or more, in the caller's transaction.

    Projects that somebody worked on in the last 7 days, the one nearest to a cap first; of each its caps in this order.
    """
    params = {"share": settings.alert_spend_percent / 100, "days": NEAR_CAP_DAYS}
    return [NearCap(**row) for row in conn.execute(_NEAR_CAP, params).fetchall()]
