"""What one run took beside what others took, figure by figure, and what of it is worth a sentence. No database."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from studio.operations.figures import counted, dollars, duration, number
from studio.operations.trace import Trace
from studio.operations.wording import listed

MetricKind = Literal["duration", "count", "cost", "tokens"]
# Fewer runs than these say nothing about what is usual.
MIN_RUNS = 5
# What takes half as long again is worth a sentence, where it is so much longer too: a tiny thing doubles for nothing.
MIN_RATIO = 1.5
MIN_EXCESS_MS = 50.0
# Between two given runs every difference is chance or cause; a fifth is seen.
MIN_RATIO_OF_TWO = 1.2
# What happens in nearly every run, or in hardly any.
NEARLY_ALWAYS = 0.9
HARDLY_EVER = 0.1
# A smaller ratio has no digit.
SMALLEST_RATIO = 0.1

_SINGULAR = {"retries": "retry", "chat calls": "chat call", "tool calls": "tool call", "requests": "request"}
# The verb, the words of the comparison with many runs and with one, and the unit.
_WORDED: dict[MetricKind, tuple[str, str, str, Callable[[float], str]]] = {
    "duration": ("took", "its median", "as long", duration),
    "cost": ("was", "its median", "as much", dollars),
    "tokens": ("were", "their median", "as many", number),
}
_ORDER: dict[MetricKind, int] = {"duration": 0, "count": 1, "cost": 2, "tokens": 3}


@dataclass(frozen=True)
class Measured:
    """The figures of one run by their names: milliseconds (all, and in its own spans), numbers, money and tokens."""

    durations: Mapping[str, float] = field(default_factory=dict)
    self_times: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    tokens: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: MetricKind) -> Mapping[str, float]:
        """Return its figures of one kind."""
        return {"duration": self.durations, "count": self.counts, "cost": self.cost, "tokens": self.tokens}[kind]


@dataclass(frozen=True)
class Metric:
    """One figure of a run beside the same one of other runs.

    `value`, `median` and `p95` are milliseconds, numbers, micro-dollars or tokens, as `kind` says; None where this
    run, or none of the others, had it. `runs` is how many others had it. `self_excess_ms` is how much longer than the
    median of it the spans of this name took themselves, without what is below them.
    """

    name: str
    kind: MetricKind
    value: float | None
    median: float | None
    p95: float | None
    runs: int
    self_excess_ms: float = 0.0

    @property
    def ratio(self) -> float | None:
        """How many times the median it is; None where there is no median, or it is 0."""
        return self.value / self.median if self.value is not None and self.median else None

    @property
    def is_new(self) -> bool:
        """Whether this run has it, and none of the others."""
        return self.value is not None and not self.runs

    @property
    def excess(self) -> float:
        """How much more than the median it is, in the unit of its kind."""
        return (self.value or 0.0) - (self.median or 0.0)


@dataclass(frozen=True)
class Finding:
    """Something about a run that is not as usual, in a sentence without a full stop.

    `itself`: the time went in its own spans, not in those below them.
    """

    sentence: str
    metric: Metric
    itself: bool

    @property
    def excess_ms(self) -> float:
        """How much longer than usual it took; 0 for what is no time."""
        return self.metric.excess if self.metric.kind == "duration" else 0.0


@dataclass(frozen=True)
class Comparison:
    """A run beside `runs` others, or beside the one given `other`.

    `metrics` has everything that was compared, `findings` what is not as usual: first the names that spent the time
    themselves, the one with the most of it at the head, then those that waited for them, then numbers, money, tokens.
    Where the others are too few to say what is usual, `enough` is false and nothing is found.
    """

    trace: Trace
    other: Trace | None
    runs: int
    enough: bool
    metrics: tuple[Metric, ...]
    findings: tuple[Finding, ...]

    @property
    def cause(self) -> Finding | None:
        """What stands out most: where the time itself went, not what waited for it. None where nothing stands out."""
        return next((one for one in self.findings if one.metric.name != self.trace.pipeline_name), None)

    @property
    def summary(self) -> str:
        """With what it was compared and what stands out most."""
        if not self.enough:
            return (
                f"Too few to compare: {counted(self.runs, 'good run')} of {self.trace.pipeline_name} before it,"
                f" and {MIN_RUNS} are needed."
            )
        beside = "the other run" if self.other else f"{counted(self.runs, 'good run')} before it"
        said = f"Compared with {beside}, {self._whole}."
        cause = self.cause
        return (
            f"{said} Nothing in it stands out." if cause is None else f"{said} What stands out most: {cause.sentence}."
        )

    @property
    def _whole(self) -> str:
        whole = next(one for one in self.metrics if one.name == self.trace.pipeline_name)
        if not whole.ratio or not whole.value or not whole.median:
            return f"it took {duration(whole.value or 0.0)} instead of {duration(whole.median or 0.0)}"
        return f"it took {duration(whole.value)} instead of {duration(whole.median)} ({_said(whole.ratio)})"


def metrics(run: Measured, others: Sequence[Measured]) -> list[Metric]:
    """Return every figure of a run beside those of the others; the largest excess of each kind first."""
    found: list[Metric] = []
    for kind in _ORDER:
        mine, compared = run.of(kind), []
        for name in sorted(set(mine).union(*(other.of(kind) for other in others))):
            values = sorted(other.of(kind)[name] for other in others if name in other.of(kind))
            own = sorted(other.self_times[name] for other in others if name in other.self_times)
            spent = run.self_times.get(name, 0.0) - (percentile(own, 0.5) or 0.0) if kind == "duration" else 0.0
            compared.append(
                Metric(
                    name, kind, mine.get(name), percentile(values, 0.5), percentile(values, 0.95), len(values), spent
                )
            )
        found.extend(sorted(compared, key=lambda one: -one.excess))
    return found


def findings(compared: Sequence[Metric], runs: int) -> list[Finding]:
    """Return what is not as usual in `runs` runs, in the order of `Comparison.findings`."""
    return _sorted(_told([Finding(said, one, _itself(one)) for one in compared if (said := _unusual(one, runs))]))


def differences(compared: Sequence[Metric]) -> list[Finding]:
    """Return in what a run differs from one other, in the order of `Comparison.findings`.

    What only the other one has is one of them, and so is what was faster for what it waited for.
    """
    found = _told([Finding(said, one, _itself(one)) for one in compared if (said := _different(one))])
    faster = [one for one in found if one.metric.kind == "duration" and one.metric.excess < 0 and not one.itself]
    if len(faster) > 1:
        names = listed([one.metric.name for one in reversed(faster)])
        found = [one for one in found if one not in faster]
        found.append(Finding(f"{names} took less, because what they waited for did", faster[-1].metric, itself=False))
    return _sorted([*found, *_gone(compared)])


def percentile(values: Sequence[float], fraction: float) -> float | None:
    """Return a percentile of sorted values as PostgreSQL's `percentile_cont` does; None of none."""
    if not values:
        return None
    place = fraction * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def times(ratio: float) -> str:
    """Return a ratio: 4.1 ×, and for what has no digit < 0.1 ×."""
    return f"< {SMALLEST_RATIO} ×" if round(ratio, 1) < SMALLEST_RATIO else f"{ratio:.1f} ×"


