"""`TraceCollector`: takes spans from the threads of the work, makes rows of them, and hands them to the sinks.

It starts when the definitions are loaded, and stops in a `finally`, with everything flushed: written, or spilled to the
disk where a sink does not take it in time. What the work's threads do here is to append to a queue.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING
from uuid import UUID

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from studio.tracing import otlp
from studio.tracing.delivery import Delivery
from studio.tracing.id_generator import IdGenerator
from studio.tracing.made import open_row, row_of, trace_row
from studio.tracing.redaction import Redactor
from studio.tracing.rows import Batch, SpanRow
from studio.tracing.sinks import Sink
from studio.tracing.sinks.insforge import InsForgeSink
from studio.tracing.sinks.postgres import PostgresSink
from studio.tracing.spill import SPILL_FOLDER, Spill

if TYPE_CHECKING:
    from studio.database.connection import Database
    from studio.settings import Settings
    from studio.tracing.spans import Span
    from studio.tracing.trace import Trace

log = logging.getLogger(__name__)

# From so many on they are written before their time, so that a burst does not pile up.
EARLY_FLUSH = 500
# More than any run has waiting while the collector's thread has its turn; beyond it spans are dropped, and counted.
BACKLOG_LIMIT = 200_000

# Inputs and outputs that wait to be cut and redacted, in characters; beyond it they are let go of, and spans kept.
BACKLOG_CHARS = 64_000_000
# What a receiver that is away may cost a run that is over.
OTLP_SECONDS = 2.0

_installed: TraceCollector | None = None


def sinks_of(settings: Settings, db: Database) -> list[Sink]:
    """Return where this installation keeps its traces."""
    sinks: list[Sink] = [PostgresSink(db)]
    if settings.insforge_url and settings.insforge_api_key:
        sinks.append(InsForgeSink(settings.insforge_url, settings.insforge_api_key.get_secret_value()))
    return sinks


def spill_of(settings: Settings) -> Spill:
    """Return where this machine keeps what a sink does not take."""
    return Spill(settings.data_dir / SPILL_FOLDER)


def installed() -> TraceCollector | None:
    """Return the collector that runs in this process, None where nothing is traced."""
    return _installed


class TraceCollector:
    """Collects the spans of a process while it is started. One at a time is the process's own (`installed`)."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        flush_seconds: float = 1.0,
        stop_seconds: float = 5.0,
        spill: Spill | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self.redactor = redactor or Redactor(())
        self._sinks = sinks
        self._spill = spill
        self._deliveries: list[Delivery] = []
        self._flush_seconds = flush_seconds
        self._stop_seconds = stop_seconds
        self._begun: deque[Span] = deque()
        self._ended: deque[Span] = deque()
        self._wake = threading.Event()
        self._asked: threading.Event | None = None
        self._stopping = self._given_up = False
        self._thread: threading.Thread | None = None
        self._ids = IdGenerator()
        self._hands: tuple[list[Span], list[Span]] = ([], [])
        self._waiting_chars = 0
        self.dropped = 0
        self.exports = False
        self._provider: TracerProvider | None = None

    @classmethod
    def from_settings(cls, settings: Settings, db: Database) -> TraceCollector:
        """Return the collector of this installation: into its own database, and to InsForge where that is set."""
        return cls(
            sinks_of(settings, db),
            flush_seconds=settings.trace_flush_ms / 1000,
            stop_seconds=settings.trace_shutdown_seconds,
            spill=spill_of(settings),
            redactor=Redactor.from_settings(settings),
        )

    # --- its life

    def start(self) -> TraceCollector:
        """Begin to collect, and be the process's collector."""
        global _installed
        self._stopping = self._given_up = False
        self._exporter = otlp.exporter_from_environment()
        # What describes this service is for whoever gets its spans; finding it out starts threads.
        resource = otlp.resource() if self._exporter is not None else Resource.get_empty()
        self._provider = TracerProvider(
            resource=resource, sampler=ALWAYS_ON, id_generator=self._ids, shutdown_on_exit=False
        )
        self._deliveries = [Delivery(sink, self._spill) for sink in self._sinks]
        if self._exporter is not None:
            self._provider.add_span_processor(self._exporter)
            self.exports = True
        # OTEL_SDK_DISABLED is about what is exported: without the SDK's spans there would be no ids.
        self._provider._disabled = False
        self.tracer = self._provider.get_tracer("greenlight")
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()
        _installed = self
        return self

    def stop(self) -> None:
        """Write everything that was collected, and stop: what a sink does not take in time is spilled."""
        global _installed
        if _installed is self:
            _installed = None
        if self._thread is None:
            return
        deadline = time.monotonic() + self._stop_seconds
        self._stopping = True
        self._wake.set()
        self._thread.join(self._stop_seconds)
        if self._thread.is_alive():
            self._rescue()
        self._thread = None
        for delivery in self._deliveries:
            delivery.close(max(0.0, deadline - time.monotonic()))
        if self._exporter is not None:
            otlp.shut_down(self._exporter, min(OTLP_SECONDS, self._stop_seconds))
        self._tell_losses()

    @property
    def lost(self) -> int:
        """How many spans were dropped: here, and on their way to the first sink."""
        return self.dropped + (sum(self._deliveries[0].dropped.values()) if self._deliveries else 0)

    def _tell_losses(self) -> None:
        # What was lost on the way, the deliveries have told by themselves.
        if self.dropped:
            log.error("Tracing: %d spans were dropped", self.dropped)

    def __enter__(self) -> TraceCollector:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def flush(self, timeout: float = 5.0) -> bool:
        """Write what was collected so far; return whether that was done in time."""
        deadline = time.monotonic() + timeout
        asked = threading.Event()
        self._asked = asked
        self._wake.set()
        done = asked.wait(timeout)
        return done and all(d.flush(max(0.0, deadline - time.monotonic())) for d in self._deliveries)

    # --- what the work's threads do

    def settle(self, trace_id: UUID) -> None:
        """Let the next trace that this thread begins have the id."""
        self._ids.settle(trace_id)

    def begun(self, span: Span) -> None:
        """Take a span that has begun."""
        if len(self._begun) < BACKLOG_LIMIT and not self._stopping:
            self._begun.append(span)

    def ended(self, span: Span) -> None:
        """Take a span that has ended."""
        if not self._ended:
            # Threads that add at the same moment may lose a sum; it begins anew with each empty queue.
            self._waiting_chars = 0
        self._waiting_chars += len(span.input or "") + len(span.output or "")
        if self._waiting_chars > BACKLOG_CHARS:
            span.let_go()
        if len(self._ended) >= BACKLOG_LIMIT or self._stopping:
            span.trace.dropped += 1
            self.dropped += 1
            return
        self._ended.append(span)
        if len(self._ended) >= EARLY_FLUSH and not self._wake.is_set():
            self._wake.set()

    # --- what its own thread does

    def _run(self) -> None:
        while True:
            self._wake.wait(self._flush_seconds)
            self._wake.clear()
            stopping, asked, self._asked = self._stopping, self._asked, None
            try:
                self._hand_over()
            except Exception:
                log.exception("Tracing: spans could not be handed over")
            if asked is not None:
                asked.set()
            if stopping:
                return

    def _hand_over(self) -> None:
        while self._ended or self._begun:
            self._hands = _taken(self._begun), _taken(self._ended)
            batch = self._batch(*self._hands)
            if self._given_up:
                # Somebody else has these in his hands by now.
                return
            self._put(batch)
            self._hands = [], []

    def _rescue(self) -> None:
        """Hand over what the collector's thread could not in its time, without inputs and outputs, which take it."""
        self._given_up = True
        begun, ended = [*self._hands[0], *_all(self._begun)], [*self._hands[1], *_all(self._ended)]
        for span in (*begun, *ended):
            span.let_go()
        log.warning("Tracing: %d spans are kept without what went in and out: there was no time", len(ended))
        self._put(self._batch(begun, ended))

    def _put(self, batch: Batch) -> None:
        for delivery in self._deliveries:
            delivery.put(batch)

    def _batch(self, begun: Sequence[Span], ended: Sequence[Span]) -> Batch:
        touched: dict[UUID, Trace] = {}
        rows: dict[str, SpanRow] = {}
        for span in begun:
            # One that has ended meanwhile is written once, by its end.
            if not span.ended and (row := self._made(open_row, span)) is not None:
                rows[row.span_id] = row
                touched[span.trace.row.trace_id] = span.trace
        for span in ended:
            if (row := self._made(row_of, span)) is not None:
                rows[row.span_id] = row
                span.trace.add(row)
            span.trace.closed |= span.parent is None
            touched[span.trace.row.trace_id] = span.trace
        # A trace is written as it stands, so that whoever looks at an open one sees what it has cost so far.
        return Batch([trace_row(trace) for trace in touched.values()], list(rows.values()))

    def _made(self, make: Callable[[Span, Redactor], SpanRow], span: Span) -> SpanRow | None:
        try:
            return make(span, self.redactor)
        except Exception:
            log.warning("Tracing: the span %s could not be kept", span.name, exc_info=True)
            span.trace.dropped += 1
            self.dropped += 1
            return None


def _all(queue: deque[Span]) -> Iterator[Span]:
    """Take all, beside others who take."""
    with contextlib.suppress(IndexError):
        while True:
            yield queue.popleft()


def _taken(queue: deque[Span]) -> list[Span]:
    """Take at most as many as make one batch."""
    return list(itertools.islice(_all(queue), EARLY_FLUSH))
