"""What `greenlight doctor` finds out about a fleet: its broker, and the workers of each lane."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from kombu.utils.url import maybe_sanitize_url

from greenlight_dagster.cli.doctor_tools import Finding
from greenlight_dagster.workers.queues import transport_options
from studio import fleet
from studio.database.connection import Database
from studio.errors import StudioError
from studio.job_types import LANES
from studio.settings import Settings

REACH_SECONDS = 5.0


def findings(settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say of the fleet that GREENLIGHT_BROKER_URL makes."""
    yield _broker(settings)
    if settings.database_url is None:
        return
    try:
        with Database.from_settings(settings, application_name="greenlight-doctor") as db:
            found = fleet.workers(db, settings.worker_heartbeat_seconds)
            offered = {lane: fleet.offered_slots(db, lane, settings.worker_heartbeat_seconds) for lane in LANES}
    except (StudioError, psycopg.Error) as exc:
        yield Finding("workers", "problem", f"they cannot be seen: {exc}")
        return
    said = ", ".join(f"{slots} {lane}" for lane, slots in offered.items())
    troubles = [f"nobody serves the lane {lane}" for lane, slots in offered.items() if slots == 0]
    silent = [worker.worker_id for worker in found if not worker.lives and worker.status != "stopped"]
    if silent:
        troubles.append(
            f"{', '.join(silent)} {'is' if len(silent) == 1 else 'are'} silent"
            " (`greenlight workers --forget NAME` where one will not come back)"
        )
    builds = {worker.build for worker in found if worker.lives}
    if len(builds) > 1:
        troubles.append(f"several builds are at work: {', '.join(sorted(builds))}")
    if not any(offered.values()):
        yield Finding("workers", "problem", "none lives: start one with `greenlight worker`")
    elif troubles:
        yield Finding("workers", "warning", f"{said}; {'; '.join(troubles)}")
    else:
        yield Finding("workers", "ok", f"{said} processes")


def _broker(settings: Settings) -> Finding:
    url = settings.broker_url.get_secret_value() if settings.broker_url else ""
    shown = maybe_sanitize_url(url)
    try:
        options = transport_options(url)
        with Connection(url, connect_timeout=REACH_SECONDS, transport_options=options) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=REACH_SECONDS)
    except (StudioError, OperationalError, OSError) as exc:
        return Finding("broker", "problem", f"{shown} cannot be used: {exc}")
    return Finding("broker", "ok", f"{shown} answers")
