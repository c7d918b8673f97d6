"""`greenlight launch` and `greenlight enqueue`: putting work into the queue."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json
from greenlight_dagster.cli.projects import ProjectArgument
from studio import queue
from studio.errors import InvalidInput, InvalidPayload
from studio.launch import launch as launch_phase0
from studio.queue import NewJob

_SAID = {"created": "Queued", "revived": "Queued again", "existing": "Already there"}


def launch(
    project: ProjectArgument,
    guidance: Annotated[str | None, typer.Option(help="What the next version should change.")] = None,
    force_new_approval: Annotated[
        bool, typer.Option("--force-new-approval", help="Generate anew and supersede the pending gate.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Launch a project's Phase 0, or with guidance a revision of its packet."""
    with open_database() as (db, _):
        project_id = parse_id(project, "PROJECT")

        def work() -> Any:
            with db.transaction() as conn:
                return launch_phase0(conn, project_id, guidance=guidance, force_new_approval=force_new_approval)

        launched = queue.transiently(work)
    if as_json:
        print_json({"started": launched.started, **vars(launched)})
        return
    if launched.outcome == "existing" and launched.status == "completed":
        out.print(
            f"Phase 0 is completed (job {launched.job_id}). Give --guidance for a revision, or"
            " --force-new-approval for a new packet.",
            highlight=False,
            soft_wrap=True,
        )
        return
    _say(launched.outcome, launched.job_id, launched.status)


def enqueue(
    job_type: Annotated[str, typer.Argument(metavar="JOB_TYPE", help="For instance phase0.generate_packet.")],
    project: Annotated[str, typer.Option(help="The project's id.")],
    payload: Annotated[str, typer.Option(help="JSON, or @file for a file of JSON.")] = "{}",
    key: Annotated[str | None, typer.Option(help="The idempotency key; by default the job type's own.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher runs first; by default the job type's own.")] = None,
    run_after: Annotated[str | None, typer.Option(help="Not before this moment, ISO 8601 with a time zone.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Put one job of any type into the queue."""
    new = NewJob(
        job_type,
        parse_id(project, "--project"),
        _payload(payload),
        key=key,
        priority=priority,
        run_after=_moment(run_after) if run_after else None,
    )
    with open_database() as (db, _), db.transaction() as conn:
        enqueued = queue.enqueue(conn, new)
    if as_json:
        print_json(enqueued)
    else:
        _say(enqueued.outcome, enqueued.job_id, enqueued.status)


def _say(outcome: str, job_id: object, status: str) -> None:
    out.print(
        f"{_SAID[outcome]}: job [bold]{job_id}[/] ({status}). Follow it with: greenlight jobs tail {job_id}",
        highlight=False,
        soft_wrap=True,
    )


def _payload(text: str) -> dict[str, Any]:
    what = "--payload"
    if text.startswith("@"):
        path = Path(text[1:])
        what = f"file {path}"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise InvalidPayload(f"The payload file {path} cannot be read: {exc}.", "Check its path.") from exc
    try:
        value = json.loads(text)
    except json.JSONDecodeError as exc:
        raise InvalidPayload(
            f"The {what} is not JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.", "Correct it."
        ) from exc
    except RecursionError as exc:
        raise InvalidPayload(f"The {what} is nested too deeply.", "Correct it.") from exc
    except ValueError as exc:
        raise InvalidPayload(f"The {what} holds a number that is too long.", "Give it as text.") from exc
    if not isinstance(value, dict):
        raise InvalidPayload(f"The {what} is not a JSON object.", 'Give one like {"limit": 100}.')
    return value


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidInput(f"--run-after {text!r} is not a moment.", "Give one like 2026-03-01T09:00:00Z.") from exc
    if moment.tzinfo is None:
        raise InvalidInput(f"--run-after {text!r} has no time zone.", "Add one, for instance a trailing Z.")
    return in_utc
