"""A hub on a database of each test's own, and a project with a job whose stream has begun."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from studio.database.connection import Database
from studio.event_hub import EventHub
from tests.support.event_hub import NAME, hub_on
from tests.support.queue import enqueue, make_project


@pytest.fixture
def following(database_url: str) -> Iterator[Database]:
    """The database as the hub sees it, whose sessions are told by their name."""
    with Database(database_url, application_name=NAME) as db:
        yield db


@pytest.fixture
def hub(following: Database) -> Iterator[EventHub]:
    with hub_on(following) as hub:
        yield hub


@pytest.fixture
def project(database: Database) -> UUID:
    return make_project(database)


@pytest.fixture
def job(database: Database, project: UUID) -> UUID:
    """A job of the project, whose stream begins with the event that says it is queued."""
    return enqueue(database, project)
