"""The studio's own application: one server and one database for a module, which may shorten its streams."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from uuid import UUID

import pytest

from studio.database.connection import Database
from tests.integration.studio_web.conftest import Desk
from tests.support.postgres import TestServer
from tests.support.queue import enqueue
from tests.support.streams import Stream
from tests.support.web import StudioThread

SERVER = "streaming"


@pytest.fixture(scope="module")
def desk(
    postgres: TestServer,
    database_template: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Desk]:
    """`SETTINGS` of the module are the server's."""
    folder = tmp_path_factory.mktemp("streams") / "data"
    settings = getattr(request.module, "SETTINGS", {})
    with contextlib.ExitStack() as left:
        name = left.enter_context(postgres.temporary(database_template))
        database = left.enter_context(Database(postgres.url(name), application_name=SERVER))
        web = StudioThread(database, folder, **settings)
        left.enter_context(web)
        desk = Desk(web)
        # Who writes is not who serves.
        desk.db = left.enter_context(Database(postgres.url(name)))
        yield desk
        desk.close()


@pytest.fixture
def project(desk: Desk) -> UUID:
    return desk.project()


@pytest.fixture
def job(desk: Desk, project: UUID) -> UUID:
    """A job of the project, whose stream begins with the event that says it is queued."""
    return enqueue(desk.db, project)


def path(project_id: UUID) -> str:
    """Return where a project's stream is."""
    return f"/api/projects/{project_id}/events"


def ada(desk: Desk, project_id: UUID, **options: object) -> Stream:
    """Open a project's stream for its owner."""
    return Stream(desk.ada, path(project_id), **options)  # type: ignore[arg-type]
