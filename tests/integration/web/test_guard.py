"""What no route should have to think about: foreign host names, bodies without end, errors in one shape."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from studio.database.connection import Database
from tests.integration.web.conftest import Town
from tests.support.web import StudioThread, WebThread

ROUTES = [
    "/launch/x",
    "/api/waitlist",
    "/waitlist/confirm/x",
    "/unsubscribe/x",
    "/files/x?token=x",
    "/healthz",
    "/nothing",
    "/",
]


def raw(town: Town, request: bytes) -> bytes:
    """Send bytes that no client would, and return all that comes back."""
    parts = urlsplit(town.web.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_only_its_own_names_are_answered(town: Town) -> None:
    """A name that somebody made to point at this machine is not one of them (DNS rebinding)."""
    port = urlsplit(town.web.url).port
    for host in ("127.0.0.1", f"127.0.0.1:{port}", "localhost", f"LOCALHOST:{port}", "[::1]", f"[::1]:{port}"):
        assert town.http.get("/healthz", headers={"Host": host}).status_code == 200, host
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:80",
        "10.0.0.1",
        "localhost.evil",
        "[::2]",
        "",
    ):
        for path in ROUTES:
            answer = town.http.get(path, headers={"Host": host})
            assert answer.status_code == 400, (host, path)
    assert raw(town, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(("application", "own"), [(WebThread, "pages"), (StudioThread, "app")])
def test_each_application_is_asked_under_its_own_name(
    database: Database, tmp_path: Path, application: type[WebThread], own: str
) -> None:
    """So that a proxy's slip does not show the studio on the origin of what strangers have made."""
    addresses = {"pages_base_url": "https://Pages.example.org", "app_base_url": "https://app.example.org:8"}
    with application(database, tmp_path, **addresses) as web, httpx.Client(base_url=web.url, verify=False) as http:
        asked = ("pages.example.org", "app.example.org", "app.example.org:443", "example.org")
        answers = {host: http.get("/healthz", headers={"Host": host}).status_code for host in asked}
    assert answers == {host: 200 if host.startswith(own) else 400 for host in asked}


@pytest.mark.parametrize("application", [WebThread, StudioThread])
def test_a_platforms_probe_asks_under_its_own_name_for_health_alone(
    database: Database, tmp_path: Path, application: type[WebThread]
) -> None:
    addresses = {"pages_base_url": "https://pages.example.org", "app_base_url": "https://app.example.org"}
    for told, expected in (({"probe_host": "Service.platform.example"}, 200), ({}, 400)):
        with application(database, tmp_path, **addresses, **told) as web:
            with httpx.Client(base_url=web.url, headers={"Host": "service.platform.example"}) as http:
                assert {http.get(path).status_code for path in ("/healthz", "/readyz")} == {expected}
                assert {http.get(path).status_code for path in ("/", "/sign-in", "/launch/x", "/files/x")} == {400}


def test_the_studios_own_name_is_not_answered_with_what_strangers_made(database: Database, tmp_path: Path) -> None:
    """A browser sends a session's cookie to every port of the name that set it."""
    with WebThread(database, tmp_path, app_base_url="http://localhost:3030") as web:
        with httpx.Client(base_url=web.url, verify=False) as http:
            port = urlsplit(web.url).port
            answers = {
                host: http.get("/launch/x", headers={"Host": f"{host}:{port}"}).status_code
                for host in ("127.0.0.1", "localhost")
            }
    assert answers == {"127.0.0.1": 404, "localhost": 400}


def test_every_answer_says_what_a_browser_must_not_do(town: Town) -> None:
    for method in ("GET", "POST"):
        for path in ROUTES:
            answer = town.http.request(method, path)
            assert answer.headers["x-content-type-options"] == "nosniff", (method, path)
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "set-cookie" not in answer.headers
            if "text/html" in answer.headers["content-type"]:
                assert "default-src 'none'" in answer.headers["content-security-policy"], (method, path)


def test_errors_have_one_shape_for_programs_and_a_page_for_people(town: Town) -> None:
    for request, status in (
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"[" * 30000, "headers": {"Content-Type": "application/json"}}, 422),
        ({"content": b"[1]", "headers": {"Content-Type": "application/json"}}, 422),
        ({"content": b"null", "headers": {"Content-Type": "application/json"}}, 422),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": b"x"}, 415),
    ):
        answer = town.http.post("/api/waitlist", **request)  # type: ignore[arg-type]
        assert (answer.status_code, list(answer.json())) == (status, ["error"]), request
    assert list(town.http.get("/api/waitlist").json()) == list(town.http.get("/api/nothing").json()) == ["error"]
    for request, status in (
        ({"data": {"name": "Ann"}}, 422),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"files": {"email": b"x"}}, 400),
        ({"data": {f"f{number}": "x" for number in range(50)}}, 400),
    ):
        page = town.http.post("/api/waitlist", **request)  # type: ignore[arg-type]
        assert (page.status_code, "<h1>" in page.text) == (status, True), (request, page.text[-300:])
    for path in ("/nothing", "/", "/launch/x/y"):
        assert (town.http.get(path).status_code, "<h1>Nothing here</h1>" in town.http.get(path).text) == (404, True)


def test_more_than_a_form_can_hold_is_not_read(town: Town) -> None:
    large = json.dumps({"email": "a@example.org", "metadata": {"k": "x" * 70_000}}).encode()

    def endless() -> Iterator[bytes]:
        # A generator is sent in chunks, which announce no length.
        for _ in range(10):
            yield b'{"email": "' + b"x" * 10_000

    for body in (large, endless()):
        answer = town.http.post("/api/waitlist", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, list(answer.json())) == (413, ["error"])
    page = town.http.post("/api/waitlist", data={"email": "a@example.org", "note": "x" * 70_000})
    assert (page.status_code, "<h1>" in page.text) == (413, True)
    assert town.http.get("/healthz").status_code == 200


def test_a_database_that_is_away_is_said_without_details(tmp_path: Path) -> None:
    with (
        Database("postgresql://user:secret@127.0.0.1:1/studio") as nowhere,
        WebThread(nowhere, tmp_path) as web,
        httpx.Client(base_url=web.url, verify=False, timeout=60) as http,
    ):
        answer = http.get("/healthz")
        assert (answer.status_code, answer.json()["database"]) == (503, "unreachable")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_went_wrong_inside_stays_inside(town: Town, method: str) -> None:
    town.db.execute("alter table project_deployments rename to elsewhere")
    project = town.project(html=None)
    answer = (
        town.http.get(f"/launch/{project}")
        if method == "GET"
        else town.http.post("/api/waitlist", data={"email": "a@example.org", "project_id": str(project)})
    )
    assert (answer.status_code, "Back in a moment" in answer.text) == (503, True)
    assert answer.headers["retry-after"]
    assert "project_deployments" not in answer.text
