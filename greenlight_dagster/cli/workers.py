"""`greenlight worker` and `greenlight workers`: the workers of this machine, and those of the whole fleet."""

from __future__ import annotations

import os
import socket
import time
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, read_database
from greenlight_dagster.cli.output import JsonFlag, err, out, print_json, print_table
from greenlight_dagster.stack import profile
from greenlight_dagster.workers import host
from greenlight_dagster.workers.node import Plan
from studio import fleet, lanes
from studio.database import schema
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, SettingsError
from studio.job_types import LANES, Lane
from studio.settings import Settings, get_settings
from studio.storage import storage_from_settings
from studio.storage.folder import FolderStorage

# A machine that takes more at once is not one that anybody has seen.
MOST_SLOTS = 256
# A worker that lives is heard of within so many heartbeats.
NAME_HEARTBEATS = 1.6


def worker(
    lane: Annotated[
        list[str] | None,
        typer.Option(
            "--lane",
            metavar="LANE=PROCESSES",
            help="A lane that this machine serves, and with how many processes; as often as needed."
            " By default all lanes, with the numbers of the settings.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What this machine is called in the fleet; by default its host name.")
    ] = None,
) -> None:
    """Carry out runs of the fleet on this machine, until Ctrl-C or SIGTERM; then let those in flight finish."""
    settings = get_settings()
    if settings.broker_url is None:
        raise SettingsError(
            "No broker is configured, so there is nothing that could give runs to this machine.",
            "Set GREENLIGHT_BROKER_URL here and where `greenlight up` runs, to redis://… or amqp://….",
        )
    with open_database() as (db, settings):
        if settings.dagster_database_url is None:
            raise SettingsError(
                "GREENLIGHT_DAGSTER_DATABASE_URL is not set.", "Set it to what it is where `greenlight up` runs."
            )
        schema.require_usable(db)
        plans = _plans(settings, lane or [], name or socket.gethostname())
        _require_names(db, settings, plans)
    os.environ["DAGSTER_HOME"] = str(host.prepare_home(settings.data_dir, profile.FLEET.dagster_yaml))

    def say(line: str) -> None:
        err.print(line, style="dim", highlight=False, soft_wrap=True, markup=False)

    storage = storage_from_settings(settings)
    if isinstance(storage, FolderStorage):
        say(f"Artifacts go to {storage.root}: every machine must mount this very folder, or have Supabase Storage.")
    raise typer.Exit(host.Host(plans, settings, say).run())


def workers(
    here: Annotated[
        bool, typer.Option("--here", help="Only those of this machine; exit with 1 unless all of them take runs.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="With --here: what this machine is called; by default its host name.")
    ] = None,
    forget: Annotated[
        str | None, typer.Option(help="Forget a worker that will not come back, by its name.", metavar="NAME")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the workers of the fleet: what each offers, what it does, and when it was last heard of."""
    if forget is not None:
        with open_database() as (db, _):
            if not fleet.forget(db, forget):
                raise InvalidInput(f"No worker is called {forget!r}.", "Copy the name from `greenlight workers`.")
        out.print(f"{forget} is forgotten.", highlight=False, markup=False)
        return
    with read_database() as (db, settings):
        found = fleet.workers(db, settings.worker_heartbeat_seconds)
    if here:
        machine = name or socket.gethostname()
        found = [worker for worker in found if worker.worker_id.partition("@")[2] == machine]
    if as_json:
        print_json(found)
    else:
        print_table(
            ["worker", "state", "busy", "slots", "done", "heard of", "build"],
            [
                (w.worker_id, _state(w), w.running, w.slots, w.done, f"{w.seconds_ago:.0f} s ago", w.build)
                for w in found
            ],
            empty="No worker has been heard of today.",
        )
    # A lane that was ended in order is one that the machine serves no longer.
    served = [worker for worker in found if worker.status != "stopped"]
    if here and not (served and all(w.lives and w.status == "running" for w in served)):
        raise typer.Exit(1)


def _require_names(db: Database, settings: Settings, plans: list[Plan]) -> None:
    """Raise `Conflict` where another worker of one of these names lives: it would be told lost as if it were ours."""
    names = {plan.worker_id for plan in plans}
    living = {w.worker_id: w.seconds_ago for w in _living(db, settings, names)}
    if not living:
        return
    # A worker that was killed a moment ago looks alive, but goes silent.
    time.sleep(settings.worker_heartbeat_seconds * NAME_HEARTBEATS)
    for other in _living(db, settings, names):
        if other.seconds_ago < settings.worker_heartbeat_seconds * NAME_HEARTBEATS:
            raise Conflict(
                f"A worker that is called {other.worker_id} lives, on {other.host}.",
                "Stop it, or give this machine another name with --name.",
            )


def _living(db: Database, settings: Settings, names: set[str]) -> list[fleet.Worker]:
    found = fleet.workers(db, settings.worker_heartbeat_seconds)
    return [w for w in found if w.worker_id in names and w.lives]


def _state(worker: fleet.Worker) -> str:
    if worker.status == "stopped":
        return "stopped"
    if not worker.lives:
        return "silent"
    return {"error": "no broker", "draining": "draining"}.get(worker.status, "running")


def _plans(settings: Settings, given: list[str], name: str) -> list[Plan]:
    """Return what each lane's worker is to be; raise `InvalidInput` where the options make no sense."""
    if not name or "@" in name or not name.isprintable() or len(name) > 100:
        raise InvalidInput(f"{name!r} cannot be a machine's name.", "Give one without @, of at most 100 characters.")
    slots = _slots(given) if given else {lane: limit.slots for lane, limit in lanes.limits(settings).items()}
    return [
        Plan(
            lane,
            count,
            worker_id=f"{lane}@{name}",
            drain_seconds=settings.drain_seconds,
            max_runs=settings.worker_max_runs,
            max_mb=settings.worker_max_mb,
            build=settings.build,
        )
        for lane, count in slots.items()
    ]


def _slots(given: list[str]) -> dict[Lane, int]:
    found: dict[Lane, int] = {}
    for text in given:
        lane, _, count = text.partition("=")
        if lane not in LANES:
            raise InvalidInput(f"There is no lane {lane!r}.", f"Lanes are {', '.join(LANES)}.")
        if lane in found:
            raise InvalidInput(f"The lane {lane} is given twice.", "Give each once.")
        if not count.isascii() or not count.isdigit() or not 1 <= int(count) <= MOST_SLOTS:
            raise InvalidInput(
                f"{text!r} does not say how many processes the lane gets.",
                f"Give a number from 1 to {MOST_SLOTS}, as in --lane {lane}=2.",
            )
        found[lane] = int(count)
    return found
