"""`greenlight traces`: where the time and the money of jobs went."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from greenlight_dagster.cli import traces_errors, traces_health, traces_test
from greenlight_dagster.cli import traces_view as view
from greenlight_dagster.cli.context import parse_id, read_database
from greenlight_dagster.cli.moments import parse_stretch
from greenlight_dagster.cli.output import JsonFlag, out, plain, print_json, print_table
from greenlight_dagster.cli.waterfall_view import print_trace
from studio.errors import InvalidInput
from studio.operations import baseline, bottlenecks, names, outliers, traces, tree, trends
from studio.operations.critical_path import Segment, by_name, critical_path
from studio.operations.figures import dollars
from studio.operations.traces import STATUSES, Cursor
from studio.operations.waterfall import waterfall
from studio.text import printable

app = typer.Typer(no_args_is_help=True, help="See where the time and the money of jobs went.")

TraceArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The id of a trace, the beginning of it, or the id of a job or a run.")
]
Since = Annotated[str, typer.Option(help="Only what began so long ago or later, for instance 90m, 24h or 7d.")]
Synthetic = Annotated[bool, typer.Option("--synthetic", help="Count test runs, too.")]

NONE_YET = "No traces. A job is traced as soon as a worker claims it: greenlight demo makes one."
EVER = timedelta(days=36_500)
ROWS = 60
# A program reads what no terminal could show.
JSON_ROWS = 100_000


@app.command("list", epilog="Example: greenlight traces list --status failed --since 24h")
def list_traces(
    pipeline: Annotated[str | None, typer.Option(help="Only of this job type.")] = None,
    status: Annotated[str | None, typer.Option(help=f"Only those that are {', '.join(STATUSES)}, or failed.")] = None,
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    job: Annotated[str | None, typer.Option(help="Only the attempts at this job.")] = None,
    kind: Annotated[Literal["job", "synthetic", "manual"] | None, typer.Option(help="Only of this kind.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what began so long ago or later, for instance 24h.")] = None,
    slower: Annotated[str | None, typer.Option(help="Only what took at least so long, for instance 30s.")] = None,
    text: Annotated[str | None, typer.Option(help="Only what has this in its subject, outcome or error.")] = None,
    before: Annotated[str | None, typer.Option(help="Go on behind a page; the page says how.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 30,
    as_json: JsonFlag = False,
) -> None:
    """List the newest traces: one for each attempt at a job."""
    if status is not None and status not in (*STATUSES, "failed"):
        raise InvalidInput(f"There is no status {status!r}.", f"One of: {', '.join(STATUSES)}, failed.")
    with read_database() as (db, _):
        found = traces.find(
            db,
            pipeline=pipeline,
            status=status,  # type: ignore[arg-type]
            project_id=parse_id(project, "--project") if project else None,
            job_id=parse_id(job, "--job") if job else None,
            kind=kind,
            since=parse_stretch(since, "--since") if since else None,
            min_ms=parse_stretch(slower, "--slower") / timedelta(milliseconds=1) if slower else None,
            text=text,
            before=Cursor.parse(before) if before else None,
            limit=limit,
        )
        others = traces.pipelines(db, since=EVER) if pipeline and not found else []
    if as_json:
        print_json(found)
        return
    narrowed = any((pipeline, status, project, job, kind, since, slower, text, before))
    if pipeline and others and pipeline not in others:
        empty = escape(printable(f"No trace of the pipeline {pipeline!r} exists. There are: {', '.join(others)}."))
    else:
        empty = "No trace is like that." if narrowed else NONE_YET
    view.print_list(found, empty=empty)
    if len(found) == limit:
        out.print()
        out.print(
            f"For more, add: --before {found[-1].cursor}", markup=False, highlight=False, soft_wrap=True, style="dim"
        )


@app.command(epilog="Example: greenlight traces show 7b0e1c9a-… --span 3f2a")
def show(
    trace: TraceArgument,
    span: Annotated[str | None, typer.Option(help="Show all of this span.")] = None,
    given: Annotated[
        str | None, typer.Option("--input", metavar="SPAN", help="Print what went into this span.")
    ] = None,
    returned: Annotated[
        str | None, typer.Option("--output", metavar="SPAN", help="Print what came out of this span.")
    ] = None,
    under: Annotated[str | None, typer.Option(metavar="SPAN", help="Show only what is below this span.")] = None,
    rows: Annotated[int, typer.Option(min=2, max=10_000, help="How many rows the waterfall has at most.")] = ROWS,
    as_json: JsonFlag = False,
) -> None:
    """Show a trace: its waterfall, its critical path, its errors; or one of its spans with all that went in and out."""
    wanted = [one for one in (span, given, returned) if one is not None]
    if len(wanted) > 1:
        raise InvalidInput("One of --span, --input and --output is enough.", "Leave the others out.")
    with read_database() as (db, _):
        if wanted:
            found = traces.get(db, trace)
            detail = tree.span(db, found.trace_id, wanted[0])
        else:
            loaded = tree.load(db, trace)
            job_id = loaded.trace.job_id
            attempts = traces.of_job(db, job_id) if job_id else []
    if wanted and (given or returned):
        value = detail.input_data if given else detail.output_data
        print_json(value) if as_json else view.print_payload(value, detail, "input" if given else "output")
        return
    if wanted:
        print_json(detail) if as_json else view.print_span(detail)
        return
    path = critical_path(loaded)
    if under is not None:
        under = loaded.node(under).span_id
    shown = waterfall(loaded, max_rows=JSON_ROWS if as_json else rows, under=under)
    if as_json:
        print_json(
            {
                "trace": loaded.trace,
                "spans": shown,
                "critical_path": [_segment(one) for one in path],
                "critical_path_by_name": by_name(path),
            }
        )
        return
    print_trace(loaded, shown, by_name(path), out.width, attempts)


@app.command(epilog="Example: greenlight traces slow --since 7d --by pipeline")
def slow(
    by: Annotated[Literal["name", "pipeline"], typer.Option(help="Per name of a span, or per pipeline.")] = "name",
    since: Since = "24h",
    pipeline: Annotated[str | None, typer.Option(help="Only within this job type.")] = None,
    differences: Annotated[
        bool, typer.Option("--differences", help="With --pipeline: what its slowest tenth has in common.")
    ] = False,
    synthetic: Synthetic = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Show what spends the time itself: of a parent counts only what its children do not explain."""
    if by == "pipeline" and pipeline is not None:
        raise InvalidInput("--pipeline narrows the names of spans.", "Leave --by pipeline out.")
    if differences and pipeline is None:
        raise InvalidInput("--differences are those between the runs of one pipeline.", "Add --pipeline.")
    stretch = parse_stretch(since, "--since")
    empty = f"Nothing was traced in the last {since}. Give a longer --since."
    with read_database() as (db, _):
        if pipeline is not None and differences:
            found = outliers.stand_out(db, pipeline=pipeline, since=stretch, synthetic=synthetic, limit=limit)
            print_json(found) if as_json else view.print_differences(found)
            return
        if by == "pipeline":
            lines = bottlenecks.pipelines(db, since=stretch, synthetic=synthetic)[:limit]
            print_json(lines) if as_json else view.print_pipelines(lines, empty)
            return
        stats = names.table(db, pipeline=pipeline, since=stretch, synthetic=synthetic, limit=limit)
    print_json(stats) if as_json else view.print_names(stats, empty)


