"""Synthetic runs: scenarios through the real queue, one after the other, and what became of each.

Rows go into `agent_jobs` as any other work does, and whoever runs here picks them up. Nothing is simulated, so that a
real model is paid; what it may cost is the budget of the test's project.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

from studio import queue
from studio.database.connection import Database
from studio.errors import InvalidPayload
from studio.model.prices import PriceList
from studio.operations import baselines, scenarios
from studio.operations.baselines import Limits, Step, Usual
from studio.operations.figures import duration
from studio.operations.scenarios import Ground, Scenario
from studio.queue import Job
from studio.settings import Settings

POLL_SECONDS = 0.1
# A run that has ended its job still writes its last spans.
TRACE_SECONDS = 20.0
# Whoever runs here claims within a second; after this nobody will.
CLAIM_SECONDS = 60.0
# What fewer runs took says little about what is usual: the first one of a new process is slower than any other.
JUDGED_RUNS = 3

Outcome = Literal["ok", "failed", "left out"]
# What became of the baseline: this run is its first, was added to it, or took its place.
Kept = Literal["first", "added", "accepted"]


@dataclass(frozen=True)
class Result:
    """What became of a scenario. Milliseconds and micro-dollars; None where it did not get so far.

    `run_ms` is without the wait in the queue and the launch. `slower` are the steps that took too long, of those that
    `JUDGED_RUNS` good runs or more had before; only a good run that is not slower is `kept` in the baseline.
    """

    scenario: str
    outcome: Outcome
    reason: str
    model: str = ""
    job_id: UUID | None = None
    trace_id: UUID | None = None
    queue_ms: float | None = None
    launch_ms: float | None = None
    run_ms: float | None = None
    total_ms: float | None = None
    cost_micros: int = 0
    ratio: float | None = None
    steps: tuple[Step, ...] = ()
    kept: Kept | None = None

    @property
    def slower(self) -> tuple[Step, ...]:
        """The steps that took much longer than usual."""
        return tuple(step for step in self.steps if step.slower)


@dataclass(frozen=True)
class Report:
    """What became of a test."""

    run_id: UUID
    project_id: UUID
    results: tuple[Result, ...]

    @property
    def good(self) -> bool:
        """Whether all went as it should, and nothing was slower than usual."""
        return all(result.outcome == "ok" and not result.slower for result in self.results)

    @property
    def cost_micros(self) -> int:
        """What all of it cost."""
        return sum(result.cost_micros for result in self.results)


def estimate(db: Database, settings: Settings, wanted: Sequence[Scenario]) -> int:
    """Return about how many micro-dollars the scenarios cost: as much as usual, or a rough guess before there was one.

    Raises `BudgetExhausted` for a model that has no price.
    """
    prices = PriceList(settings.model_prices)
    total = 0
    for scenario in wanted:
        if scenario.usual is not None:
            known = baselines.usual_micros(db, scenario.name, settings.model)
            total += prices.cost_micros(settings.model, scenario.usual) if known is None else known
    return total


@dataclass
class Trial:
    """A test in the making: `begin` it, and take its results as they come.

    `accept` begins the baseline anew with this test.
    """

    db: Database
    settings: Settings
    wanted: Sequence[Scenario]
    usd: Decimal
    limits: Limits = baselines.LIMITS
    accept: bool = False
    claim_seconds: float = CLAIM_SECONDS

    def begin(self) -> Ground:
        """Make the test's project, and remove those of old tests."""
        with self.db.transaction() as conn:
            scenarios.remove_old(conn, self.settings.trace_retention_days)
            return scenarios.make_ground(conn, self.settings, uuid4(), self.usd)

    def results(self, ground: Ground) -> Iterator[Result]:
        """Send the scenarios, each after the end of the one before; yield what became of each.

        What builds on one that failed is left out; once nobody has claimed a job, so is everything. A job that is under
        way when the caller gives up is canceled.
        """
        bad: dict[str, str] = {}
        nobody = False
        for scenario in self.wanted:
            if nobody:
                result = Result(scenario.name, "left out", "Nobody picks up jobs.")
            elif scenario.after in bad:
                result = Result(
                    scenario.name, "left out", f"It builds on {scenario.after}, which {bad[scenario.after]}."
                )
            else:
                result = self._result(scenario, ground)
                nobody = result.reason.startswith(_NOBODY)
            if result.outcome != "ok":
                bad[scenario.name] = "failed" if result.outcome == "failed" else "was left out"
            yield result

    def run(self, say: Callable[[Result], None] = lambda _result: None) -> Report:
        """Do all of it; `say` hears each result at once."""
        ground = self.begin()
        found = []
        for result in self.results(ground):
            say(result)
            found.append(result)
        return Report(ground.run_id, ground.project_id, tuple(found))

    # --- one of them

    def _result(self, scenario: Scenario, ground: Ground) -> Result:
        try:
            job_id = self._send(scenario, ground)
        except InvalidPayload as exc:
            good = scenario.ends == "refused"
            return Result(scenario.name, "ok" if good else "failed", f"Refused: {exc.message}")
        try:
            job, problem = self._wait(scenario, job_id)
        except BaseException:
            # Nobody looks at it any more, and what it asks of a model costs money.
            queue.cancel(self.db, job_id, "The synthetic run was stopped.")
            raise
        trace = self._trace(job) if job.ended and job.claim_no else None
        return self._judged(scenario, job, trace, problem)

    def _send(self, scenario: Scenario, ground: Ground) -> UUID:
        def work() -> UUID:
            with self.db.transaction() as conn:
                job_id = scenario.send(conn, ground)
                # In one transaction: whoever claims the job finds it marked.
                conn.execute(
                    "insert into public.synthetic_jobs (job_id, run_id, scenario, must_fail) values (%s, %s, %s, %s)",
                    [job_id, ground.run_id, scenario.name, scenario.ends == "failed"],
                )
                return job_id

        return queue.transiently(work)

    def _wait(self, scenario: Scenario, job_id: UUID) -> tuple[Job, str | None]:
        """Return the job when it has ended, or why that was not waited for."""
        began = time.monotonic()
        while True:
            job = queue.get(self.db, job_id)
            waited = time.monotonic() - began
            if job.ended:
                return job, None
            if job.claim_no == 0 and waited > self.claim_seconds:
                problem = f"{_NOBODY} within {self.claim_seconds:.0f} s. See `greenlight doctor`."
            elif waited > scenario.timeout_seconds:
                problem = f"It took longer than its {scenario.timeout_seconds:.0f} s, and was canceled."
            else:
                time.sleep(POLL_SECONDS)
                continue
            queue.cancel(self.db, job_id, "The synthetic run has waited long enough.")
            return queue.get(self.db, job_id), problem

    def _trace(self, job: Job) -> dict[str, Any] | None:
        """Return the trace of the job's last attempt, when it has ended; None where none comes."""
        deadline = time.monotonic() + TRACE_SECONDS
        while True:
            row = self.db.fetch_one(
                "select trace_id, status, error, error_class, fingerprint, queue_ms, launch_ms, duration_ms,"
                " cost_micros, dropped_spans, kind from public.pipeline_traces"
                " where trace_id = public.agent_job_trace_id(%s, %s) and end_time is not null",
                [job.id, job.claim_no],
            )
            if row is not None or time.monotonic() > deadline:
                return row
            time.sleep(POLL_SECONDS)

    def _judged(self, scenario: Scenario, job: Job, trace: dict[str, Any] | None, problem: str | None) -> Result:
        if problem is None:
            problem = _problem(scenario, job, trace, traced=self.settings.trace_enabled)
        if trace is None:
            return Result(
                scenario.name, "failed" if problem else "ok", problem or "It went well, untraced.", job_id=job.id
            )
        model = baselines.models(self.db, trace["trace_id"])
        measured = baselines.measure(self.db, trace["trace_id"])
        # With --accept there is nothing to compare with: this is what is usual from now on.
        known = {} if self.accept else baselines.usual(self.db, scenario.name, model)
        steps = tuple(map(_considered, baselines.compare(measured, known, self.limits)))
        slower = [step for step in steps if step.slower]
        kept: Kept | None = None
        if problem is None and not slower:
            kept = "accepted" if self.accept else "added" if known else "first"
            with self.db.transaction() as conn:
                baselines.keep(conn, scenario.name, model, measured, anew=self.accept)
        root = next((step for step in steps if step.name.startswith("job:")), None)
        waits = (trace["queue_ms"] or 0.0) + (trace["launch_ms"] or 0.0)
        return Result(
            scenario=scenario.name,
            outcome="failed" if problem else "ok",
            reason=problem or _well(scenario, job, slower, kept, _runs(known)),
            model=model,
            job_id=job.id,
            trace_id=trace["trace_id"],
            queue_ms=trace["queue_ms"],
            launch_ms=trace["launch_ms"],
            run_ms=max(0.0, trace["duration_ms"] - waits),
            total_ms=trace["duration_ms"],
            cost_micros=trace["cost_micros"],
            ratio=root.ratio if root is not None else None,
            steps=steps,
            kept=kept,
        )


