"""The guarded client reaches public pages within its limits, and nothing else, over real connections.

The internet is a `Nat`: the client looks names up with the test's resolver and connects to public
addresses, which lead to servers of this machine. Nothing else can be reached on it.
"""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from studio.errors import OutboundFailed, OutboundRefused
from studio.outbound import MAX_ADDRESSES, MAX_REDIRECTS, OutboundClient
from studio.resolver import system_resolver
from studio.settings import Settings
from tests.support.local_web import (
    LocalWeb,
    Nat,
    Request,
    authority,
    closed_port,
    html,
    local_web,
    raw,
    redirect,
    silent_port,
)
from tests.support.waiting import eventually

SITE = "93.184.216.34"
OTHER = "93.184.216.35"
# Long enough for every honest local answer, short enough to wait for.
SHORT_SECONDS = 0.4
# Far above SHORT_SECONDS and far below the endless answers: only a missing deadline gets here.
PATIENCE_SECONDS = 20.0
EMPTY_DEFLATE_BLOCK = b"\x00\x00\x00\xff\xff"


class Names:
    """A resolver over a table; a list of lists is answered in turn, so that a name can change."""

    def __init__(self, table: dict[str, list[list[str]]]) -> None:
        self._answers = {
            name: itertools.chain(answers, itertools.repeat(answers[-1])) for name, answers in table.items()
        }
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return next(self._answers[host])


def client_for(web: LocalWeb, *, port: int = 80, names: Names | None = None) -> tuple[OutboundClient, Nat]:
    nat = Nat({(SITE, port): web.address, (OTHER, port): web.address})
    names = names or Names({"site.test": [[SITE]], "other.test": [[OTHER]], "local.test": [["127.0.0.1"]]})
    return OutboundClient(resolver=names, network=nat, tls=authority()), nat


def test_a_page_comes_with_everything_that_is_known_of_it() -> None:
    pages = {"/a?b=1": html("<p>grüß dich")}
    before = datetime.now(UTC)
    with local_web(pages) as web:
        client, nat = client_for(web)
        fetched = client.get("http://site.test/a?b=1#part")
    assert (fetched.url, fetched.final_url) == ("http://site.test/a?b=1#part", "http://site.test/a?b=1")
    assert fetched.hops == (fetched.final_url,)
    assert (fetched.status, fetched.content_type, fetched.truncated) == (200, "text/html", False)
    assert fetched.text == "<p>grüß dich"
    assert fetched.body == "<p>grüß dich".encode()
    assert before <= fetched.fetched_at <= datetime.now(UTC)
    assert nat.connections == [(SITE, 80)]
    host, path, headers = web.requests[0]
    assert (host, path) == ("site.test", "/a?b=1")
    assert headers["Accept-Encoding"] == "gzip, deflate"
    assert "Cookie" not in headers


def test_an_error_status_is_an_answer() -> None:
    with local_web({}) as web:
        assert client_for(web)[0].get("http://site.test/missing").status == 404


def test_tls_verifies_the_name_although_the_connection_goes_to_an_address() -> None:
    with local_web({"/": html("secure")}, tls=True) as web:
        client, nat = client_for(web, port=443)
        assert client.get("https://site.test/").text == "secure"
        assert nat.connections == [(SITE, 443)]
        # The same server has no certificate for this name.
        with pytest.raises(OutboundFailed, match="certificate") as caught:
            client.get("https://other.test/")
        assert caught.value.reason == "tls"


def test_an_unknown_authority_is_not_trusted() -> None:
    with local_web({"/": html("secure")}, tls=True) as web:
        nat = Nat({(SITE, 443): web.address})
        client = OutboundClient(resolver=Names({"site.test": [[SITE]]}), network=nat)
        with pytest.raises(OutboundFailed, match="certificate") as caught:
            client.get("https://site.test/")
    assert caught.value.reason == "tls"
    assert web.requests == []


