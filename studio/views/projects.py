"""An owner's projects as a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.projects import Project

LISTED = 100


@dataclass(frozen=True)
class Row:
    """A project in a list."""

    project: Project
    headline: str
    confidence: int | None
    verdict: str | None
    packet_phase: int | None
    pending: int
    running: int
    queued: int
    failed: bool
    spent_micros: int
    cap_micros: int | None


def listed(db: Database, owner_clerk_id: str) -> list[Row]:
    """Return an owner's projects, those that need or do something first, at most a hundred."""
    rows = db.fetch_all(
        "select p.*, v.phase as packet_phase, v.confidence, v.packet ->> 'recommendation' as verdict,"
        " coalesce(pitch.packet ->> 'tagline', '') as headline, a.pending, j.running, j.queued,"
        " coalesce(l.status = 'failed' and (v.created_at is null or l.created_at > v.created_at), false) as failed,"
        " coalesce(b.spent_micros, 0) as spent_micros, b.cap_micros"
        " from public.projects p"
        " left join lateral (select w.* from public.phase_packets k"
        "   join public.phase_packet_versions w on w.id = k.version_id"
        "   where k.project_id = p.id order by k.phase desc limit 1) v on true"
        " left join lateral (select w.packet from public.phase_packets k"
        "   join public.phase_packet_versions w on w.id = k.version_id"
        "   where k.project_id = p.id and k.phase = 0) pitch on true"
        " cross join lateral (select count(*)::int as pending from public.approval_queue q"
        "   where q.project_id = p.id and q.status = 'pending') a"
        " cross join lateral (select count(*) filter (where t.status = 'running')::int as running,"
        "   count(*) filter (where t.status = 'queued')::int as queued from public.agent_jobs t"
        "   where t.project_id = p.id and t.status in ('queued', 'running')) j"
        " left join lateral (select t.status, t.created_at from public.agent_jobs t where t.project_id = p.id"
        "   and t.job_type in ('phase0.generate_packet', 'phase.generate_packet')"
        "   order by t.created_at desc, t.id limit 1) l on true"
        " left join public.project_budgets b on b.project_id = p.id"
        " where p.owner_clerk_id = %s and p.id <> %s"
        " order by p.status = 'killed', p.status = 'paused', a.pending > 0 desc, j.running > 0 desc,"
        " p.created_at desc, p.id limit %s",
        [owner_clerk_id, SYSTEM_PROJECT_ID, LISTED],
    )
    return [_row(row) for row in rows]


def _row(row: dict[str, Any]) -> Row:
    project = Project(**{name: row[name] for name in Project.__dataclass_fields__})
    return Row(project, **{name: row[name] for name in Row.__dataclass_fields__ if name != "project"})
