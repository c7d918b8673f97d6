"""How the command line shows traces in tables, and a span with all that went in and out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from rich.text import Text

from greenlight_dagster.cli.output import out, print_table
from studio.operations.bottlenecks import PipelineStats
from studio.operations.comparison import Comparison, Metric, times
from studio.operations.figures import counted, dollars, duration, number
from studio.operations.names import NameStats
from studio.operations.outliers import Outliers
from studio.operations.trace import Trace
from studio.operations.tree import SpanDetail
from studio.text import clip, printable

# As many digits as tell one trace from another; every command takes the beginning of an id.
ID_DIGITS = 12
PAYLOAD_CHARS = 2000


def print_list(found: Sequence[Trace], *, empty: str) -> None:
    """Print traces, one per line, or two in a narrow terminal."""
    print_table(
        ("id", "pipeline", "status", "began", "took", "queue", "cost", "subject", "error"),
        [
            (
                one.id[:ID_DIGITS],
                one.pipeline_name,
                one.status if one.kind == "job" else f"{one.status}, {one.kind}",
                one.start_time,
                duration(one.elapsed_ms),
                None if one.queue_ms is None else duration(one.queue_ms),
                dollars(one.cost_micros),
                None if one.subject is None else clip(" ".join(one.subject.split()), 40),
                None if one.error is None else clip(" ".join(one.error.split()), 60),
            )
            for one in found
        ],
        empty=empty,
        below=("subject", "error"),
    )


def print_span(detail: SpanDetail) -> None:
    """Print all of one span, its payloads shortened."""
    tokens = [
        f"{count:,} {what}"
        for count, what in (
            (detail.input_tokens, "in"),
            (detail.output_tokens, "out"),
            (detail.cache_read_tokens, "read from the cache"),
            (detail.cache_write_tokens, "written to the cache"),
        )
        if count
    ]
    known = [
        ("span", f"{detail.span_name} ({detail.span_id})"),
        ("trace", detail.trace_id.hex),
        ("status", detail.status),
        ("began", detail.start_time.isoformat(timespec="milliseconds")),
        ("took", None if detail.duration_ms is None else duration(detail.duration_ms)),
        ("own time", None if detail.self_ms is None else duration(detail.self_ms)),
        ("first token", None if detail.first_token_ms is None else f"after {duration(detail.first_token_ms)}"),
        ("model", detail.model),
        ("tokens", ", ".join(tokens) or None),
        ("cost", None if detail.cost_micros is None else dollars(detail.cost_micros)),
        ("retries", detail.retries or None),
        ("error", None if detail.error is None else f"{detail.error_type}: {detail.error}"),
        ("class", detail.error_class),
        ("fingerprint", detail.fingerprint),
        ("parent", detail.parent_span_id),
    ]
    print_table(("", ""), [(name, value) for name, value in known if value is not None], empty="")
    if detail.stack:
        _section("stack", detail.stack)
    if detail.attributes:
        _section(
            "attributes", "\n".join(f"{name} = {_json(value)}" for name, value in sorted(detail.attributes.items()))
        )
    if detail.events:
        _section("events", "\n".join(_json(event) for event in detail.events))
    for what, value, size in (
        ("input", detail.input_data, detail.input_size),
        ("output", detail.output_data, detail.output_size),
    ):
        if value is None and not size:
            continue
        text = _pretty(value) if value is not None else "No longer kept."
        _section(f"{what}, {size or 0:,} bytes", clip(text, PAYLOAD_CHARS))
        if len(text) > PAYLOAD_CHARS:
            out.print(f"For all of it: --{what} {detail.span_id}", style="dim", highlight=False)


def print_payload(value: Any, detail: SpanDetail, what: str) -> None:
    """Print what went in or came out, whole."""
    if value is not None:
        out.print(printable(_pretty(value)), markup=False, highlight=False, soft_wrap=True)
        return
    size = detail.input_size if what == "input" else detail.output_size
    why = f"The {what} of {detail.span_name} is no longer kept" if size else f"{detail.span_name} has no {what}"
    out.print(f"{printable(why)}.", markup=False, highlight=False, soft_wrap=True)


def print_names(stats: Sequence[NameStats], empty: str) -> None:
    """Print spans per name, the one with the most self time first."""
    print_table(
        ("span", "own time", "share", "count", "p50", "p95", "p99", "errors", "cost"),
        [
            (
                one.name,
                duration(one.self_ms),
                f"{one.share:.0%}",
                f"{one.count:,}",
                *_percentiles(one.p50_ms, one.p95_ms, one.p99_ms),
                _rate(one.errors, one.error_rate),
                dollars(one.cost_micros) if one.cost_micros else None,
            )
            for one in stats
        ],
        empty=empty,
        below=("p50", "p95", "p99", "errors", "cost"),
    )


def print_pipelines(stats: Sequence[PipelineStats], empty: str) -> None:
    """Print pipelines, the one that took the most time first."""
    print_table(
        ("pipeline", "time", "runs", "p50", "p95", "p99", "errors", "queue p95", "cost", "most own time in"),
        [
            (
                one.pipeline,
                duration(one.total_ms),
                f"{one.count:,}",
                *_percentiles(one.p50_ms, one.p95_ms, one.p99_ms),
                _rate(one.errors, one.error_rate),
                None if one.queue_p95_ms is None else duration(one.queue_p95_ms),
                dollars(one.cost_micros),
                None if one.slowest_name is None else f"{one.slowest_name} ({one.slowest_share or 0:.0%})",
            )
            for one in stats
        ],
        empty=empty,
        below=("errors", "queue p95", "cost", "most own time in"),
    )


def print_differences(found: Outliers) -> None:
    """Print what the slow runs of a pipeline have more or less often than the rest."""
    if found.threshold_ms is None:
        out.print("No run of this pipeline has ended. Give a longer --since.")
        return
    out.print(
        f"{counted(found.slow, 'slow run')}, over {duration(found.threshold_ms)}, beside {found.rest:,} others.",
        highlight=False,
        soft_wrap=True,
    )
    out.print()
    print_table(
        ("field", "value", "slow runs", "others"),
        [(one.field, one.value, f"{one.slow_share:.0%}", f"{one.rest_share:.0%}") for one in found.differences],
        empty="They do not differ in any field, or are too few to tell.",
    )


def print_comparison(found: Comparison) -> None:
    """Print what is not as usual, then every figure."""
    out.print(printable(found.summary), markup=False, highlight=False)
    for finding in found.findings:
        where = "" if not finding.itself else " – its own time"
        out.print(f"  {printable(finding.sentence)}{where}", markup=False, highlight=False)
    if not found.metrics:
        return
    out.print()
    usual = "other" if found.other else "median"
    columns = (
        ("what", "this run", usual, "ratio") if found.other else ("what", "this run", usual, "p95", "ratio", "runs")
    )
    print_table(
        columns,
        [
            tuple(
                value
                for column, value in (
                    ("what", one.name if one.kind != "count" else f"{one.name} (number)"),
                    ("this run", _figure(one, one.value)),
                    (usual, _figure(one, one.median)),
                    ("p95", _figure(one, one.p95)),
                    ("ratio", times(one.ratio) if one.ratio is not None else "new" if one.is_new else None),
                    ("runs", one.runs),
                )
                if column in columns
            )
            for one in found.metrics
            # Numbers that are as ever say nothing; --json has them.
            if one.kind != "count" or one.value != one.median
        ],
        empty="",
    )


def _section(title: str, text: str) -> None:
    out.print()
    out.print(Text(title, style="bold"))
    out.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _rate(errors: int, rate: float) -> str:
    return "0" if not errors else "< 1%" if rate < 0.01 else f"{rate:.0%}"


def _percentiles(*values: float | None) -> list[str | None]:
    return [None if value is None else duration(value) for value in values]


def _figure(one: Metric, value: float | None) -> str | None:
    if value is None:
        return None
    words: dict[str, Callable[[float], str]] = {"duration": duration, "cost": dollars}
    return words.get(one.kind, number)(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