_NOBODY = "Nobody has claimed the job"


def _problem(scenario: Scenario, job: Job, trace: dict[str, Any] | None, *, traced: bool) -> str | None:
    """Return what is wrong about how the scenario ended, None where nothing is."""
    if scenario.ends == "refused":
        return f"It was taken into the queue, and is {job.status}."
    if job.status != scenario.ends:
        return f"The job is {job.status}, not {scenario.ends}: {job.last_error or 'it gave no reason'}"
    if trace is None:
        return f"No trace of it was stored within {TRACE_SECONDS:.0f} s." if traced else None
    if trace["dropped_spans"]:
        return f"{trace['dropped_spans']} of its spans were dropped."
    if trace["kind"] != "synthetic":
        return "Its trace is not marked as synthetic."
    if scenario.ends == "failed":
        missing = [name for name in ("error", "error_class", "fingerprint") if not trace[name]]
        return f"Its trace has no {', no '.join(missing)}." if missing else None
    return None if trace["status"] == "ok" else f"Its trace is {trace['status']}: {trace['error']}"


def _considered(step: Step) -> Step:
    """Return a step that is slower only beside enough runs."""
    return replace(step, slower=step.slower and step.usual is not None and step.usual.runs >= JUDGED_RUNS)


def _runs(known: Mapping[str, Usual]) -> int:
    """Return how many runs are in a baseline: a step may be missing in some of them."""
    return max((usual.runs for usual in known.values()), default=0)


def _well(scenario: Scenario, job: Job, slower: Sequence[Step], kept: Kept | None, before: int) -> str:
    said = f"Failed as ordered: {job.last_error}" if scenario.ends == "failed" else "As it should."
    if slower:
        worst = max(slower, key=lambda step: step.measured.ms)
        usual = worst.usual.median_ms if worst.usual is not None else 0.0
        return f"Slower than usual: {worst.name} took {duration(worst.measured.ms)}, usually {duration(usual)}."
    if kept == "first":
        return f"{said} No baseline yet: stored as the first."
    return f"{said} {before + 1} of {JUDGED_RUNS} runs needed to compare." if 0 < before < JUDGED_RUNS else said
