"""An installation whose runs go to workers: a broker of its own, and `greenlight worker` as somebody starts it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from dagster import DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext

from greenlight_dagster.workers.run_launcher import FleetRunLauncher
from studio import fleet
from studio.fleet import Worker
from tests.support import launchables
from tests.support.dagster import forget_process
from tests.support.site import PATIENCE, Process, Site
from tests.support.waiting import eventually

HEARTBEAT_SECONDS = 1.0
LEASE_SECONDS = 30
_MAIN = "import sys; from greenlight_dagster.cli.main import main; sys.argv[0] = 'greenlight'; main()"
_CONFIGURED = {"waiting_job": "wait_op", "deaf_job": "deaf_op", "chatting_job": "chat_op"}


class Redis:
    """Debian's `redis-server` on a free port, which keeps nothing: a context manager, and a test may kill it."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("needs redis-server (Debian's package of that name)")
        self._program = program
        [self.port] = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Redis:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = subprocess.Popen(
            [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
        )
        eventually(self._answers, what="redis")

    def kill(self) -> None:
        """Kill it, with everything that it has in its memory."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> Any:
        """Return a client."""
        return redis.Redis(port=self.port, decode_responses=True)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False


class Rabbit:
    """Debian's `rabbitmq-server` on free ports, with folders and a port mapper of its own: a context manager."""

    def __init__(self) -> None:
        # Debian's wrapper in PATH insists on being root or the system's user, and changes to the latter.
        self._program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        if not self._program.exists():
            pytest.skip("needs rabbitmq-server (Debian's package of that name)")
        self._folder = Path(tempfile.mkdtemp(prefix="gl-rabbit-"))
        self.port, self._distribution, self._mapper = free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Rabbit:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it, which takes some seconds, and wait until it answers."""
        (self._folder / "enabled_plugins").write_text("[].\n")
        environment = {
            "PATH": f"{os.environ['PATH']}:/usr/lib/rabbitmq/bin",
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": "greenlight@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
        }
        self._process = subprocess.Popen(
            [self._program],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        eventually(self._answers, PATIENCE, "RabbitMQ")

    def kill(self) -> None:
        """Kill it, with what it has started; what was sent to it is on its disk."""
        if self._process is not None:
            family = psutil.Process(self._process.pid).children(recursive=True)
            for one in [*family, psutil.Process(self._process.pid)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as conn:
            # By its own protocol: a port that listens is not yet a broker that takes connections.
            conn.sendall(b"AMQP\x00\x00\x09\x01")
            return conn.recv(1) == b"\x01"
        return False


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on just now."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class FleetSite(Site):
    """A site with a broker."""

    configuration = "dagster.celery.yaml"

    def __init__(self, studio_url: str, dagster_url: str, broker: Redis | Rabbit, **launcher: Any) -> None:
        super().__init__(studio_url, dagster_url, broker=broker.url, **launcher)
        self.broker = broker
        self.files = self.folder / "files"
        self.files.mkdir()
        self.variables |= {
            "GREENLIGHT_BROKER_URL": broker.url,
            "GREENLIGHT_WORKER_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            "GREENLIGHT_LEASE_SECONDS": str(LEASE_SECONDS),
            "GREENLIGHT_DRAIN_SECONDS": "300",
        }

    def __enter__(self) -> FleetSite:
        super().__enter__()
        return self

    @contextlib.contextmanager
    def in_this_process(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let settings and resources of this process be the site's, as where the daemon runs."""
        for name, value in self.variables.items():
            patch.setenv(name, value)
        forget_process()
        yield
        forget_process()

    def rest(self) -> None:
        """Let every run that goes on end, and have the next ones wait again."""
        self.go()
        ours = "select count(*) as n from run_takes where ended_at is null"
        eventually(lambda: self.database.fetch_one(ours)["n"] == 0, PATIENCE, "the end of all runs")
        for path in self.files.iterdir():
            path.unlink()

    @property
    def run_launcher(self) -> FleetRunLauncher:
        launcher = self.instance.run_launcher
        assert isinstance(launcher, FleetRunLauncher)
        return launcher

    # --- workers

    def worker(self, *lanes: str, name: str = "here", **settings: str | None) -> Process:
        """Start `greenlight worker` for `lanes` such as `standard=2`, and wait until it takes runs."""
        started = self.start_worker(*lanes, name=name, **settings)
        self.takes_runs(started, *[f"{lane.partition('=')[0]}@{name}" for lane in lanes])
        return started

    def start_worker(self, *lanes: str, name: str, **settings: str | None) -> Process:
        """Start `greenlight worker`."""
        arguments = [argument for lane in lanes for argument in ("--lane", lane)]
        settings.setdefault("GREENLIGHT_DATA_DIR", str(self.folder / name))
        settings.setdefault("DAGSTER_HOME", None)
        return self.start("-c", _MAIN, "worker", "--name", name, *arguments, **settings)

    def takes_runs(self, process: Process, *names: str) -> None:
        """Wait until the workers `names` of `process` offer themselves."""

        def do() -> bool:
            assert process.running, f"it has ended:\n{process.output()[-4000:]}"
            offering = {w.worker_id for w in self.workers() if w.lives and w.status == "running"}
            assert offering >= set(names), f"{offering}:\n{process.output()[-2000:]}"
            return True

        eventually(do, PATIENCE, f"workers {names}")

    def workers(self) -> list[Worker]:
        """Return the workers that the database knows."""
        return fleet.workers(self.database, HEARTBEAT_SECONDS)

    # --- runs of `launchables`

    def create_run(self, job: str, lane: str = "standard") -> DagsterRun:
        """Create a run as a sensor does, without launching it."""
        config = {"ops": {_CONFIGURED[job]: {"config": {"folder": str(self.files)}}}} if job in _CONFIGURED else {}
        repository = ReconstructableRepository.for_module("tests.support.launchables", "defs", "/elsewhere")
        return self.instance.create_run_for_job(
            launchables.defs.resolve_job_def(job),
            run_config=config,
            tags={"greenlight/lane": lane},
            # As on a machine where the code lies in another folder.
            job_code_origin=repository.get_reconstructable_job(job).get_python_origin(),
        )

    def submit(self, run: DagsterRun) -> None:
        """Launch a run that was created."""
        self.run_launcher.launch_run(LaunchRunContext(run, workspace=None))

    def launch_job(self, job: str, lane: str = "standard") -> DagsterRun:
        """Create a run and launch it."""
        run = self.create_run(job, lane)
        self.submit(run)
        return run

    def began(self, run: DagsterRun) -> int:
        """Wait until the op of `run` has begun; return its process."""
        file = self.files / f"began-{run.run_id}"
        eventually(file.exists, PATIENCE, f"the beginning of run {run.run_id}")
        return int(file.read_text())

    def go(self) -> None:
        """Let the runs that wait end."""
        (self.files / "go").touch()

    def reaches(self, run: DagsterRun, status: DagsterRunStatus) -> None:
        """Wait until `run` has ended, and check how."""
        try:
            ended = self.ends(run)
        except AssertionError as exc:
            found = self.instance.get_run_by_id(run.run_id)
            told = "\n".join(log.read_text()[-4000:] for log in self.folder.glob("*/logs/workers.log"))
            take = fleet.take_of(self.database, run.run_id)
            raise AssertionError(f"{exc}\n{found and found.status}, {take}, {self.workers()}\n{told}") from exc
        assert ended is status, self.messages(run)[-5:]

    def messages(self, run: DagsterRun) -> list[str]:
        """Return the messages of the run's event log."""
        return [
            entry.message or (entry.dagster_event and entry.dagster_event.message) or ""
            for entry in self.instance.all_logs(run.run_id)
        ]

    def starts(self, run: DagsterRun) -> int:
        """Return how many processes have begun the run."""
        return sum("Started process for run" in message for message in self.messages(run))


def node_of(process: Process, lane_pid: int) -> int:
    """Return the Celery worker that forked the process `lane_pid`."""
    parent = psutil.Process(lane_pid).ppid()
    assert psutil.Process(parent).ppid() == process.pid
    return parent


def kill_host(process: Process) -> None:
    """Kill the main process of `greenlight worker` alone, and wait until all of its workers are gone with it."""
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(family, timeout=PATIENCE)
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@contextlib.contextmanager
def fleet_installed(
    postgres: Any,
    database_template: str,
    dagster_template: str,
    make_broker: type[Redis] | type[Rabbit] = Redis,
    **launcher: Any,
) -> Iterator[FleetSite]:
    """Lend a site with a broker, on fresh databases of the test server."""
    with (
        make_broker() as broker,
        postgres.temporary(database_template) as studio,
        postgres.temporary(dagster_template) as runs,
        FleetSite(postgres.url(studio), postgres.sqlalchemy_url(runs), broker, **launcher) as made,
    ):
        yield made
