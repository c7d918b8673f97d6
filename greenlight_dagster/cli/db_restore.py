"""`greenlight db after-restore`: what is said once after a restore, before anything is started."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, out, plain, print_json, print_table
from greenlight_dagster.stack.urls import libpq_url
from studio import restores
from studio.database.connection import first_line
from studio.errors import InvalidInput, StackError
from studio.restores import Restored
from studio.settings import Settings

WHY = "The studio's database was restored: this run belongs to a history that is lost."


def after_restore(
    to: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The moment it was restored to, like 2026-03-08T01:30:00Z. By default the last thing it knows of.",
        ),
    ] = None,
    nothing_lost: Annotated[
        bool,
        typer.Option(
            "--nothing-lost", help="It has every commit: a synchronous standby was promoted, or the server upgraded."
        ),
    ] = False,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="Also where the database cannot tell that it was restored, or programs are connected."
        ),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Settle a restore: fence lost runs, doubt what may have left, say what only a person can know."""
    if nothing_lost:
        with open_database(as_owner=True) as (db, _):
            restores.recognise(db)
        if as_json:
            print_json({"recognised": True})
        else:
            out.print("The database is taken for complete; work goes on.")
        return
    moment = None if to is None else _moment(to)
    with open_database(as_owner=True) as (db, settings):
        floor = _floor(settings)
        restored = restores.settle(db, restored_to=moment, by=settings.owner_clerk_id, claim_floor=floor, anyway=anyway)
        ended = _end_runs()
        if ended is not None:
            restores.note(db, restored, {"runs_ended": ended})
    if as_json:
        print_json({**plain(restored), "runs_ended": ended})
    else:
        _tell(restored, ended)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidInput(f"--to {text!r} is no moment.", "Give one like 2026-03-08T01:30:00Z.") from exc
    if moment.tzinfo is None:
        raise InvalidInput(f"--to {text!r} has no time zone.", f"Give one, such as {text}Z for UTC.")
    return moment


def _floor(settings: Settings) -> int:
    """Return a claim number above all that Dagster knows of."""
    if settings.dagster_database_url is None:
        return 0
    # Dagster takes a second to load, which the other commands of this file's group need not wait for.
    from greenlight_dagster.instance.lost_history import highest_claim

    try:
        return highest_claim(libpq_url(settings.dagster_database_url)) + 1
    except psycopg.OperationalError as exc:
        raise StackError(
            f"Dagster's database cannot be reached: {first_line(exc)}.",
            "Bring it back, too, from whatever moment, or let it be an empty one.",
        ) from exc


def _end_runs() -> int | None:
    home = os.environ.get("DAGSTER_HOME")
    if not home or not Path(home, "dagster.yaml").exists():
        return None
    from dagster import DagsterInstance

    from greenlight_dagster.instance.lost_history import end_open_runs

    with DagsterInstance.from_config(home) as instance:
        return end_open_runs(instance, WHY)


def _tell(restored: Restored, ended: int | None) -> None:
    rows = [
        ("restored to", restored.restored_to.isoformat()),
        ("jobs queued again", restored.jobs_queued_again),
        ("jobs canceled, as was asked for", restored.jobs_canceled),
        ("open runs ended in Dagster", "DAGSTER_HOME is not set" if ended is None else ended),
        ("claims are numbered from", restored.claim_floor),
        ("model calls counted in full", restored.model_calls_counted_in_full),
        ("strangers' forms that are not sent again", restored.forms_not_sent_again),
        ("sessions and sign-in links ended", restored.sessions_ended + restored.sign_in_links_ended),
    ]
    print_table(("", ""), rows, empty="")
    out.print()
    out.print("In doubt, because it may have happened since:", highlight=False)
    doubt = [
        ("mails that were due", restored.mails_in_doubt),
        ("approved actions under way", restored.executions_in_doubt),
        ("approvals that were open", restored.approvals_pending),
        ("held already", restored.held),
    ]
    print_table(("", ""), doubt, empty="")
    out.print()
    out.print(
        "Mails are asked for under the same key for as long as the provider remembers keys; what nobody can tell is"
        " held: greenlight outbox list --status unknown. Decisions, permissions, unsubscriptions and spending since"
        " then are lost, and are yours to repeat: docs/backup.md.",
        highlight=False,
        soft_wrap=True,
    )
