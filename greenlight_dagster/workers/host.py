"""The workers of one machine: a process that loads the code, forks one Celery worker per lane, and looks after them.

It stays single-threaded and holds no connection, because both would be broken in what it forks.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import psutil
from dagster import BetaWarning, DagsterInstance
from dagster._core.code_pointer import CodePointer
from dagster._core.origin import RepositoryPythonOrigin
from dagster._utils.hosted_user_process import recon_repository_from_origin
from sqlalchemy.exc import SQLAlchemyError

from greenlight_dagster.instance import engines
from greenlight_dagster.launcher import loading
from greenlight_dagster.launcher.logfile import bound_log
from greenlight_dagster.workers import node, reporter
from greenlight_dagster.workers.app import launcher_of
from greenlight_dagster.workers.messages import Fallen, Line
from greenlight_dagster.workers.node import Plan
from studio.backoff import Backoff
from studio.errors import StackError
from studio.paths import ROOT
from studio.settings import Settings

log = logging.getLogger("greenlight.worker")

DEFINITIONS = "greenlight_dagster.definitions"
# What ends again and again is started again with pauses of up to a minute.
RESTART_SECONDS = (0.5, 60.0)
# A worker that lived for this long was no failed start.
SOUND_SECONDS = 60.0
# Beyond drain and release: the broker's connection is closed, the reporter takes leave.
CLOSING_SECONDS = 10.0
WATCH_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Member:
    """A forked process of the machine, started again when it ends."""

    def __init__(self, name: str, serve: Callable[[], int | None]) -> None:
        self.name = name
        self.serve = serve
        self.pid: int | None = None
        self.started = 0.0
        self.due = 0.0
        self.backoff = Backoff(*RESTART_SECONDS)


class Host:
    """The workers of this machine by `plans`, until SIGTERM, SIGINT or SIGHUP; a second one hurries."""

    def __init__(self, plans: Sequence[Plan], settings: Settings, say: Callable[[str], None]) -> None:
        self._plans: dict[str, Plan] = {plan.lane: plan for plan in plans}
        self._settings = settings
        self._say = say
        self._line = Line()
        self._stops = 0
        self._log_file = Path(os.devnull)

    def run(self) -> int:
        """Load the code, start the workers and look after them; return the exit code.

        Raise `StackError` where the instance is none of a fleet, or its database cannot be reached.
        """
        instance = load()
        self._open_logs()
        members = {lane: _Member(lane, self._serving(plan, instance)) for lane, plan in self._plans.items()}
        telling = _Member("reporter", lambda: reporter.serve(self._plans, instance, self._settings, self._line))
        for number in _SIGNALS:
            signal.signal(number, self._note)
        try:
            for member in (telling, *members.values()):
                self._fork(member)
            offers = ", ".join(f"{plan.slots} {lane}" for lane, plan in self._plans.items())
            self._say(f"Workers are started: {offers}. Ctrl-C lets runs in flight finish.")
            while not self._stops:
                self._look_after([telling, *members.values()])
                time.sleep(WATCH_SECONDS)
            self._drain(list(members.values()))
            return 0
        finally:
            for member in members.values():
                _kill(member)
            self._dismiss(telling)

    def _open_logs(self) -> None:
        """Let lines of ours go to the terminal as they are, and all else that the workers print to a file."""
        terminal = os.fdopen(os.dup(2), "w", buffering=1)
        handler = logging.StreamHandler(terminal)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        ours = logging.getLogger("greenlight")
        ours.addHandler(handler)
        ours.setLevel(logging.INFO)
        ours.propagate = False
        folder = self._settings.data_dir.expanduser() / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log_file = folder / "workers.log"
        bound_log(self._log_file)

    def _serving(self, plan: Plan, instance: DagsterInstance) -> Callable[[], int]:
        return lambda: node.serve(plan, instance, self._line)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._stops += 1

    def _fork(self, member: _Member) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(member, parent, self._log_file)
        member.pid, member.started = pid, time.monotonic()

    def _look_after(self, members: Sequence[_Member]) -> None:
        now = time.monotonic()
        for member in members:
            if member.pid is not None and (ending := _ended(member.pid)) is not None:
                member.pid = None
                if now - member.started > SOUND_SECONDS:
                    member.backoff.reset()
                member.due = now + member.backoff.pause()
                self._say(f"The {member.name} worker {ending}, and is started again.")
                if member.name in self._plans:
                    self._line.tell(Fallen(member.name, f"its worker {ending}"))
            if member.pid is None and now >= member.due:
                self._fork(member)

    def _drain(self, members: Sequence[_Member]) -> None:
        seconds = self._settings.drain_seconds
        self._say(f"Stopping; runs in flight get up to {seconds:.0f} s. Ctrl-C again hurries.")
        _signal(members, signal.SIGTERM)
        deadline = time.monotonic() + seconds + node.RELEASE_SECONDS + CLOSING_SECONDS
        hurried = False
        while any(member.pid is not None for member in members) and time.monotonic() < deadline:
            for member in members:
                if member.pid is not None and _ended(member.pid) is not None:
                    member.pid = None
            if self._stops > 1 and not hurried:
                hurried = True
                self._say("Interrupting the runs; their jobs return to the queue.")
                _signal(members, node.HURRY)
            time.sleep(WATCH_SECONDS)

    def _dismiss(self, telling: _Member) -> None:
        """Let the reporter tell what it has heard, and end."""
        _signal([telling], signal.SIGTERM)
        deadline = time.monotonic() + CLOSING_SECONDS
        while telling.pid is not None and time.monotonic() < deadline:
            if _ended(telling.pid) is not None:
                telling.pid = None
            time.sleep(WATCH_SECONDS)
        _kill(telling)


def load() -> DagsterInstance:
    """Load the instance and the code, and return the instance without open connections.

    Raise `StackError` where the instance is none of a fleet, or its database cannot be reached.
    """
    # Dagster's word on what is beta is for whoever writes the code, not for whoever runs it.
    warnings.filterwarnings("ignore", category=BetaWarning)
    # What is loaded stays; without the collector that takes a fifth less time.
    gc.disable()
    try:
        instance = DagsterInstance.get()
        launcher_of(instance)
        origin = RepositoryPythonOrigin(sys.executable, CodePointer.from_module(DEFINITIONS, "defs", str(ROOT)))
        repository = recon_repository_from_origin(origin).get_definition()
        loading.import_what_runs_use()
        loading.rehearse(instance)
    except SQLAlchemyError as exc:
        raise StackError(
            f"Dagster's database cannot be used: {' '.join(str(exc.args[0] if exc.args else exc).split())}.",
            "Check that it runs and that GREENLIGHT_DAGSTER_DATABASE_URL is right.",
        ) from exc
    finally:
        gc.enable()
    log.info("loaded %d jobs", len(repository.get_all_jobs()))
    engines.disconnect()
    # The workers share these pages for as long as nobody writes to them, as the collector would.
    gc.collect()
    gc.freeze()
    return instance


def prepare_home(folder: Path, dagster_yaml: Path) -> Path:
    """Make DAGSTER_HOME in the data folder, with the configuration linked; return it."""
    home = folder.expanduser().resolve() / "dagster_home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    link = home / "dagster.yaml"
    if not link.is_symlink() or link.readlink() != dagster_yaml:
        link.unlink(missing_ok=True)
        link.symlink_to(dagster_yaml)
    return home


def _become(member: _Member, parent: int, log_file: Path) -> None:
    code = 1
    try:
        file = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(file, descriptor)
        os.close(file)
        # Ctrl-C in a terminal is the host's to hear, and passed on by it.
        os.setsid()
        for number in (*_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Whoever kills the host wants the machine's workers ended; their runs come back.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            code = member.serve() or 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    except BaseException:
        log.exception("the %s worker broke", member.name)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        # Not the host's own way out: its exit handlers belong to it.
        os._exit(code)


def _ended(pid: int) -> str | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return "has ended"
    if found == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"


def _signal(members: Sequence[_Member], number: signal.Signals) -> None:
    for member in members:
        if member.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, number)


def _kill(member: _Member) -> None:
    if member.pid is None:
        return
    family = _family(member.pid)
    _signal([member], signal.SIGKILL)
    for process in family:
        with contextlib.suppress(psutil.Error):
            process.kill()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(member.pid, 0)
    member.pid = None


def _family(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []
