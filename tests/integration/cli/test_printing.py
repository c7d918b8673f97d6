"""What the command line prints is safe for a terminal, and keeps on its lines what is to be copied."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from greenlight_dagster.cli import output

# --- printing


def test_every_kind_of_value_is_json() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    value = {1: [(UUID(int=7), Decimal("0.10"))], "when": moment, "where": Path("/tmp"), "set": {1}, "text": "ä\n\x1b"}
    made = json.loads(json.dumps(output.plain(value)))
    assert made == {
        "1": [["00000000-0000-0000-0000-000000000007", "0.10"]],
        "when": "2026-03-01T00:00:00+00:00",
        "where": "/tmp",
        "set": [1],
        "text": "ä\n\x1b",
    }


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=5), "5 s ago"),
        (timedelta(minutes=3), "3 m ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=40), "40 d ago"),
        (timedelta(minutes=-90), "in 1 h|in 2 h"),
    ],
)
def test_moments_are_told_in_their_largest_unit(ago: timedelta, said: str) -> None:
    assert output.since(datetime.now(UTC) - ago) in said.split("|")


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_table_keeps_what_is_to_be_copied(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    written = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=written, width=width))
    ids = [str(uuid4()) for _ in range(2)]
    names = ["Tool library for blocks and for the cities around them", "Tea"]
    now = datetime.now(UTC)
    output.print_table(
        ("id", "name", "phase", "status", "domain", "created"),
        [(ids[n], names[n], n, "completed", "toollibrary.example", now) for n in range(2)],
        empty="",
    )
    lines = written.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert all(any(found in line for line in lines) for found in ids)
    if width >= 80:
        assert sum("completed" in line for line in lines) == 2
        assert "created" in lines[0]


WIDE = "Tool library for blocks and for the cities around them"
LISTED = [
    (uuid4(), "approved, completed", "medium", datetime.now(UTC), "trigger_phase3_repo_workflow", 12, WIDE),
    (uuid4(), "pending", "high", datetime.now(UTC), "deploy_landing_page", 1, "Tea"),
]
COLUMNS = ("id", "status", "risk", "asked", "action", "version", "project")


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_long_row_stands_on_two_lines_where_one_is_too_narrow(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    written = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=written, width=width))
    output.print_table(COLUMNS, LISTED, empty="", below=("action", "version", "project"))
    lines = written.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert len(lines) == (3 if width == 200 else 6)
    for row in LISTED:
        where = next(n for n, line in enumerate(lines) if line.startswith(str(row[0])))
        assert all(text in lines[where] for text in row[1:3])
        second = lines[where] if width == 200 else lines[where + 1]
        assert all(text in second.split() for text in (row[4], str(row[5])))
        assert row[6][:20] in second
    assert ("…" in lines[-3]) == (width == 80)


@pytest.mark.parametrize("width", [38, 50])
def test_of_a_long_row_an_id_is_never_cut(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    written = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=written, width=width))
    output.print_table(COLUMNS, LISTED, empty="", below=("action", "version", "project"))
    assert all(str(row[0]) in written.getvalue() for row in LISTED)
