"""The runs of one server and who carries them out: who waits, who works, who is missing."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import dataclasses
import itertools
import logging
import os
import signal
import time
from collections import Counter, deque
from collections.abc import Mapping

from greenlight_dagster.launcher import messages
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.messages import Code, Launch, Message
from greenlight_dagster.launcher.records import Process, Records
from greenlight_dagster.launcher.runs import Report, Run, Worker
from greenlight_dagster.launcher.sessions import end_session
from greenlight_dagster.launcher.spares import Key, Spares
from greenlight_dagster.launcher.tasks import Tasks

log = logging.getLogger("greenlight.launcher")

# Nothing has happened for this long: time to let the spares rehearse, which makes their run quicker by a third.
QUIET_SECONDS = 0.25
# A worker's end and the template's word about it come on different sockets.
WORD_SECONDS = 0.5
# A run whose workers end before they touch it would have the next one forked for ever.
BEGIN_ATTEMPTS = 3
# Whoever reports a lost run may die, too, or find no database; this many take some ten minutes. After that a job has
# its lease, and a run without one stands as it is.
REPORT_ATTEMPTS, LONGEST_PAUSE_SECONDS = 20, 30.0
# Of an adopted run only the process is known, and not everywhere does it announce its end.
POLL_SECONDS = 0.25


class Pool:
    """The runs of a server, in the order in which they wait, and the workers for them."""

    def __init__(self, config: LauncherConfig) -> None:
        self._config = config
        self._records = Records(config.records)
        self._runs: dict[str, Run] = {}
        self._waiting: list[Run] = []
        self._lost: deque[Report] = deque()
        self._postponed = 0
        self._workers: set[Worker] = set()
        self._spares = Spares(config, changed=self._dispatch, wanted=self._wanted)
        self._tasks = Tasks()
        self._quiet: asyncio.TimerHandle | None = None

    # --- what the server asks

    @property
    def empty(self) -> bool:
        """Whether no run is left, and nothing has to be reported."""
        busy = any(worker.task is not None for worker in self._workers)
        return not (self._runs or self._lost or self._postponed or busy)

    def resume(self) -> None:
        """Take over what an earlier server has left."""
        self._records.tidy()
        for launch in self._records.launches():
            run = self._runs[launch.run_id] = Run(launch)
            process = self._records.process_of(launch.run_id)
            if process is None:
                self._wait(run)
            elif process.alive():
                self._adopt(run, process)
                if self._records.is_canceled(launch.run_id):
                    self._interrupt(run, process.pid)
            else:
                self._lose(run, "Its process ended while no launcher was there to see it.")
            # Also of runs that go on: should they be lost, somebody has to report it.
            self._spares.template_for(launch.code, os.environ)
        self._dispatch()

    @property
    def running(self) -> int:
        """How many runs go on."""
        return len(self._runs) - len(self._waiting)

    async def launch(self, launch: Launch, environment: Mapping[str, str]) -> Message:
        """Accept a run; answer with its place among those that wait for a slot (0: none waits).

        `environment` is the client's, with which its code is loaded where that is not yet.
        """
        if launch.run_id not in self._runs:
            template = self._spares.template_for(launch.code, environment)
            await template.loaded.wait()
            if template.error is not None:
                return {"error": template.error}
        if launch.run_id not in self._runs:
            # By one clock, so that those that wait stand in the order in which they are told their places.
            launch = dataclasses.replace(launch, accepted_at=time.time())
            self._records.accept(launch)
            run = self._runs[launch.run_id] = Run(launch)
            self._wait(run)
            self._dispatch()
        # Those in front that have a slot wait for their worker alone, which takes milliseconds.
        room = self._config.max_concurrent_runs - self.running
        ahead = [run.launch.run_id for run in self._waiting]
        position = max(0, ahead.index(launch.run_id) + 1 - room) if launch.run_id in ahead else 0
        return {"position": position, "limit": self._config.max_concurrent_runs}

    async def warm(self, code: Code, environment: Mapping[str, str]) -> Message:
        """Load `code` and answer when workers can be forked from it."""
        template = self._spares.template_for(code, environment)
        await template.loaded.wait()
        return {"error": template.error} if template.error is not None else {"ready": True}

    def terminate(self, run_id: str) -> str:
        """Interrupt a run; return what it was: `waiting` (it is dropped), `running` or `unknown`."""
        run = self._runs.get(run_id)
        if run is None:
            return "unknown"
        if run in self._waiting:
            self._waiting.remove(run)
            self._end(run)
            return "waiting"
        if not run.terminating and run.pid is not None:
            # For the next server, should this one not live to see the end of the grace.
            self._records.cancel(run_id)
            self._interrupt(run, run.pid)
        return "running"

    def _interrupt(self, run: Run, pid: int) -> None:
        run.terminating = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        self._tasks.spawn(self._kill_later(run, pid))

    def status(self, run_id: str) -> Message:
        """Return `{"is": …}`: waiting, running, lost (being reported) or unknown; and its process."""
        run = self._runs.get(run_id)
        if run is not None:
            return {"is": "waiting" if run in self._waiting else "running", "pid": run.pid}
        lost = any(report.launch.run_id == run_id for report in self._reports())
        return {"is": "lost" if lost else "unknown", "pid": None}

    def overview(self) -> Message:
        """Return what runs, waits and is spare, for operators."""
        return {
            "running": {run_id: run.pid for run_id, run in self._runs.items() if run not in self._waiting},
            "waiting": [run.launch.run_id for run in self._waiting],
            "spares": [worker.pid for worker in self._spares.idle()],
            "templates": self._spares.overview(),
            "limit": self._config.max_concurrent_runs,
        }

    async def close(self) -> None:
        """Send the idle workers and the templates home."""
        if self._quiet is not None:
            self._quiet.cancel()
        await self._spares.close()
        self._tasks.cancel()

    # --- workers

    async def attend(self, pid: int, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stay with a worker from its first word to its end."""
        template = self._spares.known(number)
        if template is None:
            return
        worker = Worker(pid, template, writer)
        self._workers.add(worker)
        self._spares.arrive(worker)
        self._dispatch()
        try:
            while line := await reader.readline():
                self._hear(worker, messages.decode(line))
        except (OSError, ValueError) as exc:
            log.warning("worker %d cannot be heard: %s", pid, exc)
        finally:
            await self._part(worker)

    def _hear(self, worker: Worker, message: Message) -> None:
        if message.get("rehearsed"):
            worker.rehearsed, worker.rehearses = True, False
        elif message.get("done"):
            worker.done = True
            self._settle(worker)

    async def _part(self, worker: Worker) -> None:
        self._workers.discard(worker)
        self._spares.part(worker)
        if worker.task is not None:
            await worker.template.ending_of(worker.pid, WORD_SECONDS)
        self._settle(worker)
        worker.template.forget(worker.pid)

    def _settle(self, worker: Worker) -> None:
        """Draw the conclusions from a worker that is done, or gone without having been."""
        task, worker.task = worker.task, None
        if isinstance(task, Run):
            task.worker = None
            taken_by = self._records.process_of(task.launch.run_id)
            if worker.done:
                self._end(task)
            elif taken_by is not None and taken_by.alive():
                # An earlier server had handed it out with its last breath, or its op has closed all descriptors.
                self._adopt(task, taken_by)
            elif taken_by is None and self._may_begin_again(task):
                # It died before it touched the run: another one takes it.
                self._wait(task)
            else:
                # What it has started must not go on beside the next attempt.
                end_session(worker.pid)
                self._lose(task, f"Its process {worker.pid} {worker.template.ending(worker.pid)}.")
        elif isinstance(task, Report):
            if worker.done:
                self._records.forget(task.launch.run_id)
            elif task.attempts >= REPORT_ATTEMPTS:
                log.error("nobody could report that run %s is lost: %s", task.launch.run_id, task.why)
                self._records.forget(task.launch.run_id)
            else:
                self._tasks.spawn(self._report_later(task))
        self._dispatch()

    def _may_begin_again(self, run: Run) -> bool:
        run.attempts += 1
        return not (run.attempts >= BEGIN_ATTEMPTS or run.terminating)

    def _adopt(self, run: Run, process: Process) -> None:
        log.info("run %s goes on in process %d", run.launch.run_id, process.pid)
        run.adopted = process
        self._tasks.spawn(self._watch(run, process))

    # --- runs

    def _reports(self) -> list[Report]:
        return [*self._lost, *(worker.task for worker in self._workers if isinstance(worker.task, Report))]

    def _wait(self, run: Run) -> None:
        bisect.insort(self._waiting, run, key=lambda waiting: waiting.launch.order)

    def _end(self, run: Run) -> None:
        self._runs.pop(run.launch.run_id, None)
        self._records.forget(run.launch.run_id)

    def _lose(self, run: Run, why: str) -> None:
        log.warning("run %s is lost: %s", run.launch.run_id, why)
        self._runs.pop(run.launch.run_id, None)
        self._lost.append(Report(run.launch, why))

    async def _report_later(self, report: Report) -> None:
        # The database is away, most likely.
        self._postponed += 1
        await asyncio.sleep(min(2.0**report.attempts, LONGEST_PAUSE_SECONDS))
        self._postponed -= 1
        self._lost.append(report)
        self._dispatch()

    async def _kill_later(self, run: Run, pid: int) -> None:
        await asyncio.sleep(self._config.terminate_grace_seconds)
        if self._runs.get(run.launch.run_id) is run and run.pid == pid:
            log.warning("run %s did not heed the interrupt; process %d is killed", run.launch.run_id, pid)
            end_session(pid)

    async def _watch(self, run: Run, process: Process) -> None:
        while process.alive():  # noqa: ASYNC110 - another process's end is no event of ours
            await asyncio.sleep(POLL_SECONDS)
        end_session(process.pid)
        if self._runs.get(run.launch.run_id) is run:
            # It may well have finished: whoever reports looks first.
            log.info("run %s has ended, or is lost", run.launch.run_id)
            self._runs.pop(run.launch.run_id)
            self._lost.append(Report(run.launch, f"Its process {process.pid} ended."))
            self._dispatch()

    # --- handing out

    def _dispatch(self) -> None:
        """Give what waits to idle workers, and have as many forked as are missing."""
        for report in list(self._lost):
            if worker := self._spares.take(report.launch.code, urgent=True):
                self._lost.remove(report)
                report.attempts += 1
                worker.task = report
                worker.tell({"report": {"run_id": report.launch.run_id, "why": report.why}})
        for run in list(self._waiting):
            if self.running >= self._config.max_concurrent_runs:
                break
            if worker := self._spares.take(run.launch.code, urgent=run.launch.urgent):
                self._waiting.remove(run)
                run.worker, worker.task = worker, run
                worker.tell({"run": {"run_id": run.launch.run_id}})
        self._spares.replenish()
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._rehearse)

    def _rehearse(self) -> None:
        """Let one spare after the other rehearse, as long as nothing else is to be done."""
        if not (self.running or self._waiting or self._lost) and self._spares.rehearse_one():
            self._quiet = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._rehearse)

    def _wanted(self) -> Counter[Key]:
        """Return how many workers are missing, by code: for runs that have a slot, and for reports."""
        room = max(0, self._config.max_concurrent_runs - self.running)
        waiting = [run.launch for run in itertools.islice(self._waiting, room)]
        return Counter(launch.code.key for launch in (*waiting, *(report.launch for report in self._lost)))
