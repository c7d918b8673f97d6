"""The audit of a fleet after a load: what the history of `tests.support.fleet_history` must not contain.

Every function looks at one promise and returns a sentence per breach of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from uuid import UUID

from tests.support.fleet_history import EventSeen, History, JobSeen, Sample

FINAL = ("completed", "failed", "canceled")
FINAL_RUNS = ("SUCCESS", "FAILURE", "CANCELED")
# What may follow a status; nobody revives or executes anew during a load.
STEPS_OF_A_JOB = {"queued": ("running", "canceled"), "running": ("queued", *FINAL)}
# What nobody renews or takes up for so many leases is stuck.
STUCK_LEASES = 2


def audit(history: History) -> list[str]:
    """Return every breach that is found, a sentence each; nothing where all is well."""
    checks = (ends, effects, calls, streams, statuses, steps, followers, runs, limits, leases, waits, blindness)
    return [finding for check in checks for finding in check(history)]


def ends(history: History) -> Iterator[str]:
    """Every job has ended, and one that failed says why."""
    for job in history.jobs:
        if job.status not in FINAL and not job.waits:
            yield f"{_name(job)} has not ended: it is {job.status}"
        if job.status == "failed" and not (job.error or "").strip():
            yield f"{_name(job)} failed without a reason"


def effects(history: History) -> Iterator[str]:
    """No effect has happened twice, and none is missing of what is told to be done."""
    for effect in history.effects:
        if effect.count > 1:
            yield f"{effect.what} {effect.key} happened {effect.count} times"
        if effect.count == 0 and effect.due:
            yield f"{effect.what} {effect.key} is told to be done, and never happened"


def calls(history: History) -> Iterator[str]:
    """Every call to the model stands in the ledger, and none is left open."""
    for call in history.calls:
        where = f"job {call.job}, claim {call.claim_no}"
        if call.asked > call.recorded:
            yield f"{where}: the model was asked {call.asked} times, the ledger has {call.recorded}"
        if call.open:
            yield f"{where}: {call.open} model calls are still reserved"
    if history.stray_requests:
        yield f"{history.stray_requests} requests to the model belong to no claim"


def streams(history: History) -> Iterator[str]:
    """Every project's stream is numbered from 1 without a gap, up to what its counter says."""
    for project, found in _by_project(history).items():
        seqs = [event.seq for event in found]
        if seqs != list(range(1, len(seqs) + 1)):
            breaks = [after for before, after in pairwise([0, *seqs]) if after != before + 1]
            yield f"project {project}: the stream is not 1..{len(seqs)}, it breaks at {breaks[:5]}"
        if seqs and history.counters.get(project) != seqs[-1]:
            yield f"project {project}: the counter says {history.counters.get(project)}, the stream ends at {seqs[-1]}"
    for project, last in history.counters.items():
        if last and project not in _by_project(history):
            yield f"project {project}: the counter says {last}, but there is no event"


def statuses(history: History) -> Iterator[str]:
    """Every job's chain of status events is whole: queued, running, and so on in turns, up to what it is."""
    chains: dict[UUID, list[EventSeen]] = defaultdict(list)
    for event in history.events:
        if event.type == "status":
            chains[event.job].append(event)
    for job in history.jobs:
        said = [event.message for event in chains[job.id]]
        if not said or said[0] != "queued":
            yield f"{_name(job)} does not begin with being queued: {said[:3]}"
            continue
        if said[-1] != job.status:
            yield f"{_name(job)} is {job.status}, but its last status event says {said[-1]}"
        for before, after in pairwise(said):
            if after not in STEPS_OF_A_JOB.get(str(before), ()):
                yield f"{_name(job)} went from {before} to {after}"
        claims = [event.claim_no for event in chains[job.id] if event.message == "running"]
        if claims != list(range(1, job.claim_no + 1)):
            yield f"{_name(job)} has {job.claim_no} claims, its events tell of {claims}"


def steps(history: History) -> Iterator[str]:
    """Under the claim that completed a job every finished step tells of its start, and no step tells anything twice."""
    told: dict[UUID, Counter[tuple[int, str | None, str]]] = defaultdict(Counter)
    for event in history.events:
        if event.step_event is not None:
            told[event.job][event.claim_no, event.op, event.step_event] += 1
    for job in history.jobs:
        for (claim_no, op, what), count in told[job.id].items():
            if count > 1:
                yield f"{_name(job)}, claim {claim_no}: step {op} tells {what} {count} times"
        if job.status != "completed":
            continue
        saved = history.steps.get(job.id, set())
        if not saved:
            yield f"{_name(job)} is completed without a finished step"
        for step in saved:
            if not told[job.id][job.claim_no, step, "STEP_START"]:
                yield f"{_name(job)}: the start of step {step} is missing"
        # The last step ends the job, after which nothing more is written.
        finished = sum(told[job.id][job.claim_no, step, "STEP_SUCCESS"] for step in saved)
        if finished < len(saved) - 1:
            yield f"{_name(job)}: {len(saved)} steps are saved, {finished} tell of their end"