@app.command(epilog="Example: greenlight traces compare 7b0e1c9a-…")
def compare(
    trace: TraceArgument,
    other: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="One other trace; without it, the runs before it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare a run with the good runs of the 14 days before it, or with one other run."""
    with read_database() as (db, _):
        found = baseline.against(db, trace, other) if other else baseline.compare(db, trace)
    if as_json:
        print_json({"summary": found.summary, **plain(found)})
        return
    view.print_comparison(found)


@app.command(epilog="Example: greenlight traces cost --group model --since 7d")
def cost(
    group: Annotated[
        Literal["pipeline", "model", "project"], typer.Option(help="Per pipeline, model or project.")
    ] = "pipeline",
    by: Annotated[Literal["hour", "day"], typer.Option(help="Per hour or day, in UTC.")] = "day",
    since: Since = "30d",
    synthetic: Synthetic = False,
    as_json: JsonFlag = False,
) -> None:
    """Show what model calls cost, day by day or hour by hour."""
    stretch = parse_stretch(since, "--since")
    with read_database() as (db, _):
        found = trends.cost(db, by=by, since=stretch, group=group, synthetic=synthetic)
    if as_json:
        print_json(found)
        return
    format_ = "%Y-%m-%d" if by == "day" else "%Y-%m-%d %H:%M"
    print_table(
        (by, group, "calls", "tokens in", "tokens out", "cost"),
        [
            (
                one.at.strftime(format_),
                one.label,
                one.calls,
                f"{one.input_tokens:,}",
                f"{one.output_tokens:,}",
                dollars(one.cost_micros),
            )
            for one in found
        ],
        empty=f"No model was called in the last {since}. Give a longer --since.",
    )
    if found:
        out.print()
        calls, micros = sum(one.calls for one in found), sum(one.cost_micros for one in found)
        out.print(f"Together: {calls:,} calls, {dollars(micros)}.", highlight=False)


app.command(epilog="Example: greenlight traces errors --class provider --since 24h")(traces_errors.errors)
app.command(epilog="Example: greenlight traces health --json")(traces_health.health)
app.command(epilog="Example: greenlight traces test --only pitch --yes")(traces_test.test)


def _segment(one: Segment) -> dict[str, Any]:
    return {"span_id": one.span.span_id, "name": one.span.name, "start_ms": one.start_ms, "end_ms": one.end_ms}
