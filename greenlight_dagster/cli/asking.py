"""What `greenlight code`, `report` and `check` have in common: asking, saying what was asked, and waiting for it.

A value that cannot be used is a wrong call, with exit code 2; what could not be done with good ones ends with 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import EXIT_INTERRUPTED, INTERRUPTS, err, out, plain, print_json
from greenlight_dagster.cli.pickup import require_pickup
from greenlight_dagster.cli.tailing import follow_job
from studio import events, projects, queue
from studio.database.connection import Connection, Database
from studio.errors import InvalidInput
from studio.projects import Project
from studio.queue import Enqueued, Job
from studio.settings import Settings
from studio.text import printable

WatchFlag = Annotated[
    bool, typer.Option("--watch", help="Follow it until it ends, then show what came of it; exit 1 where it failed.")
]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]

_SAID = {"created": "Queued", "revived": "Queued again", "existing": "Asked just before"}


@contextmanager
def wrong_call() -> Iterator[None]:
    """End a call whose values cannot be used as typer ends one that it refuses itself."""
    try:
        yield
    except InvalidInput as exc:
        raise typer.BadParameter(str(exc)) from exc


@contextmanager
def open_project(project: str) -> Iterator[tuple[Database, Settings, Project]]:
    """Lend the studio's database with the settings and the project that an argument names; raise `NotFound`."""
    with wrong_call():
        project_id = parse_id(project, "PROJECT")
    with open_database() as (db, settings):
        yield db, settings, projects.get(db, project_id)


def job_named(text: str) -> UUID:
    """Return the id of a result's job as an argument gives it."""
    with wrong_call():
        return parse_id(text, "ID")


def ask(db: Database, wish: Callable[[Connection], Enqueued]) -> Enqueued:
    """Return what became of a wish, in a transaction of its own."""

    def once() -> Enqueued:
        with db.transaction() as conn:
            return wish(conn)

    with wrong_call():
        return queue.transiently(once)


def tell(asked: Enqueued, show: str, as_json: bool) -> None:
    """Say which job it is; `show` is the command that shows the result."""
    if as_json:
        print_json(asked)
        return
    out.print(
        f"{_SAID[asked.outcome]}: job [bold]{asked.job_id}[/] ({asked.status}). Follow it with: greenlight jobs tail"
        f" {asked.job_id}\nSee what comes of it: greenlight {show} {asked.job_id}",
        highlight=False,
        soft_wrap=True,
    )


def watch(db: Database, settings: Settings, asked: Enqueued, show: Callable[[], None], as_json: bool) -> None:
    """Follow a job until it ends, then `show` what came of it; raise `typer.Exit` 1 where it did not complete.

    Ctrl-C ends the watching, and not the job. With `as_json` nothing but the result is printed.
    """
    if not queue.get(db, asked.job_id).ended:
        require_pickup(settings, ["heavy"])
    try:
        if as_json:
            _wait(db, settings, asked.job_id)
        else:
            follow_job(db, asked.job_id, settings=settings)
    except INTERRUPTS:
        err.print(
            f"It goes on without you. Follow it: greenlight jobs tail {asked.job_id}. Stop it: greenlight jobs cancel"
            f" {asked.job_id}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if not as_json:
        out.print()
    show()
    if queue.get(db, asked.job_id).status != "completed":
        raise typer.Exit(1)


def _wait(db: Database, settings: Settings, job_id: UUID) -> None:
    seen = 0

    def ended() -> bool:
        return queue.get(db, job_id).ended and events.last_seq_of_job(db, job_id) <= seen

    poll = None if settings.listens else settings.worker_poll_ms / 1000
    project_id = queue.get(db, job_id).project_id
    for event in events.follow(
        db, project_id, 0, job_id=job_id, listen=settings.listens, stop=ended, poll_seconds=poll
    ):
        seen = event.seq


def job_rows(job: Job) -> list[tuple[str, Any]]:
    """Return the rows in which a table shows how a job stands."""
    rows: list[tuple[str, Any]] = [("job", job.id), ("status", job.status), ("asked", job.created_at)]
    if job.last_error and job.status != "completed":
        rows.append(("error", job.last_error))
    return rows


def job_json(job: Job) -> dict[str, Any]:
    """Return what `--json` says of a job beside its result."""
    return {
        "job_id": plain(job.id),
        "project_id": plain(job.project_id),
        "status": job.status,
        "error": job.last_error,
        "created_at": plain(job.created_at),
        "completed_at": plain(job.completed_at),
    }


def heading(text: str) -> None:
    """Begin a part of what is shown."""
    out.print(f"\n{printable(text)}", style="bold", highlight=False, markup=False)


def say(text: str) -> None:
    """Print a text as it is, whatever is in it."""
    out.print(escape(printable(text)), highlight=False, soft_wrap=True)


def write(target: Path, data: bytes) -> None:
    """Write a file and say so; raise `InvalidInput` where it cannot be written."""
    try:
        target.write_bytes(data)
    except OSError as exc:
        raise InvalidInput(f"{target} cannot be written ({exc.strerror}).", "Give another place with -o.") from exc
