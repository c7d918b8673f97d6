"""What a full demo has made is kept in a folder of its own, however many demos end at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenlight_dagster.cli import full_demo
from greenlight_dagster.cli.journey import Journey
from studio import projects
from studio.database.connection import Database
from studio.settings import Settings
from tests.support.queue import make_project
from tests.support.web import web_settings


def test_what_was_made_is_shown_whole_and_what_is_missing_by_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_demo.out, "_width", 80)
    kept = tmp_path / ("a folder of a long name " * 5)
    pictures = [str(kept / "files" / f"{name}.png") for name in ("desktop", "mobile")]
    result = {
        "published": True,
        "mails": {},
        "decks": 1,
        "files": 2,
        "code": None,
        "report": None,
        "page_check": {"passed": True, "checks": {"meta_tags": "passed"}, "pictures": pictures},
        "missing": [
            "phase 0: A logo (No image model (none is set).)",
            "phase 1: A poster (No image model (none is set).)",
            "phase 1: A deck (Too long.)",
            "Ads have no account (see its settings).",
        ],
    }
    full_demo._show(kept, result)
    lines = [line[len("page check") + 2 :] for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0] == str(kept / "page.html")
    assert lines[-5:] == [
        *pictures,
        "phase 0: A logo; phase 1: A poster (No image model (none is set).)",
        "phase 1: A deck (Too long.)",
        "Ads have no account (see its settings).",
    ]


def test_demos_that_end_in_the_same_second_keep_apart(db: Database, tmp_path: Path) -> None:
    settings = web_settings(tmp_path / "data")
    folders = []
    for _ in range(5):
        project_id = make_project(db)
        folders.append(full_demo._folder(tmp_path / "kept", project_id))
        # Where Ctrl-C cuts it short, it is done again.
        for _ in range(2):
            full_demo._keep(db, settings, tmp_path / "stack", folders[-1], project_id)
    assert len(set(folders)) == len([path for path in (tmp_path / "kept").iterdir() if path.is_dir()]) == 5


@pytest.mark.parametrize("interrupts", [1, 2])
def test_ctrl_c_while_it_is_counted_does_not_lose_the_counts(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupts: int
) -> None:
    project_id = make_project(db, phase=2)
    left = iter([True] * interrupts)
    whole = full_demo._counts

    def travel(journey: Journey, _idea: str, _domain: str | None) -> None:
        journey.project_id = project_id

    def counts(*arguments: Any) -> dict[str, Any]:
        if next(left, False):
            raise KeyboardInterrupt
        return whole(*arguments)

    with db.transaction() as conn:
        projects.set_budget(conn, Settings(), project_id)
    monkeypatch.setattr(Journey, "travel", travel)
    monkeypatch.setattr(full_demo, "_counts", counts)

    def run() -> dict[str, Any]:
        settings = web_settings(tmp_path / "data")
        return full_demo.run(db, settings, tmp_path, "http://web.test", "An idea", None, ask=False, keep=tmp_path / "k")

    if interrupts == 1:
        result = run()
        assert (result["status"], result["phase"], result["packets"]) == ("interrupted", 2, 0)
    else:
        with pytest.raises(KeyboardInterrupt):
            run()
