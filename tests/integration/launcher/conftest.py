"""Fixtures of the launcher's tests: most of them share one server, because loading Dagster takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.launcher import Launching, launching
from tests.support.postgres import TestServer

Make = Callable[..., Launching]


@pytest.fixture(scope="module")
def shared(postgres: TestServer, dagster_template: str) -> Iterator[Launching]:
    """One launcher for the module, with two spares and up to four runs at once."""
    with pytest.MonkeyPatch.context() as patch, postgres.temporary(dagster_template) as name:
        with launching(postgres.sqlalchemy_url(name), patch, spares=2, max_concurrent_runs=4) as running:
            yield running


@pytest.fixture
def warm(shared: Launching, tmp_path: Path) -> Launching:
    """The module's launcher, with a folder of this test's own."""
    return Launching(shared.instance, tmp_path)


@pytest.fixture
def make(
    postgres: TestServer, dagster_template: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Make]:
    """Make a launcher for this test alone, with settings of its own."""
    with ExitStack() as stack:

        def made(**settings: object) -> Launching:
            name = stack.enter_context(postgres.temporary(dagster_template))
            return stack.enter_context(launching(postgres.sqlalchemy_url(name), monkeypatch, **settings))

        yield made
