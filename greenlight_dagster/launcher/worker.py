"""A run worker: forked ahead of time, connected, and waiting for the one thing it will do."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
import sys
from collections.abc import Iterator

import psycopg
from dagster import DagsterExecutionInterruptedError, DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.events import EngineEventData
from dagster._grpc.impl import core_execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts
from sqlalchemy.exc import SQLAlchemyError

from greenlight_dagster.instance.compute_logs import RedirectingComputeLogManager
from greenlight_dagster.launcher import lost_runs, priority
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.messages import Channel, Message
from greenlight_dagster.launcher.records import Process, Records
from resources import run_tags
from resources.database import StudioDatabase, be_thrifty
from studio import rehearsal
from studio.errors import StudioError

log = logging.getLogger("greenlight.launcher.worker")

# What a run of the studio gets by with: its ops, its events and its lease take turns, which they hardly notice. A new
# session costs the server more than all that a short run asks of it.
STUDIO_CONNECTIONS = 1
# Far longer than any statement of theirs, so that a further connection means that one waits for the other.
CONNECTION_PATIENCE_SECONDS = 2.0
# Objects made before the first look for garbage, instead of 700.
GC_THRESHOLD = 20_000
# Added to the niceness of a run, by its lane: where cores are short, a chat goes before a batch. At 10, a batch's run
# has a tenth of what a chat's, or another program of the machine, has; at 5, eight of them still double a chat's wait.
NICENESS = {"standard": 10, "heavy": 15}


def work(instance: DagsterInstance, config: LauncherConfig, template: int) -> None:
    """Connect, wait for an order of the server, carry it out; `template` is the number of the one we come from."""
    settle()
    process, records = Process.current(), Records(config.records)
    with _connected(instance), contextlib.closing(_server(config, template)) as channel:
        order = channel.receive()
        if order is not None and order.get("rehearse"):
            _rehearse(instance)
            _say(channel, {"rehearsed": True})
            order = channel.receive()
        if order is None or order.get("dismiss"):
            return
        if "report" in order:
            lost_runs.report(instance, order["report"]["run_id"], order["report"]["why"])
            _say(channel, {"done": True})
        elif "run" in order:
            _carry_out(order["run"], instance, process, records, channel)


def settle() -> None:
    """Make this process, which was just forked, one that carries out runs."""
    # So that it can be ended with everything that it has started.
    os.setsid()
    RedirectingComputeLogManager.redirects = True
    be_thrifty(STUDIO_CONNECTIONS, CONNECTION_PATIENCE_SECONDS)
    # What a run makes, it mostly keeps to its end, which comes soon; what was there before is frozen.
    gc.set_threshold(GC_THRESHOLD)
    for stream in (sys.stdout, sys.stderr):
        # What an op prints is to be seen while it runs.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def warm(instance: DagsterInstance) -> None:
    """Connect and rehearse, so that the first run of this process finds everything at hand."""
    try:
        instance.get_run_by_id("none")
    except SQLAlchemyError as exc:
        log.warning("a worker cannot connect yet: %s", exc)
        return
    _rehearse(instance)


def _rehearse(instance: DagsterInstance) -> None:
    """Do what a run does while there is time: the pages that it writes to are this process's own afterwards."""
    from greenlight_dagster.launcher import loading

    try:
        loading.rehearse(instance)
        rehearsal.rehearse(StudioDatabase().get(), STUDIO_CONNECTIONS)
    except (StudioError, psycopg.Error, SQLAlchemyError) as exc:
        log.info("a spare worker could not rehearse: %s", exc)


def _server(config: LauncherConfig, template: int) -> Channel:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(config.socket))
    channel = Channel(sock)
    channel.send({"op": "worker", "pid": os.getpid(), "template": template})
    return channel


def _carry_out(order: Message, instance: DagsterInstance, process: Process, records: Records, channel: Channel) -> None:
    run_id = str(order["run_id"])
    with capture_interrupts():
        if not records.take(run_id, process):
            log.warning("run %s was taken by another worker", run_id)
            return
        run = instance.get_run_by_id(run_id)
        if run is None:
            log.warning("run %s was deleted before it began", run_id)
        elif run.status is DagsterRunStatus.CANCELING:
            # Dagster would take it for a run that is begun a second time, and fail it.
            instance.report_run_canceled(run, "It was canceled before it began.")
        else:
            priority.lower(NICENESS.get(run.tags.get(run_tags.LANE, ""), 0))
            execute(run, instance)
    if not _say(channel, {"done": True}):
        # Its server is gone, and the next one need not look after it.
        records.forget(run_id)


def execute(run: DagsterRun, instance: DagsterInstance) -> None:
    """Execute `run` in this process; whatever happens is in its event log afterwards."""
    assert run.job_code_origin is not None  # noqa: S101 - Dagster submits no run without one
    pid = os.getpid()
    instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
    try:
        for _ in core_execute_run(recon_job_from_origin(run.job_code_origin), run, instance, inject_env_vars=False):
            pass
    except (KeyboardInterrupt, DagsterExecutionInterruptedError, Exception):
        # Dagster has written it into the run's log before it raised.
        log.info("run %s broke off", run.run_id, exc_info=True)


def _say(channel: Channel, message: Message) -> bool:
    """Send `message`; return whether somebody listens: the server may be gone, and the next one read the records."""
    try:
        channel.send(message)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _connected(instance: DagsterInstance) -> Iterator[None]:
    """Open the connections that a run needs, and close them after it."""
    try:
        instance.get_run_by_id("none")
        with contextlib.suppress(StudioError), contextlib.ExitStack() as held:
            for _ in range(STUDIO_CONNECTIONS):
                held.enter_context(StudioDatabase().get().connection())
    except (SQLAlchemyError, psycopg.Error) as exc:
        # The run connects by itself, or fails with a better word than this.
        log.warning("a spare worker cannot connect yet: %s", exc)
    try:
        yield
    finally:
        with contextlib.suppress(StudioError):
            StudioDatabase().get().close()
        instance.dispose()
