"""`greenlight jobs`: list, show, tail, cancel, retry."""

from __future__ import annotations

from typing import Annotated, cast

import typer
from rich.markup import escape

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from greenlight_dagster.cli.tailing import follow_job
from studio import queue
from studio.errors import InvalidInput
from studio.model import spend
from studio.model.spend import usd
from studio.operations.wording import several
from studio.queue import Job, JobStatus
from studio.text import clip, printable
from studio.tracing import ids

app = typer.Typer(no_args_is_help=True, help="Look at jobs, follow them, cancel and retry them.")

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]

# The columns of a wide list without the error, with their gaps.
SHORT_COLUMNS_CHARS = 106
SHORTEST_ERROR_CHARS = 24
_STATUSES = ("queued", "running", "completed", "failed", "canceled")


@app.command("list", epilog="Example: greenlight jobs list --status failed")
def list_jobs(
    project: Annotated[str | None, typer.Option(help="Only jobs of this project.")] = None,
    status: Annotated[str | None, typer.Option(help=f"Only jobs that are {', '.join(_STATUSES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 30,
    as_json: JsonFlag = False,
) -> None:
    """List the newest jobs."""
    if status is not None and status not in _STATUSES:
        raise InvalidInput(f"There is no status {status!r}.", f"One of: {', '.join(_STATUSES)}.")
    with open_database() as (db, _):
        found = queue.find(
            db,
            project_id=parse_id(project, "--project") if project else None,
            status=cast("JobStatus | None", status),
            limit=limit,
        )
    if as_json:
        print_json(found)
        return
    room = out.width - SHORT_COLUMNS_CHARS
    if room >= SHORTEST_ERROR_CHARS:
        print_table(
            ("id", "type", "status", "lane", "attempt", "created", "error"),
            [
                (j.id, j.job_type, j.status, j.lane, f"{j.attempts}/{j.max_attempts}", j.created_at, _error(j, room))
                for j in found
            ],
            empty="No jobs.",
        )
        return
    columns = ("id", "type", "status", "created")
    print_table(columns, [(j.id, j.job_type, j.status, j.created_at) for j in found], empty="No jobs.")
    for job in found:
        if job.last_error:
            said = f"{str(job.id)[:8]}…  {printable(' '.join(job.last_error.split()))}"
            out.print(escape(said), style="dim", highlight=False, overflow="ellipsis", no_wrap=True)


def _error(job: Job, room: int) -> str | None:
    """Return the job's error as one line of at most `room` characters; all of it is in `jobs show`."""
    return clip(" ".join(job.last_error.split()), room) if job.last_error else None


@app.command(epilog="Example: greenlight jobs show 7b0e1c9a-…")
def show(job: JobArgument, as_json: JsonFlag = False) -> None:
    """Show a job: its state, its finished steps, its model calls."""
    job_id = parse_id(job, "JOB")
    with open_database() as (db, _):
        found = queue.get(db, job_id)
        steps = db.fetch_all(
            "select step, attempt, duration_ms, created_at from public.agent_job_steps"
            " where job_id = %s order by created_at",
            [job_id],
        )
        calls = db.fetch_all(
            "select step, agent, model, status, input_tokens, output_tokens, searches, cost_micros, reserved_micros,"
            " duration_ms, error from public.model_calls where job_id = %s order by created_at",
            [job_id],
        )
        spent = spend.spent_by_job(db, job_id)
    if as_json:
        print_json({"job": found, "steps": steps, "model_calls": calls, "spent": spent})
        return
    rows = [
        ("job", found.id),
        ("type", found.job_type),
        ("status", found.status),
        ("project", found.project_id),
        ("key", found.idempotency_key),
        ("lane, priority", f"{found.lane}, {found.priority}"),
        ("attempts", f"{found.attempts} of {found.max_attempts}, {several(found.interruptions, 'interruption')}"),
        ("claim", f"{found.claim_no}, by {found.locked_by}" if found.locked_by else found.claim_no),
        ("run", found.dagster_run_id),
        ("trace", ids.of_claim(found.id, found.claim_no).hex if found.claim_no else None),
        ("created", found.created_at),
        ("started", found.started_at),
        ("ended", found.completed_at),
        ("error", found.last_error),
        (
            "spent",
            f"${usd(spent.cost_micros)}, {several(spent.input_tokens + spent.output_tokens, 'token')},"
            f" {several(spent.calls, 'call')}",
        ),
    ]
    print_table(("", ""), rows, empty="")
    out.print()
    print_table(
        ("step", "attempt", "seconds", "finished"),
        [(s["step"], s["attempt"], f"{s['duration_ms'] / 1000:.2f}", s["created_at"]) for s in steps],
        empty="No finished steps.",
    )
    out.print()
    print_table(
        ("model call", "agent", "status", "in", "out", "cost", "seconds", "error"),
        [
            (
                c["step"],
                c["agent"],
                c["status"],
                c["input_tokens"],
                c["output_tokens"],
                usd(c["cost_micros"] if c["cost_micros"] is not None else c["reserved_micros"]),
                None if c["duration_ms"] is None else f"{c['duration_ms'] / 1000:.2f}",
                c["error"],
            )
            for c in calls
        ],
        empty="No model calls.",
    )


@app.command(epilog="Example: greenlight jobs tail 7b0e1c9a-…")
def tail(
    job: JobArgument,
    after: Annotated[int, typer.Option(min=0, help="Begin after this seq.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Follow a job's events until it ends; exit 1 where it did not complete."""
    with open_database() as (db, settings):
        follow_job(db, parse_id(job, "JOB"), settings=settings, after=after, as_json=as_json)
        status = queue.get(db, parse_id(job, "JOB")).status
    if status != "completed":
        raise typer.Exit(1)


@app.command(epilog="Example: greenlight jobs cancel 7b0e1c9a-…")
def cancel(job: JobArgument, as_json: JsonFlag = False) -> None:
    """Cancel a job: a queued one at once, a running one as soon as its run has stopped."""
    job_id = parse_id(job, "JOB")
    with open_database() as (db, _):
        status = queue.cancel(db, job_id, "Canceled from the command line.")
    if as_json:
        print_json({"job_id": job_id, "status": status})
        return
    said = {
        "canceled": "canceled.",
        "cancel_requested": "being stopped. Follow it with: greenlight jobs tail " + str(job_id),
    }.get(status, f"not canceled: it had {status} before.")
    out.print(f"Job {job_id} is {said}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: greenlight jobs retry 7b0e1c9a-…")
def retry(job: JobArgument, as_json: JsonFlag = False) -> None:
    """Put a failed or canceled job back in the queue; its finished steps are not done again."""
    with open_database() as (db, _):
        revived = queue.retry(db, parse_id(job, "JOB"))
    if as_json:
        print_json(revived)
    else:
        out.print(f"Job {revived.job_id} is queued again.", highlight=False, soft_wrap=True)
