"""The fixtures of tests on Dagster: name this module in `pytest_plugins` to have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from greenlight_dagster.instance import engines
from studio.paths import ROOT
from tests.support.dagster import DagsterHome, in_this_process
from tests.support.forks import Forks
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread

PAGES = {
    "lend": """---
url: https://lend.example/about
title: Lend, tools and sewing machines between neighbours
---
Lend is an app with which neighbours in city blocks borrow tools and sewing machines. Members pay $3 per month.
""",
    "report": """---
url: https://stats.example/tools
title: Tool and sewing machines market report
---
The market for tools and sewing machines in city blocks was worth $61.2 billion worldwide in 2025.
""",
}


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    with Forks() as running:
        yield running


@pytest.fixture(scope="session")
def dagster_template(postgres: TestServer) -> Iterator[str]:
    """A database with Dagster's tables that nobody connects to: a clone is there in milliseconds."""
    with postgres.temporary() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENLIGHT_DAGSTER_DATABASE_URL", postgres.sqlalchemy_url(name))
        with DagsterInstance.from_config(str(ROOT)):
            pass
        engines.disconnect()
        yield name


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the sandbox's web search finds: enough for each research to have something to sort."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, text in PAGES.items():
        (folder / f"{name}.md").write_text(text)
    return folder


@pytest.fixture
def model_server(corpus: Path) -> Iterator[SandboxThread]:
    """The sandbox model, which answers at once."""
    with SandboxThread(corpus=corpus) as running:
        yield running


@pytest.fixture
def home(
    postgres: TestServer,
    database_url: str,
    dagster_template: str,
    model_server: SandboxThread,
    forks: Forks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DagsterHome]:
    """A home on fresh databases. The test's own process gets its environment, too."""
    with postgres.temporary(dagster_template) as name:
        made = DagsterHome(tmp_path / "home", database_url, postgres.sqlalchemy_url(name), model_server.url, forks)
        with in_this_process(made, monkeypatch):
            yield made


@pytest.fixture
def instance(home: DagsterHome) -> Iterator[DagsterInstance]:
    """The Dagster instance of `home`."""
    with DagsterInstance.from_config(str(home.folder)) as opened:
        yield opened
    engines.disconnect()