def followers(history: History) -> Iterator[str]:
    """Whoever followed a project live was handed its stream: all of it, in its order, nothing twice."""
    streams_by_project = _by_project(history)
    for project, seen in history.followed.items():
        stream = [(event.seq, event.id) for event in streams_by_project.get(project, [])]
        if seen == stream:
            continue
        twice = [seq for seq, n in Counter(seq for seq, _ in seen).items() if n > 1]
        missing = sorted({seq for seq, _ in stream} - {seq for seq, _ in seen})
        foreign = sorted({seq for seq, _ in seen} - {seq for seq, _ in stream})
        yield (
            f"project {project}: a follower saw {len(seen)} of {len(stream)} events; missing {missing[:5]}, twice"
            f" {twice[:5]}, not in the table {foreign[:5]}, in order: {seen == sorted(seen)}"
        )


def runs(history: History) -> Iterator[str]:
    """Every Dagster run has ended and was begun once at most; a claim has one run."""
    by_claim: Counter[tuple[str, str]] = Counter()
    for run in history.runs:
        if run.status not in FINAL_RUNS:
            yield f"run {run.id} of job {run.job} has not ended: it is {run.status}"
        if run.starts > 1:
            yield f"run {run.id} of job {run.job} was carried out {run.starts} times"
        if run.job is not None and run.claim_no is not None:
            by_claim[run.job, run.claim_no] += 1
    for (job, claim_no), count in by_claim.items():
        if count > 1:
            yield f"job {job}, claim {claim_no}: {count} runs"


def limits(history: History) -> Iterator[str]:
    """At no moment more jobs ran than a lane has slots, or a project may have in it."""
    broken: set[str] = set()
    for sample in history.samples:
        in_lane = Counter(held.lane for held in sample.held)
        of_project = Counter((held.lane, held.project) for held in sample.held)
        for lane, count in in_lane.items():
            if count > sample.slots[lane][0]:
                broken.add(f"{count} jobs ran in the lane {lane}, which has {sample.slots[lane][0]} slots")
        for (lane, project), count in of_project.items():
            if count > sample.slots[lane][1]:
                broken.add(f"{count} jobs of project {project} ran in {lane}, where {sample.slots[lane][1]} may")
    yield from sorted(broken)


def leases(history: History) -> Iterator[str]:
    """No job was held for longer than two leases by somebody who does not renew."""
    worst: dict[tuple[UUID, int], float] = {}
    for sample in history.samples:
        for held in sample.held:
            # What runs without a lease is nobody's here.
            ended = sample.at if held.leased_until is None else held.leased_until
            # A lease that has just ended was taken a lease ago.
            silent = sample.at - ended + history.lease_seconds
            if held.leased_until is None or silent > STUCK_LEASES * history.lease_seconds:
                claim = (held.job, held.claim_no)
                worst[claim] = max(worst.get(claim, 0.0), silent)
    for (job, claim_no), silent in worst.items():
        yield f"job {job}, claim {claim_no}: running for {silent:.1f} s without a sign of life"


def waits(history: History) -> Iterator[str]:
    """No job that could have been claimed lay in the queue for longer than two leases while slots were free."""
    since: dict[UUID, float] = {}
    worst: dict[UUID, float] = {}
    for sample in history.samples:
        in_lane = Counter(held.lane for held in sample.held)
        of_project = Counter((held.lane, held.project) for held in sample.held)
        claimable = {
            due.job
            for due in sample.due
            if in_lane[due.lane] < _free_at_all(sample, due.lane)
            and of_project[due.lane, due.project] < sample.slots[due.lane][1]
        }
        since = {job: since.get(job, sample.at) for job in claimable}
        for job, began in since.items():
            if sample.at - began > STUCK_LEASES * history.lease_seconds:
                worst[job] = max(worst.get(job, 0.0), sample.at - began)
    for job, waited in worst.items():
        yield f"job {job} lay in the queue for {waited:.1f} s while slots were free"


def blindness(history: History) -> Iterator[str]:
    """Somebody looked all the time: what is stuck between two looks for two leases would not be found."""
    if not history.samples:
        yield "there is no sample"
    for before, after in pairwise(history.samples):
        if after.at - before.at > history.lease_seconds:
            yield f"nobody looked for {after.at - before.at:.1f} s"
    if history.samples and history.read_at - history.samples[-1].at > history.lease_seconds:
        yield f"nobody looked for the last {history.read_at - history.samples[-1].at:.1f} s"


def _free_at_all(sample: Sample, lane: str) -> int:
    slots = sample.slots[lane][0]
    return slots if sample.offered is None else min(slots, sample.offered.get(lane, 0))


def _by_project(history: History) -> dict[UUID, list[EventSeen]]:
    found: dict[UUID, list[EventSeen]] = defaultdict(list)
    for event in history.events:
        found[event.project].append(event)
    return found


def _name(job: JobSeen) -> str:
    return f"{job.kind} {job.id}"
