"""Traces as attempts at jobs leave them behind: with waits, steps, agents, model calls, tools, errors and payloads.

Rows are made here and stored by the sink that processes use, so that the pages read what a worker would have written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from studio.database.connection import Database
from studio.tracing.rows import Batch, ErrorClass, SpanRow, Status, TraceRow
from studio.tracing.sinks.postgres import PostgresSink

MODEL = "claude-sonnet-4-5"
OVERLOADED = "fp-overloaded"
_STORED_AT_ONCE = 5_000


def trace_id(job_id: UUID, claim_no: int = 1) -> UUID:
    """Return the id of the trace of a job's attempt, as the database makes it."""
    return UUID(hashlib.md5(f"{job_id}:{claim_no}".encode(), usedforsecurity=False).hexdigest())


@dataclass
class Work:
    """A piece of work that is to become a span: from `at` to `at + ms`, both in milliseconds from the trace's start.

    `ms` None: it has not ended.
    """

    name: str
    at: float
    ms: float | None
    children: list[Work] = field(default_factory=list)
    status: Status = "ok"
    row: dict[str, Any] = field(default_factory=dict)

    def walk(self) -> Iterator[tuple[Work, Work | None]]:
        """Yield each piece with its parent, this one first."""
        pending: list[tuple[Work, Work | None]] = [(self, None)]
        while pending:
            work, parent = pending.pop()
            yield work, parent
            pending += [(child, work) for child in reversed(work.children)]


@dataclass
class Fault:
    """What ended a span: the columns that tell of it."""

    error: str = "The model answered 529: overloaded_error. It was asked four times."
    error_type: str = "ModelUnavailable"
    error_class: ErrorClass = "model"
    fingerprint: str = OVERLOADED
    stack: str = (
        "studio/phase0.py:88 in research\n  packet = await agent.run(question)\n"
        "studio/agents/base.py:141 in run\n  answer = await self._model.complete(request)\n"
        "studio/model/client.py:203 in complete\n  raise ModelUnavailable(said) from exc"
    )

    def columns(self) -> dict[str, Any]:
        """Return the columns of a span."""
        return dict(vars(self))


def llm(at: float, ms: float | None, *, cost: int = 21_400, retries: int = 0, fault: Fault | None = None) -> Work:
    """Return a call of the model with its requests on the wire: those that were refused, and the last."""
    failed = fault is not None
    status: Status = "error" if failed else "ok" if ms is not None else "running"
    whole = 0.0 if ms is None else ms
    each = whole * 0.12
    chats = [
        Work(f"chat {MODEL}", at + n * each, each * 0.6, status="error", row={"error": "529: overloaded_error"})
        for n in range(retries)
    ]
    begins = at + retries * each
    rest = None if ms is None else at + whole - begins
    chats.append(Work(f"chat {MODEL}", begins, rest, status=status, row={"attributes": _chat(retries)}))
    row: dict[str, Any] = {
        "model": MODEL,
        "retries": retries,
        "input_data": {
            "system": "You research markets.",
            "messages": [{"role": "user", "content": "Who lends tools?"}],
        },
        "events": [{"name": "retry", "at_ms": n * each + each * 0.6, "status": 529} for n in range(retries)],
    }
    if failed:
        row |= fault.columns() if fault else {}
    elif ms is not None:
        row |= {
            "input_tokens": 8_420,
            "output_tokens": 1_150,
            "cache_read_tokens": 6_100,
            "cost_micros": cost,
            "first_token_ms": round(begins - at + (rest or 0) * 0.2, 1),
            "output_data": {"text": "Three competitors lend tools by the day. " * 6},
        }
    return Work("llm:anthropic", at, ms, chats, status, row)


def _chat(retries: int) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": MODEL,
        "gen_ai.usage.input_tokens": 8420,
        "gen_ai.usage.output_tokens": 1150,
        "greenlight.attempt": retries + 1,
    }


def tool(name: str, at: float, ms: float, **row: Any) -> Work:
    """Return a tool that asked somebody on the web."""
    asked = {"query": "tool library prices Berlin", "limit": 8}
    found = {"results": [{"title": "Leila Berlin", "url": "https://leila-berlin.example"}] * 3}
    return Work(
        f"tool:{name}",
        at,
        ms,
        [Work("http:get", at + ms * 0.06, ms * 0.9, row={"attributes": {"server.address": "search.example"}})],
        row={"input_data": asked, "output_data": found, **row},
    )