def test_a_name_that_changes_its_address_after_the_check_leads_nowhere_else() -> None:
    """DNS rebinding: the first answer is public, every later one is loopback."""
    with local_web({"/": html("public"), "/again": redirect("http://site.test/")}) as web:
        names = Names({"site.test": [[SITE], ["127.0.0.1"]]})
        client, nat = client_for(web, names=names)
        assert client.get("http://site.test/").text == "public"
        assert names.asked == ["site.test"]
        assert nat.connections == [(SITE, 80)]
        with pytest.raises(OutboundRefused, match="loopback"):
            client.get("http://site.test/")
        assert nat.connections == [(SITE, 80)]


def test_a_redirect_is_looked_up_anew_and_refused_when_the_name_has_turned_private() -> None:
    with local_web({"/": redirect("/inside")}) as web:
        client, nat = client_for(web, names=Names({"site.test": [[SITE], ["10.0.0.7"]]}))
        with pytest.raises(OutboundRefused, match="private"):
            client.get("http://site.test/")
    assert nat.connections == [(SITE, 80)]
    assert [path for _, path, _ in web.requests] == ["/"]


@pytest.mark.parametrize("answers", [["127.0.0.1"], [SITE, "10.0.0.1"], ["::1", SITE], [SITE, "169.254.169.254"]])
def test_one_private_address_among_the_answers_is_enough_to_refuse(answers: list[str]) -> None:
    with local_web({"/": html("public")}) as web:
        client, nat = client_for(web, names=Names({"site.test": [answers]}))
        with pytest.raises(OutboundRefused, match="not public"):
            client.get("http://site.test/")
    assert nat.connections == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "http://local.test/",
        "http://user:password@site.test/",
        "http://site.test:8080/",
        "http://site.test:22/",
        "http://site.test:0/",
        "https://site.test:5432/",
        "ftp://site.test/",
        "file:///etc/passwd",
    ],
)
def test_the_guard_refuses_at_the_first_address_and_at_every_redirect(url: str) -> None:
    pages = {"/": html("public"), "/one": redirect("/two"), "/two": redirect(url, 307)}
    with local_web(pages) as web:
        client, nat = client_for(web)
        with pytest.raises(OutboundRefused) as caught:
            client.get(url)
        assert caught.value.permanent
        assert nat.connections == []
        with pytest.raises(OutboundRefused):
            client.get("http://site.test/one")
    assert nat.connections == [(SITE, 80), (SITE, 80)]


def test_redirects_are_followed_to_other_hosts_without_cookies() -> None:
    def start(request: Request) -> None:
        request.answer(302, Location="//other.test/b c", Set_Cookie="id=1; Domain=test")

    with local_web({"/": start, "/b%20c": redirect("d/../e", 308), "/e": html("end")}) as web:
        client, nat = client_for(web)
        fetched = client.get("http://site.test")
    assert fetched.text == "end"
    assert fetched.hops == ("http://site.test/", "http://other.test/b%20c", "http://other.test/e")
    assert nat.connections == [(SITE, 80), (OTHER, 80), (OTHER, 80)]
    assert [host for host, _, _ in web.requests] == ["site.test", "other.test", "other.test"]
    assert all("Cookie" not in headers for _, _, headers in web.requests)


def test_only_so_many_redirects_are_followed() -> None:
    pages = {f"/{n}": redirect(f"/{n - 1}") for n in range(1, MAX_REDIRECTS + 2)} | {"/0": html("end")}
    with local_web(pages) as web:
        client, _ = client_for(web)
        assert client.get(f"http://site.test/{MAX_REDIRECTS}").text == "end"
        with pytest.raises(OutboundFailed, match="redirects more than") as caught:
            client.get(f"http://site.test/{MAX_REDIRECTS + 1}")
    assert caught.value.reason == "limit"


