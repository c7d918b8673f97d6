"""`greenlight demo`: an idea through Phase 0, or all phases, on a stack of its own that is gone afterwards."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.rule import Rule

from greenlight_dagster.cli import full_demo
from greenlight_dagster.cli.context import adopt
from greenlight_dagster.cli.output import EXIT_INTERRUPTED, INTERRUPTED, INTERRUPTS, err, out, print_json
from greenlight_dagster.cli.packet_view import packet_panels
from greenlight_dagster.cli.tailing import follow_job
from greenlight_dagster.stack.stack import Stack
from studio import projects, queue
from studio.database.connection import Database
from studio.launch import Launched, launch
from studio.packets import versions
from studio.settings import Settings, get_settings

KEPT_BELOW = Path("greenlight-demo")
DEFAULT_IDEA = (
    "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines. The app keeps"
    " the calendar and holds a small deposit, and a shared locker in the hallway makes pick-up easy at any hour."
)


def demo(
    idea: Annotated[str, typer.Argument(help="Your own idea.")] = DEFAULT_IDEA,
    domain: Annotated[str | None, typer.Option(help="A domain to look at, for instance example.org.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Go on through all four phases, to a live project.")] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="With --full: let me decide, instead of approving it all.")
    ] = False,
    keep: Annotated[
        Path, typer.Option(help="With --full: where page, mails and decks are kept.", file_okay=False)
    ] = KEPT_BELOW,
) -> None:
    """Run an idea through Phase 0 on a throw-away stack, live, and print the packet. The last line is JSON.

    With --full it goes on through all four phases: each approval is shown at the prompt and given, the landing page is
    published, a visitor joins its waitlist, mails are sent into a folder, and decks are made.
    """
    # The demo brings everything itself; a database that happens to be configured is not its to fill.
    settings = get_settings().model_copy(update={"database_url": None, "dagster_database_url": None})
    # What is wrong with them is better said now than when the stack is up.
    projects.checked(idea, domain)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="greenlight-demo-") as folder:
        try:
            result = _run(Path(folder), settings, idea, domain, began, full=full, ask=ask, keep=keep)
        except INTERRUPTS:
            # Before there was anything to count, or while it was counted.
            result = {"status": INTERRUPTED, "seconds": round(time.monotonic() - began, 1)}
    if result["status"] == INTERRUPTED:
        err.print("Interrupted.")
    print_json(result)
    if result["status"] != "completed":
        raise typer.Exit(EXIT_INTERRUPTED if result["status"] == INTERRUPTED else 1)


def _run(
    folder: Path, settings: Settings, idea: str, domain: str | None, began: float, *, full: bool, ask: bool, keep: Path
) -> dict[str, Any]:
    with out.status("Starting the stack…") as status:

        def say(line: str) -> None:
            status.update(line)

        stack = Stack(folder / "data", settings, ui_port=0, web_port=0, studio=False, log=say)
        stack.start()
    try:
        out.print(
            f"Stack up in {stack.timings['total']:.1f} s. Dagster UI while the demo runs: {stack.addresses['ui']}",
            highlight=False,
            soft_wrap=True,
        )
        adopt(stack.environment())
        with Database.from_settings(get_settings(), application_name="greenlight-demo") as db:
            if full:
                web = stack.addresses["web"]
                return full_demo.run(db, get_settings(), stack.folder, web, idea, domain, ask=ask, keep=keep)
            return _phase0(db, get_settings(), idea, domain, began)
    finally:
        with out.status("Stopping the stack…"):
            stack.stop()
        if stack.failure is not None:
            err.print(f"The stack could not be stopped in order: {stack.failure}", style="red", highlight=False)


def _phase0(db: Database, settings: Settings, idea: str, domain: str | None, began: float) -> dict[str, Any]:
    launched: Launched | None = None
    interrupted = False
    try:
        with db.transaction() as conn:
            project_id = projects.create(
                conn, settings, owner_clerk_id=settings.owner_clerk_id, idea=idea, domain=domain
            )
            started = launch(conn, project_id)
        # Not before it is committed: where Ctrl-C comes in between, there is nothing to count.
        launched = started
        out.print(Rule(f"Phase 0 of “{projects.get(db, project_id).name}”", style="dim"))
        follow_job(db, launched.job_id, settings=settings)
        _show(db, project_id, launched.job_id)
    except INTERRUPTS:
        interrupted = True
        if launched is None:
            raise
    job = queue.get(db, launched.job_id)
    packet = versions.latest(db, job.project_id, 0)
    return {
        "job_id": job.id,
        "project_id": job.project_id,
        "packet_id": _packet_id(db, job.project_id),
        "status": INTERRUPTED if interrupted else job.status,
        "recommendation": packet.packet["recommendation"] if packet else None,
        "confidence": packet.confidence if packet else None,
        "events": _events(db, job.id),
        "dagster_run_id": job.dagster_run_id,
        "attempt": job.attempts,
        "seconds": round(time.monotonic() - began, 1),
    }


def _show(db: Database, project_id: UUID, job_id: UUID) -> None:
    job = queue.get(db, job_id)
    packet = versions.latest(db, project_id, 0)
    if packet is None or job.status != "completed":
        err.print(f"The job is {job.status}: {job.last_error}", style="red", highlight=False, soft_wrap=True)
        return
    out.print()
    for panel in packet_panels(packet.packet):
        out.print(panel)
    out.print(f"\n[dim]Written by model {packet.model} with prompt {packet.prompt_version}.[/]", highlight=False)
    out.print()


def _events(db: Database, job_id: UUID) -> int:
    row = db.fetch_one("select count(*)::int as n from public.agent_job_events where job_id = %s", [job_id])
    return row["n"] if row else 0


def _packet_id(db: Database, project_id: UUID) -> UUID | None:
    row = db.fetch_one("select id from public.phase_packets where project_id = %s and phase = 0", [project_id])
    return row["id"] if row else None
