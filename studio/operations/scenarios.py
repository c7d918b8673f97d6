"""What `greenlight traces test` sends through the queue: small jobs of most kinds, always the same.

Each test has a project of its own, so that agents are told the same every time. It belongs to nobody who signs in: no
inbox, digest or dashboard has it. It stands behind its last phase, may do nothing in the world, and has no night shift:
its packets open no gate, and propose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import UUID

from studio import chat, queue
from studio.database.connection import Connection
from studio.errors import InvalidInput
from studio.job_types import LANES, SYSTEM_PROJECT_ID
from studio.model import spend
from studio.model.prices import Usage
from studio.project_events import record
from studio.queue import NewJob
from studio.settings import Settings

# Nobody signs in under this name. The migration `synthetic_runs` knows it, too.
OWNER = "greenlight-synthetic"
NAME = "Synthetic runs"
IDEA = (
    "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines. The app keeps"
    " the calendar and holds a small deposit, and a shared locker in the hallway makes pick-up easy at any hour."
)
QUESTION = "In two sentences: what should we find out first?"
# Reserved: it exists nowhere (RFC 2606).
DOMAIN = "synthetic-run.invalid"
# Behind the last phase.
LIVE = 4

Ending = Literal["completed", "failed", "refused"]

LEFT_OUT = {
    "email.process_due, drip.process_digests, drip.process_nudges": "they would send people what is due",
    "approval.execute": "every action acts in the world, or pays for another packet",
    "phase.generate_packet of phases 2 and 3": "they go the way of phase 1, and cost as much again",
}


@dataclass(frozen=True)
class Ground:
    """Where a test takes place: its id, and the project it has made."""

    run_id: UUID
    project_id: UUID


@dataclass(frozen=True)
class Scenario:
    """One job, and how it is to end.

    `refused`: it is not even taken into the queue. `usual` is about what its model calls use, None where it makes none.
    `after` is the scenario whose work it builds on.
    """

    name: str
    description: str
    send: Callable[[Connection, Ground], UUID]
    timeout_seconds: float = 90.0
    ends: Ending = "completed"
    usual: Usage | None = None
    after: str | None = None


def make_ground(conn: Connection, settings: Settings, run_id: UUID, usd: Decimal) -> Ground:
    """Make a test's project in the caller's transaction; `usd` is all that it may spend on models."""
    row = conn.execute(
        "insert into public.projects (owner_clerk_id, name, idea_description, phase, runtime_mode, night_shift)"
        " values (%s, %s, %s, %s, 'attached', false) returning id",
        [OWNER, NAME, IDEA, LIVE],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    project_id = UUID(str(row["id"]))
    spend.set_budget(conn, project_id, usd, settings.project_token_cap, settings.project_call_cap)
    record(conn, project_id, "project.created", f"Project created: {NAME}")
    return Ground(run_id, project_id)


def remove_old(conn: Connection, days: float) -> int:
    """Delete the projects of tests that are older, with their jobs and traces; return how many.

    Their files are named by no row any more, and upkeep deletes them.
    """
    return conn.execute(
        "delete from public.projects p where p.owner_clerk_id = %s and p.created_at < now() - make_interval(secs => %s)"
        " and not exists (select from public.agent_jobs j where j.project_id = p.id"
        "   and j.status in ('queued', 'running'))",
        [OWNER, days * 86_400],
    ).rowcount


def chosen(names: Sequence[str] = ()) -> list[Scenario]:
    """Return the scenarios of these names with those that they build on, in their order; all where none is named.

    Raises `InvalidInput` for a name that there is not.
    """
    known = {scenario.name: scenario for scenario in SCENARIOS}
    wanted = set(names)
    if unknown := sorted(wanted - known.keys()):
        raise InvalidInput(f"There is no scenario {unknown[0]!r}.", f"There are: {', '.join(known)}.")
    wanted |= {after for name in names if (after := known[name].after) is not None}
    return [scenario for scenario in SCENARIOS if not wanted or scenario.name in wanted]


def _job(name: str, job_type: str, **payload: object) -> Callable[[Connection, Ground], UUID]:
    def send(conn: Connection, ground: Ground) -> UUID:
        # A second attempt would hide what is looked for.
        new = NewJob(job_type, ground.project_id, dict(payload), key=_key(ground, name), max_attempts=1)
        return queue.enqueue(conn, new).job_id

    return send


def _scan(conn: Connection, ground: Ground) -> UUID:
    # Past the day's cache of a domain, which would answer without a job.
    new = NewJob("onboarding.scan", SYSTEM_PROJECT_ID, {"domain": DOMAIN}, key=_key(ground, "scan"))
    return queue.enqueue(conn, new).job_id


def _chat(conn: Connection, ground: Ground) -> UUID:
    return chat.post(conn, ground.project_id, OWNER, QUESTION).job.job_id


def _key(ground: Ground, name: str) -> str:
    return f"synthetic:{ground.run_id}:{name}"


# What models are said to use is a round figure of runs against the sandbox model: for an estimate before there is a
# baseline, and no more.
SCENARIOS: tuple[Scenario, ...] = (
    *(
        Scenario(
            f"queue-{lane}", f"A job that does nothing, through the {lane} lane", _job(f"queue-{lane}", f"bench.{lane}")
        )
        for lane in LANES
    ),
    Scenario(
        "refused",
        "A job whose payload does not fit: nothing may come of it",
        _job("refused", "phase.generate_packet", phase=9),
        ends="refused",
    ),
    Scenario(
        "failing",
        "A job that must fail at once, to see that its failure is recorded",
        _job("failing", "phase.generate_packet", phase=1),
        ends="failed",
    ),
    Scenario(
        "night",
        "The night shift of a project that has nothing to do",
        _job("night", "nightshift.cycle_project"),
    ),
    Scenario("scan", f"A look at {DOMAIN}, which does not exist", _scan),
    Scenario(
        "chat",
        "An answer in the chat",
        _chat,
        timeout_seconds=240.0,
        usual=Usage(4_000, 300),
    ),
    Scenario(
        "pitch",
        "Phase 0 of a fixed idea",
        _job("pitch", "phase0.generate_packet", ownerClerkId=OWNER, forceNewApproval=True),
        timeout_seconds=1800.0,
        usual=Usage(150_000, 12_000, searches=10),
    ),
    Scenario(
        "validate",
        "The packet of Phase 1, with its page and its deck, from that pitch",
        _job("validate", "phase.generate_packet", phase=1, forceRegenerate=True),
        timeout_seconds=3600.0,
        usual=Usage(150_000, 60_000),
        after="pitch",
    ),
)