def test_a_redirect_status_without_a_place_to_go_is_the_answer() -> None:
    with local_web({"/": raw(b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhm")}) as web:
        fetched = client_for(web)[0].get("http://site.test/")
    assert (fetched.status, fetched.body) == (302, b"hm")


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
    ("answer", "what"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", "not asked for"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\nx", "not asked for"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "damaged"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broke off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", "broke off"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", "cannot be read"),
        (b"", "broke off"),
    ],
)
def test_an_answer_that_is_no_proper_http_is_a_failure(answer: bytes, what: str) -> None:
    with local_web({"/": raw(answer)}) as web:
        with pytest.raises(OutboundFailed, match=what) as caught:
            client_for(web)[0].get("http://site.test/")
    assert caught.value.reason == "broken"
    assert not caught.value.permanent


def test_a_compressed_body_that_stops_early_is_marked() -> None:
    whole = gzip.compress(bytes(range(256)) * 40)
    with local_web(
        {"/": lambda request: request.answer(200, whole[: len(whole) // 2], Content_Encoding="gzip")}
    ) as web:
        fetched = client_for(web)[0].get("http://site.test/")
    assert fetched.truncated
    assert (bytes(range(256)) * 40).startswith(fetched.body)


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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "no_name"),
        (socket.gaierror(socket.EAI_NODATA, "no data"), "no_address"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "no_dns"),
        (socket.gaierror(socket.EAI_FAIL, "failed"), "no_dns"),
        (OSError("no descriptors left"), "no_dns"),
        (None, "no_address"),
    ],
)
def test_why_a_name_has_no_address_is_told_apart(error: OSError | None, reason: str) -> None:
    def resolver(host: str) -> Sequence[str]:
        if error is not None:
            raise error
        return []

    with pytest.raises(OutboundFailed) as caught:
        OutboundClient(resolver=resolver, network=Nat({})).get("http://site.test/")
    assert caught.value.reason == reason


def test_the_next_address_is_tried_when_one_is_dead() -> None:
    with local_web({"/": html("here")}) as web, closed_port() as refusing:
        nat = Nat({("93.184.216.1", 80): refusing, (SITE, 80): web.address})
        names = Names({"site.test": [["2606:4700::1", "93.184.216.1", SITE]]})
        assert OutboundClient(resolver=names, network=nat).get("http://site.test/").text == "here"
    assert nat.connections == [("2606:4700::1", 80), ("93.184.216.1", 80), (SITE, 80)]


def test_a_name_with_countless_addresses_is_not_tried_for_ever() -> None:
    nat = Nat({})
    names = Names({"site.test": [[f"93.184.216.{n}" for n in range(1, 200)]]})
    with pytest.raises(OutboundFailed, match="cannot be reached") as caught:
        OutboundClient(resolver=names, network=nat).get("http://site.test/")
    assert caught.value.reason == "unreachable"
    assert len(nat.connections) == MAX_ADDRESSES


def test_a_closed_port_is_told_apart_from_an_unreachable_host() -> None:
    with closed_port() as refusing:
        client = OutboundClient(resolver=Names({"site.test": [[SITE]]}), network=Nat({(SITE, 80): refusing}))
        with pytest.raises(OutboundFailed, match="refuses connections") as caught:
            client.get("http://site.test/")
    assert caught.value.reason == "refused"


def test_plain_http_on_the_tls_port_is_a_failure_of_encryption() -> None:
    with local_web({"/": html("plain")}) as web:
        with pytest.raises(OutboundFailed) as caught:
            client_for(web, port=443)[0].get("https://site.test/")
    assert caught.value.reason == "tls"


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with local_web({"/": html("direct")}) as web:
        client, nat = client_for(web)
        assert client.get("http://site.test/").text == "direct"
    assert nat.connections == [(SITE, 80)]


def test_an_allowed_pair_is_pinned_to_loopback_and_only_that_pair() -> None:
    with local_web({"/": html("pinned"), "/out": redirect("http://127.0.0.1/")}) as web:
        names = Names({})
        client = OutboundClient(
            resolver=names, allow={("site.test", 80): web.address, ("127.0.0.1", 8123): web.address}
        )
        assert client.get("http://site.test/").text == "pinned"
        assert client.get("http://127.0.0.1:8123/").text == "pinned"
        assert names.asked == []
        for url in ("https://site.test:8123/", "http://127.0.0.1/", "http://127.0.0.1:8124/", "http://site.test/out"):
            with pytest.raises(OutboundRefused):
                client.get(url)
        with pytest.raises(OutboundFailed):
            client.get("https://site.test/")
    assert names.asked == ["site.test"]


@pytest.mark.parametrize("address", ["10.0.0.1", "8.8.8.8", "169.254.169.254", "fe80::1"])
def test_an_allowed_pair_cannot_point_beyond_this_machine(address: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        OutboundClient(allow={("site.test", 80): (address, 80)})


def test_nothing_is_allowed_by_default_or_by_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_OUTBOUND", "true")
    with local_web({"/": html("inside")}) as web:
        for client in (OutboundClient(), OutboundClient.from_settings(Settings())):
            with pytest.raises(OutboundRefused):
                client.get(f"http://127.0.0.1:{web.address[1]}/")
            with pytest.raises(OutboundRefused, match="loopback"):
                client.get("http://127.0.0.1/")
    assert web.requests == []


def test_the_setting_turns_everything_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_OUTBOUND", "false")
    client = OutboundClient.from_settings(Settings())
    with pytest.raises(OutboundRefused, match="turned off"):
        client.get("http://site.test/")
    with pytest.raises(OutboundRefused, match="turned off"):
        client.resolve("site.test")


def test_the_system_resolver_reports_what_does_not_exist() -> None:
    # RFC 6761: no resolver has an address for a name under .invalid.
    with pytest.raises(socket.gaierror):
        system_resolver("nothing.invalid")


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=ISO-8859-1", "Preis: 5 €".encode("cp1252"), "Preis: 5 €"),
        ("text/html", "<meta charset='windows-1251'>Привет".encode("cp1251"), "<meta charset='windows-1251'>Привет"),
        ("text/html; charset=Shift_JIS", "日本".encode("shift_jis"), "日本"),
        ("text/html; charset=utf-7", b"+ADw-script+AD4-", "+ADw-script+AD4-"),
        ("text/html; charset=rot13", b"uryyb", "uryyb"),
        ("text/html; charset=unknown-8", "ü".encode(), "ü"),
        ("text/plain", b"a\x00b\xff", "a�b�"),
        ("text/plain", "\ufeffhi".encode("utf-16"), "\ufeffhi"),
        ("application/ld+json", b"{}", "{}"),
        ("image/png", b"\x89PNG", ""),
    ],
)
def test_text_is_decoded_as_browsers_do_and_storable(content_type: str, body: bytes, text: str) -> None:
    with local_web({"/": lambda request: request.answer(200, body, Content_Type=content_type)}) as web:
        assert client_for(web)[0].get("http://site.test/").text == text


def test_a_client_serves_many_threads_at_once() -> None:
    with local_web({f"/{n}": html(f"page {n}") for n in range(16)}, tls=True) as web:
        client, _ = client_for(web, port=443)
        texts: dict[int, str] = {}
        threads = [
            threading.Thread(target=lambda n=n: texts.update({n: client.get(f"https://site.test/{n}").text}))
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert texts == {n: f"page {n}" for n in range(16)}


def test_no_connection_stays_open() -> None:
    pages = {"/": html("x" * 5000), "/go": redirect("/"), "/bad": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1")}
    with local_web(pages) as web:
        client, nat = client_for(web)
        client.get("http://site.test/go")
        client.get("http://site.test/", max_bytes=10)
        with pytest.raises(OutboundFailed):
            client.get("http://site.test/bad")
    assert len(nat.streams) == 4
    assert [stream.get_extra_info("socket").fileno() for stream in nat.streams] == [-1] * 4
