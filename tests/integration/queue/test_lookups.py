"""A job that is not there is not found; the others are listed newest first and counted per lane."""

from __future__ import annotations

from uuid import uuid4

import pytest

from studio import queue
from studio.database.connection import Database
from studio.errors import NotFound
from tests.support.queue import claim_next, enqueue, make_project


def test_an_unknown_job_is_not_found(database: Database) -> None:
    for look in (queue.get, queue.cancel, queue.retry):
        with pytest.raises(NotFound, match="no job"):
            look(database, uuid4())


def test_jobs_are_listed_newest_first_and_counted_per_lane(database: Database) -> None:
    project, other = make_project(database), make_project(database)
    oldest = enqueue(database, project, lane="heavy")
    newer = enqueue(database, project, lane="realtime")
    elsewhere = enqueue(database, other, lane="heavy")
    claim_next(database, lane="realtime")
    assert [found.id for found in queue.find(database)] == [elsewhere, newer, oldest]
    assert [found.id for found in queue.find(database, project_id=project)] == [newer, oldest]
    assert [found.id for found in queue.find(database, status="queued", limit=1)] == [elsewhere]
    assert queue.depth(database) == {
        "realtime": {"queued": 0, "running": 1},
        "standard": {"queued": 0, "running": 0},
        "heavy": {"queued": 2, "running": 0},
    }
