"""What happened to a fleet under load, as plain data: rows, effects, samples and what followers saw.

`gather` reads it when the load has ended; `tests.support.fleet_audit` judges it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from resources import run_tags
from studio.tracing import ids
from tests.support.fleet_world import World


class JobSeen(NamedTuple):
    """A job as it stands at the end. `waits` says that it is queued for a later time."""

    id: UUID
    project: UUID
    kind: str
    lane: str
    status: str
    error: str | None
    claim_no: int
    waits: bool = False


class EventSeen(NamedTuple):
    """An event of the table; `op` and `step_event` where it tells of a step."""

    project: UUID
    seq: int
    id: UUID
    job: UUID
    type: str
    message: str | None
    claim_no: int
    op: str | None = None
    step_event: str | None = None


class RunSeen(NamedTuple):
    """A Dagster run; `starts` is how often something began to carry it out."""

    id: str
    status: str
    job: str | None
    claim_no: str | None
    starts: int


class Effect(NamedTuple):
    """Something that a job did in the world, and how often it is found there. `due` says that it must be there."""

    what: str
    key: str
    count: int
    due: bool


class Calls(NamedTuple):
    """Calls to the model under one claim: as the model counts them, and as the studio's ledger does."""

    job: UUID
    claim_no: int
    asked: int
    recorded: int
    open: int


class Held(NamedTuple):
    """A running job in a sample. Moments are Unix seconds of the database's clock."""

    job: UUID
    project: UUID
    lane: str
    claim_no: int
    leased_until: float | None


class Due(NamedTuple):
    """A queued job that may be claimed, in a sample."""

    job: UUID
    project: UUID
    lane: str


class Sample(NamedTuple):
    """The queue at one moment of the database's clock; `slots` has per lane how many run, in all and per project.

    `offered` has how many of them somebody could take right now, where workers come and go.
    """

    at: float
    slots: Mapping[str, tuple[int, int]]
    held: Sequence[Held]
    due: Sequence[Due]
    offered: Mapping[str, int] | None = None


