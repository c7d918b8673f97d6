"""A fleet's site for one test, with a broker of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fleet_site import FleetSite, fleet_installed
from tests.support.postgres import TestServer


@pytest.fixture
def site(
    postgres: TestServer, database_template: str, dagster_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FleetSite]:
    with fleet_installed(postgres, database_template, dagster_template) as made:
        with made.in_this_process(monkeypatch):
            yield made
