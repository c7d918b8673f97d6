"""The embedded stack as a whole."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from greenlight_dagster.stack import environment, lock, parts, remains, secrets, state
from greenlight_dagster.stack.databases import Databases
from greenlight_dagster.stack.folders import Folders
from greenlight_dagster.stack.keeper import Abandoned, Keeper
from greenlight_dagster.stack.ports import LOOPBACK
from greenlight_dagster.stack.profile import Profile, profile_of
from greenlight_dagster.stack.secrets import Secrets
from greenlight_dagster.stack.shutdown import Drain, stop_parts
from greenlight_dagster.stack.signals import Signals
from greenlight_dagster.stack.state import ProcessRecord, StackState
from greenlight_dagster.stack.warden import Warden
from studio.database.connection import redact
from studio.errors import StackError
from studio.settings import Settings

logger = logging.getLogger(__name__)

UI_PORT = 3000
# How often the children are looked at. A death is noticed this late at most.
WATCH_SECONDS = 0.2
# The longest that a killed stack's watchman needs for clearing up.
CLEAN_UP_SECONDS = 60.0


class Stack:
    """Database, sandbox model, web applications, code server, daemon and UI on one data folder, as a context manager.

    The parts live in processes of their own, kept by a thread of this process. `log` takes lines for a
    person. `ui_port`, `web_port` and `studio_port` are the preferred ports of the UI, the public application and the
    studio, 0 for any; without one of the latter two it is that of the folder's last stack. They listen on `bind`, an
    address that loopback is among. While the stack runs,
    SIGTERM and SIGHUP do what Ctrl-C does: raise `KeyboardInterrupt` in the main thread; during `stop` they cut the
    drain short. `profile` says how Dagster is run. `timings` holds seconds from start to readiness per part, and
    `total`.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        webserver: bool = True,
        web: bool = True,
        studio: bool = True,
        log: Callable[[str], None] = lambda _line: None,
        ui_port: int = UI_PORT,
        web_port: int | None = None,
        studio_port: int | None = None,
        bind: str = LOOPBACK,
        definitions_module: str = "greenlight_dagster.definitions",
        profile: Profile | None = None,
    ) -> None:
        profile = profile or profile_of(settings)
        self.folders = Folders(folder, profile.dagster_yaml)
        self.folder = self.folders.root
        self.id = uuid.uuid4().hex
        self.timings: dict[str, float] = {}
        self._settings = settings
        self._profile = profile
        self._log = log

        self._databases = Databases(settings, self.folders.postgres)
        self._sandbox = parts.Sandbox(self.folders) if environment.needs_sandbox(settings) else None
        self._code_server = parts.CodeServer(self.folders, definitions_module)
        self._daemon = parts.Daemon(self.folders, self._databases.require_dagster_url, profile)
        self._ui = parts.Ui(self.folders, ui_port, bind) if webserver else None
        self._web = parts.Web(parts.PUBLIC, self.folders.web_port, web_port, bind) if web else None
        self._studio = parts.Web(parts.STUDIO, self.folders.studio_port, studio_port, bind) if studio else None
        self._secrets: Secrets | None = None
        self._keeper = Keeper(self.folders.logs, self._child_environment, say=self._say, changed=self._write_state)

        self._lock = lock.FolderLock(self.folder)
        self._writing = threading.Lock()
        self._phase: state.Phase = "starting"
        self._warden: Warden | None = None
        self._thread: threading.Thread | None = None
        self._up = threading.Event()
        # Not `join`: interrupted by a signal, it takes the thread for ended.
        self._ended = threading.Event()
        self._stopping = threading.Event()
        self._signals = Signals(self._stopping)
        self._failure: BaseException | None = None

    def __enter__(self) -> Stack:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start every part and return when all of them answer.

        Raise `StackError` where another stack runs on the folder, or a part does not start; then whatever
        was started has been stopped again.
        """
        if self._thread is not None:
            raise StackError("This stack has been started before.", "Make a new one.")
        self._take_folder()
        self._thread = threading.Thread(target=self._run, name="greenlight-stack", daemon=True)
        atexit.register(self.stop)
        try:
            self._signals.catch()
            self._thread.start()
            self._up.wait()
        except BaseException:
            self.stop()
            raise
        if self._failure is not None:
            self.stop()
            raise self._failure

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for Ctrl-C, SIGTERM, SIGHUP or the stack's own end; return False where `timeout` seconds came first.

        Raise what broke the stack, if something did.
        """
        if self._thread is not None:
            try:
                if not self._ended.wait(timeout):
                    return False
            except KeyboardInterrupt:
                return True
        if self._failure is not None:
            raise self._failure
        return True

    def stop(self) -> None:
        """Stop every part in the reverse order and return when no process is left.

        Runs in flight get `settings.drain_seconds`; a signal meanwhile ends their time. Do nothing where
        nothing runs.
        """
        self._stopping.set()
        self._keeper.abandon.set()
        atexit.unregister(self.stop)
        if self._thread is not None and self._thread.ident is not None:
            self._ended.wait()
        self._lock.release()
        self._signals.restore()

    def environment(self) -> dict[str, str]:
        """Return the variables with which another process works on this stack: what `greenlight env` exports.

        Raise `StackError` before there is a database.
        """
        return self._exports(secret=True)

    @property
    def addresses(self) -> dict[str, str]:
        """Where the parts can be reached: `studio`, `ui`, `web`, `sandbox`, `database` (without its password)."""
        database_url = self._databases.studio_url
        found = {
            "ui": self._ui.url if self._ui else None,
            "studio": self._studio.url if self._studio else None,
            "web": self._web.url if self._web else None,
            "sandbox": self._sandbox.url if self._sandbox else None,
            "database": redact(database_url) if database_url else None,
        }
        return {name: address for name, address in found.items() if address}

    @property
    def failure(self) -> BaseException | None:
        """What broke the stack, or its stop; None where nothing did."""
        return self._failure

    # --- the folder

    def _take_folder(self) -> None:
        try:
            self.folders.make_root()
            if not self._lock.acquire("stack"):
                self._wait_for_clean_up()
            ended = remains.clear(self.folder, with_database=False)
            self.folders.prepare()
            self._secrets = secrets.kept(self.folders.secrets)
        except OSError as exc:
            self._lock.release()
            raise StackError(
                f"The data folder {self.folder} cannot be used: {exc}.",
                "Check its permissions and the free disk space, or choose another with GREENLIGHT_DATA_DIR.",
            ) from exc
        except BaseException:
            self._lock.release()
            raise
        if ended:
            self._say(f"Ended {ended} processes that a killed stack had left.")

    def _wait_for_clean_up(self) -> None:
        holder = lock.owner(self.folder)
        if holder is not None and holder.role == "clean-up":
            self._say("Waiting until the remains of a killed stack are cleared up.")
            if self._lock.acquire("stack", CLEAN_UP_SECONDS):
                return
        running = state.read(self.folder)
        pid = holder.pid if holder else "unknown"
        where = "".join(f", {name} at {address}" for name, address in running.addresses.items()) if running else ""
        raise StackError(
            f"A stack runs on {self.folder} already: process {pid}{where}.",
            f"Use that one, stop it (Ctrl-C there, or `kill {pid}`), or choose another folder with "
            "GREENLIGHT_DATA_DIR.",
        )

    def _write_state(self) -> None:
        with self._writing:
            pids: dict[str, int | None] = {name: child.pid for name, child in self._keeper.children().items()}
            pids[parts.POSTGRES] = self._databases.pid
            records = {name: ProcessRecord.of(pid) for name, pid in pids.items()}
            recorded: dict[str, str] = {}
            if self._phase != "starting":
                # Without the user's own key: a data folder is copied and backed up.
                recorded = self._exports(secret=False)
            state.write(
                self.folder,
                StackState(
                    id=self.id,
                    phase=self._phase,
                    supervisor=ProcessRecord.of(os.getpid()),
                    addresses=self.addresses,
                    environment=recorded,
                    processes={name: record for name, record in records.items() if record is not None},
                ),
            )

    # --- the thread that keeps the parts

    def _run(self) -> None:
        try:
            self._bring_up()
            self._up.set()
            while not self._stopping.wait(WATCH_SECONDS):
                self._look_after()
        except Abandoned:
            logger.info("the start was called off")
        except BaseException as exc:
            logger.debug("the stack broke", exc_info=True)
            self._failure = exc
        try:
            self._bring_down()
        except BaseException as exc:
            logger.warning("the stack could not be stopped in order", exc_info=True)
            self._say(f"The stack could not be stopped in order: {exc}")
            self._failure = self._failure or exc
        finally:
            self._up.set()
            self._ended.set()

    def _bring_up(self) -> None:
        began = time.monotonic()
        for part in (self._studio, self._web):
            if part is not None:
                part.listen()
        self._write_state()
        self._warden = Warden(self.folder, self.id)
        # Each row needs the one before it: the code server makes Dagster's tables, which two programs
        # cannot do at once, and the programs of the last row load their workspace from it.
        self._keeper.together(self._timed(parts.POSTGRES, self._databases.prepare), *self._starters(self._sandbox))
        self._keeper.together(self._timed("migrations", self._databases.migrate), *self._starters(self._code_server))
        # The studio links to the UI, whose port is known when it answers.
        self._keeper.together(*self._starters(self._daemon, self._web), self._start_ui_and_studio)
        self._phase = "running"
        self._write_state()
        self.timings["total"] = time.monotonic() - began

    def _start_ui_and_studio(self) -> None:
        for start in self._starters(self._ui, self._studio):
            start()

    def _starters(self, *wanted: parts.Part | None) -> list[Callable[[], None]]:
        return [self._starter(part) for part in wanted if part is not None]

    def _starter(self, part: parts.Part) -> Callable[[], None]:
        return self._timed(part.name, lambda: self._keeper.start(part))

    def _timed(self, name: str, task: Callable[[], None]) -> Callable[[], None]:
        def timed() -> None:
            began = time.monotonic()
            task()
            self.timings[name] = time.monotonic() - began

        return timed

    def _look_after(self) -> None:
        if self._databases.look_after(self._say):
            self._write_state()
        self._keeper.look_after()
        if self._warden is None or not self._warden.running:
            self._warden = Warden(self.folder, self.id)

    def _bring_down(self) -> None:
        seconds = 0.0
        if self._phase == "running":
            seconds = self._settings.drain_seconds
            self._phase = "stopping"
            self._write_state()
        # The sensors that wait for work see it and end their evaluations, which the daemon would wait for.
        self.folders.stopping.touch()
        drain = Drain(seconds, self._signals.hurry, self._say)
        try:
            stop_parts(self._keeper.children(), self.id, drain, self.folders.launcher)
        finally:
            # What is left of the parts is the watchman's to end; a database that nobody looks after is nobody's.
            self._databases.stop()
            for part in (self._studio, self._web):
                if part is not None:
                    part.close()
        state.remove(self.folder)
        self.folders.tidy()
        if self._warden is not None:
            self._warden.dismiss()

    def _exports(self, *, secret: bool) -> dict[str, str]:
        variables = environment.exports(self._settings, self.folders, self._databases, self._sandbox, secret=secret)
        variables |= environment.of_pages(self._settings, self._studio, self._web, self._ui)
        if self._secrets is not None:
            variables |= environment.of_secrets(self._settings, self._secrets, secret=secret)
        return variables

    def _child_environment(self) -> dict[str, str]:
        # The sandbox starts beside the database and needs nothing of it.
        own = self.environment() if self._databases.dagster_url else {}
        stopping = {"GREENLIGHT_STOPPING_FILE": str(self.folders.stopping)}
        return environment.of_child({**self._profile.environment, **own, **stopping}, self.id)

    def _say(self, line: str) -> None:
        logger.info(line)
        try:
            self._log(line)
        except OSError:
            logger.warning("nobody listens any more: the terminal is gone")
