"""The sensors' last ticks are read from Dagster's database, whatever time zone its server lives in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from greenlight_dagster.stack.ticks import SENSORS, last_ticks
from tests.support.postgres import TestServer


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def dagster_url(request: pytest.FixtureRequest, postgres: TestServer) -> Iterator[str]:
    """A database in a time zone, with the table of ticks as Dagster has it."""
    with postgres.temporary() as name:
        with psycopg.connect(postgres.url(name), autocommit=True) as conn:
            zone, database = sql.Literal(request.param), sql.Identifier(name)
            conn.execute(sql.SQL("alter database {} set timezone to {}").format(database, zone))
        yield postgres.url(name)


def write(url: str, *ticks: dict[str, Any]) -> None:
    with psycopg.connect(url) as conn:
        conn.execute(
            "create table job_ticks (id bigserial, selector_id text, status text, type text, timestamp timestamp,"
            " tick_body text)"
        )
        for tick in ticks:
            row = conn.execute(
                "select extract(epoch from now())::float8 - %s, to_timestamp(extract(epoch from now()) - %s)",
                [tick["ago"], tick["ago"]],
            ).fetchone()
            assert row is not None
            body = {"job_name": tick["name"], "timestamp": row[0], "skip_reason": tick.get("skip_reason")}
            conn.execute(
                "insert into job_ticks (selector_id, status, type, timestamp, tick_body)"
                " values (%s, %s, 'SENSOR', %s::timestamptz, %s)",
                [tick["name"], tick.get("status", "SKIPPED"), row[1], json.dumps(body)],
            )


def test_before_the_first_start_there_are_none(dagster_url: str) -> None:
    assert last_ticks(dagster_url) == []


def test_each_sensor_is_judged_by_its_last_tick(dagster_url: str) -> None:
    write(
        dagster_url,
        {"name": "watcher", "ago": 30, "status": "FAILURE"},
        {"name": "watcher", "ago": 2},
        {"name": "pickup_heavy_1", "ago": 600},
        {"name": "pickup_heavy", "ago": 99_999},
    )
    heavy, watcher = last_ticks(dagster_url)
    assert (heavy.sensor, watcher.sensor) == ("pickup_heavy_1", "watcher")
    assert watcher.trouble is None
    assert 0 <= watcher.seconds_ago < 60
    assert "has not ticked for 60" in (heavy.trouble or "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster")
def test_the_sensors_are_those_of_the_definitions() -> None:
    from tests.support.dagster import defs

    assert {sensor.name for sensor in defs.sensors or ()} == SENSORS
