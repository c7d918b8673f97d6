"""`greenlight workers` says who is there, and with `--here` whether this machine takes runs: a health check asks so."""

from __future__ import annotations

import socket

import pytest

from studio import fleet
from studio.database.connection import Database
from tests.support.cli import Greenlight

HERE = socket.gethostname()


def report(db: Database, lane: str, status: str, machine: str = HERE) -> None:
    details = {"lane": lane, "slots": 2, "host": machine, "process": "1:1", "running": 0, "done": 0, "build": "r1"}
    fleet.report(db, f"{lane}@{machine}", status, details, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("standard", "heavy", "code"),
    [
        (None, None, 1),
        ("running", "running", 0),
        ("running", "error", 1),
        ("running", "draining", 1),
        ("stopped", "stopped", 1),
        # A lane that the machine serves no longer.
        ("running", "stopped", 0),
    ],
)
def test_a_machine_is_well_while_the_lanes_that_it_serves_take_runs(
    greenlight: Greenlight, db: Database, standard: str | None, heavy: str | None, code: int
) -> None:
    report(db, "realtime", "error", machine="elsewhere")
    for lane, status in (("standard", standard), ("heavy", heavy)):
        if status is not None:
            report(db, lane, status)
    ran = greenlight("workers", "--here")
    assert ran.code == code
    assert "elsewhere" not in ran.out


def test_a_silent_worker_is_no_longer_well_and_can_be_forgotten(greenlight: Greenlight, db: Database) -> None:
    report(db, "standard", "running")
    report(db, "heavy", "running")
    db.execute(
        "update worker_heartbeats set last_seen_at = now() - interval '1 hour' where worker_id = %s", [f"heavy@{HERE}"]
    )
    ran = greenlight("workers", "--here")
    assert ran.code == 1
    assert "silent" in ran.said
    assert greenlight("workers", "--forget", f"heavy@{HERE}").code == 0
    assert greenlight("workers", "--here").code == 0
    greenlight("workers", "--forget", f"heavy@{HERE}").fails("No worker is called")
