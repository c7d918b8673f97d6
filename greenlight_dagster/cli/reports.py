"""`greenlight report`: have a topic researched, list the reports, show what one rests on, save it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast
from uuid import UUID

import typer

from greenlight_dagster.cli.asking import (
    LimitOption,
    WatchFlag,
    ask,
    heading,
    job_json,
    job_named,
    job_rows,
    open_project,
    say,
    tell,
    watch,
    write,
)
from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, out, plain, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio import assets, builders
from studio.builders import ReportFormat
from studio.database.connection import Database
from studio.errors import Conflict
from studio.model.spend import usd
from studio.storage import storage_from_settings
from studio.text import clip
from studio.views import builders_reports as views
from studio.views.builders_reports import Details, Listed, ReportClaim

app = typer.Typer(no_args_is_help=True, help="Have topics researched, and read what was found.")

ReportArgument = Annotated[str, typer.Argument(metavar="ID", help="The id of its job.")]

TITLE_CHARS = 60


@app.command(epilog='Example: greenlight report generate 7b0e1c9a-… "Who rents tools in Rome?" --format pptx --watch')
def generate(
    project: ProjectArgument,
    topic: Annotated[str, typer.Argument(help="What is to be researched, in up to 2,000 characters.")],
    form: Annotated[str, typer.Option("--format", help="What the report is to be: pdf or pptx.")] = "pdf",
    slides: Annotated[
        int, typer.Option(min=builders.SLIDES_MINIMUM, max=builders.SLIDES_LIMIT, help="How many slides, exactly.")
    ] = builders.SLIDES,
    watching: WatchFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Have a topic researched on the web and made into a report; what it states rests on quotes."""
    with open_project(project) as (db, settings, found):
        asked = ask(
            db,
            lambda conn: builders.ask_report(
                conn, found.id, topic, format=cast("ReportFormat", form), max_slides=slides
            ),
        )
        if watching:
            watch(db, settings, asked, lambda: _show(db, asked.job_id, as_json), as_json)
        else:
            tell(asked, "report show", as_json)


@app.command("list", epilog="Example: greenlight report list 7b0e1c9a-…")
def list_reports(project: ProjectArgument, limit: LimitOption = 30, as_json: JsonFlag = False) -> None:
    """List a project's reports, newest first."""
    with open_project(project) as (db, _, found):
        listed = views.reports(db, found.id, limit)
    if as_json:
        print_json([_json(one) for one in listed])
        return
    print_table(
        ("id", "what", "status", "format", "pages", "sources", "cost", "asked"),
        [
            (
                one.job.id,
                clip(one.title, TITLE_CHARS),
                "nothing found" if one.report is not None and one.report.nothing_found else one.job.status,
                one.format,
                None if one.report is None else one.report.pages,
                None if one.report is None else one.report.sources,
                f"${usd(one.cost_micros)}",
                one.job.created_at,
            )
            for one in listed
        ],
        empty=f'Nothing has been researched yet. Begin: greenlight report generate {found.id} "A topic"',
        below=("format", "pages", "sources", "cost", "asked"),
    )


@app.command(epilog="Example: greenlight report show 0f3c5a7e-…")
def show(report: ReportArgument, as_json: JsonFlag = False) -> None:
    """Show what a report states with the quotes it rests on, what was removed from it, and its sources."""
    with open_database() as (db, _):
        _show(db, job_named(report), as_json)


@app.command(epilog="Example: greenlight report download 0f3c5a7e-… -o tools.pdf")
def download(
    report: ReportArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", dir_okay=False, help="The file to write; by default named after the report, here."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Save a report as a file; one that is there is replaced with --force only."""
    with open_database() as (db, settings):
        listed = views.report(db, None, job_named(report)).listed
        if listed.report is None or listed.report.file is None:
            raise Conflict(
                f"This report is not there: its job is {listed.job.status}.",
                f"See why: greenlight jobs show {listed.job.id}",
            )
        asset = listed.report.file.asset
        data = assets.content(storage_from_settings(settings), asset)
    # The name was made of a title; only its last part is one of a file here.
    target = output or Path(Path(asset.filename).name)
    if target.is_file() and not force:
        raise Conflict(f"{target} is there already.", "Give another place with --output, or --force to replace it.")
    write(target, data)
    if as_json:
        print_json({"file": target, "bytes": len(data)})
        return
    out.print(f"Wrote {target}, {len(data):,} bytes.", highlight=False, soft_wrap=True, markup=False)


def _show(db: Database, job_id: UUID, as_json: bool) -> None:
    found = views.report(db, None, job_id)
    if as_json:
        print_json(_whole_json(found))
        return
    listed = found.listed
    rows = [*job_rows(listed.job), ("topic", clip(listed.topic, TITLE_CHARS)), ("cost", f"${usd(listed.cost_micros)}")]
    made = listed.report
    if made is not None:
        rows += [
            ("title", made.title),
            ("report", f"{listed.length}, {listed.format}"),
            (
                "statements",
                f"{made.claims_supported} supported, {made.claims_marked} called unsupported,"
                f" {made.claims_removed} removed, {made.contradictions} contradictions",
            ),
            ("sources", made.sources),
        ]
    print_table(("", ""), rows, empty="")
    if made is not None:
        if made.nothing_found:
            heading("Nothing was found that could be quoted; the report says so.")
        if made.summary:
            heading("In short:")
            say(made.summary)
    for question, claims in found.by_question("supported", "marked"):
        heading(question)
        for claim in claims:
            _say_claim(claim)
    removed = [claim for claim in found.claims if claim.outcome == "removed"]
    if removed:
        heading("Removed by the checker, and not in the report:")
        for claim in removed:
            _say_claim(claim)
    for entry in found.contradictions:
        heading(f"Statements {' and '.join(map(str, entry.claims))} do not agree: {entry.difference}")
    if found.sources:
        heading("Pages that were read:")
        for source in found.sources:
            say(f"[{source.number}] {source.title}, {source.url}, {source.retrieved_at:%Y-%m-%d}")
    if made is not None and made.file is not None:
        heading("Save it:")
        say(f"greenlight report download {listed.job.id}")


def _say_claim(claim: ReportClaim) -> None:
    mark = {"supported": "", "marked": " (called unsupported)"}.get(claim.outcome, "")
    why = f" {claim.reason}" if claim.reason else ""
    say(f"  {claim.number}. {claim.statement}{mark}{why}")
    if claim.quote:
        source = "" if claim.source is None else f" [{claim.source.number}]"
        say(f"     “{claim.quote}”{source}")


def _json(listed: Listed) -> dict[str, Any]:
    said = {**job_json(listed.job), "topic": listed.topic, "format": listed.format, "max_slides": listed.max_slides}
    made = None if listed.report is None else plain(listed.report)
    return {**said, "cost_micros": listed.cost_micros, "report": made}


def _whole_json(found: Details) -> dict[str, Any]:
    claims = [
        {**plain(claim), "source": None if claim.source is None else claim.source.number} for claim in found.claims
    ]
    return {
        **_json(found.listed),
        "claims": claims,
        "sources": plain(found.sources),
        "contradictions": plain(found.contradictions),
    }
