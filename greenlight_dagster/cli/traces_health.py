"""`greenlight traces health`: how the installation fares, for people and for monitors that run commands."""

from __future__ import annotations

from typing import Any

import typer
from rich.markup import escape

from greenlight_dagster.cli.context import read_database
from greenlight_dagster.cli.output import JsonFlag, out, plain, print_json, print_table, since
from studio.model.spend import usd
from studio.operations import health as operations
from studio.operations import open_alerts
from studio.operations.flow import Quantiles
from studio.operations.health import Health
from studio.operations.open_alerts import OpenAlerts
from studio.operations.wording import several
from studio.text import printable
from studio.worker_health import Status

_STYLES: dict[Status, str] = {"ok": "green", "degraded": "yellow", "down": "red"}
_ICONS: dict[Status, str] = {"ok": "[blue]i[/]", "degraded": "[yellow]![/]", "down": "[red]✗[/]"}
_LANES = ("lane", "running", "due", "queued", "oldest", "per min", "failed", "p50", "p95", "p99")
_TYPES = ("job type", "running", "due", "completed", "failed", "attempts", "errors", "p50", "p95", "p99", "queue p95")


def health(as_json: JsonFlag = False) -> None:
    """Say how the work, the workers, the event streams, the spending and the traces fare.

    Exits with 1 where the status is degraded or down, so that a monitor can run it. That is about the machinery:
    alerts that are open are told, and change neither the status nor the exit code.
    """
    with read_database() as (db, settings):
        found, alerts = operations.look(db, settings), open_alerts.look(db)
    if as_json:
        print_json({**plain(found), "alerts": alerts})
    else:
        _show(found, alerts)
    if found.status != "ok":
        raise typer.Exit(1)


def _show(found: Health, alerts: OpenAlerts) -> None:
    _say(f"[bold {_STYLES[found.status]}]{found.status}[/]")
    for problem in found.problems:
        _say(f"{_ICONS[problem.status]} {escape(printable(problem.words))}")
    if alerts.newest_at is not None:
        icon = _ICONS["down" if alerts.worst == "critical" else "degraded"]
        _say(f"{icon} {escape(printable(_alerts(alerts, since(alerts.newest_at))))}")
    out.print()
    print_table(
        _LANES,
        [
            (
                lane.name,
                f"{lane.running} of {lane.slots}",
                lane.due,
                lane.queued,
                _seconds(lane.oldest_due_seconds) if lane.due else None,
                f"{lane.started_per_minute.five_minutes:.1f}",
                lane.failed,
                *_times(lane.duration_ms),
            )
            for lane in found.lanes
        ],
        empty="There are no lanes.",
    )
    out.print()
    print_table(
        _TYPES,
        [
            (
                kind.name,
                kind.running,
                kind.due,
                kind.completed,
                kind.failed,
                kind.attempts,
                None if kind.error_rate is None else f"{kind.error_rate:.0%}",
                *_times(kind.duration_ms),
                None if kind.queue_ms is None else _seconds(kind.queue_ms.p95 / 1000),
            )
            for kind in found.job_types
        ],
        empty="No job has been seen in the last 24 hours.",
        below=("attempts", "errors", "p50", "p95", "p99", "queue p95"),
    )
    out.print()
    for what, words in _lines(found):
        _say(f"[bold]{what}[/]  {escape(printable(words))}")


def _alerts(alerts: OpenAlerts, when: str) -> str:
    newest = " ".join((alerts.newest or "").split())
    if alerts.count == 1:
        return f"1 alert is open ({alerts.worst}, {when}): {newest}"
    return f"{alerts.count:,} alerts are open, the worst {alerts.worst}; the newest ({when}): {newest}"


def _lines(found: Health) -> list[tuple[str, str]]:
    waiting, leases, spent, traces = found.oldest_waiting, found.leases, found.spending, found.traces
    return [
        (
            "waiting",
            f"{waiting.job_type} {waiting.job_id}, for {_seconds(waiting.seconds)}" if waiting else "no job is due",
        ),
        ("leases", f"{len(leases.ending)} end soon, {leases.expired} have ended unnoticed"),
        *(
            ("lease", f"{lease.job_type} {lease.job_id} of {lease.worker_id}: {lease.seconds_left:.0f} s left")
            for lease in leases.ending
        ),
        *(
            ("worker", f"{worker.worker_id}: {several(worker.running, 'job')}, {worker.launching} of them not begun")
            for worker in found.workers
        ),
        *(
            ("worker", f"{beat.worker_id}: {beat.status}, heard of {_seconds(beat.seconds_ago)} ago")
            for beat in found.heartbeats
        ),
        ("news", _news(found)),
        (
            "spend",
            f"${usd(spent.today_micros)} today, ${usd(spent.day_micros)} in 24 h by {several(spent.day_calls, 'call')}",
        ),
        *(
            ("near a cap", f"{near.name} {near.project_id}: {near.share:.0%} of its {near.cap}")
            for near in spent.near_cap
        ),
        (
            "traces",
            f"{traces.day} in 24 h, {traces.day_failed} failed, {traces.day_lost} lost, {traces.open} open,"
            f" {several(traces.day_dropped_spans, 'span')} dropped",
        ),
        ("on disk", f"{several(traces.spilled.files, 'file')} of traces, {traces.spilled.bytes / 1e6:,.1f} MB"),
    ]


def _news(found: Health) -> str:
    if not found.stream.listens:
        return "not measured: GREENLIGHT_DB_LISTEN is off, and streams poll"
    lag = found.stream.lag_seconds
    return "none came back" if lag is None else f"{lag * 1000:.1f} ms from a notification to its listener"


def _times(quantiles: Quantiles | None) -> tuple[Any, Any, Any]:
    if quantiles is None:
        return (None, None, None)
    return (_seconds(quantiles.p50 / 1000), _seconds(quantiles.p95 / 1000), _seconds(quantiles.p99 / 1000))


def _seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.2f} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _say(line: str) -> None:
    out.print(line, highlight=False, soft_wrap=True)
