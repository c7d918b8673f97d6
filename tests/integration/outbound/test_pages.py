"""A public page comes with everything that is known of it: followed, decoded, and whole or said not to be."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import pytest

from studio.errors import OutboundFailed
from tests.support.local_web import Request, html, local_web, raw, redirect
from tests.support.outbound import OTHER, SITE, client_for


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


def test_a_redirect_status_without_a_place_to_go_is_the_answer() -> None:
    with local_web({"/": raw(b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhm")}) as web:
        fetched = client_for(web)[0].get("http://site.test/")
    assert (fetched.status, fetched.body) == (302, b"hm")


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
