"""An upload counts once its bytes are what was announced; it never changes after that, and is nobody else's."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio import assets, lifecycle, uploads
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, LinkRefused, NotFound, StorageUnavailable
from studio.settings import Settings
from studio.storage.base import MAX_BYTES
from studio.storage.bucket import SupabaseStorage
from studio.storage.choice import folder_storage
from studio.storage.folder import FolderStorage
from studio.uploads import Announced, announcing
from studio.uploads.kinds import clean_name
from tests.support.postgres import TestServer
from tests.support.rows import make_owner
from tests.support.supabase_storage import KEY, SupabaseServer, Thing

PDF = b"%PDF-1.7\n" + b"x" * 100


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has a project of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as opened:
        yield opened


@pytest.fixture
def project(db: Database) -> UUID:
    with db.transaction() as conn:
        return UUID(str(make_owner(conn, f"ada-{uuid4()}").project_id))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"data_dir": tmp_path, "link_secret": "a secret for links, of a test", "pages_base_url": "https://pages.test"}
    )


@pytest.fixture
def storage(settings: Settings) -> FolderStorage:
    return folder_storage(settings)


def announce(db: Database, project: UUID, name: str = "deck.pdf", size: int = len(PDF), mime: str = "") -> Announced:
    with db.transaction() as conn:
        return uploads.announce(conn, Settings(), project, name=name, size=size, mime_type=mime, by="ada")


def receive(db: Database, storage: FolderStorage, project: UUID, asset_id: UUID, chunks: Iterable[bytes]) -> None:
    """Bring bytes as the route does that takes them."""
    announced = uploads.pending(db, project, asset_id)
    body = uploads.Body(announced)
    for chunk in chunks:
        body.add(chunk)
    uploads.keep(storage, announced, body.content())


def ledger(db: Database, project: UUID) -> list[str]:
    rows = db.fetch_all("select event_type from project_events where project_id = %s order by created_at", [project])
    return [row["event_type"] for row in rows]


def office(folder: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/document.xml", "<d/>")
    return made.getvalue()


def test_a_file_is_announced_brought_and_completed(
    db: Database, project: UUID, settings: Settings, storage: FolderStorage
) -> None:
    announced = announce(db, project, "Übersicht 2026.PDF")
    assert announced.path.startswith(f"{project}/uploads/")
    assert announced.path.endswith("-Übersicht 2026.pdf")
    assert (announced.filename, announced.mime_type) == ("Übersicht 2026.pdf", "application/pdf")
    ticket = uploads.ticket(settings, storage, announced)
    assert ticket.url is None
    uploads.admit(settings, announced.asset_id, ticket.token)
    with pytest.raises(LinkRefused):
        uploads.admit(settings, uuid4(), ticket.token)
    receive(db, storage, project, announced.asset_id, [PDF[:5], PDF[5:]])
    done = uploads.complete(db, storage, project, announced.asset_id, by="ada")
    assert (done.status, done.size_bytes, done.content_hash) == (
        "uploaded",
        len(PDF),
        hashlib.sha256(PDF).hexdigest(),
    )
    assert assets.content(storage, done) == PDF
    assert uploads.complete(db, storage, project, announced.asset_id, by="ada") == done
    assert ledger(db, project) == ["asset.upload_requested", "asset.upload_completed"]


def test_it_leaves_as_an_attachment_under_its_own_name(
    db: Database, project: UUID, settings: Settings, storage: FolderStorage
) -> None:
    announced = announce(db, project)
    with pytest.raises(Conflict, match="not there yet"):
        uploads.download_url(settings, storage, assets.get(db, announced.asset_id))
    receive(db, storage, project, announced.asset_id, [PDF])
    done = uploads.complete(db, storage, project, announced.asset_id, by="ada")
    assert uploads.download_url(settings, storage, done).startswith(f"https://pages.test/files/{project}/uploads/")
    # The route that serves files shows known types, and lets a browser save all others.
    assert storage.content_type(done.storage_path) == "application/octet-stream"
    assert uploads.given_name(done.storage_path) == "deck.pdf"
    assert uploads.given_name(f"{project}/phase-1/v1/landing.html") == "landing.html"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.pdf", b"\n%PDF-1.4 and so on"),
        ("a.png", b"\x89PNG\r\n\x1a\n...."),
        ("a.JPG", b"\xff\xd8\xff\xe0...."),
        ("a.jpeg", b"\xff\xd8\xff\xe1...."),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 "),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1..."),
        ("a.ppt", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1..."),
        ("a.docx", office("word")),
        ("a.pptx", office("ppt")),
        ("a.txt", "Grüße\r\n\tan alle".encode()),
        ("a.md", "# 道具".encode()),
    ],
)
def test_a_file_is_what_its_name_says(
    db: Database, project: UUID, storage: FolderStorage, name: str, data: bytes
) -> None:
    announced = announce(db, project, name, len(data))
    receive(db, storage, project, announced.asset_id, [data])
    assert uploads.complete(db, storage, project, announced.asset_id, by="ada").status == "uploaded"
    other = announce(db, project, name, 20)
    with pytest.raises(InvalidInput, match="does not hold"):
        receive(db, storage, project, other.asset_id, [b"<html>\x00<script>....."])
    assert storage.list(str(Path(other.path).parent)) == [
        file for file in storage.list(f"{project}/uploads") if file.path == announced.path
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.docx", office("ppt")), ("a.pptx", b"PK\x03\x04 torn"), ("a.txt", b"\xff\xfeU\x00"), ("a.md", b"\xe9t\xe9 ")],
)
def test_one_kind_does_not_pass_for_another(
    db: Database, project: UUID, storage: FolderStorage, name: str, data: bytes
) -> None:
    announced = announce(db, project, name, len(data))
    with pytest.raises(InvalidInput, match="does not hold"):
        receive(db, storage, project, announced.asset_id, [data])


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("C:\\Users\\ada\\plan.docx", "plan.docx"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("a\x00b\u202etxt.pdf", "a b txt.pdf"),
        ('q"u<o>t?e*|.md', "q-u-o-t-e.md"),
        ("  .. hidden .txt", "hidden.txt"),
        (".txt", "file.txt"),
        ("-rf.pdf", "rf.pdf"),
        ("道具の図書館.png", "道具の図書館.png"),
    ],
)
def test_names_are_cleaned(given: str, clean: str) -> None:
    assert clean_name(given) == clean


def test_the_longest_name_still_fits(db: Database, project: UUID, storage: FolderStorage) -> None:
    announced = announce(db, project, "ü道" * 200 + ".pdf")
    receive(db, storage, project, announced.asset_id, [PDF])
    assert uploads.complete(db, storage, project, announced.asset_id, by="ada").filename.endswith(".pdf")


@pytest.mark.parametrize(
    ("name", "size", "mime", "said"),
    [
        ("a.exe", 10, "", "Files like 'a.exe' cannot be uploaded"),
        ("a", 10, "", "cannot be uploaded"),
        ("a.svg", 10, "image/svg+xml", "cannot be uploaded"),
        ("a.pdf", 10, "text/html", "its name says application/pdf"),
        ("a.pdf", 0, "application/pdf", "is empty"),
        ("a.pdf", MAX_BYTES + 1, "", "25 MiB"),
    ],
)
def test_what_is_not_taken_is_refused(db: Database, project: UUID, name: str, size: int, mime: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        announce(db, project, name, size, mime)
    assert ledger(db, project) == []


def test_more_than_was_announced_is_cut_off_while_it_comes(db: Database, project: UUID, storage: FolderStorage) -> None:
    announced = announce(db, project)
    taken = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield PDF[:60]

    with pytest.raises(InvalidInput, match="longer than the 109 bytes"):
        receive(db, storage, project, announced.asset_id, endless())
    assert len(taken) == 2
    with pytest.raises(InvalidInput, match="109 were announced"):
        receive(db, storage, project, announced.asset_id, [PDF[:-1]])
    with pytest.raises(InvalidInput, match="not arrived yet"):
        uploads.complete(db, storage, project, announced.asset_id, by="ada")
    # All of this has spoiled nothing.
    receive(db, storage, project, announced.asset_id, [PDF])
    uploads.complete(db, storage, project, announced.asset_id, by="ada")


def test_what_has_arrived_does_not_change(db: Database, project: UUID, storage: FolderStorage) -> None:
    announced = announce(db, project)
    receive(db, storage, project, announced.asset_id, [PDF])
    receive(db, storage, project, announced.asset_id, [PDF])
    with pytest.raises(Conflict, match="Another file has arrived"):
        receive(db, storage, project, announced.asset_id, [PDF[:-1] + b"y"])
    done = uploads.complete(db, storage, project, announced.asset_id, by="ada")
    with pytest.raises(Conflict, match="is over"):
        receive(db, storage, project, announced.asset_id, [PDF])
    assert assets.content(storage, done) == PDF


def test_another_projects_uploads_look_missing(db: Database, project: UUID, storage: FolderStorage) -> None:
    announced = announce(db, project)
    with db.transaction() as conn:
        stranger = UUID(str(make_owner(conn, f"bob-{uuid4()}").project_id))
    missing = f"The project has no upload {announced.asset_id}"
    with pytest.raises(NotFound, match=missing):
        receive(db, storage, stranger, announced.asset_id, [PDF])
    receive(db, storage, project, announced.asset_id, [PDF])
    with pytest.raises(NotFound, match=missing):
        uploads.complete(db, storage, stranger, announced.asset_id, by="bob")
    uploads.complete(db, storage, project, announced.asset_id, by="ada")
    with pytest.raises(NotFound):
        uploads.complete(db, storage, project, uuid4(), by="ada")


def test_a_project_has_room_for_so_much(db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "PENDING_LIMIT", 2)
    monkeypatch.setattr(announcing, "QUOTA_BYTES", 1000)
    announce(db, project, size=600)
    with pytest.raises(Conflict, match="600 of 1,000 bytes"):
        announce(db, project, size=401)
    announce(db, project, size=400)
    with pytest.raises(Conflict, match="2 uploads of the project are under way"):
        announce(db, project, size=1)
    lifecycle.set_status(db, project, "killed", "ada")
    with pytest.raises(Conflict, match="killed"):
        announce(db, project)
    with pytest.raises(NotFound):
        announce(db, uuid4())


def test_what_never_came_is_forgotten_after_a_day(db: Database, project: UUID, storage: FolderStorage) -> None:
    done, came, fresh = (announce(db, project) for _ in range(3))
    for one in (done, came, fresh):
        receive(db, storage, project, one.asset_id, [PDF])
    uploads.complete(db, storage, project, done.asset_id, by="ada")
    gone = announce(db, project)
    db.execute(
        "update project_assets set created_at = now() - interval '25 hours' where id = any(%s)",
        [[done.asset_id, came.asset_id, gone.asset_id]],
    )
    assert uploads.sweep_pending(db, storage) == 2
    assert {file.path for file in storage.list(str(project))} == {done.path, fresh.path}
    with pytest.raises(NotFound):
        uploads.complete(db, storage, project, came.asset_id, by="ada")
    assert uploads.sweep_pending(db, storage) == 0


def test_a_sweep_that_cannot_delete_forgets_nothing(db: Database, project: UUID, storage: FolderStorage) -> None:
    class Away(FolderStorage):
        def delete(self, paths: Any) -> None:
            raise StorageUnavailable("away")

    announced = announce(db, project)
    db.execute("update project_assets set created_at = '2020-01-01' where id = %s", [announced.asset_id])
    with pytest.raises(StorageUnavailable):
        uploads.sweep_pending(db, Away(storage.root, lambda path, seconds: path))
    assert uploads.pending(db, project, announced.asset_id) == announced


class SigningServer(SupabaseServer):
    """The local Supabase with tickets for uploads, as its own code has them: one file, once."""

    def __init__(self) -> None:
        super().__init__()
        self.tickets: dict[str, str] = {}
        routes = self._server.config.app.router.routes  # type: ignore[union-attr]
        path = "/storage/v1/object/upload/sign/{bucket}/{key:path}"
        routes.insert(0, Route(path, self._sign_upload, methods=["POST"]))
        routes.insert(0, Route(path, self._signed_upload, methods=["PUT"]))

    async def _sign_upload(self, request: Request) -> Response:
        self._bucket(request)
        key = request.path_params["key"]
        token = self.tickets[key] = secrets.token_urlsafe(8)
        return JSONResponse({"url": f"/object/upload/sign/{request.path_params['bucket']}/{key}?token={token}"})

    async def _signed_upload(self, request: Request) -> Response:
        key, bucket = request.path_params["key"], self.objects[request.path_params["bucket"]]
        if request.query_params["token"] != self.tickets[key] or key in bucket:
            return JSONResponse({"statusCode": "409", "error": "Duplicate", "message": "taken"}, 400)
        bucket[key] = Thing(await request.body(), request.headers["content-type"])
        return JSONResponse({"Key": key})


@pytest.fixture(scope="module")
def supabase() -> Iterator[SigningServer]:
    with SigningServer() as server:
        yield server


@pytest.fixture
def bucket(supabase: SigningServer) -> Iterator[SupabaseStorage]:
    opened = SupabaseStorage(supabase.url, KEY)
    yield opened
    opened.close()


def put(url: str, data: bytes) -> int:
    # The gateway of the local service wants a key on every request, as Supabase's does.
    headers = {"apikey": KEY, "authorization": f"Bearer {KEY}", "content-type": "application/pdf"}
    with httpx.Client(verify=False, headers=headers) as client:
        return client.put(url, content=data).status_code


def test_a_bucket_takes_the_file_itself(
    db: Database, project: UUID, settings: Settings, supabase: SigningServer, bucket: SupabaseStorage
) -> None:
    announced = announce(db, project, "Übersicht.pdf")
    ticket = uploads.ticket(settings, bucket, announced)
    assert ticket.url is not None
    assert ticket.url.startswith(f"{supabase.url}/storage/v1/object/upload/sign/project-assets/{project}/uploads/")
    assert ticket.token in ticket.url
    assert (put(ticket.url, PDF), put(ticket.url, PDF)) == (200, 400)
    done = uploads.complete(db, bucket, project, announced.asset_id, by="ada")
    assert done.content_hash == hashlib.sha256(PDF).hexdigest()
    link = uploads.download_url(settings, bucket, done)
    assert link.startswith(supabase.url)
    assert "download=" in link


@pytest.mark.parametrize("brought", [PDF + b"more", b"<html>" + b"x" * (len(PDF) - 6)])
def test_what_a_bucket_has_got_is_looked_at(
    db: Database, project: UUID, settings: Settings, bucket: SupabaseStorage, brought: bytes
) -> None:
    announced = announce(db, project)
    ticket = uploads.ticket(settings, bucket, announced)
    assert put(str(ticket.url), brought) == 200
    with pytest.raises(InvalidInput, match=r"deck\.pdf"):
        uploads.complete(db, bucket, project, announced.asset_id, by="ada")
    assert bucket.list(str(project)) == []
    with pytest.raises(Conflict, match="has failed"):
        uploads.complete(db, bucket, project, announced.asset_id, by="ada")
    row = db.fetch_one("select metadata from project_assets where id = %s", [announced.asset_id])
    assert row is not None
    assert json.dumps(row["metadata"]) == '{"announced": "deck.pdf"}'
