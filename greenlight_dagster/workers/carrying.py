"""What a worker's process does with a run: takes it, carries it out, and says how it ended."""

from __future__ import annotations

import logging
import os
import sys

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.code_pointer import CodePointer, ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._utils.interrupts import capture_interrupts

from greenlight_dagster.launcher.records import Process
from greenlight_dagster.launcher.worker import execute
from resources.database import StudioDatabase
from studio import fleet
from studio.paths import ROOT

log = logging.getLogger("greenlight.worker")

DONE = "done"


def carry_out(run_id: str, worker_id: str, instance: DagsterInstance) -> str:
    """Carry out the run `run_id` in this process, unless somebody else has it or had it; return what was done."""
    db = StudioDatabase().get()
    with capture_interrupts():
        # Before anything else: a second delivery that went by the run's state would fail the run that goes on.
        if not fleet.take(db, run_id, worker_id, os.uname().nodename, *Process.current()):
            return "Somebody has taken it before."
        try:
            said = _carry_out(run_id, instance)
        except Exception as exc:
            # It is over here, and whoever looks for runs that nobody carries out is to know.
            fleet.end_take(db, run_id, worker_id, f"broke off: {exc}"[:500])
            raise
    fleet.end_take(db, run_id, worker_id, DONE)
    return said


def _carry_out(run_id: str, instance: DagsterInstance) -> str:
    run = instance.get_run_by_id(run_id)
    if run is None:
        return "It was deleted before it began."
    if run.is_finished:
        return f"It has ended already: {run.status.value}."
    if run.status is DagsterRunStatus.CANCELING:
        # Dagster would take it for a run that is begun a second time, and fail it.
        instance.report_run_canceled(run, "It was canceled before it began.")
        return "It was canceled before it began."
    execute(at_home(run), instance)
    return "Carried out."


def at_home(run: DagsterRun) -> DagsterRun:
    """Return `run` with its code where it lies on this machine, which may be elsewhere than on the one it came from."""
    origin = run.job_code_origin
    if origin is None:
        return run
    return run._replace(job_code_origin=JobPythonOrigin(origin.job_name, repository_here(origin.repository_origin)))


def repository_here(origin: RepositoryPythonOrigin) -> RepositoryPythonOrigin:
    """Return the origin of the same repository on this machine."""
    pointer = origin.code_pointer
    if isinstance(pointer, ModuleCodePointer):
        pointer = CodePointer.from_module(pointer.module, pointer.fn_name, str(ROOT))
    return origin._replace(code_pointer=pointer, executable_path=sys.executable)