def _said(ratio: float) -> str:
    return times(ratio).replace("<", "less than")


def _sorted(found: list[Finding]) -> list[Finding]:
    def place(one: Finding) -> tuple[int, bool, float, str]:
        metric, spent = one.metric, one.metric.self_excess_ms
        own = metric.kind == "duration" and abs(spent) >= MIN_EXCESS_MS and spent * metric.excess > 0
        return _ORDER[metric.kind], not own, -abs(spent) if own else -metric.excess, metric.name

    return sorted(found, key=place)


def _itself(one: Metric) -> bool:
    """Say whether most of what it took longer, or less, it took itself."""
    own, whole = one.self_excess_ms, one.excess
    return one.kind == "duration" and own * whole > 0 and abs(own) >= abs(whole) / 2


def _told(found: Sequence[Finding]) -> list[Finding]:
    """Return the findings; what is new is told once, and with its time where it took some."""
    timed = {one.metric.name for one in found if one.metric.kind == "duration"}
    return [one for one in found if one.metric.kind != "count" or not one.metric.is_new or one.metric.name not in timed]


def _gone(compared: Sequence[Metric]) -> list[Finding]:
    """Return in one finding which names only the other run has, and for how long."""
    gone = {one.name: one for one in compared if one.kind == "count" and one.value is None}
    gone |= {
        one.name: one
        for one in compared
        if one.kind == "duration" and one.value is None and (one.median or 0.0) >= MIN_EXCESS_MS
    }
    if not gone:
        return []
    ordered = sorted(gone.values(), key=lambda one: (one.self_excess_ms, one.excess, one.name))
    names = [f"{one.name} ({duration(-one.excess)})" if one.kind == "duration" else one.name for one in ordered]
    return [Finding(f"{listed(names)} ran only in the other run", ordered[0], _itself(ordered[0]))]


