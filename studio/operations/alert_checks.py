"""The checks: each asks the database what holds now, and says what an operator should be told of.

A check knows nothing of what was found before. Whether a finding is new, and who is told, is for
`studio.operations.alerts` to say.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import LiteralString

from studio import worker_health
from studio.database.connection import Connection
from studio.model.spend import usd
from studio.operations import spending
from studio.operations.alert_findings import DETAIL_CHARS, TITLE_CHARS, Finding, Kind
from studio.operations.alert_slowdowns import slower
from studio.operations.spending import Cap, NearCap
from studio.operations.wording import lasting, moment, several
from studio.settings import Settings
from studio.text import clip

# An error that nobody resolves is news for so long after it came up last; then its alert closes.
ERROR_DAYS = 7
# So many errors at once are more than anybody reads.
ERRORS_AT_ONCE = 1000
# Workers are lost now and then; so many of an hour's attempts, and at least so many, are a pattern.
LOST_SHARE = 0.1
LOST_AT_LEAST = 3


Check = Callable[[Connection, Settings], Iterator[Finding]]

# An error counts where it has ended an attempt since it came up, or came back. What is open stays in sight however many
# come after it: what a check does not find is closed, and would be told again.
_ERRORS: LiteralString = """
select i.fingerprint, i.error_type, i.error_class, i.message, i.place, i.first_seen, i.last_seen, i.count,
  i.reopened_at, i.reopened_count, t.trace_id, t.pipeline_name, t.job_id, t.subject
from public.pipeline_issues i
cross join lateral (
  select t.trace_id, t.pipeline_name, t.job_id, t.subject from public.pipeline_traces t
  where t.fingerprint = i.fingerprint and t.status in ('error', 'lost')
    and t.end_time >= greatest(coalesce(i.reopened_at, '-infinity'), now() - make_interval(days => %(days)s))
  order by t.start_time desc limit 1
) t
where i.status = 'open' and i.error_class <> 'cancelled' and i.last_seen > now() - make_interval(days => %(days)s)
order by exists (
  select from public.alerts a where a.kind = 'error' and a.subject = i.fingerprint and a.state = 'open') desc,
  i.last_seen desc limit %(limit)s
"""
# A slot that has just become free beside a long line is taken within the second: only where nothing was taken from
# the lane for as long does nobody look.
_LAST_CLAIM: LiteralString = """
select extract(epoch from now() - max(started_at))::float8 as ago from public.agent_jobs
where lane = %s and status in ('running', 'completed', 'failed', 'canceled', 'queued')
  and run_after > now() - interval '1 day'
