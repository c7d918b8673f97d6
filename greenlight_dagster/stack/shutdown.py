"""The orderly stop: nothing new is begun, what runs may finish, what cannot gives its job back.

What the programs do with SIGTERM decides the order. The daemon ends after the evaluations and submissions it is
in; those that wait for work end when the caller has announced the stop. The run launcher ends at once, and the runs
go on without it. The code server starts no further run, waits for those it has started, however long they take, and
ends. A run process raises an interrupt inside the op, and ends when that is handled.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import psutil

from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.stack import descent, parts
from greenlight_dagster.stack.child import Child

# Even where nobody waits for runs, the daemon may finish the sentence it is in.
DAEMON_SECONDS = 3.0
# A run that has ended its job is gone this soon.
CLOSING_SECONDS = 2.0
# An interrupted run gives its job back within a second or two; one that is still importing first goes on.
RELEASE_SECONDS = 10.0
# The code server looks for ended runs twice a second before it ends itself. A browser that keeps its
# connection open would keep the web server for ever.
SERVICE_SECONDS = 5.0
LEFT_OVER_SECONDS = 1.0
# Each look reads the environment of every process of the machine.
POLL_SECONDS = 0.25
# What ends by itself and is no run: Python's helper of the code server, and the run launcher's server, templates and
# idle workers. A template notices that its server has gone once it has loaded its code, which takes seconds.
_TRACKER = "multiprocessing.resource_tracker"
_HELPERS = {"greenlight_dagster.launcher.server", "greenlight_dagster.launcher.template"}


@dataclass
class Drain:
    """How long work in flight may go on: `seconds`, or until `hurry` is set. `say` takes lines for a person."""

    seconds: float
    hurry: threading.Event = field(default_factory=threading.Event)
    say: Callable[[str], None] = lambda _line: None

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.seconds

    def goes_on(self) -> bool:
        """Whether there is still time."""
        return time.monotonic() < self._deadline and not self.hurry.is_set()

    def wait_while(self, busy: Callable[[], bool]) -> bool:
        """Wait while `busy()`, and time is left; return whether it is still busy."""
        while busy():
            if not self.goes_on():
                return True
            self.hurry.wait(POLL_SECONDS)
        return False


def stop_parts(children: Mapping[str, Child], stack_id: str, drain: Drain, launcher: LauncherClient) -> None:
    """Stop the `children` of the stack `stack_id`, by part name, and every process they have started."""
    daemon = children.get(parts.DAEMON)
    if daemon is not None:
        daemon.terminate()
        if drain.wait_while(lambda: daemon.running) and not daemon.wait(DAEMON_SECONDS):
            _kill([daemon])
    _signal_launcher(launcher)
    code_server = children.get(parts.CODE_SERVER)
    if code_server is not None:
        code_server.terminate()
        _end_runs({name: child.pid for name, child in children.items()}, stack_id, drain, launcher)
    services = [child for name, child in children.items() if name not in (parts.DAEMON, parts.CODE_SERVER)]
    for service in services:
        service.terminate()
    deadline = time.monotonic() + SERVICE_SECONDS
    if code_server is not None:
        services.append(code_server)
    _kill([service for service in services if not service.wait(deadline - time.monotonic())])
    descent.end(descent.marked(stack_id), grace=LEFT_OVER_SECONDS)


def run_processes(pids: Mapping[str, int], stack_id: str, launcher: LauncherClient) -> set[psutil.Process]:
    """Return the processes of runs of the stack `stack_id`, whose parts have the process ids `pids`.

    They are what the run launcher has handed out, and what the code server, or an earlier one of either that was
    killed, has started.
    """
    others = descent.family(pid for name, pid in pids.items() if name != parts.CODE_SERVER)
    everyone = descent.marked(stack_id)
    # Afterwards: an idle worker may have been given a run meanwhile.
    working = {process.pid for process in launcher.working()}
    return {
        process
        for process in everyone
        if process.pid in working
        or (process not in others and process.pid != pids.get(parts.CODE_SERVER) and not _is_helper(process))
    }


def release_runs(runs: Iterable[psutil.Process]) -> None:
    """Interrupt runs, let them give their jobs back, and end with force what is left of them."""
    everyone = set(runs)
    # What a run has started is the run's to end.
    heads = descent.elders(everyone)
    descent.terminate(heads)
    descent.wait(heads, RELEASE_SECONDS)
    descent.end(everyone, grace=LEFT_OVER_SECONDS)


def _signal_launcher(launcher: LauncherClient) -> None:
    serving = launcher.overview()
    if serving is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(serving["pid"]).terminate()


def _end_runs(pids: Mapping[str, int], stack_id: str, drain: Drain, launcher: LauncherClient) -> None:
    def busy() -> bool:
        return bool(run_processes(pids, stack_id, launcher))

    # Most runs that are still there have done their work and only close their log.
    if Drain(min(drain.seconds, CLOSING_SECONDS), drain.hurry).wait_while(busy) and drain.goes_on():
        drain.say(f"Waiting up to {drain.seconds:.0f} s for runs to finish (Ctrl-C interrupts them now).")
    if drain.wait_while(busy):
        drain.say("Interrupting the runs; their jobs return to the queue.")
        release_runs(run_processes(pids, stack_id, launcher))


def _is_helper(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return any(argument in _HELPERS or _TRACKER in argument for argument in process.cmdline())
    return True


def _kill(children: Iterable[Child]) -> None:
    children = list(children)
    descent.end(descent.family(child.pid for child in children), grace=0)
    for child in children:
        child.kill()