def phase0(
    *, fault: Fault | None = None, open_: bool = False, slow: float = 1.0, retries: int = 1, searches: int = 5
) -> Work:
    """Return an attempt at a pitch: ended well, ended by `fault` in its research, or `open_` in its middle.

    `slow` stretches the research.
    """
    research = 21_000 * slow
    begins = 6_400.0
    agent = Work("agent:research", begins + 60, research - 100)
    asked = llm(begins + 140, research * 0.28, retries=retries)
    agent.children = [asked, *(
        tool("web_search", begins + research * (0.3 + 0.012 * n), research * (0.16 + 0.021 * (n * 3 % 5)))
        for n in range(searches)
    )]  # fmt: skip
    last = llm(begins + research * 0.62, research * 0.36, fault=fault)
    agent.children.append(last)
    step = Work("step:research", begins, research, [agent])
    root = Work("job:phase0.generate_packet", 0, None, [
        Work("queue:wait", 0, 4_200),
        Work("launch", 4_200, 2_150),
        step,
    ])  # fmt: skip
    if fault is not None:
        for passed in (agent, step, root):
            passed.status = "error"
            passed.row |= {"error": fault.error, "error_type": fault.error_type, "error_class": fault.error_class}
        root.ms = begins + research + 140
        return root
    after = begins + research
    together = Work("step:plan", after + 80, 15_200)
    for n, name in enumerate(("strategy", "design", "growth")):
        ms = 15_000 - 3_400 * n
        helper = Work(f"agent:{name}", after + 100, ms, [llm(after + 160, ms - 120, cost=9_700 + 800 * n)])
        together.children.append(helper)
    if open_:
        for running in (together, *together.children, *(child.children[0] for child in together.children)):
            running.ms, running.status = None, "running"
        together.children = together.children[:2]
        root.children.append(together)
        root.status = "running"
        return root
    written = after + 15_400
    root.children += [
        together,
        Work("step:packet", written, 3_900, [
            Work("db:wait", written + 20, 640),
            Work("db:query", written + 700, 1_150, row={"attributes": {"db.query.summary": "insert packets"}}),
            Work("action:render_deck", written + 1_900, 1_900),
        ]),
    ]  # fmt: skip
    root.ms = written + 3_980
    return root


def chat(*, fault: Fault | None = None, slow: float = 1.0) -> Work:
    """Return an attempt at an answer in the chat."""
    whole = 4_100 * slow
    asked = llm(620, whole - 700, cost=3_800, fault=fault)
    agent = Work("agent:ceo_chat", 560, whole - 600, [asked])
    step = Work("step:reply", 540, whole - 560, [agent])
    waited = [Work("queue:wait", 0, 45), Work("launch", 45, 490)]
    root = Work("job:chat.reply", 0, whole, [*waited, step])
    if fault is not None:
        for passed in (agent, step, root):
            passed.status = "error"
            passed.row |= {"error": fault.error, "error_type": fault.error_type, "error_class": fault.error_class}
    return root


def lost() -> Work:
    """Return an attempt whose process was killed in the middle of its research."""
    root = phase0(open_=True)
    for work, _ in root.walk():
        if work.ms is None:
            work.status, work.ms = "lost", 90_000 - work.at
    root.row |= {
        "error": "The lease ended without a renewal.",
        "error_type": "LostWorker",
        "error_class": "lost worker",
        "fingerprint": "fp-lost-worker",
    }
    return root


def crowd(count: int, *, ms: float = 240_000.0) -> Work:
    """Return an attempt whose one agent called `count` tools, one after the other."""
    each = (ms - 8_000) / count
    calls = [Work("tool:read_page", 7_000 + n * each, each * 0.8) for n in range(count)]
    agent = Work("agent:research", 6_800, ms - 7_000, calls)
    waited = [Work("queue:wait", 0, 4_000), Work("launch", 4_000, 2_000)]
    return Work("job:phase0.generate_packet", 0, ms, [*waited, Work("step:research", 6_500, ms - 6_600, [agent])])