@dataclass
class History:
    """All that is known, at a moment of the database's clock: `read_at`, in Unix seconds.

    `followed` has per project what a live follower was handed, in its order.
    """

    lease_seconds: float
    read_at: float = 0.0
    jobs: list[JobSeen] = field(default_factory=list)
    events: list[EventSeen] = field(default_factory=list)
    counters: dict[UUID, int] = field(default_factory=dict)
    steps: dict[UUID, set[str]] = field(default_factory=dict)
    followed: dict[UUID, list[tuple[int, UUID]]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    calls: list[Calls] = field(default_factory=list)
    # Requests to the model that carry no claim's trace.
    stray_requests: int = 0
    runs: list[RunSeen] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


def gather(
    url: str, dagster_url: str, world: World, lease_seconds: float, *, without: Collection[UUID] = ()
) -> History:
    """Read what stands in the studio's and in Dagster's database, and what the world has counted.

    Jobs of `without` are left out: what a test has put there, and never was in the queue.
    """
    history = History(lease_seconds)
    with psycopg.connect(url, row_factory=dict_row) as conn:
        # One moment for all of it.
        conn.execute("set transaction isolation level repeatable read read only")
        moment = conn.execute("select extract(epoch from now())::float8 as at").fetchone()
        history.read_at = moment["at"] if moment else 0.0
        history.jobs = [JobSeen(**row) for row in conn.execute(_JOBS, [list(without)]).fetchall()]
        history.events = [EventSeen(**row) for row in conn.execute(_EVENTS).fetchall()]
        counters = conn.execute("select project_id, last_seq from public.project_event_counters").fetchall()
        history.counters = {row["project_id"]: row["last_seq"] for row in counters}
        for row in conn.execute("select job_id, step from public.agent_job_steps where step not like '%/%'"):
            history.steps.setdefault(row["job_id"], set()).add(row["step"])
        history.effects = _effects(conn, world)
        _count_calls(conn, world, history)
    with psycopg.connect(dagster_url, row_factory=dict_row) as conn:
        tags = {"job": run_tags.JOB_ID, "claim": run_tags.CLAIM_NO}
        history.runs = [RunSeen(**row) for row in conn.execute(_RUNS, tags).fetchall()]
    return history


_JOBS: LiteralString = """
select id, project_id as project, job_type as kind, lane, status, last_error as error, claim_no,
       status = 'queued' and run_after > now() as waits
from public.agent_jobs where id <> all (%s)
"""
_EVENTS: LiteralString = """
select project_id as project, seq, id, job_id as job, type, message, claim_no, data ->> 'op' as op,
       data ->> 'step_event' as step_event
from public.agent_job_events order by project_id, seq
"""
_RUNS: LiteralString = """
select r.run_id as id, r.status, j.value as job, c.value as claim_no,
       (select count(*) from event_logs e where e.run_id = r.run_id
        and e.dagster_event_type = 'PIPELINE_START') as starts
from runs r
left join run_tags j on j.run_id = r.run_id and j.key = %(job)s
left join run_tags c on c.run_id = r.run_id and c.key = %(claim)s
"""
# An effect on a provider that cannot be asked is held for a person where nobody knows what became of it.
_ACTIONS: LiteralString = """
select a.id, a.project_id, a.action_type, a.execution_status = 'completed' as done
from public.approval_queue a where a.type = 'execution' and a.status = 'approved'
"""
_ANSWERS: LiteralString = """
select m.id, j.status = 'completed' as done,
       (select count(*) from public.project_chat_messages a where a.reply_to = m.id) as n
from public.project_chat_messages m join public.agent_jobs j on j.id = m.job_id where m.role = 'user'
"""
_PACKETS: LiteralString = """
select j.id, j.status = 'completed' as done,
       (select count(*) from public.phase_packet_versions v where v.source_job_id = j.id) as n
from public.agent_jobs j where j.job_type = 'phase0.generate_packet'
"""
_LETTERS: LiteralString = """
select project_id, to_email, subject, count(*) as n from public.email_jobs group by 1, 2, 3
"""


def _effects(conn: psycopg.Connection[dict[str, Any]], world: World) -> list[Effect]:
    found: list[Effect] = []
    for row in conn.execute(_ACTIONS).fetchall():
        count = world.happened(row["action_type"], row["id"], row["project_id"])
        if count is not None:
            found.append(Effect(row["action_type"], str(row["id"]), count, row["done"]))
    for what, query in (("answer", _ANSWERS), ("packet", _PACKETS)):
        found += [Effect(what, str(row["id"]), row["n"], row["done"]) for row in conn.execute(query).fetchall()]
    delivered = Counter((message["to"][0], message["subject"]) for message in world.resend.delivered)
    sent = conn.execute("select to_email, subject, status from public.email_jobs").fetchall()
    wanted = {(row["to_email"], row["subject"]): row["status"] == "sent" for row in sent}
    for letter in set(delivered) | set(wanted):
        found.append(Effect("mail", " / ".join(letter), delivered[letter], wanted.get(letter, False)))
    for row in conn.execute(_LETTERS).fetchall():
        found.append(Effect("letter", f"{row['project_id']} / {row['to_email']} / {row['subject']}", row["n"], True))
    return found


def _count_calls(conn: psycopg.Connection[dict[str, Any]], world: World, history: History) -> None:
    claims = {ids.of_claim(job.id, n).hex: (job.id, n) for job in history.jobs for n in range(1, job.claim_no + 1)}
    asked: Counter[tuple[UUID, int]] = Counter()
    for trace in world.model_requests():
        if trace in claims:
            asked[claims[trace]] += 1
        else:
            history.stray_requests += 1
    recorded = {
        (row["job_id"], row["claim_no"]): (row["n"], row["open"])
        for row in conn.execute(
            "select job_id, claim_no, count(*) as n, count(*) filter (where status = 'reserved') as open"
            " from public.model_calls where job_id is not null group by 1, 2"
        )
    }
    for claim in set(asked) | set(recorded):
        history.calls.append(Calls(*claim, asked[claim], *recorded.get(claim, (0, 0))))