"""
_LOSSES: LiteralString = """
select coalesce(sum(dropped_spans), 0)::int as spans, count(*) filter (where dropped_spans > 0)::int as traces
from public.pipeline_traces where created_at > now() - interval '1 hour'
"""
_LOST: LiteralString = """
select count(*)::int as attempts, count(*) filter (where status = 'lost')::int as lost
from public.pipeline_traces where start_time > now() - interval '1 hour' and end_time is not null
"""


def errors(conn: Connection, _: Settings) -> Iterator[Finding]:
    """Yield the errors that end attempts and that nobody has resolved; one that came back is a new one."""
    for row in conn.execute(_ERRORS, {"days": ERROR_DAYS, "limit": ERRORS_AT_ONCE}).fetchall():
        back = row["reopened_at"] is not None
        name = row["error_type"].rpartition(".")[2] or row["error_class"]
        message = " ".join(row["message"].split())
        yield Finding(
            "error",
            row["fingerprint"],
            "warning",
            clip(f"{'Back again' if back else 'New error'} in {row['pipeline_name']}: {name}: {message}", TITLE_CHARS),
            clip(
                f"{name} ({row['error_class']}): {message} It has come up {several(row['count'], 'time')} since"
                f" {moment(row['first_seen'])}"
                + (f", was resolved, and came back at {moment(row['reopened_at'])}" if back else "")
                + f". The last attempt that it ended: {row['trace_id'].hex}.",
                DETAIL_CHARS,
            ),
            {
                "fingerprint": row["fingerprint"],
                "error_type": row["error_type"],
                "error_class": row["error_class"],
                "place": row["place"],
                "count": row["count"],
                "trace_id": str(row["trace_id"]),
                "job_id": str(row["job_id"]) if row["job_id"] else None,
                "pipeline": row["pipeline_name"],
            },
            episode=str(row["reopened_count"]),
        )


def queue(conn: Connection, settings: Settings) -> Iterator[Finding]:
    """Yield the lanes in which nobody takes what could be taken, for GREENLIGHT_ALERT_QUEUE_SECONDS now."""
    longest = settings.alert_queue_seconds
    for lane in worker_health.look_in(conn).lanes:
        if lane.late_seconds <= longest:
            continue
        row = conn.execute(_LAST_CLAIM, [lane.lane]).fetchone()
        ago = row["ago"] if row else None
        if ago is not None and ago <= longest:
            continue
        taken = f"the last one was taken {lasting(ago * 1000)} ago" if ago is not None else "none was taken for a day"
        yield Finding(
            "queue",
            lane.lane,
            "critical",
            f"Nobody takes work of lane {lane.lane}",
            f"A job that could be taken has been waiting for {lasting(lane.late_seconds * 1000)}"
            f" ({lane.takeable} could be, {lane.due} are due), and {taken}. Look at `greenlight doctor`.",
            {"lane": lane.lane, "late_seconds": round(lane.late_seconds), "takeable": lane.takeable, "due": lane.due},
        )


def spend(conn: Connection, settings: Settings) -> Iterator[Finding]:
    """Yield the projects that have used GREENLIGHT_ALERT_SPEND_PERCENT of a cap; at all of it that is critical.

    Reservations of running calls count. A cap of 0 stops all calls on purpose, and is none to come near to.
    """
    for project_id, found in itertools.groupby(spending.near_caps(conn, settings), lambda one: one.project_id):
        near = list(found)
        most = near[0]
        project = clip(" ".join(most.name.split()), 60)
        yield Finding(
            "spend",
            str(project_id),
            "critical" if most.used >= most.allowed else "warning",
            f"{project} has used {100 * most.share:.0f} % of its {most.cap}",
            f"Spent or reserved: {'; '.join(map(_used, near))}. At 100 % its next call is refused;"
            " raise the budget with `greenlight projects budget`.",
            {"percent": {one.cap: round(100 * one.share, 1) for one in near}, "project": project},
            project_id=project_id,
        )


def _used(near: NearCap) -> str:
    used, allowed = _amount(near.cap, near.used), _amount(near.cap, near.allowed)
    return f"{used} of {allowed} ({100 * near.share:.0f} %)"


def _amount(of: Cap, number: int) -> str:
    return f"${usd(number)}" if of == "money" else f"{number:,} {of}"


def losses(conn: Connection, _: Settings) -> Iterator[Finding]:
    """Yield that spans of the last hour could be kept neither in the database nor on the disk."""
    row = conn.execute(_LOSSES).fetchone()
    if row and row["spans"]:
        yield Finding(
            "losses",
            "spans",
            "warning",
            f"{several(row['spans'], 'span')} of the last hour could be kept nowhere",
            f"They are missing in {several(row['traces'], 'trace')}. Look at the database, and at the room in the data"
            " folder.",
            {"spans": row["spans"], "traces": row["traces"]},
        )


def lost_workers(conn: Connection, _: Settings) -> Iterator[Finding]:
    """Yield that many of the last hour's attempts have lost their worker."""
    row = conn.execute(_LOST).fetchone()
    if row and row["lost"] >= max(LOST_AT_LEAST, LOST_SHARE * row["attempts"]):
        yield Finding(
            "lost workers",
            "workers",
            "critical",
            f"{row['lost']} of {row['attempts']} attempts of the last hour have lost their worker",
            "Their processes ended without a word. Look at the machine's memory, and at the log of the launcher.",
            {"lost": row["lost"], "attempts": row["attempts"]},
        )


CHECKS: dict[Kind, Check] = {
    "error": errors,
    "slower": slower,
    "queue": queue,
    "spend": spend,
    "losses": losses,
    "lost workers": lost_workers,
}
