"""The way out: a name is looked up once, only a checked address is connected to, and no client can break it."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from studio.egress import Egress, EgressRequest, no_network, only_hosts, public_only, with_own_origins
from studio.egress.connection import Resolve
from studio.egress.record import Record, all_silent_for
from studio.errors import OutboundFailed, OutboundRefused
from studio.outbound import OutboundClient
from studio.pinned_network import Endpoint
from tests.support.local_web import LocalWeb, Request, closed_port, html, local_web, raw, redirect, silent_port
from tests.support.outbound import SITE, Names, client_for
from tests.support.waiting import eventually

MEGABYTE = 1024 * 1024


def big(request: Request) -> None:
    request.answer(200, b"x" * MEGABYTE)


def endless(request: Request) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    request.endlessly(b"x" * 50_000)


@pytest.fixture(scope="module")
def web() -> Iterator[LocalWeb]:
    pages = {
        "/": html("hello"),
        "/big": big,
        "/endless": endless,
        "/away": redirect("http://10.0.0.1/"),
        "/garbage": raw(b"\x00\xff\r\n\r\n"),
        "/interim": raw(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        ),
        "/sticky": raw(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n\r\nok"),
        "/huge-head": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"),
    }
    with local_web(pages) as served:
        yield served


class Table:
    """Resolves from a table and notes what it was asked; a name that is not in it is refused."""

    def __init__(self, table: dict[str, Sequence[Endpoint]]) -> None:
        self.table = table
        self.asked: list[Endpoint] = []

    def __call__(self, host: str, port: int) -> Sequence[Endpoint]:
        self.asked.append((host, port))
        if host not in self.table:
            raise OutboundRefused(f"{host} is not public.", "Give another.")
        return self.table[host]


@pytest.fixture
def names(web: LocalWeb) -> Table:
    return Table({"site.test": [web.address]})


@pytest.fixture
def egress(names: Table) -> Iterator[Egress]:
    with Egress(names, max_bytes=8 * MEGABYTE, max_connection_bytes=2 * MEGABYTE) as proxy:
        yield proxy


def connected(proxy: Egress) -> socket.socket:
    host, _, port = proxy.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def said(proxy: Egress, request: bytes) -> bytes:
    """Everything that is answered to `request` until the connection ends."""
    with connected(proxy) as client:
        client.sendall(request)
        return read_all(client)


def broken_off(proxy: Egress, request: bytes) -> bool:
    """Whether the connection ends in a reset, which no client takes for the end of an answer."""
    try:
        said(proxy, request)
    except (ConnectionResetError, BrokenPipeError):
        return True
    return False


def read_all(client: socket.socket) -> bytes:
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def get(path: str, host: str = "site.test", fields: str = "") -> bytes:
    return f"GET http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode()


def connect(authority: str) -> bytes:
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


def only(proxy: Egress) -> EgressRequest:
    (request,) = proxy.requests()
    return request


def test_a_plain_request_reaches_the_resolved_address(egress: Egress, names: Table, web: LocalWeb) -> None:
    web.requests.clear()
    answer = said(
        egress, get("/", fields="Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: x\r\n")
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"hello")
    assert names.asked == [("site.test", 80)]
    ((host, path, headers),) = web.requests
    assert (host, path, headers["Connection"]) == ("site.test", "/", "close")
    assert not {"Proxy-Connection", "Proxy-Authorization", "TE"} & set(headers)
    request = only(egress)
    assert (request.host, request.port, request.refused, request.failed) == ("site.test", 80, None, None)
    assert request.bytes_received > len("hello")


def test_the_address_decides_and_not_the_host_field(egress: Egress, names: Table, web: LocalWeb) -> None:
    web.requests.clear()
    said(egress, b"GET http://site.test/ HTTP/1.1\r\nHost: metadata.internal\r\n\r\n")
    assert names.asked == [("site.test", 80)]
    assert web.requests[0][0] == "site.test"


def test_a_tunnel_carries_bytes_both_ways(egress: Egress, names: Table) -> None:
    with connected(egress) as client:
        client.sendall(connect("site.test:443"))
        assert client.recv(1000) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(client).endswith(b"hello")
    assert names.asked == [("site.test", 443)]


def test_bytes_that_come_with_the_request_for_a_tunnel_are_not_lost(egress: Egress) -> None:
    assert said(egress, connect("site.test:80") + b"GET / HTTP/1.0\r\n\r\n").endswith(b"hello")


@pytest.mark.parametrize(
    "request_bytes", [get("/", "10.0.0.1"), connect("10.0.0.1:443"), connect("[::1]:80"), get("/", "[::1]:9")]
)
def test_what_is_refused_is_told_and_on_record(egress: Egress, request_bytes: bytes) -> None:
    answer = said(egress, request_bytes)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"is not public. Give another." in answer
    assert (only(egress).refused or "").endswith("is not public.")


def test_a_redirect_is_the_clients_and_is_asked_for_anew(egress: Egress) -> None:
    assert b"Location: http://10.0.0.1/" in said(egress, get("/away"))
    assert said(egress, get("/", "10.0.0.1")).startswith(b"HTTP/1.1 403 ")


def test_a_second_request_on_the_connection_goes_nowhere(egress: Egress, names: Table, web: LocalWeb) -> None:
    """It would reach the first one's server, which nobody has checked for the second one's name."""
    web.requests.clear()
    answer = said(egress, get("/sticky") + get("/", "10.0.0.1"))
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer
    assert b"keep-alive" not in answer.lower()
    assert [path for _, path, _ in web.requests] == ["/sticky"]
    assert names.asked == [("site.test", 80)]


def test_a_body_is_passed_on_to_its_last_byte_and_no_further() -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            server, _ = listener.accept()
            with server:
                while b"end" not in b"".join(received):
                    received.append(server.recv(65536))
                server.settimeout(0.2)
                try:
                    received.append(server.recv(65536))
                except TimeoutError:
                    received.append(b"")
                server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

        thread = threading.Thread(target=serve)
        thread.start()
        with Egress(Table({"site.test": [listener.getsockname()]}), max_bytes=MEGABYTE) as proxy:
            body = b"x" * 100_000 + b"end"
            head = f"POST http://site.test/ HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            assert said(proxy, head + body + get("/second", "10.0.0.1")).endswith(b"done")
        thread.join()
    assert b"".join(received).endswith(body)
    assert received[-1] == b""


def test_interim_answers_come_before_the_answer(egress: Egress) -> None:
    answer = said(egress, get("/interim"))
    assert answer.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"ok")


GARBAGE = {
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "no target": b"GET\r\n\r\n",
    "origin form": b"GET / HTTP/1.1\r\nHost: site.test\r\n\r\n",
    "https in the clear": b"GET https://site.test/ HTTP/1.1\r\n\r\n",
    "credentials": b"GET http://user:word@site.test/ HTTP/1.1\r\n\r\n",
    "ftp": b"GET ftp://site.test/ HTTP/1.1\r\n\r\n",
    "bad port": b"GET http://site.test:99999/ HTTP/1.1\r\n\r\n",
    "connect without port": b"CONNECT site.test HTTP/1.1\r\n\r\n",
    "connect to port 0": b"CONNECT site.test:0 HTTP/1.1\r\n\r\n",
    "bare line feed": b"GET http://site.test/ HTTP/1.1\nHost: a\r\n\r\n",
    "folded field": b"GET http://site.test/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
    "space before colon": b"GET http://site.test/ HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
    "two lengths": b"POST http://site.test/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "signed length": b"POST http://site.test/ HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello",
    "chunked": b"POST http://site.test/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "endless head": b"GET http://site.test/ HTTP/1.1\r\nA: " + b"x" * 70_000,
    "cut off": b"GET http://site.test/ HT",
}


@pytest.mark.parametrize("case", sorted(GARBAGE))
def test_garbage_is_answered_and_reaches_nobody(egress: Egress, names: Table, case: str) -> None:
    with connected(egress) as client:
        client.sendall(GARBAGE[case])
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 411 ", b"HTTP/1.1 431 "))
    assert names.asked == []
    assert said(egress, get("/")).endswith(b"hello"), "it goes on after that"


@pytest.mark.parametrize("path", ["/garbage", "/huge-head"])
def test_a_server_that_does_not_speak_http_is_an_unusable_answer(egress: Egress, path: str) -> None:
    assert said(egress, get(path)).startswith(b"HTTP/1.1 502 ")
    # The guard has refused nothing.
    assert (only(egress).refused, only(egress).failed is not None, only(egress).here) == (None, True, False)


def test_an_unreachable_server_is_an_unusable_answer() -> None:
    with closed_port() as address, Egress(Table({"site.test": [address]}), max_bytes=MEGABYTE) as proxy:
        assert said(proxy, get("/")).startswith(b"HTTP/1.1 502 ")
        assert "Connection refused" in (only(proxy).failed or "")


def test_the_next_address_is_tried_where_one_refuses(web: LocalWeb) -> None:
    with closed_port() as dead, Egress(Table({"site.test": [dead, web.address]}), max_bytes=MEGABYTE) as proxy:
        assert said(proxy, get("/")).endswith(b"hello")


def test_a_name_is_never_connected_to() -> None:
    """What `resolve` returns is an address: a name would be looked up again, by the system, unchecked."""
    with Egress(Table({"site.test": [("localhost", 1)]}), max_bytes=MEGABYTE) as proxy:
        said(proxy, get("/"))
        assert only(proxy).bytes_received == 0


def test_a_failed_look_up_is_an_unusable_answer() -> None:
    def resolve(host: str, port: int) -> Sequence[Endpoint]:
        raise OutboundFailed(f"{host} does not exist in DNS.", "Check it.", reason="no_name")

    with Egress(resolve, max_bytes=MEGABYTE) as proxy:
        assert b"does not exist in DNS" in said(proxy, connect("nowhere.test:443"))
        assert (only(proxy).failed, only(proxy).here) == ("nowhere.test does not exist in DNS.", False)


def test_what_comes_beyond_the_cap_of_a_connection_ends_it(names: Table) -> None:
    with Egress(names, max_bytes=8 * MEGABYTE, max_connection_bytes=100_000) as proxy:
        assert broken_off(proxy, get("/endless"))
        assert "more than is taken" in (only(proxy).failed or "")
        assert only(proxy).bytes_received < 300_000
        assert said(proxy, get("/")).endswith(b"hello"), "the next one has its own"


def test_the_cap_of_all_holds_over_connections(names: Table) -> None:
    with Egress(names, max_bytes=3 * MEGABYTE // 2) as proxy:
        assert len(said(proxy, get("/big"))) > MEGABYTE
        assert broken_off(proxy, get("/big"))
        assert [request.failed is None for request in proxy.requests()] == [True, False]


def test_what_is_sent_counts_as_well(names: Table) -> None:
    with silent_port() as address:
        names.table["site.test"] = [address]
        with Egress(names, max_bytes=100_000) as proxy:
            head = b"POST http://site.test/ HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"
            assert broken_off(proxy, head + b"x" * 200_000)
            assert "more than is taken" in (only(proxy).failed or "")


def test_silence_ends_a_connection(names: Table) -> None:
    with silent_port() as address:
        names.table["site.test"] = [address]
        with Egress(names, max_bytes=MEGABYTE, idle_seconds=0.1) as proxy:
            assert broken_off(proxy, get("/"))
            assert only(proxy).failed == "It took too long."


def test_a_connection_ends_with_its_time_however_busy_it_is(names: Table) -> None:
    with Egress(names, max_bytes=100 * MEGABYTE, seconds=0.3) as proxy:
        assert broken_off(proxy, get("/endless"))
        assert only(proxy).failed == "It took too long."


def test_how_long_a_server_has_owed_an_answer_is_known(names: Table) -> None:
    with silent_port() as address:
        names.table["site.test"] = [address]
        with Egress(names, max_bytes=MEGABYTE) as proxy, connected(proxy) as client:
            client.sendall(get("/"))
            eventually(lambda: proxy.silent_for("site.test", 80, time.monotonic(), altogether=True) is not None)
            now = time.monotonic()
            assert 99 < (proxy.silent_for("site.test", 80, now + 100, altogether=True) or 0) <= 120
            assert proxy.silent_for("site.test", 443, now, altogether=True) is None
            # Before it was there it owed nothing.
            assert proxy.silent_for("site.test", 80, now - 1000, altogether=True) is None
    assert proxy.silent_for("site.test", 80, now + 100, altogether=True) is None


def test_who_is_slow_to_take_an_answer_does_not_wait_for_it() -> None:
    record = Record(connected_at=10.0, sent_at=12.0, heard_at=20.0)
    assert (record.silent_for(30.0, altogether=True), record.silent_for(30.0, altogether=False)) == (10.0, 18.0)
    record.taking_seconds, record.taking_since = 5.0, 28.0
    assert record.silent_for(30.0, altogether=False) == 11.0
    record.ended_at = 29.0
    assert record.silent_for(30.0, altogether=False) is None


@pytest.mark.parametrize("altogether", [True, False])
def test_a_request_that_hangs_is_not_hidden_by_others_that_are_answered(altogether: bool) -> None:
    def silent(*records: Record) -> float | None:
        return all_silent_for(records, 30.0, altogether=altogether)

    hangs = Record(connected_at=10.0, sent_at=12.0)
    polls = Record(connected_at=10.0, sent_at=29.0, heard_at=29.5)
    assert silent(hangs, polls) == 18.0
    # Any of those that wait may be the one that was meant.
    assert silent(hangs, polls, Record(connected_at=10.0, sent_at=25.0, heard_at=11.0)) == 5.0
    # After a handshake it was the server that spoke last.
    shaken = Record(connected_at=10.0, sent_at=12.0, heard_at=12.0625)
    assert silent(shaken) == (17.9375 if altogether else 18.0)
    assert silent(shaken, polls) == (0.5 if altogether else 1.0)
    assert silent(Record(ended_at=20.0, connected_at=10.0)) is None


def test_what_is_closed_for_a_while_is_refused_for_that_while(egress: Egress, names: Table) -> None:
    with egress.without([("Site.test", 80)], "Not now."):
        assert said(egress, get("/")).startswith(b"HTTP/1.1 403 ")
    assert only(egress).refused == "Not now."
    assert names.asked == []
    assert said(egress, get("/")).endswith(b"hello")


def test_what_lies_with_this_machine_is_told_from_what_lies_with_the_host() -> None:
    def resolve(host: str, port: int) -> Sequence[Endpoint]:
        raise OutboundFailed(f"{host} could not be looked up.", reason="no_dns")

    off = public_only(OutboundClient(enabled=False))
    for way, refused in ((resolve, False), (off, True)):
        with Egress(way, max_bytes=MEGABYTE) as proxy:
            said(proxy, get("/"))
            assert (only(proxy).here, only(proxy).refused is not None) == (True, refused)


def test_credentials_are_asked_for(names: Table) -> None:
    right = base64.b64encode(b"greenlight:word").decode()
    with Egress(names, max_bytes=MEGABYTE, credentials=("greenlight", "word")) as proxy:
        answer = said(proxy, get("/"))
        assert answer.startswith(b"HTTP/1.1 407 ")
        assert b'Proxy-Authenticate: Basic realm="Greenlight"' in answer
        wrong = base64.b64encode(b"greenlight:guess").decode()
        for given in (
            f"Basic {wrong}",
            f"Bearer {right}",
            "Basic !",
            f"Basic {right}\r\nProxy-Authorization: Basic {right}",
        ):
            assert said(proxy, get("/", fields=f"Proxy-Authorization: {given}\r\n")).startswith(b"HTTP/1.1 407 ")
        assert names.asked == []
        assert said(proxy, get("/", fields=f"Proxy-Authorization: Basic {right}\r\n")).endswith(b"hello")


def test_it_listens_on_a_unix_socket_of_its_user_alone(names: Table, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with Egress(names, socket_path=path, max_bytes=MEGABYTE) as proxy:
        assert proxy.url == f"unix:{path}"
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(get("/"))
            assert read_all(client).endswith(b"hello")
    assert not path.exists()


def test_it_closes_with_everything_that_is_open(names: Table) -> None:
    asked = threading.Event()
    answer = threading.Event()

    def slow(host: str, port: int) -> Sequence[Endpoint]:
        asked.set()
        answer.wait(20)
        return []

    with silent_port() as silent:
        resolve = with_own_origins(slow, {("quiet.test", 80): silent})
        proxy = Egress(resolve, max_bytes=MEGABYTE)
        with proxy, connected(proxy) as waiting, connected(proxy) as looking, connected(proxy):
            waiting.sendall(get("/", "quiet.test"))
            looking.sendall(get("/"))
            assert asked.wait(20)
            eventually(lambda: len(proxy.requests()) == 2, what="both requests on record")
            proxy.close()
            for client in (waiting, looking):
                with contextlib.suppress(ConnectionResetError):
                    assert read_all(client) == b""
            answer.set()
        assert "egress" not in {thread.name for thread in threading.enumerate()}
        with pytest.raises(OSError, match=r"refused|descriptor"):
            connected(proxy)


def test_many_at_once_each_get_their_own(egress: Egress) -> None:
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(said(egress, get("/")))) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer[-5:] for answer in answers] == [b"hello"] * 40


# --- what resolves


def resolve_in(table: dict[str, list[list[str]]]) -> Resolve:
    web = LocalWeb({})
    return public_only(client_for(web, names=Names(table))[0])


def test_public_addresses_pass_on_the_webs_ports() -> None:
    resolve = resolve_in({"site.test": [[SITE, "2606:4700::1"]]})
    assert resolve("Site.Test.", 443) == [(SITE, 443), ("2606:4700::1", 443)]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("local.test", 80),
        ("half.test", 443),
        ("127.0.0.1", 80),
        ("0x7f.1", 80),
        ("169.254.169.254", 80),
        ("::1", 80),
        ("::ffff:10.0.0.1", 80),
        ("localhost", 80),
        ("metadata.internal", 80),
        ("site.test", 22),
        ("site.test", 8080),
        ("[", 80),
        ("a b", 80),
    ],
)
def test_nothing_else_passes(host: str, port: int) -> None:
    resolve = resolve_in({"site.test": [[SITE]], "local.test": [["127.0.0.1"]], "half.test": [[SITE, "10.0.0.1"]]})
    with pytest.raises(OutboundRefused):
        resolve(host, port)


def test_a_name_that_changes_its_mind_is_checked_at_each_connection() -> None:
    resolve = resolve_in({"site.test": [[SITE], ["127.0.0.1"]]})
    assert resolve("site.test", 80) == [(SITE, 80)]
    with pytest.raises(OutboundRefused):
        resolve("site.test", 80)


def test_own_origins_are_exactly_those_and_on_loopback() -> None:
    resolve = with_own_origins(no_network, {("localhost", 3000): ("127.0.0.1", 3000)})
    assert resolve("LOCALHOST", 3000) == [("127.0.0.1", 3000)]
    for host, port in (("localhost", 3001), ("127.0.0.1", 3000), ("x.localhost", 3000)):
        with pytest.raises(OutboundRefused):
            resolve(host, port)
    with pytest.raises(ValueError, match="on loopback"):
        with_own_origins(no_network, {("inside.test", 80): ("10.0.0.1", 80)})


def test_only_the_permitted_hosts_are_asked_about() -> None:
    resolve = only_hosts(resolve_in({"registry.test": [[SITE]]}), ["registry.test"])
    assert resolve("Registry.test", 443) == [(SITE, 443)]
    for host, port in (("registry.test", 80), ("evil.registry.test", 443), ("registry.test.evil", 443)):
        with pytest.raises(OutboundRefused, match="not among the permitted hosts"):
            resolve(host, port)
