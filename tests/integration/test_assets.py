"""An asset is its bytes: stored once, never overwritten, and never handed out as something else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import assets
from studio.assets import Asset
from studio.claims import Claim, claim_by_id
from studio.database.connection import Database
from studio.errors import InvalidInput, LeaseLost, NotFound, StorageConflict, StorageRefused
from studio.queue import NewJob, enqueue, get
from studio.storage.base import StoredFile
from studio.storage.folder import FolderStorage
from tests.support.queue import InBackground
from tests.support.rows import make_owner
from tests.support.waiting import eventually


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "artifacts", lambda path, seconds: f"{path}?{seconds}")


@pytest.fixture
def project(database: Database) -> UUID:
    with database.transaction() as conn:
        return UUID(str(make_owner(conn, "ada").project_id))


def store(database: Database, storage: FolderStorage, project: UUID, data: bytes = b"<p>", **changed: Any) -> Asset:
    given: dict[str, Any] = {
        "phase": 1,
        "kind": "landing_html",
        "path": f"{project}/phase-1/v1/landing.html",
        "filename": "landing.html",
        "mime_type": "text/html; charset=utf-8",
        "metadata": {"variant_index": 1},
        "created_by": "design_agent",
        **changed,
    }
    write = given.pop("write", assets.writing(database))
    return assets.store(write, storage, project, data=data, **given)


def rows(database: Database) -> int:
    row = database.fetch_one("select count(*) as n from project_assets")
    assert row is not None
    return int(row["n"])


def test_what_was_stored_is_found_again(database: Database, storage: FolderStorage, project: UUID) -> None:
    made = store(database, storage, project, b"<p>Hello")
    assert assets.get(database, made.id) == made
    assert (made.phase, made.kind, made.status, made.size_bytes) == (1, "landing_html", "uploaded", 8)
    assert made.content_hash == hashlib.sha256(b"<p>Hello").hexdigest() == made.metadata["sha256"]
    assert made.metadata["variant_index"] == 1
    assert assets.content(storage, made) == b"<p>Hello"
    assert assets.find(database, project, phase=1, kind="landing_html") == [made]
    assert assets.find(database, project, phase=2) == []
    with pytest.raises(NotFound):
        assets.get(database, uuid4())


def test_the_same_content_at_the_same_place_is_the_same_asset(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    made = store(database, storage, project)
    assert store(database, storage, project) == made
    assert rows(database) == 1


def test_a_crash_between_file_and_row_is_healed_by_the_retry(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    def crash(_work: object) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(database, storage, project, write=crash)
    assert rows(database) == 0
    made = store(database, storage, project)
    assert (rows(database), len(storage.list(""))) == (1, 1)
    assert assets.content(storage, made) == b"<p>"


@pytest.mark.parametrize("with_row", [True, False])
def test_other_content_never_takes_the_place_of_what_is_there(
    database: Database, storage: FolderStorage, project: UUID, with_row: bool
) -> None:
    """Whether it was reviewed, or is a dead worker's: what was stored under a path stays that."""
    path = f"{project}/phase-1/v1/landing.html"
    if with_row:
        first = store(database, storage, project, b"reviewed")
    else:
        storage.upload(path, b"reviewed", content_type="text/html")
    second = store(database, storage, project, b"another")
    assert second.storage_path == f"{project}/phase-1/v1/landing.{hashlib.sha256(b'another').hexdigest()[:12]}.html"
    assert second.filename == "landing.html"
    assert storage.read(path) == b"reviewed"
    assert assets.content(storage, second) == b"another"
    assert store(database, storage, project, b"another") == second
    if with_row:
        assert assets.content(storage, first) == b"reviewed"


