"""The two storages, each with what it needs: the folder with the web application that serves its links, the bucket
with a local Supabase."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from studio.database.connection import Database
from studio.storage import Storage, storage_from_settings
from studio.storage.bucket import SupabaseStorage
from studio.storage.choice import folder
from tests.support.supabase_storage import KEY, SupabaseServer
from tests.support.web import WebThread


class Opened(NamedTuple):
    status: int
    body: bytes
    content_type: str


def opened(url: str) -> Opened:
    """Open a link as anybody would: without a key."""
    # Without a list of authorities, whose loading takes longer than all else; the address is plain http.
    answer = httpx.get(url, verify=False)
    return Opened(answer.status_code, answer.content, answer.headers.get("content-type", ""))


@pytest.fixture(scope="session")
def supabase_server() -> Iterator[SupabaseServer]:
    with SupabaseServer() as server:
        yield server


@pytest.fixture
def supabase(supabase_server: SupabaseServer) -> SupabaseServer:
    """The server, as new."""
    supabase_server.reset()
    return supabase_server


@pytest.fixture
def bucket(supabase: SupabaseServer) -> Iterator[SupabaseStorage]:
    storage = SupabaseStorage(supabase.url, KEY)
    yield storage
    storage.close()


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebThread]:
    # A file's link is its own permission: no database is asked, and none is here.
    data = tmp_path_factory.mktemp("web") / "data"
    with Database("postgresql://127.0.0.1:1/none") as nowhere, WebThread(nowhere, data) as running:
        yield running


@pytest.fixture(params=["folder", "supabase"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each of the two in turn."""
    if request.param == "supabase":
        chosen: Storage = request.getfixturevalue("bucket")
        return chosen
    web: WebThread = request.getfixturevalue("web")
    shutil.rmtree(folder(web.settings), ignore_errors=True)
    return storage_from_settings(web.settings)
