"""What a trace adds to a question: before its request arrives at the model, and from each word to its reader."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from benchmarks import clocked_model, goals
from benchmarks.figures import Figure
from benchmarks.fixtures import make_project
from benchmarks.pairs import added, in_turns
from benchmarks.size import Size
from greenlight_dagster.stack.environment import SANDBOX_MODEL
from studio.agents.profiles import PROFILES
from studio.database.connection import Database
from studio.model import spend
from studio.model.call import Call
from studio.model.client import Model
from studio.model.spend import Spender
from studio.settings import SANDBOX_KEY, Settings
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.sinks.postgres import PostgresSink

QUESTIONS = Size(40, 6)
# Fifty times as often as in a run: what the collector does falls into the middle of each answer.
FLUSH_SECONDS = 0.02
SYSTEM = "You are a careful analyst of ideas for small companies. " * 20
PROMPT = "Who lends what to whom, and who pays for it? " * 100


class Times(NamedTuple):
    """Milliseconds of one question: until its request had arrived, and of its pieces the median and the slowest."""

    request: float
    piece: float
    slowest: float


class _Clock:
    """A progress that reads the clock at each delta."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, list[int]]] = []

    def delta(self, text: str, **_: Any) -> None:
        now = time.monotonic_ns()
        self.pieces.append((now, [int(word) for word in text.split()]))

    def log(self, message: str, **_: Any) -> None:
        """Hear nothing."""

    def tool_call(self, tool: str, **_: Any) -> None:
        """Hear nothing."""

    def tool_result(self, tool: str, **_: Any) -> None:
        """Hear nothing."""


def run(db: Database, quick: bool) -> Iterator[Figure]:
    """Yield the milliseconds that are added."""
    spender = Spender(make_project(db))
    with db.transaction() as conn:
        spend.set_budget(conn, spender.project_id, Decimal(1_000), 10**9, 10**6)
    with clocked_model.running() as address:
        model = Model(_settings(address), db)
        try:
            pairs = in_turns(QUESTIONS.count(quick), lambda traced: _asked(model, spender, db, traced=traced))
        finally:
            model.close()
    for what, field, goal in (
        ("until a request has arrived", "request", goals.TRACED_REQUEST_MS),
        ("until a piece is passed on", "piece", goals.TRACED_PIECE_MS),
        ("until the slowest piece of an answer is", "slowest", None),
    ):
        found = [(getattr(traced, field), getattr(plain, field)) for traced, plain in pairs]
        usual = statistics.median(plain for _, plain in found)
        note = f"of {usual:.2f} ms, median of {len(found)} pairs"
        yield Figure("traced_model", f"added {what}", "ms", added(found), goal=goal, note=note)


def _asked(model: Model, spender: Spender, db: Database, *, traced: bool) -> Times:
    if not traced:
        return _times(model, spender)
    with TraceCollector([PostgresSink(db)], flush_seconds=FLUSH_SECONDS), TraceContext("bench"):
        return _times(model, spender)


def _times(model: Model, spender: Spender) -> Times:
    clock = _Clock()
    call = Call(PROFILES["synthesizer"], "bench", SYSTEM, PROMPT, 1_000)
    entered = time.monotonic_ns()
    model.complete(call, spender, clock)
    late = [(now - told[-1]) / 1e6 for now, told in clock.pieces]
    return Times((clock.pieces[0][1][0] - entered) / 1e6, statistics.median(late), max(late))


def _settings(address: str) -> Settings:
    given = {"ANTHROPIC_API_KEY": SANDBOX_KEY, "ANTHROPIC_BASE_URL": address, "CLAUDE_DIRECT_MODEL": SANDBOX_MODEL}
    return Settings.model_validate(given)
