"""Where a reader begins in the event streams of projects: each a seq, after which it has seen nothing.

One statement each, so that what commits while it runs lies behind the position that it returns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from studio.database.connection import Database

# Behind every id of one moment.
_LAST_ID = UUID(int=2**128 - 1)


def known(db: Database, positions: Mapping[UUID, int]) -> dict[UUID, int]:
    """Return `positions`, each at most the last seq that its project has allocated.

    A database that was restored from a backup has not reached them yet; who waited there would miss what comes.
    """
    rows = db.fetch_all(
        "select wanted.id, least(wanted.seq, coalesce(c.last_seq, 0)) as seq"
        " from unnest(%s::uuid[], %s::bigint[]) as wanted (id, seq)"
        " left join public.project_event_counters c on c.project_id = wanted.id",
        [list(positions), list(positions.values())],
    )
    return {row["id"]: row["seq"] for row in rows}


def before(db: Database, project_ids: Collection[UUID], span: timedelta) -> dict[UUID, int]:
    """Return the positions before all that was written within `span` of now; the end where that is nothing."""
    rows = db.fetch_all(
        "select wanted.id, coalesce("
        "  (select min(e.seq) - 1 from public.agent_job_events e"
        "   where e.project_id = wanted.id and e.created_at > now() - %(span)s),"
        "  (select c.last_seq from public.project_event_counters c where c.project_id = wanted.id), 0) as seq"
        " from unnest(%(projects)s::uuid[]) as wanted (id)",
        {"projects": list(project_ids), "span": span},
    )
    return {row["id"]: row["seq"] for row in rows}


def after(
    db: Database, project_ids: Collection[UUID], moment: datetime, event_id: UUID | None = None
) -> dict[UUID, int]:
    """Return the positions after the event `event_id`; in projects that have none of that id, after `moment`.

    Events of one transaction share their moment, and what commits late is older than what stands before it. So the
    id decides where it can. Where it cannot, the position lies before the first event that is later in the order of
    moment and id (the seed's): some may be read twice then, and none is left out.
    """
    rows = db.fetch_all(
        "select wanted.id, coalesce("
        "  (select e.seq from public.agent_job_events e where e.id = %(id)s and e.project_id = wanted.id),"
        "  (select min(e.seq) - 1 from public.agent_job_events e where e.project_id = wanted.id"
        "   and (e.created_at, e.id) > (%(moment)s, coalesce(%(id)s::uuid, %(last)s))),"
        "  (select c.last_seq from public.project_event_counters c where c.project_id = wanted.id), 0) as seq"
        " from unnest(%(projects)s::uuid[]) as wanted (id)",
        {"projects": list(project_ids), "moment": moment, "id": event_id, "last": _LAST_ID},
    )
    return {row["id"]: row["seq"] for row in rows}