@dataclass
class Traces:
    """Stores traces of a project's jobs."""

    db: Database
    project: UUID
    owner: str = "ada"
    # Payloads of so many bytes and more are cut as the collector cuts them.
    limit: int = 50_000

    def store(
        self,
        root: Work,
        *,
        ago: timedelta = timedelta(minutes=5),
        job_id: UUID | None = None,
        claim_no: int = 1,
        payloads: bool = True,
        **columns: Any,
    ) -> UUID:
        """Store `root` and what is under it as a trace that began `ago`; return its id. `columns` are the trace's."""
        job_id = uuid4() if job_id is None else job_id
        begin = datetime.now(UTC) - ago
        identity = trace_id(job_id, claim_no)
        ids: dict[int, str] = {}
        spans = []
        for number, (work, parent) in enumerate(root.walk()):
            ids[id(work)] = (
                f"{(identity.int >> 64) & 0xFFFF_FFFF_FFFF:012x}{number & 0xFFFF:04x}"
                if number < 0x10000
                else (f"{identity.int & 0xFFFF_FFFF:08x}{number:08x}")
            )
            spans.append(self._span(work, parent and ids[id(parent)], ids[id(work)], identity, root, begin, payloads))
        calls = [span for span in spans if span.span_name.startswith("llm:")]
        found = next((span for span in spans if span.fingerprint), None)
        trace = TraceRow(
            trace_id=identity,
            pipeline_name=root.name.partition(":")[2],
            start_time=begin,
            project_id=self.project,
            job_id=job_id,
            claim_no=claim_no,
            attempt=claim_no,
            lane="heavy",
            end_time=None if root.ms is None else begin + timedelta(milliseconds=root.ms),
            duration_ms=root.ms,
            status=root.status,
            success=None if root.ms is None else root.status == "ok",
            outcome=None if root.ms is None else "completed" if root.status == "ok" else "failed",
            error=root.row.get("error"),
            error_type=root.row.get("error_type"),
            error_class=root.row.get("error_class"),
            fingerprint=found and found.fingerprint,
            queue_ms=_ms(root, "queue:wait"),
            launch_ms=_ms(root, "launch"),
            span_count=len(spans),
            model_calls=len(calls),
            input_tokens=sum(span.input_tokens or 0 for span in calls),
            output_tokens=sum(span.output_tokens or 0 for span in calls),
            cost_micros=sum(span.cost_micros or 0 for span in calls),
        )
        for name, value in columns.items():
            setattr(trace, name, value)
        sink = PostgresSink(self.db)
        for first in range(0, len(spans), _STORED_AT_ONCE):
            sink.write(Batch(spans=spans[first : first + _STORED_AT_ONCE]))
        sink.write(Batch(traces=[trace]))
        return identity

    def _span(
        self, work: Work, parent: str | None, span_id: str, identity: UUID, root: Work, begin: datetime, payloads: bool
    ) -> SpanRow:
        start = begin + timedelta(milliseconds=work.at)
        row = dict(work.row)
        given, made = row.pop("input_data", None), row.pop("output_data", None)
        span = SpanRow(
            span_id=span_id,
            trace_id=identity,
            span_name=work.name,
            start_time=start,
            parent_span_id=parent,
            project_id=self.project,
            pipeline_name=root.name.partition(":")[2],
            end_time=None if work.ms is None else start + timedelta(milliseconds=work.ms),
            duration_ms=work.ms,
            self_ms=None if work.ms is None else work.ms - _covered(work.at, work.ms, work.children),
            status=work.status,
            success=None if work.ms is None else work.status == "ok",
            **row,
        )
        for name, value in (("input", given), ("output", made)):
            if value is not None:
                self._payload(span, name, value, payloads)
        return span

    def _payload(self, span: SpanRow, name: str, value: Any, kept: bool) -> None:
        text = json.dumps(value)
        cut = len(text) > self.limit
        setattr(span, f"{name}_size", len(text))
        setattr(span, f"{name}_sha256", hashlib.sha256(text.encode()).hexdigest())
        if kept:
            setattr(span, f"{name}_data", json.dumps(text[: self.limit - 200]) if cut else text)


def _covered(at: float, ms: float, children: Iterable[Work]) -> float:
    """Return for how long of a span any of its children ran."""
    covered, until = 0.0, at
    for child in sorted(children, key=lambda one: one.at):
        end = min(at + ms, child.at + (child.ms if child.ms is not None else ms))
        covered += max(0.0, end - max(child.at, until))
        until = max(until, end)
    return covered


def _ms(root: Work, name: str) -> float | None:
    return next((child.ms for child in root.children if child.name == name), None)
