"""What runs print reaches the database whatever becomes of the run, and no more of it than anybody reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from greenlight_dagster.instance.compute_logs import RedirectingComputeLogManager
from greenlight_dagster.instance.shared_logs import DatabaseComputeLogManager
from studio import run_output
from studio.database.connection import Database
from studio.run_output import HEAD_BYTES, TAIL_BYTES
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

KEY = ["a-run", "compute_logs", "step"]


@pytest.fixture
def worker(
    instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DatabaseComputeLogManager]:
    """The manager of a worker's process."""
    monkeypatch.setattr(RedirectingComputeLogManager, "redirects", True)
    made = DatabaseComputeLogManager(str(tmp_path / "worker"))
    yield made
    made.dispose()


def captured(manager: DatabaseComputeLogManager, text: str, error: BaseException | None = None) -> None:
    with manager.capture_logs(KEY):
        os.write(1, text.encode())
        if error is not None:
            raise error


def left(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "worker").rglob("*"))


def test_what_an_interrupted_run_has_printed_is_kept(
    worker: DatabaseComputeLogManager, database: Database, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        captured(worker, "last words", KeyboardInterrupt())
    found = run_output.load(database, KEY)
    assert found is not None
    assert (found.stdout, found.complete) == (b"last words", True)
    assert left(tmp_path) == []


def test_what_a_run_has_printed_so_far_is_seen_meanwhile(worker: DatabaseComputeLogManager, database: Database) -> None:
    worker._upload_seconds = 1

    def seen(text: bytes) -> bool:
        found = run_output.load(database, KEY)
        return found is not None and found.stdout == text and not found.complete

    with worker.capture_logs(KEY):
        for text in (b"one", b"onetwo"):
            os.write(1, text[-3:])
            eventually(lambda text=text: seen(text), what="what was printed")
        assert not worker.is_capture_complete(KEY)
    assert worker.is_capture_complete(KEY)


def test_what_a_killed_process_has_printed_is_brought_in(
    worker: DatabaseComputeLogManager, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "worker" / "a-run" / "compute_logs"
    folder.mkdir(parents=True)
    (folder / "step.out").write_bytes(b"out of")
    (folder / "step.err").write_bytes(b"memory")
    assert worker.bring_in("another-run") == 0
    assert worker.bring_in("a-run") == 1
    found = run_output.load(database, KEY)
    assert found is not None
    assert (found.stdout, found.stderr, found.complete) == (b"out of", b"memory", True)
    assert left(tmp_path) == []
    assert worker.bring_in("a-run") == 0


@pytest.mark.parametrize("more", [0, 12345])
def test_of_what_is_very_long_beginning_and_end_are_kept(
    more: int, worker: DatabaseComputeLogManager, database: Database
) -> None:
    kept = "a" * HEAD_BYTES, "z" * TAIL_BYTES
    captured(worker, ("m" * more).join(kept))
    found = run_output.load(database, KEY)
    assert found is not None
    told = f"\n… {more:,} bytes are left out …\n" if more else ""
    assert found.stdout.decode() == told.join(kept)
    assert run_output.delete(database, ["a-run"]) == 1
