"""A signed link opens one file, in a way in which the file can do nothing; no spelling of a path opens another."""

from __future__ import annotations

import http.client
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import httpx
import pytest

from studio import links
from studio.database.connection import Database
from studio.storage import BUCKET, MAX_BYTES, Storage, storage_from_settings
from tests.integration.web.conftest import Town
from tests.support.supabase_storage import KEY, SupabaseServer, Thing
from tests.support.web import WebThread

TRAVERSALS = [
    "../secrets.json",
    "../../secrets.json",
    "..%2f..%2fsecrets.json",
    "%2e%2e/%2e%2e/secrets.json",
    "p/../../../secrets.json",
    "p/%2e%2e%2f%2e%2e%2fsecrets.json",
    "..\\..\\secrets.json",
    "..%5c..%5csecrets.json",
    "%252e%252e/secrets.json",
    "/etc/passwd",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "p/a.txt%00.html",
    "p/.a.txt.type",
    ".lock",
    "....//secrets.json",
    "file:///etc/passwd",
    "",
    ".",
    "..",
]


@pytest.fixture
def storage(town: Town) -> Storage:
    storage = storage_from_settings(town.web.settings)
    storage.upload("p/a.txt", b"public enough", content_type="text/plain; charset=utf-8")
    (town.web.settings.data_dir / "secrets.json").write_text("the secret")
    return storage


def get_raw(town: Town, path: str) -> tuple[int, bytes]:
    """Ask for a path exactly as it is written: other clients tidy it up."""
    parts = urlsplit(town.web.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.putrequest("GET", path, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_no_path_leads_out_even_with_a_genuine_signature(town: Town, storage: Storage) -> None:
    for path in TRAVERSALS:
        for subject in (path, "p/a.txt", "../secrets.json", "../../secrets.json"):
            token = links.sign(town.web.settings, links.FILE, subject, timedelta(hours=1))
            status, body = get_raw(town, f"/files/{path}?token={token}")
            assert status >= 400, (path, subject)
            assert b"the secret" not in body
            assert b"root:" not in body


def test_a_link_needs_its_own_token(town: Town, storage: Storage) -> None:
    good = links.sign(town.web.settings, links.FILE, "p/a.txt", timedelta(hours=1))
    assert town.http.get(f"/files/p/a.txt?token={good}").content == b"public enough"
    head = town.http.head(f"/files/p/a.txt?token={good}")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "13", b"")
    other = links.sign(town.web.settings, links.FILE, "p/b.txt", timedelta(hours=1))
    confirm = links.sign(town.web.settings, links.CONFIRM, "p/a.txt", timedelta(hours=1))
    for token in ("", "x", other, confirm, good + "x"):
        assert town.http.get(f"/files/p/a.txt?token={token}").status_code == 404, token
    assert town.http.get("/files/p/a.txt").status_code == 404
    late = links.sign(town.web.settings, links.FILE, "p/a.txt", timedelta(seconds=-1))
    assert town.http.get(f"/files/p/a.txt?token={late}").status_code == 410
    storage.delete(["p/a.txt"])
    assert town.http.get(f"/files/p/a.txt?token={good}").status_code == 404


@pytest.mark.parametrize(
    ("name", "kind", "how"),
    [
        ("deck.html", "text/html; charset=utf-8", "inline"),
        ("logo.png", "image/png", "inline"),
        ("logo.svg", "image/svg+xml", "inline"),
        ("plan.md", "text/markdown; charset=utf-8", "inline"),
        (
            "Präsentation 1.pptx",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            "attachment",
        ),
        ("x.js", "text/javascript", "attachment"),
        ("x.xhtml", "application/xhtml+xml", "attachment"),
        ("x", "text/htmlx", "attachment"),
    ],
)
def test_a_file_is_shown_or_saved_and_does_nothing(
    town: Town, storage: Storage, name: str, kind: str, how: str
) -> None:
    storage.upload(f"p/{name}", b"<script>alert(1)</script>", content_type=kind)
    answer = town.http.get(storage.signed_url(f"p/{name}", expires_seconds=60).removeprefix(town.web.url))
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.headers["content-disposition"] == f"{how}; filename*=UTF-8''{quote(name)}"
    assert answer.headers["cache-control"] == "private, no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert policy.endswith("; sandbox"), "no script, no form, an origin of its own"


class Bucket(NamedTuple):
    """A site whose artifacts lie in a bucket."""

    web: WebThread
    supabase: SupabaseServer
    storage: Storage
    http: httpx.Client

    def get(self, path: str) -> httpx.Response:
        link = links.file_url(self.web.settings, path, timedelta(hours=1))
        return self.http.get(link.removeprefix(self.web.url))


@pytest.fixture
def bucket(database: Database, stack: ExitStack, tmp_path: Path) -> Bucket:
    supabase = stack.enter_context(SupabaseServer())
    web = stack.enter_context(
        WebThread(database, tmp_path / "data", supabase_url=supabase.url, supabase_service_role_key=KEY)
    )
    http = stack.enter_context(httpx.Client(base_url=web.url, verify=False))
    return Bucket(web, supabase, storage_from_settings(web.settings), http)


def test_a_bucket_is_looked_at_here_under_the_same_policy(bucket: Bucket) -> None:
    for name, kind, how in (
        ("landing.html", "text/html; charset=utf-8", "inline"),
        ("brief.md", "text/markdown; charset=utf-8", "inline"),
        ("Präsentation 1.pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", None),
        ("x.js", "application/octet-stream", None),
        ("uploads/1767225600000-5f0c1f60-4b62-4a3e-9b53-0d6ae3cd8a11-page.html", "application/octet-stream", None),
    ):
        # Whatever a client has said that it is.
        bucket.storage.upload(f"p/{name}", b"<script>alert(1)</script>", content_type="text/html")
        answer = bucket.get(f"p/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        assert answer.content == b"<script>alert(1)</script>"
        assert answer.headers["content-disposition"].startswith(how or "attachment")
        assert answer.headers["content-security-policy"].endswith("; sandbox")
        assert answer.headers["cache-control"] == "private, no-store"
    assert "filename*=UTF-8''page.html" in answer.headers["content-disposition"]


def test_a_bucket_that_fails_is_no_file_or_back_in_a_moment(bucket: Bucket) -> None:
    assert bucket.get("p/none.html").status_code == 404
    bucket.storage.upload("p/a.html", b"a", content_type="text/html")
    assert bucket.get("p/b.html").status_code == 404
    assert bucket.http.get("/files/p/a.html?token=x").status_code == 404
    objects = bucket.supabase.objects[BUCKET]
    objects["p/large.html"] = Thing(bytes(MAX_BYTES + 1), "text/html")
    assert bucket.get("p/large.html").status_code == 503
    objects["p/large.html"] = Thing(bytes(MAX_BYTES), "text/html")
    assert len(bucket.get("p/large.html").content) == MAX_BYTES
    for status in (500, 429, 403):
        bucket.supabase.failing = (status, b"{}")
        assert bucket.get("p/a.html").status_code == 503, status
    bucket.supabase.failing = None
    bucket.supabase.gateway_key = "another"
    assert bucket.get("p/a.html").status_code == 503


def test_a_bucket_that_is_half_configured_serves_nothing(database: Database, tmp_path: Path) -> None:
    with (
        WebThread(database, tmp_path, supabase_url="https://x.supabase.co") as web,
        httpx.Client(base_url=web.url, verify=False) as client,
    ):
        token = links.sign(web.settings, links.FILE, "p/a.txt", timedelta(hours=1))
        assert client.get(f"/files/p/a.txt?token={token}").status_code == 503
