"""A fleet on hosts: `control` has database, broker, daemon, code server and web; `east` and `west` have workers.

The clocks of east and west are wrong by five minutes, one ahead, one behind. All that is started here is what an
operator starts: `greenlight up` and `greenlight worker`, a PostgreSQL and a Redis.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from collections.abc import Mapping

import psycopg

from greenlight_dagster.stack import state
from greenlight_dagster.stack.urls import sqlalchemy_url
from studio import fleet
from studio.database.connection import Database
from studio.errors import StackError
from studio.listening import BACKLOG
from tests.support.fleet_world import World
from tests.support.hosts import Hosts, hosts_or_skip
from tests.support.hosts_brokers import HostRedis
from tests.support.hosts_host import Host, Program
from tests.support.hosts_postgres import HostPostgres
from tests.support.waiting import eventually

CONTROL, EAST, WEST = "control", "east", "west"
WORKERS = (EAST, WEST)
SKEWS = {EAST: 300, WEST: -300}
STUDIO, DAGSTER = "greenlight", "dagster"
# How many processes each worker host has per lane.
SLOTS = {"realtime": 2, "standard": 2, "heavy": 1}
START_SECONDS = 240.0
_MAIN = "import sys; from greenlight_dagster.cli.main import main; sys.argv[0] = 'greenlight'; main()"
# The same on every host: what one signs, another has to read.
SECRETS = {
    "GREENLIGHT_LINK_SECRET": "a-link-secret-of-the-tests-0123456789",
    "PROJECT_INTEGRATION_ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "APP_BASE_URL": "https://app.example.org",
    "GREENLIGHT_PAGES_URL": "https://pages.example.org",
}


class Fleet:
    """The fleet, up and taking runs. A context manager; `settings` are variables of the studio on all hosts."""

    hosts: Hosts
    world: World
    postgres: HostPostgres
    broker: HostRedis

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._left = contextlib.ExitStack()
        self.heartbeat_seconds = float(settings["GREENLIGHT_WORKER_HEARTBEAT_SECONDS"])
        self._workers: dict[str, Program] = {}
        self._up: Program | None = None

    def __enter__(self) -> Fleet:
        with contextlib.ExitStack() as left:
            self.hosts = left.enter_context(hosts_or_skip([CONTROL, *WORKERS], SKEWS))
            control = self.hosts[CONTROL]
            self.world = left.enter_context(World(lambda: _listening(control)))
            self.broker = HostRedis(control)
            self.broker.start()
            self.postgres = HostPostgres(control)
            self.postgres.start()
            self.postgres.create(STUDIO)
            self.postgres.create(DAGSTER)
            self._start_control()
            for name in WORKERS:
                self.start_worker(name)
            for name in WORKERS:
                self.takes_runs(name)
            self._left = left.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    @property
    def variables(self) -> dict[str, str]:
        """What every host's studio has to know."""
        total = {lane: slots * len(WORKERS) for lane, slots in SLOTS.items()}
        return {
            "DATABASE_URL": self.postgres.url(STUDIO),
            "GREENLIGHT_DAGSTER_DATABASE_URL": sqlalchemy_url(self.postgres.url(DAGSTER)),
            "GREENLIGHT_BROKER_URL": self.broker.url,
            # What the lanes have in all, for whoever looks at them; what is handed out is what workers offer.
            "GREENLIGHT_REALTIME_CONCURRENCY": str(total["realtime"]),
            "WORKER_CONCURRENCY": str(total["standard"]),
            "WORKER_HEAVY_CONCURRENCY": str(total["heavy"]),
            **SECRETS,
            **self.world.variables,
            **self._settings,
        }

    def database(self) -> Database:
        """Return the studio's database as the test reaches it: over no network that can be cut."""
        return Database(self.postgres.url_here(STUDIO), pool_size=8)

    # --- the control host

    def _start_control(self) -> None:
        control = self.hosts[CONTROL]
        ports = ["--port", "3030", "--ui-port", "3000", "--web-port", "3080"]
        self._up = self._greenlight(control, "up", ["up", *ports])
        eventually(self._is_up, START_SECONDS, "the control host being up")

    def _is_up(self) -> bool:
        assert self._up is not None
        if self._up.code is not None:
            raise RuntimeError(f"`greenlight up` has ended: {self._up.output()[-3000:]}")
        with contextlib.suppress(StackError, psycopg.Error):
            found = state.read(self.hosts[CONTROL].folder / "data")
            return found is not None and found.phase == "running"
        return False

    # --- the worker hosts

    def start_worker(self, name: str) -> None:
        """Start `greenlight worker` on a host, as after its boot."""
        lanes = [part for lane, slots in SLOTS.items() for part in ("--lane", f"{lane}={slots}")]
        self._workers[name] = self._greenlight(self.hosts[name], "worker", ["worker", *lanes])

    def takes_runs(self, name: str) -> None:
        """Wait until the workers of a host offer all their slots."""

        def do() -> bool:
            program = self._workers[name]
            if program.code is not None:
                raise RuntimeError(f"`greenlight worker` on {name} has ended: {program.output()[-3000:]}")
            with self.database() as db:
                offering = {w.lane for w in self.workers(db) if w.host == name and w.lives and w.status == "running"}
            assert offering == set(SLOTS), f"{name} offers {offering}: {program.output()[-1500:]}"
            return True

        eventually(do, START_SECONDS, f"the workers of {name}")

    def drain_worker(self, name: str) -> int:
        """Ask the workers of a host to end in order; return the exit code."""
        self._workers[name].send(signal.SIGTERM)
        return self._workers[name].wait(START_SECONDS)

    def workers(self, db: Database) -> list[fleet.Worker]:
        """Return the workers that the database knows."""
        return fleet.workers(db, self.heartbeat_seconds)

    def busy(self, name: str) -> int:
        """Return how many processes of the host have a run right now."""
        with self.database() as db:
            row = db.fetch_one(
                "select count(*) as n from public.run_takes t join public.agent_jobs j"
                " on j.dagster_run_id = t.run_id and j.status = 'running'"
                " where t.host = %s and t.ended_at is null",
                [name],
            )
        return int(row["n"]) if row else 0

    def _greenlight(self, host: Host, name: str, arguments: list[str]) -> Program:
        data = {"GREENLIGHT_DATA_DIR": str(host.folder / "data")}
        return host.run([sys.executable, "-c", _MAIN, *arguments], name, {**self.variables, **data})


def _listening(host: Host) -> socket.socket:
    made = host.tcp_socket()
    made.bind((host.address, 0))
    made.listen(BACKLOG)
    # As `studio.listening` makes them.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
