"""What one tenant may take of what all share, and who is at a limit.

The database holds the limits and asks them, so that no client is a way around them: running jobs per project and per
owner at the claim, queued jobs at the enqueue, bytes where a file's row is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.database.connection import Connection, Database
from studio.settings import Settings

Limit = Literal["queued", "storage", "running"]

# From here on somebody is told, while there is still room.
NEARLY = 0.9
LISTED = 50


@dataclass(frozen=True)
class AtLimit:
    """Who has nearly or all of what he may: a project (`queued`, `storage`), or an owner in a lane (`running`)."""

    limit: Limit
    who: str
    name: str
    taken: int
    allowed: int

    def __str__(self) -> str:
        return f"{self.limit} of {self.name}: {self.taken:,} of {self.allowed:,}"


@dataclass(frozen=True)
class Limits:
    """The figures that the database holds; None is no limit. `owner_running` is per lane."""

    queued_per_project: int | None
    bytes_per_project: int | None
    owner_running: dict[str, int | None]
    project_running: dict[str, int]


def write_limits(conn: Connection, settings: Settings) -> None:
    """Write the settings' figures where the database asks them."""
    for name, figure in (
        ("queued_per_project", settings.project_queue_limit),
        ("bytes_per_project", settings.project_storage_bytes),
    ):
        if figure == 0:
            conn.execute("delete from public.tenant_limits where name = %s", [name])
            continue
        conn.execute(
            "insert into public.tenant_limits (name, figure) values (%s, %s)"
            " on conflict (name) do update set figure = excluded.figure",
            [name, figure],
        )


def lift_limits(conn: Connection) -> None:
    """Let the rest of the caller's transaction enqueue whatever the limits say."""
    conn.execute("select set_config('greenlight.tenant_limits', 'off', true)")


def limits(db: Database) -> Limits:
    """Return the figures."""
    rows = db.fetch_all("select name, figure from public.tenant_limits")
    figures: dict[str, int] = {row["name"]: row["figure"] for row in rows}
    lanes = db.fetch_all("select lane, project_limit, owner_limit from public.agent_job_lanes")
    return Limits(
        figures.get("queued_per_project"),
        figures.get("bytes_per_project"),
        {lane["lane"]: lane["owner_limit"] for lane in lanes},
        {lane["lane"]: lane["project_limit"] for lane in lanes},
    )


def at_limit(db: Database, share: float = NEARLY) -> list[AtLimit]:
    """Return who has `share` of a limit or more, at most `LISTED` of each; who has most of it first."""
    with db.connection() as conn:
        return at_limit_in(conn, share)


def at_limit_in(conn: Connection, share: float = NEARLY) -> list[AtLimit]:
    """Do as `at_limit`, on the caller's connection."""
    rows = conn.execute(
        """
        (select 'queued' as "limit", p.id::text as who, p.name, q.n::bigint as taken, l.figure as allowed
         from public.tenant_limits l
         join (select project_id, count(*) as n from public.agent_jobs where status = 'queued' group by 1) q
           on q.n >= %(share)s * l.figure
         join public.projects p on p.id = q.project_id and p.owner_clerk_id <> 'system'
         where l.name = 'queued_per_project'
         order by q.n desc limit %(listed)s)
        union all
        (select 'storage', p.id::text, p.name, s.bytes, l.figure
         from public.tenant_limits l
         join (select project_id, sum(size_bytes)::bigint as bytes from public.project_assets
               where status <> 'failed' group by 1) s on s.bytes >= %(share)s * l.figure
         join public.projects p on p.id = s.project_id
         where l.name = 'bytes_per_project'
         order by s.bytes desc limit %(listed)s)
        union all
        (select 'running', r.owner, r.owner || ' in the ' || l.lane || ' lane', r.n, l.owner_limit
         from public.agent_job_lanes l
         join (select j.lane, p.owner_clerk_id as owner, count(*) as n
               from public.agent_jobs j join public.projects p on p.id = j.project_id
               where j.status = 'running' and p.owner_clerk_id <> 'system' group by 1, 2) r
           on r.lane = l.lane and r.n >= l.owner_limit
         order by r.n desc limit %(listed)s)
        """,
        {"share": share, "listed": LISTED},
    )
    return [AtLimit(**row) for row in rows]
