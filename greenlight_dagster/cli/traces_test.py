# ruff: noqa: PT028 - the command is called `test`, and is none of pytest's
"""`greenlight traces test`: scenarios through the running stack, timed step by step against their baselines."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.markup import escape

from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, err, out, plain, print_json, print_table
from greenlight_dagster.cli.pickup import require_pickup, require_schema
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput
from studio.job_types import LANES
from studio.model.prices import MICROS
from studio.operations import scenarios, synthetic
from studio.operations.baselines import FACTOR, FLOOR_MS, Limits, Step
from studio.operations.figures import dollars, duration
from studio.operations.scenarios import SCENARIOS, Scenario
from studio.operations.synthetic import Report, Result, Trial
from studio.settings import Settings
from studio.text import clip, printable

# A call reserves its worst case before it is made, and one that searches the model's whole context for each round: that
# may be $8, and the pitch makes two at once. With less it is refused, although it costs a fraction of it.
MOST_USD = 20.0
REASON_CHARS = 160


def test(
    only: Annotated[
        list[str] | None, typer.Option(help="Only this scenario, and what it builds on; may be given again.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Only say which scenarios there are, and what is left out.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a model is paid.")] = False,
    max_usd: Annotated[
        float, typer.Option(min=0.0, max=1000.0, help="What the models may cost: the budget of the test's project.")
    ] = MOST_USD,
    accept: Annotated[bool, typer.Option("--accept", help="Compare with nothing: begin the baselines anew.")] = False,
    factor: Annotated[
        float, typer.Option(min=1.0, help="Slower is what takes more than so many times its median…")
    ] = FACTOR,
    floor_ms: Annotated[float, typer.Option(min=0.0, help="…and more than so many milliseconds longer.")] = FLOOR_MS,
    as_json: JsonFlag = False,
) -> None:
    """Send small jobs of most kinds through the running stack, and compare each step with what is usual.

    They are real jobs in a project of the test's own. Nothing is sent or published. The exit code is 1 where something
    failed or was slower than usual.
    """
    wanted = scenarios.chosen(only or ())
    if show:
        _print_scenarios(wanted, as_json)
        return
    with open_database() as (db, settings):
        require_schema(db)
        require_pickup(settings, LANES)
        if settings.trace_enabled is False:
            err.print("Tracing is off (GREENLIGHT_TRACING): there is nothing to compare.", style="yellow")
        _agree(db, settings, wanted, max_usd, yes=yes, asked=not as_json)
        trial = Trial(db, settings, wanted, Decimal(str(max_usd)), Limits(factor, floor_ms), accept)
        report = _run(trial, quiet=as_json)
    if as_json:
        print_json(_json(report))
    else:
        _print_report(report)
    if not report.good:
        raise typer.Exit(1)


def _agree(db: Database, settings: Settings, wanted: list[Scenario], max_usd: float, *, yes: bool, asked: bool) -> None:
    """Say what the models will cost, and ask where that is something."""
    micros = synthetic.estimate(db, settings, wanted)
    if micros == 0:
        return
    about = f"The models of {settings.model} will cost about {dollars(micros)}, and never more than ${max_usd:,.2f}."
    if micros > max_usd * MICROS:
        raise InvalidInput(f"{about} That does not fit.", "Raise --max-usd, or leave scenarios out with --only.")
    if yes:
        err.print(about, highlight=False, soft_wrap=True)
        return
    if not asked or not sys.stdin.isatty():
        raise InvalidInput(about, "Agree with --yes, or leave them out with --only.")
    if not typer.confirm(f"{about} Go on?", err=True):
        raise Conflict("Nothing was sent.", "Say yes, or give --yes.")


def _run(trial: Trial, *, quiet: bool) -> Report:
    if quiet:
        return trial.run()
    names = iter(scenario.name for scenario in trial.wanted)
    with out.status(f"{next(names, '')}…") as status:

        def say(result: Result) -> None:
            style = "green" if result.outcome == "ok" and not result.slower else "red"
            out.print(f"[{style}]{result.scenario:<15}[/] {_said(result)}", highlight=False, soft_wrap=True)
            if (name := next(names, None)) is not None:
                status.update(f"{name}…")

        return trial.run(say)


def _said(result: Result) -> str:
    text = result.reason if result.outcome == "ok" else f"{result.outcome}: {result.reason}"
    return escape(clip(printable(text), REASON_CHARS))


def _print_report(report: Report) -> None:
    out.print()
    print_table(
        ("scenario", "queue", "launch", "run", "in all", "× usual", "cost", "result"),
        [
            (
                result.scenario,
                _ms(result.queue_ms),
                _ms(result.launch_ms),
                _ms(result.run_ms),
                _ms(result.total_ms),
                _ratio(result.ratio, result),
                dollars(result.cost_micros),
                "slower" if result.slower and result.outcome == "ok" else result.outcome,
            )
            for result in report.results
        ],
        empty="Nothing was sent.",
    )
    slower = [(result, step) for result in report.results for step in result.slower]
    if slower:
        out.print()
        print_table(
            ("slower", "in", "took", "usually", "p95", "×", "of runs"),
            [(step.name, result.scenario, duration(step.measured.ms), *_usual(step)) for result, step in slower],
            empty="",
        )
    out.print()
    good = sum(result.outcome == "ok" and not result.slower for result in report.results)
    out.print(
        f"{good} of {len(report.results)} as they should be. Models: {dollars(report.cost_micros)}. See them with:"
        f" greenlight traces list --project {report.project_id}",
        highlight=False,
        soft_wrap=True,
    )


def _usual(step: Step) -> tuple[str, str, str, str]:
    if step.usual is None:
        return "–", "–", "–", "0"
    return (
        duration(step.usual.median_ms),
        duration(step.usual.p95_ms),
        "–" if step.ratio is None else f"{step.ratio:.1f}",
        str(step.usual.runs),
    )


def _ratio(ratio: float | None, result: Result) -> str:
    if ratio is not None:
        return f"{ratio:.2f}"
    return "first" if result.kept == "first" else "anew" if result.kept == "accepted" else "–"


def _ms(value: float | None) -> str:
    return "–" if value is None else duration(value)


def _json(report: Report) -> dict[str, Any]:
    results = [
        {
            **plain(result),
            "steps": [{**plain(step), "ratio": step.ratio} for step in result.steps],
            "slower": [step.name for step in result.slower],
        }
        for result in report.results
    ]
    return {"run_id": report.run_id, "project_id": report.project_id, "good": report.good, "results": results}


def _print_scenarios(wanted: list[Scenario], as_json: bool) -> None:
    if as_json:
        print_json([{"name": one.name, "description": one.description, "after": one.after} for one in wanted])
        return
    print_table(
        ("scenario", "what it sends", "model", "at most"),
        [
            (one.name, one.description, "yes" if one.usual else "no", duration(one.timeout_seconds * 1000))
            for one in wanted
        ],
        empty="",
    )
    if len(wanted) == len(SCENARIOS):
        out.print()
        for job_type, why in scenarios.LEFT_OUT.items():
            out.print(f"Left out: {job_type}: {why}.", highlight=False, soft_wrap=True)
