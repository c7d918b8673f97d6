"""`greenlight traces health` shows all of it to people and to programs, and its exit code says whether it is well."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import typer

from greenlight_dagster.cli import traces_health
from studio.database.connection import Database
from studio.settings import get_settings
from tests.support.queue_rows import put_job
from tests.support.traces import make_trace


@pytest.fixture(autouse=True)
def _settings() -> None:
    get_settings.cache_clear()


def run(capsys: pytest.CaptureFixture[str], *, as_json: bool = False) -> tuple[int, str]:
    code = 0
    try:
        traces_health.health(as_json=as_json)
    except typer.Exit as ended:
        code = ended.exit_code
    return code, capsys.readouterr().out


def test_what_is_well_exits_with_nothing_and_what_is_not_with_one(
    db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    make_trace(db, end_ms=4200, queue_ms=1500)
    code, out = run(capsys)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].strip() == "ok"
    [standard] = [line for line in lines if line.startswith("standard")]
    assert "0 of 3" in standard
    [work] = [line for line in lines if line.startswith("test.work")]
    assert "4.20 s" in work
    assert "1.50 s" in work
    assert any(line.startswith("news") and "ms from a notification" in line for line in lines)

    insert = (
        "insert into public.alerts (kind, subject, severity, title, first_at) values ('queue', %s, %s, %s, now() - %s)"
    )
    db.execute(insert, ["a", "warning", "Errors of [bold]kind x", timedelta(minutes=5)])
    code, out = run(capsys)
    assert code == 0, "it is about the machinery"
    assert out.splitlines()[1].strip() == "! 1 alert is open (warning, 5 m ago): Errors of [bold]kind x"
    db.execute(insert, ["b", "critical", "Nobody works", timedelta(hours=1)])
    code, out = run(capsys)
    assert "✗ 2 alerts are open, the worst critical; the newest (5 m ago): Errors of [bold]kind x" in out
    code, out = run(capsys, as_json=True)
    said = json.loads(out)
    assert (code, said["status"]) == (0, "ok")
    assert said["alerts"] | {"newest_at": ""} == {
        "count": 2, "worst": "critical", "newest": "Errors of [bold]kind x", "newest_at": ""
    }  # fmt: skip
    db.execute("update public.alerts set state = 'closed', closed_at = now()")
    assert "alert" not in run(capsys)[1]
    assert json.loads(run(capsys, as_json=True)[1])["alerts"] == {
        "count": 0, "worst": None, "newest": None, "newest_at": None
    }  # fmt: skip

    job = put_job(db, run_after="now() - interval '10 minutes'", job_type="odd [bold]type")
    lease = put_job(db, "running", leased_until="now() + interval '9 seconds'", dagster_run_id="r", locked_by="w")
    code, out = run(capsys)
    assert code == 1
    assert out.splitlines()[0].strip() == "down"
    assert "✗ Nobody takes work of lane standard" in out
    assert f"odd [bold]type {job}, for 10 min" in out
    assert str(lease) in out

    code, out = run(capsys, as_json=True)
    found: dict[str, Any] = json.loads(out)
    assert code == 1
    assert (found["status"], found["oldest_waiting"]["job_id"]) == ("down", str(job))
    assert found["leases"]["ending"][0]["job_id"] == str(lease)
    assert {lane["name"] for lane in found["lanes"]} == {"heavy", "realtime", "standard"}
