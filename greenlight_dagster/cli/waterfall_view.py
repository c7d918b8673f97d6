"""How the command line draws a trace: a waterfall whose critical path and errors are seen without colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from rich.cells import cell_len
from rich.text import Text

from greenlight_dagster.cli.output import out, print_table
from studio.operations.attempt_names import attempt_names
from studio.operations.critical_path import OnPath
from studio.operations.figures import dollars, duration
from studio.operations.trace import Trace
from studio.operations.tree import TraceTree
from studio.operations.waterfall import Row
from studio.operations.wording import several
from studio.text import printable

SPAN_DIGITS = 6
ID_DIGITS = 12
ON_PATH, OFF_PATH, MOMENT = "█", "░", "▏"
PATH_SIGN, OTHER_SIGN = "●", " "
# What stands before the name of a span that did not end well; an error's text stands below it.
SIGNS = {"error": "✗ ", "lost": "✗ lost: ", "cancelled": "✗ cancelled: ", "running": "… "}
STYLES = {"error": "red", "lost": "red", "cancelled": "magenta", "running": "yellow", "ok": "green"}
NAME_SHARE, SHORTEST_NAME, SHORTEST_BAR = 0.6, 16, 12
INDENT = 2
# A chain of a thousand spans would leave no room for a name.
DEEPEST = 12
SUMMED_NAMES = 8
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class _Layout:
    """How wide the columns of a waterfall are."""

    name: int
    own: int
    took: int
    bar: int
    whole_ms: float


def print_trace(
    tree: TraceTree, rows: Sequence[Row], path: Sequence[OnPath], width: int, attempts: Sequence[Trace] = ()
) -> None:
    """Print a trace: its facts, its waterfall, and where its critical path went. `attempts` are all at its job."""
    _print_facts(tree, attempts)
    out.print()
    layout = _layout(rows, tree.duration_ms, width)
    head = f"  {'span'.ljust(layout.name)} {'own'.rjust(layout.own)} {'took'.rjust(layout.took)}  "
    scale = f"0{duration(tree.duration_ms).rjust(layout.bar - 1)}"
    _line(Text(f"{head}{'id'.ljust(SPAN_DIGITS)} {scale}", style="bold"))
    for place, row in enumerate(rows):
        _line(_waterfall_line(row, layout))
        if row.error and row.kind == "span" and not _came_up_below(rows, place):
            _line(_error_line(row, width))
    out.print()
    legend = f"{PATH_SIGN} {ON_PATH} on the critical path, which decided when it ended   {OFF_PATH} beside it"
    _line(Text(legend + ("   … still open" if any(row.is_open for row in rows) else ""), style="dim"))
    if any(row.kind != "span" or row.hidden for row in rows):
        _line(Text("× several spans in one row; for more of them: --rows, or --under ID", style="dim"))
    out.print()
    print_table(
        ("critical path", "time", "share"),
        [(one.name, duration(one.total_ms), f"{one.share:.0%}") for one in path[:SUMMED_NAMES]],
        empty="Nothing has taken any time.",
    )
    if len(path) > SUMMED_NAMES:
        _line(Text(f"… and {len(path) - SUMMED_NAMES} more names", style="dim"))


def _layout(rows: Sequence[Row], whole_ms: float, width: int) -> _Layout:
    own = max(len("own"), *(len(duration(row.self_ms)) for row in rows))
    took = max(len("took"), *(len(duration(row.duration_ms)) for row in rows))
    # Besides: the sign, the id, and the gaps.
    room = width - 2 - (1 + own) - (1 + took) - (2 + SPAN_DIGITS) - 1
    widest = max(cell_len(_label(row)) for row in rows)
    name = max(SHORTEST_NAME, min(widest, int(room * NAME_SHARE)))
    return _Layout(name, own, took, max(SHORTEST_BAR, room - name), max(whole_ms, 0.001))


def _came_up_below(rows: Sequence[Row], place: int) -> bool:
    """Say whether something failed below a row, which is where its error is told then."""
    for row in islice(rows, place + 1, None):
        if row.depth <= rows[place].depth:
            return False
        if row.failures:
            return True
    return False


def _print_facts(tree: TraceTree, attempts: Sequence[Trace]) -> None:
    trace = tree.trace
    names = dict(zip([one.trace_id for one in attempts], attempt_names(attempts), strict=True))
    known = names.get(trace.trace_id) or (None if trace.attempt is None else f"attempt {trace.attempt}")
    attempt = "" if known is None else f", {known}"
    status = Text.assemble(
        (trace.status, STYLES[trace.status]), f"{attempt}{', ' + trace.kind if trace.kind != 'job' else ''}"
    )
    lost = f", {trace.dropped_spans:,} not stored" if trace.dropped_spans else ""
    rows = [
        ("trace", trace.id),
        ("pipeline", trace.pipeline_name),
        ("status", status.markup),
        ("subject", trace.subject),
        ("job", trace.job_id),
        ("run", trace.dagster_run_id),
        ("project", trace.project_id),
        ("began", trace.start_time.isoformat(timespec="milliseconds")),
        ("took", f"{duration(trace.elapsed_ms)}{' until now' if trace.is_open else ''}"),
        ("spans", f"{len(tree):,}{lost}"),
        (
            "model",
            f"{several(trace.model_calls, 'call')}, {several(trace.input_tokens, 'token')} in,"
            f" {trace.output_tokens:,} out",
        ),
        ("cost", dollars(trace.cost_micros)),
        ("outcome", trace.outcome),
        ("error", None if trace.error is None else _said(trace.status, trace.error_type, trace.error)),
        *(
            ("others", f"{names[one.trace_id]}: {one.status}, {duration(one.elapsed_ms)}, {one.id[:ID_DIGITS]}")
            for one in attempts
            if one.trace_id != trace.trace_id
        ),
    ]
    for name, value in rows:
        if value is None:
            continue
        line = Text(f"{name:<9}", style="bold")
        line.append_text(status if name == "status" else Text(printable(str(value))))
        out.print(line, highlight=False, soft_wrap=True)


def _waterfall_line(row: Row, layout: _Layout) -> Text:
    line = Text(f"{PATH_SIGN if row.on_critical_path else OTHER_SIGN} ", style="bold")
    name = Text(_label(row), style="" if row.status == "ok" else STYLES.get(row.status, ""))
    name.truncate(layout.name, overflow="ellipsis", pad=True)
    line.append_text(name)
    own, took = duration(row.self_ms).rjust(layout.own), duration(row.duration_ms).rjust(layout.took)
    line.append(f" {own} {took}  ")
    line.append(row.span_id[:SPAN_DIGITS].ljust(SPAN_DIGITS) + " ", style="dim")
    line.append_text(_bar(row, layout.bar, layout.whole_ms))
    return line


def _label(row: Row) -> str:
    name: str = printable(row.name)
    if row.kind == "rest":
        name = f"{name} × {row.count + row.hidden:,}" if row.name != "more" else f"× {row.count + row.hidden:,} more"
    elif row.kind == "alike":
        name = f"{name} × {row.count:,}"
    elif row.hidden:
        name = f"{name} (× {row.hidden:,} below)"
    if row.kind == "span":
        name = SIGNS.get(row.status, "") + name
    elif row.failures:
        name = f"✗ {row.failures:,} of {name}"
    if row.is_orphan:
        name += " (parent not stored)"
    return " " * (INDENT * min(row.depth, DEEPEST)) + name


def _bar(row: Row, width: int, whole: float) -> Text:
    """Return the bar: from where it began to where it ended, at least a line."""
    begin = min(int(row.start_ms / whole * width), width - 1)
    end = max(begin, min(round(row.end_ms / whole * width), width))
    style = STYLES.get(row.status, "") if row.status != "ok" else "cyan" if row.on_critical_path else "blue"
    drawn = MOMENT if end == begin else (ON_PATH if row.on_critical_path else OFF_PATH) * (end - begin)
    return Text.assemble(" " * begin, (drawn, style), "»" if row.is_clipped and end == width else "")


def _error_line(row: Row, width: int) -> Text:
    said = " ".join(_said(row.status, row.error_type, row.error or "").split())
    text = Text("  " + " " * (INDENT * min(row.depth, DEEPEST)) + f"└ {printable(said)}", style="red")
    text.truncate(width, overflow="ellipsis")
    return text


def _said(status: str, kind: str | None, error: str) -> str:
    """Return an error with its type. What only broke off because the whole of it did says so, or why, and no type."""
    if status != "cancelled":
        return f"{kind or 'error'}: {error}"
    return INTERRUPTED if error in ("", kind) else error


def _line(text: Text) -> None:
    text.rstrip()
    out.print(text, no_wrap=True, overflow="ignore", crop=False, highlight=False)
