"""The sensors' last ticks, read from Dagster's database: whether somebody picks up jobs, and what goes wrong there."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import psycopg

from sensors.relays import SENSORS
from studio.database.connection import CONNECT_TIMEOUT_SECONDS

# A sensor ticks when its wait is over, which takes 50 s at most; silence for this long means no daemon.
SILENCE_SECONDS = 90


class Tick(NamedTuple):
    """The last tick of a sensor. `trouble` is None where it did its work."""

    sensor: str
    seconds_ago: float
    trouble: str | None


def last_ticks(dagster_url: str) -> list[Tick]:
    """Return each sensor's last tick, by name; empty where there has been none.

    `dagster_url` is the libpq URL of Dagster's database. Raises `psycopg.Error` where it cannot be read.
    """
    with psycopg.connect(dagster_url, connect_timeout=CONNECT_TIMEOUT_SECONDS) as conn:
        if conn.execute("select to_regclass('job_ticks')").fetchone() == (None,):
            return []
        rows = conn.execute(
            "select distinct on (selector_id) status, tick_body, extract(epoch from now())::float8"
            " from job_ticks where type = 'SENSOR' order by selector_id, id desc"
        ).fetchall()
    bodies = [(status, json.loads(body), now) for status, body, now in rows]
    # The column with the moment holds whatever the server's time zone made of it; the body holds an epoch.
    return sorted(
        judged(status, body, now - float(body["timestamp"]))
        for status, body, now in bodies
        # Others may have ticked here in earlier versions.
        if body.get("job_name") in SENSORS
    )


def judged(status: str, body: dict[str, Any], age: float) -> Tick:
    """Return a tick of `status` and `body` (Dagster's JSON), `age` seconds old, with what is wrong about it."""
    trouble: str | None = None
    if age > SILENCE_SECONDS:
        trouble = f"has not ticked for {age:.0f} s: is the daemon running, and the sensor turned on?"
    elif status == "FAILURE":
        error = body.get("error") or {}
        message = (error.get("cause") or error).get("message") or "without a message"
        trouble = f"fails: {' '.join(str(message).split())}"
    elif str(body.get("skip_reason") or "").startswith("The queue cannot be read"):
        trouble = str(body["skip_reason"])
    return Tick(str(body.get("job_name")), age, trouble)
