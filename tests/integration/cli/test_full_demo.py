"""What a full demo has made is kept in a folder of its own, however many demos end at the same time."""

from __future__ import annotations

from pathlib import Path

from greenlight_dagster.cli import full_demo
from studio.database.connection import Database
from tests.support.queue import make_project
from tests.support.web import web_settings


def test_demos_that_end_in_the_same_second_keep_apart(db: Database, tmp_path: Path) -> None:
    settings = web_settings(tmp_path / "data")
    folders = [full_demo._keep(db, settings, tmp_path / "stack", tmp_path / "kept", make_project(db)) for _ in range(5)]
    assert len(set(folders)) == len([path for path in (tmp_path / "kept").iterdir() if path.is_dir()]) == 5