def test_a_worker_that_lost_its_claim_stores_no_asset(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    with database.transaction() as conn:
        job = enqueue(conn, NewJob("phase0.generate_packet", project, {"projectId": str(project), "ownerClerkId": "a"}))
        zombie = claim_by_id(conn, database, job.job_id, "one", "run-1", timedelta(microseconds=1))
    with database.transaction() as conn:
        successor: Claim = claim_by_id(conn, database, job.job_id, "two", "run-2", timedelta(seconds=60))
    with pytest.raises(LeaseLost):
        store(database, storage, project, b"the zombie's", write=zombie.write)
    assert rows(database) == 0
    made = store(database, storage, project, b"the successor's", write=successor.write)
    assert assets.content(storage, made) == b"the successor's"


def test_a_file_that_somebody_has_changed_is_not_handed_out(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    made = store(database, storage, project)
    storage.upload(made.storage_path, b"<script>", content_type="text/html", upsert=True)
    with pytest.raises(StorageRefused, match="hash differs"):
        assets.content(storage, made)
    storage.delete([made.storage_path])
    with pytest.raises(StorageConflict):
        store(database, storage, project, b"new content for an old row")


@pytest.mark.parametrize(
    "path",
    ["landing.html", "7b0e1c9a-0000-4000-8000-000000000000/landing.html", "{project}", "{project}x/landing.html"],
)
def test_an_asset_lies_in_its_projects_folder(
    database: Database, storage: FolderStorage, project: UUID, path: str
) -> None:
    with pytest.raises(InvalidInput, match=str(project)):
        store(database, storage, project, path=path.format(project=project))
    assert storage.list("") == []


def test_what_no_row_names_is_swept_away_when_it_is_old(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    kept = store(database, storage, project)
    gone = uuid4()
    for name in (f"{project}/orphan.html", f"{gone}/deleted-project.html", f"{project}/young.html"):
        storage.upload(name, b"x", content_type="text/html")
    for path in storage.root.rglob("*.html"):
        if path.name != "young.html":
            os.utime(path, (0, 0))
    assert assets.sweep(database, storage) == 2
    assert [file.path for file in storage.list("")] == sorted([kept.storage_path, f"{project}/young.html"])
    assert assets.sweep(database, storage) == 0


def test_what_a_job_keeps_for_itself_stays_until_it_has_ended(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    """However long it sleeps: what it would go on from is paid for."""
    store(database, storage, project)
    with database.transaction() as conn:
        job = enqueue(conn, NewJob("phase0.generate_packet", project, {"projectId": str(project), "ownerClerkId": "a"}))
        claim = claim_by_id(conn, database, job.job_id, "one", "run-1", timedelta(seconds=60))
    kept = f"{project}/code/{job.job_id}/turn-1.html"
    for path in (kept, f"{project}/code/{uuid4()}/turn-1.html"):
        storage.upload(path, b"x", content_type="text/html")
    age(storage)
    claim.release("It goes on another day.")
    assert assets.sweep(database, storage) == 1
    assert storage.read(kept) == b"x"
    with database.transaction() as conn:
        again = claim_by_id(conn, database, job.job_id, "two", "run-2", timedelta(seconds=60))
    again.complete()
    assert assets.sweep(database, storage) == 1


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_what_a_job_may_be_revived_from_stays(
    database: Database, storage: FolderStorage, project: UUID, end: str
) -> None:
    """A retry or a resume goes on from it."""
    store(database, storage, project)
    with database.transaction() as conn:
        payload = {"projectId": str(project), "ownerClerkId": "a"}
        job = enqueue(conn, NewJob("phase0.generate_packet", project, payload))
        claim = claim_by_id(conn, database, job.job_id, "one", "run-1", timedelta(seconds=60))
        claim.save_step(conn, "write/1/answer", {})
    if end == "failed":
        claim.fail("It cannot be done.", permanent=True, retry_base=timedelta(seconds=1))
    else:
        claim.cancel("Not now.")
    assert get(database, job.job_id).status == end
    kept = f"{project}/code/{job.job_id}/turn-1.html"

    def is_left(ended: timedelta) -> bool:
        database.execute("update agent_jobs set completed_at = now() - %s where id = %s", [ended, job.job_id])
        storage.upload(kept, b"x", content_type="text/html", upsert=True)
        age(storage)
        assets.sweep(database, storage)
        return any(file.path == kept for file in storage.list(""))

    just_now, long_ago = timedelta(days=2), assets.REVIVAL_AGE + timedelta(days=1)
    assert is_left(just_now)
    assert not is_left(long_ago)
    database.execute("update projects set status = 'paused' where id = %s", [project])
    assert is_left(long_ago)
    # Without a step it would begin anew.
    database.execute("delete from agent_job_steps where job_id = %s", [job.job_id])
    assert not is_left(just_now)


class SweptInBetween(FolderStorage):
    """A storage in which something else happens, once, right before files are deleted or after one is uploaded."""

    def __init__(self, storage: FolderStorage, **then: Callable[[], object]) -> None:
        super().__init__(storage.root, storage._link)
        self._then = then

    def _once(self, when: str) -> None:
        self._then.pop(when, lambda: None)()

    def delete(self, paths: Sequence[str]) -> None:
        self._once("before_delete")
        super().delete(paths)

    def upload(self, path: str, data: bytes, *, content_type: str, upsert: bool = False) -> StoredFile:
        stored = super().upload(path, data, content_type=content_type, upsert=upsert)
        self._once("after_upload")
        return stored


def test_a_file_whose_row_is_being_written_is_not_swept_away(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    """Its old file is taken over by the retry of who died, while the sweep has already seen that it is an orphan."""
    store(database, storage, project, path=f"{project}/other.html")
    orphan = f"{project}/phase-1/v1/landing.html"
    storage.upload(orphan, b"<p>", content_type="text/html")
    age(storage)
    retries: list[InBackground] = []

    def retry() -> None:
        retries.append(InBackground(lambda: store(database, storage, project)))
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        eventually(lambda: retries[0].done or database.fetch_one(waiting), what="the row, or its waiting")

    assets.sweep(database, SweptInBetween(storage, before_delete=retry))
    assert assets.content(storage, retries[0].result()) == b"<p>"


def test_a_file_that_was_swept_away_before_its_row_is_stored_again(
    database: Database, storage: FolderStorage, project: UUID
) -> None:
    store(database, storage, project, path=f"{project}/other.html")
    hurried = SweptInBetween(storage, after_upload=lambda: (age(storage), assets.sweep(database, storage)))
    made = store(database, hurried, project, b"<h1>")
    assert assets.content(storage, made) == b"<h1>"
    assert rows(database) == 2


def test_what_is_used_again_is_young_again(database: Database, storage: FolderStorage, project: UUID) -> None:
    """A dead worker's file: between its retry's upload and row it would otherwise look like rubbish."""
    storage.upload(f"{project}/phase-1/v1/landing.html", b"<p>", content_type="text/html")
    age(storage)
    store(database, storage, project)
    [file] = storage.list("")
    assert file.modified_at > datetime(2000, 1, 1, tzinfo=UTC)


def test_a_sweep_goes_in_batches(
    database: Database, storage: FolderStorage, project: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "_BATCH", 2)
    kept = store(database, storage, project)
    for number in range(5):
        storage.upload(f"{project}/{number}.html", b"x", content_type="text/html")
    age(storage)
    assert assets.sweep(database, storage) == 5
    assert [file.path for file in storage.list("")] == [kept.storage_path]


def age(storage: FolderStorage) -> None:
    for path in storage.root.rglob("*.html"):
        os.utime(path, (0, 0))


def test_a_storage_of_which_the_database_knows_nothing_is_anothers(database: Database, storage: FolderStorage) -> None:
    path = f"{uuid4()}/page.html"
    storage.upload(path, b"x", content_type="text/html")
    os.utime(storage.root / path, (0, 0))
    assert assets.sweep(database, storage) == 0
    assert [file.path for file in storage.list("")] == [path]