def _unusual(one: Metric, runs: int) -> str | None:
    """Return a sentence about a figure that is higher than usual, or that is there or missing against all custom."""
    if one.kind == "count" and one.name not in _SINGULAR:
        if one.value is None:
            return _missing(one, runs) if one.runs >= NEARLY_ALWAYS * runs else None
        if one.runs <= HARDLY_EVER * runs:
            return f"{one.name} ran, as in {one.runs or 'none'} of {runs} runs"
    if one.kind == "duration" and one.runs < MIN_RUNS <= runs:
        return _rare(one, runs)
    if one.value is None or one.median is None or one.runs < MIN_RUNS or one.value <= (one.p95 or 0.0):
        return None
    if one.value < MIN_RATIO * one.median or (one.kind == "duration" and one.excess < MIN_EXCESS_MS):
        return None
    return _sentence(one, f", of {one.runs} runs")


def _rare(one: Metric, runs: int) -> str | None:
    """Return a sentence about a name of which nothing is usual, because none or too few of the others have it."""
    known = one.p95 or 0.0
    if one.value is None or one.value < MIN_RATIO * known or one.value - known < MIN_EXCESS_MS:
        return None
    if one.median is None:
        return f"{one.name} is new: {duration(one.value)}, in none of {runs} runs"
    return f"{one.name} took {duration(one.value)}, and {duration(one.median)} in the {one.runs} of {runs} runs with it"


def _different(one: Metric) -> str | None:
    if one.value is None:
        return None
    if one.median is None:
        if one.kind == "duration":
            return f"{one.name} is new: {duration(one.value)}" if one.value >= MIN_EXCESS_MS else None
        return None if one.kind != "count" or one.name in _SINGULAR else f"{one.name} ran only in this run"
    smaller, larger = sorted((one.value, one.median))
    if larger < MIN_RATIO_OF_TWO * smaller or larger == smaller:
        return None
    if one.kind == "duration" and larger - smaller < MIN_EXCESS_MS:
        return None
    return _sentence(one, "")


def _missing(one: Metric, runs: int) -> str:
    return f"{one.name} did not run, as it did in {one.runs} of {runs} runs"


def _sentence(one: Metric, of_runs: str) -> str:
    """Return how a figure differs from its median, or from that of the other run where there is one."""
    value, median = one.value or 0.0, one.median or 0.0
    if one.kind != "count":
        verb, its, as_much, words = _WORDED[one.kind]
        beside = f"{words(value)} instead of {words(median)}{of_runs}"
        if one.ratio is None:
            return f"{one.name} {verb} {beside}"
        return f"{one.name} {verb} {_said(one.ratio)} {its if of_runs else as_much} ({beside})"
    if one.name in _SINGULAR:
        return f"{number(value)} {_SINGULAR[one.name] if value == 1 else one.name} instead of {number(median)}"
    return f"{one.name} ran {counted(value, 'time')} instead of {number(median)}"
