"""However much a server sends, however slowly, however often it redirects: a fetch ends within its limits."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
import zlib
from collections.abc import Sequence

import pytest

from studio.errors import OutboundFailed
from studio.outbound import MAX_ADDRESSES, MAX_REDIRECTS, OutboundClient
from tests.support.local_web import Nat, Request, authority, html, local_web, redirect, silent_port
from tests.support.outbound import SITE, Names, client_for
from tests.support.waiting import eventually

# Long enough for every honest local answer, short enough to wait for.
SHORT_SECONDS = 0.4
# Far above SHORT_SECONDS and far below the endless answers: only a missing deadline gets here.
PATIENCE_SECONDS = 20.0
EMPTY_DEFLATE_BLOCK = b"\x00\x00\x00\xff\xff"


def test_only_so_many_redirects_are_followed() -> None:
    pages = {f"/{n}": redirect(f"/{n - 1}") for n in range(1, MAX_REDIRECTS + 2)} | {"/0": html("end")}
    with local_web(pages) as web:
        client, _ = client_for(web)
        assert client.get(f"http://site.test/{MAX_REDIRECTS}").text == "end"
        with pytest.raises(OutboundFailed, match="redirects more than") as caught:
            client.get(f"http://site.test/{MAX_REDIRECTS + 1}")
    assert caught.value.reason == "limit"


@pytest.mark.parametrize(("size", "kept", "truncated"), [(999, 999, False), (1000, 1000, False), (1001, 1000, True)])
@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "bare deflate"])
def test_a_body_is_cut_at_the_cap(encoding: str, size: int, kept: int, truncated: bool) -> None:
    body = bytes(range(256)) * 4
    sent = {
        "": lambda data: data,
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "bare deflate": lambda data: zlib.compress(data, wbits=-15),
    }[encoding](body[:size])
    headers = {"Content_Encoding": encoding.split()[-1]} if encoding else {}
    with local_web({"/": lambda request: request.answer(200, sent, **headers)}) as web:
        fetched = client_for(web)[0].get("http://site.test/", max_bytes=1000)
    assert fetched.body == body[:kept]
    assert fetched.truncated is truncated


def test_an_endless_body_is_cut_and_the_connection_dropped() -> None:
    hung_up = threading.Event()

    def endless(request: Request) -> None:
        try:
            request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            request.endlessly(b"x" * 65536, pause=0)
        except ConnectionError:
            hung_up.set()

    with local_web({"/": endless}) as web:
        fetched = client_for(web)[0].get("http://site.test/", max_bytes=300_000)
        assert (len(fetched.body), fetched.truncated) == (300_000, True)
        eventually(hung_up.is_set, what="the server's notice that nobody reads")


def test_a_decompression_bomb_does_not_unfold() -> None:
    """64 MB of zeros in 64 kB, which arrive as one piece; only the cap of it is ever made."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    with local_web({"/": lambda request: request.answer(200, bomb, Content_Encoding="gzip")}) as web:
        client, _ = client_for(web)
        tracemalloc.start()
        try:
            fetched = client.get("http://site.test/", max_bytes=100_000)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert fetched.body == bytes(100_000)
    assert fetched.truncated
    assert peak < 8 * 1024 * 1024


def test_compressed_nothing_without_end_is_stopped() -> None:
    """Empty deflate blocks make no output, so that the cap on the body alone would wait for ever."""

    def nothing(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n")
        request.endlessly(EMPTY_DEFLATE_BLOCK * 10_000, pause=0)

    with local_web({"/": nothing}) as web:
        with pytest.raises(OutboundFailed, match="far more than a page") as caught:
            client_for(web)[0].get("http://site.test/", max_bytes=1000, timeout=PATIENCE_SECONDS)
    assert caught.value.reason == "limit"


def test_interim_answers_without_end_are_stopped() -> None:
    with local_web({"/": lambda request: request.endlessly(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 999, pause=0)}) as web:
        with pytest.raises(OutboundFailed) as caught:
            client_for(web)[0].get("http://site.test/", max_bytes=1000, timeout=PATIENCE_SECONDS)
    assert caught.value.reason == "limit"


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10],
    ],
    ids=["in the head", "in the body", "in compressed data"],
)
def test_a_slow_drip_ends_with_the_time_of_the_whole_fetch(start: bytes) -> None:
    """Each piece comes long before any timeout of one read; only the total runs out."""

    def drip(request: Request) -> None:
        request.wfile.write(start)
        request.endlessly(EMPTY_DEFLATE_BLOCK if b"gzip" in start else b"a")

    with local_web({"/": drip}) as web:
        client, _ = client_for(web)
        started = time.monotonic()
        with pytest.raises(OutboundFailed, match="in time") as caught:
            client.get("http://site.test/", timeout=SHORT_SECONDS)
        assert time.monotonic() - started < PATIENCE_SECONDS
    assert caught.value.reason == "timeout"


def test_redirects_share_the_time_of_the_whole_fetch() -> None:
    def slow_redirect(request: Request) -> None:
        request.server.web.closing.wait(SHORT_SECONDS / 2)
        redirect("/")(request)

    with local_web({"/": slow_redirect}) as web:
        with pytest.raises(OutboundFailed) as caught:
            client_for(web)[0].get("http://site.test/", timeout=SHORT_SECONDS)
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_ends_with_the_time(scheme: str) -> None:
    with silent_port() as address:
        nat = Nat({(SITE, 80): address, (SITE, 443): address})
        client = OutboundClient(resolver=Names({"site.test": [[SITE]]}), network=nat, tls=authority())
        with pytest.raises(OutboundFailed) as caught:
            client.get(f"{scheme}://site.test/", timeout=SHORT_SECONDS)
    assert caught.value.reason == "timeout"


def test_a_resolver_that_hangs_ends_with_the_time() -> None:
    release = threading.Event()

    def hang(host: str) -> Sequence[str]:
        release.wait()
        return [SITE]

    try:
        with pytest.raises(OutboundFailed, match="looked up in time") as caught:
            OutboundClient(resolver=hang, network=Nat({})).get("http://site.test/", timeout=SHORT_SECONDS)
    finally:
        release.set()
    assert caught.value.reason == "no_dns"


def test_a_name_with_countless_addresses_is_not_tried_for_ever() -> None:
    nat = Nat({})
    names = Names({"site.test": [[f"93.184.216.{n}" for n in range(1, 200)]]})
    with pytest.raises(OutboundFailed, match="cannot be reached") as caught:
        OutboundClient(resolver=names, network=nat).get("http://site.test/")
    assert caught.value.reason == "unreachable"
    assert len(nat.connections) == MAX_ADDRESSES
