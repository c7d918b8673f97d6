"""The company context: what an agent should know of a project before it works on it, on one page of markdown.

Deterministic and bounded: the same rows give the same page, each section has room of its own, and the whole is at
most 5,000 characters (domain specification §3, §10). Whatever a person, a mail or a model has written stands in
quotes on one line, as data: it can open neither a heading nor a section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from studio import projects
from studio.database.connection import Connection, Database
from studio.kpis import kpis
from studio.projects import Project
from studio.text import clip, one_line

CONTEXT_CHARS = 5_000

PHASES = ("pitch", "validate", "distribute", "go live", "finished")
# The permissions that are switches, as the founder knows them.
SWITCHES = {
    "email_send": "send mail",
    "deploy": "deploy",
    "repo_write": "write to the repository",
    "ads_enabled": "run ads",
}

# Queue and activity noise: agents want to know what happened, and tasks have a section of their own.
_NO_NEWS = ["job.%", "task.%", "brain.%", "chat.%"]

_PACKETS = """
select p.phase, p.version, p.confidence, p.ceo_recommendation as verdict, v.created_at as at,
       coalesce(p.packet ->> 'tagline', p.packet ->> 'summary', p.synopsis -> 'rationale' ->> 0, '') as summary
from public.phase_packets p join public.phase_packet_versions v on v.id = p.version_id
where p.project_id = %(project)s order by p.phase desc
"""
_PENDING = """
select action_type, phase, risk, title from public.approval_queue
where project_id = %(project)s and status = 'pending' order by created_at desc, id limit 9
"""
_DECIDED = """
select action_type, phase, status, guidance, decided_at as at from public.approval_queue
where project_id = %(project)s and status <> 'pending' order by coalesce(decided_at, created_at) desc, id limit 9
"""
_EVENTS = """
select event_type, message, created_at as at from public.project_events
where project_id = %(project)s and not event_type like any (%(noise)s) order by created_at desc, id limit 21
"""
_TASKS = """
select agent, description, status, detail from public.tasks
where project_id = %(project)s and status <> 'completed' order by created_at desc, id limit 11
"""
_EXECUTIONS = """
select action_type, status, detail, updated_at as at from public.action_executions
where project_id = %(project)s order by updated_at desc, id limit 7
"""
_SENT = """
select subject, status, coalesce(sent_at, scheduled_for) as at from public.email_jobs
where project_id = %(project)s order by coalesce(sent_at, scheduled_for) desc, id limit 7
"""
_RECEIVED = """
select subject, from_email, received_at as at from public.inbound_email_messages
where project_id = %(project)s order by received_at desc, id limit 7
"""


@dataclass(frozen=True)
class _Section:
    """A heading, the room for its lines, and the lines, the most important first."""

    heading: str
    room: int
    lines: Sequence[str]

    def text(self) -> str:
        """Return the section with as many of its lines as fit, and how many did not."""
        kept: list[str] = []
        room = self.room
        for line in self.lines:
            room -= len(line) + 1
            if room < 0:
                break
            kept.append(line)
        if left := len(self.lines) - len(kept):
            kept.append(f"- (and {left} more)")
        return "\n".join([f"## {self.heading}", *(kept or ["- none"])])


def context(db: Database, project_id: UUID) -> str:
    """Return the project's company context as markdown, at most 5,000 characters; raise `NotFound`."""
    with db.transaction() as conn:
        # All sections show one and the same moment.
        conn.execute("set transaction isolation level repeatable read, read only")
        return context_in(conn, project_id)


def context_in(conn: Connection, project_id: UUID) -> str:
    """Return the company context as the caller's transaction sees it; see `context`."""
    project = projects.get_in(conn, project_id)

    def rows(query: Any) -> list[dict[str, Any]]:
        return conn.execute(query, {"project": project_id, "noise": _NO_NEWS}).fetchall()

    sections = (
        _Section("Project", 860, _facts(conn, project)),
        _Section("Figures (measured)", 320, [f"- {line}" for line in kpis(conn, project_id).lines()]),
        _Section("Latest packets", 760, [_packet(row) for row in rows(_PACKETS)]),
        _Section("Waiting for a decision", 420, [_pending(row) for row in rows(_PENDING)]),
        _Section("Last decisions", 620, [_decision(row) for row in rows(_DECIDED)]),
        _Section("Open and failed work", 420, [_task(row) for row in rows(_TASKS)]),
        _Section("Actions carried out", 360, [_execution(row) for row in rows(_EXECUTIONS)]),
        _Section("Mail", 400, [*map(_received, rows(_RECEIVED)), *map(_sent, rows(_SENT))]),
        _Section("Recent events", 400, [_event(row) for row in rows(_EVENTS)]),
    )
    # Rooms, headings and remainders add up to a little less; the cut is a promise, not a habit.
    return clip("\n\n".join(section.text() for section in sections), CONTEXT_CHARS)


