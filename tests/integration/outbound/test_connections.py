"""A connection goes to the name's own addresses, proves the name and ends with its fetch; why there is none is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest

from studio.errors import OutboundFailed
from studio.outbound import OutboundClient
from studio.resolver import system_resolver
from tests.support.local_web import Nat, closed_port, html, local_web, raw, redirect
from tests.support.outbound import SITE, Names, client_for


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


def test_the_system_resolver_reports_what_does_not_exist() -> None:
    # RFC 6761: no resolver has an address for a name under .invalid.
    with pytest.raises(socket.gaierror):
        system_resolver("nothing.invalid")


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
