"""Whoever says nothing, or says it too slowly, takes nobody's place: neither many from one side nor many at all."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from studio.storage import storage_from_settings
from studio.storage.base import MAX_BYTES
from tests.integration.web.conftest import Town
from tests.support.waiting import eventually
from web import connections, guard


@contextmanager
def open_sockets(town: Town, count: int) -> Iterator[list[socket.socket]]:
    parts = urlsplit(town.web.url)
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20))
            for _ in range(count)
        ]


def ends(sock: socket.socket) -> bool:
    """Wait until the other side has ended the connection, and said nothing before."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_more_silent_connections_than_there_is_room_for_shut_nobody_out(town: Town) -> None:
    with open_sockets(town, 250) as silent:
        town.http.close()
        for _ in range(3):
            assert _get(town) == 200
        # Those gave way that had waited longest.
        assert ends(silent[0])
        silent[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert silent[-1].recv(12) == b"HTTP/1.1 200"


def test_from_many_sides_it_is_the_same(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_PER_ADDRESS", 10_000)
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 20)
    with open_sockets(town, 40) as silent:
        assert _get(town) == 200
        assert all(ends(sock) for sock in silent[:20])


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localh",
        b"POST /api/waitlist HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 999\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HT",
    ],
)
def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    with open_sockets(town, 1) as [sock]:
        begun = time.monotonic()
        sock.sendall(said)
        answered = b""
        # A drop now and then does not put the end off.
        sock.settimeout(0.05)
        while time.monotonic() - begun < 15:
            try:
                got = sock.recv(4096)
            except TimeoutError:
                if said:
                    with suppress(OSError):
                        sock.sendall(b"a")
                continue
            except ConnectionResetError:
                break
            if not got:
                break
            answered += got
        assert time.monotonic() - begun < 15
        assert (b"200 OK" in answered) == (said.count(b"GET") == 2)
    assert "Traceback" not in caplog.text
    assert "failed" not in caplog.text


def test_who_is_being_answered_is_not_cut_off(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by the deadline for requests nor by those who come later."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(connections, "MAX_PER_ADDRESS", 2)
    project = town.project()
    with open_sockets(town, 1) as [asking]:
        with town.db.transaction() as conn:
            conn.execute("lock table project_deployments in access exclusive mode")
            asking.sendall(f"GET /launch/{project} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            waiting = "select 1 from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
            eventually(lambda: town.db.fetch_one(waiting, [conn.info.backend_pid]), what="the request at work")
            with open_sockets(town, 5) as later:
                assert all(ends(sock) for sock in later)
        assert asking.recv(12) == b"HTTP/1.1 200"


def test_who_does_not_read_his_answer_is_not_waited_for(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.3)
    storage = storage_from_settings(town.web.settings)
    storage.upload("p/a.bin", bytes(MAX_BYTES), content_type="application/octet-stream")
    path = storage.signed_url("p/a.bin", expires_seconds=60).removeprefix(town.web.url)
    with open_sockets(town, 1) as [sock]:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert sock.recv(12) == b"HTTP/1.1 200"
        eventually(lambda: not town.web.connections, what="the end of the connection")
        got = sum(map(len, iter(lambda: sock.recv(65536), b"")))
        assert got < MAX_BYTES


def test_a_trusted_proxy_is_told_apart() -> None:
    for said, trusted in (
        ("10.0.0.0/8, 127.0.0.1", True),
        ("*", True),
        ("10.0.0.1", False),
        ("", False),
        (None, False),
    ):
        assert connections._is_trusted("127.0.0.1", said) is trusted
    assert connections._is_trusted("10.1.2.3", "10.0.0.0/8")
    assert not connections._is_trusted("", "")


def test_too_many_requests_at_work_are_told_to_come_again(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "DEFAULT_LIMITS", guard.Limits(max_requests=0))
    refused = town.http.get("/api/waitlist")
    assert (refused.status_code, refused.headers["retry-after"], set(refused.json())) == (503, "30", {"error"})
    # Whoever looks after the studio is answered all the same.
    assert town.http.get("/healthz").status_code == 200
    monkeypatch.undo()
    assert town.http.get("/api/waitlist").status_code == 405


def test_however_many_ask_for_its_health_the_database_is_asked_seldom(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    connect = town.db.connect
    monkeypatch.setattr(town.db, "connect", lambda: asked.append(1) or connect())
    begun = time.monotonic()
    assert {town.http.get("/healthz").status_code for _ in range(50)} == {200}
    assert len(asked) <= 1 + (time.monotonic() - begun)


def _get(town: Town) -> int:
    with open_sockets(town, 1) as [sock]:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    return int(answer.split()[1])
