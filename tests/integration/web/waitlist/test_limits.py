"""One place and one list take so many sign-ups and then wait, however many processes serve."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from studio import waitlist
from studio.database.connection import Database
from tests.integration.web.conftest import ANN, Town
from tests.support.web import WebThread


def test_one_place_asks_so_often_and_then_waits(town: Town, database: Database, tmp_path: Path) -> None:
    """Also where several processes serve: the second one here knows what the first has counted."""
    project = town.project()
    statuses = [town.join(project, f"p{number}@example.org").status_code for number in range(20)]
    assert statuses == [200] * 20
    with WebThread(database, tmp_path / "other") as second, httpx.Client(base_url=second.url, verify=False) as http:
        refused = http.post("/api/waitlist", json={"email": ANN, "project_id": str(project)})
        assert (refused.status_code, set(refused.json())) == (429, {"error"})
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        page = http.post("/api/waitlist", data={"email": ANN, "project_id": str(project)})
        assert (page.status_code, "A little too fast" in page.text) == (429, True)
    assert town.letters() == []


def test_one_list_takes_so_many_and_then_waits(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitlist, "_PER_PROJECT", (2, timedelta(hours=1)))
    one, two = town.project(), town.project("bob")
    assert [town.join(one, f"p{number}@example.org").status_code for number in range(3)] == [200, 200, 429]
    assert town.join(two).status_code == 200


def test_a_proxys_word_counts_only_where_it_is_trusted(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waitlist, "_PER_ADDRESS", (2, timedelta(hours=1)))

    def statuses(web: WebThread) -> list[int]:
        with httpx.Client(base_url=web.url, verify=False) as http:
            return [
                http.post(
                    "/api/waitlist",
                    json={"email": f"p{number}@example.org"},
                    headers={"X-Forwarded-For": f"203.0.113.{number}"},
                ).status_code
                for number in range(4)
            ]

    with WebThread(database, tmp_path, trusted_proxies="127.0.0.1") as trusting:
        assert statuses(trusting) == [200] * 4
    with WebThread(database, tmp_path) as careful:
        assert statuses(careful) == [200, 200, 429, 429]
