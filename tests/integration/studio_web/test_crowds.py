"""Whoever is slow, greedy or stuck takes nobody else's place: neither the studio's, nor a thread, nor a stream."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from studio.database.connection import Database, Haste
from tests.integration.studio_web.conftest import Desk
from tests.support.web import StudioThread
from web import guard
from web.pages.static import version

SLOW = (
    b"POST /api/projects HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


def test_requests_that_never_come_whole_take_no_place(desk: Desk) -> None:
    where = urlsplit(desk.web.url)
    with contextlib.ExitStack() as opened:
        for _ in range(guard.MAX_REQUESTS + 5):
            sock = opened.enter_context(socket.create_connection(("127.0.0.1", where.port or 0)))
            sock.sendall(SLOW)
        for path in ("/healthz", "/api/me", "/inbox"):
            assert desk.ada.get(path).status_code == 200, path


def test_a_body_that_is_too_large_is_refused_however_it_comes(desk: Desk) -> None:
    def endless() -> object:
        for _ in range(1000):
            yield b"x" * 4096

    assert desk.ada.post("/api/projects", content=b"x" * 200_000).status_code == 413
    assert desk.ada.post("/api/projects", content=endless()).status_code == 413  # type: ignore[arg-type]


def test_looks_and_health_are_there_while_all_threads_wait_for_a_database(tmp_path: Path) -> None:
    haste = Haste(wait_seconds=2.5, statement_seconds=5, lock_seconds=5)
    with Database("postgresql://127.0.0.1:1/nowhere", haste=haste) as gone, StudioThread(gone, tmp_path) as web:
        with web.stranger() as client, ThreadPoolExecutor(45) as pool:
            port = web.url.rpartition(":")[2]
            waiting = [
                pool.submit(httpx.get, f"{web.url}/api/me", cookies={f"greenlight_session_{port}": "x"}, timeout=60)
                for _ in range(45)
            ]
            assert client.get(f"/static/{version()}/base.css").status_code == 200
            assert client.get("/healthz").json() == {"status": "degraded", "database": "unreachable"}
            assert not any(one.done() for one in waiting)
            assert {one.result().status_code for one in waiting} == {503}


def test_uploads_beyond_their_places_come_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    project = desk.project("ada")
    said = {"name": "deck.pdf", "size": 5, "type": "application/pdf"}
    announced = desk.ada.post(f"/api/projects/{project}/assets/upload-url", json=said).json()

    class Full:
        @staticmethod
        def locked() -> bool:
            return True

    monkeypatch.setitem(desk.app.state.site.__dict__, "uploads", Full())
    refused = desk.ada.put(announced["url"], content=b"%PDF-")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