def granted(permissions: dict[str, Any]) -> list[str]:
    """Return what the studio may do for a project, in words; ads only with a cap above zero."""
    words = [text for name, text in SWITCHES.items() if name != "ads_enabled" and permissions.get(name) is True]
    cap = permissions.get("ads_budget_cap") or 0
    if permissions.get("ads_enabled") is True and cap > 0:
        words.append(f"run ads for up to ${cap} a day")
    return words


# --- sections


def _facts(conn: Connection, project: Project) -> list[str]:
    row = conn.execute(
        "select p.live_url, b.mission_markdown from public.projects p"
        " left join public.project_brain_documents b on b.project_id = p.id where p.id = %s",
        [project.id],
    ).fetchone()
    live, mission = (row["live_url"], row["mission_markdown"]) if row else (None, None)
    facts = [
        f"- Name: {_quoted(project.name, 80)}",
        f"- Phase {project.phase} ({PHASES[project.phase]}), {project.status}, {project.runtime_mode} runtime",
        f"- The studio may: {', '.join(granted(project.permissions)) or 'only read and write packets'}",
    ]
    if project.domain:
        facts.append(f"- Domain: {_quoted(project.domain, 80)}")
    if project.repo_url:
        facts.append(f"- Repository: {_quoted(project.repo_url, 120)}")
    if live:
        facts.append(f"- Live at: {_quoted(live, 120)}")
    if project.focus_areas:
        facts.append(f"- Focus: {_quoted(', '.join(project.focus_areas), 120)}")
    if mission:
        facts.append(f"- Mission: {_quoted(mission, 200)}")
    return facts


def _packet(row: dict[str, Any]) -> str:
    verdict = one_line(row["verdict"] or "no verdict", 12)
    return (
        f"- Phase {row['phase']}, version {row['version']} of {_day(row['at'])}: {verdict},"
        f" confidence {row['confidence']}: {_quoted(row['summary'], 130)}"
    )


def _pending(row: dict[str, Any]) -> str:
    return f"- {_action(row)}, risk {row['risk']}: {_quoted(row['title'], 70)}"


def _decision(row: dict[str, Any]) -> str:
    guidance = f": {_quoted(row['guidance'], 120)}" if row["guidance"] else ""
    return f"- {_day(row['at'])} {row['status']} {_action(row)}{guidance}"


def _task(row: dict[str, Any]) -> str:
    detail = f": {_quoted(row['detail'], 90)}" if row["detail"] else ""
    return f"- {row['status']}: {_quoted(row['description'], 60)} by {one_line(row['agent'], 24)}{detail}"


def _execution(row: dict[str, Any]) -> str:
    detail = f": {_quoted(row['detail'], 70)}" if row["detail"] else ""
    return f"- {_day(row['at'])} {row['status']} {one_line(row['action_type'], 40)}{detail}"


def _received(row: dict[str, Any]) -> str:
    return f"- {_day(row['at'])} received from {_quoted(row['from_email'], 40)}: {_quoted(row['subject'] or '', 70)}"


def _sent(row: dict[str, Any]) -> str:
    return f"- {_day(row['at'])} {row['status']}: {_quoted(row['subject'], 70)}"


def _event(row: dict[str, Any]) -> str:
    return f"- {_day(row['at'])} {one_line(row['event_type'], 40)}: {_quoted(row['message'] or '', 70)}"


def _action(row: dict[str, Any]) -> str:
    return f"{one_line(row['action_type'], 40)} (phase {row['phase']})"


def _day(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d") if at else "undated"


def _quoted(text: str, limit: int) -> str:
    """Return a text that somebody else wrote: on one line, in quotes that it cannot close."""
    return f'"{one_line(text, limit).replace(chr(34), chr(39))}"'
