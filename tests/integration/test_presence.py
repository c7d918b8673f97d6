"""A look at a domain says what was measured, with its evidence, and "not measured" where nothing was.

Pages come from real servers of this machine, which a `Nat` puts where the internet would be; the resolver
is a table. A name that is not in it does not exist, as far as the public control names do.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from studio.errors import InvalidInput
from studio.outbound import OutboundClient
from studio.presence import CONTROL_NAMES, Presence, look_at_domain, normalise_domain
from tests.support.local_web import (
    Nat,
    PageFunction,
    Request,
    authority,
    closed_port,
    html,
    local_web,
    raw,
    redirect,
    silent_port,
)

SITE = "93.184.216.34"
OTHER = "93.184.216.35"
PUBLIC_NAMES = dict.fromkeys(CONTROL_NAMES, "198.41.0.4")
SHORT_SECONDS = 0.6
LONG_TEXT = "Anvils of every size, forged by hand and delivered to your door within a week. " * 30


def resolver(table: dict[str, str | int]) -> Callable[[str], Sequence[str]]:
    """A resolver over `table`: an address, or the code of the error that DNS answers with."""

    def resolve(host: str) -> Sequence[str]:
        answer = table.get(host, socket.EAI_NONAME)
        if isinstance(answer, int):
            raise socket.gaierror(answer, "from the table")
        return [answer]

    return resolve


@contextlib.contextmanager
def internet(
    pages: dict[str, PageFunction], *, tls: bool = False, names: dict[str, str | int] | None = None
) -> Iterator[tuple[OutboundClient, Nat]]:
    """One server behind `SITE` and `OTHER`, with TLS on port 443 or without it on port 80; the other port is closed."""
    with local_web(pages, tls=tls) as web, closed_port() as refusing:
        opened, closed = (443, 80) if tls else (80, 443)
        nat = Nat({})
        for address in (SITE, OTHER):
            nat.servers |= {(address, opened): web.address, (address, closed): refusing}
        table: dict[str, str | int] = {"site.test": SITE, "other.test": OTHER, **PUBLIC_NAMES, **(names or {})}
        yield OutboundClient(resolver=resolver(table), network=nat, tls=authority()), nat


def look(pages: dict[str, PageFunction], domain: str = "site.test") -> Presence:
    with internet(pages, names={domain: SITE}) as (client, _):
        return look_at_domain(domain, client)


def test_a_site_is_live_with_evidence_that_can_be_checked() -> None:
    page = "<title>Acme</title><meta name=description content='Anvils since 1949.'><h1>Anvils</h1>" + LONG_TEXT
    before = datetime.now(UTC)
    with internet({"/": html(page)}, tls=True) as (client, nat):
        presence = look_at_domain("site.test", client)
    assert (presence.domain, presence.status) == ("site.test", "live")
    assert presence.detail == "https://site.test/ answers with HTTP 200: Acme"
    assert presence.scanned_at is not None
    assert before <= presence.scanned_at <= datetime.now(UTC)
    assert presence.scanned_at.tzinfo == UTC
    evidence = presence.evidence
    assert evidence is not None
    assert (evidence.url, evidence.http_status, evidence.title) == ("https://site.test/", 200, "Acme")
    assert evidence.quote == "Anvils since 1949."
    assert evidence.quote_sha256 == hashlib.sha256(b"Anvils since 1949.").hexdigest()
    # The first page settles it: nothing else is fetched.
    assert nat.connections == [(SITE, 443)]
    assert Presence.model_validate_json(presence.model_dump_json()) == presence


def test_a_quote_is_verbatim_though_it_is_cut() -> None:
    presence = look({"/": html("<title>Acme</title>" + LONG_TEXT)})
    assert presence.evidence is not None
    assert presence.evidence.quote is not None
    assert 200 < len(presence.evidence.quote) <= 300
    assert LONG_TEXT.startswith(presence.evidence.quote)


def test_http_is_tried_where_https_is_closed() -> None:
    with internet({"/": html("<p>hello")}) as (client, nat):
        presence = look_at_domain("site.test", client)
    assert presence.status == "live"
    assert presence.detail == "http://site.test/ answers with HTTP 200, without a title."
    assert nat.connections == [(SITE, 443), (SITE, 80)]


def test_www_is_tried_where_the_bare_name_has_no_site() -> None:
    names: dict[str, str | int] = {"site.test": socket.EAI_NODATA, "www.site.test": SITE}
    with internet({"/": html("<title>With www")}, tls=True, names=names) as (client, nat):
        presence = look_at_domain("site.test", client)
    assert presence.status == "live"
    assert presence.evidence is not None
    assert presence.evidence.url == "https://www.site.test/"
    assert nat.connections == [(SITE, 443)]


def test_a_page_is_preferred_to_an_error_and_an_error_to_silence() -> None:
    def by_host(request: Request) -> None:
        if request.headers["Host"].startswith("www."):
            request.answer(200, b"<title>The page</title>")
        else:
            request.answer(404, b"<title>Nothing</title>")

    with internet({"/": by_host}, names={"www.site.test": SITE}) as (client, _):
        assert look_at_domain("site.test", client).detail == "http://www.site.test/ answers with HTTP 200: The page"
        assert (
            look_at_domain("other.test", client).detail
            == "http://other.test/ answers with HTTP 404: a server is there, but it shows no page."
        )


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_server_that_shows_no_page_is_a_live_one(status: int) -> None:
    presence = look({"/": html("<title>Sorry</title>", status)})
    assert presence.status == "live"
    assert f"HTTP {status}" in presence.detail
    assert presence.evidence is not None
    assert presence.evidence.http_status == status


@pytest.mark.parametrize("body", [b"", b"<html><body> </body></html>", b"<!-- soon -->"])
def test_an_empty_page_is_no_presence_but_was_measured(body: bytes) -> None:
    presence = look({"/": lambda request: request.answer(200, body)})
    assert presence.status == "none"
    assert "empty page" in presence.detail
    assert presence.scanned_at is not None
    assert presence.evidence is not None
    assert (presence.evidence.quote, presence.evidence.quote_sha256) == (None, None)


def test_an_application_that_draws_itself_or_answers_json_is_live() -> None:
    assert look({"/": html("<div id=app></div><script src=/app.js></script>")}).status == "live"
    answer = look({"/": lambda request: request.answer(200, b'{"ok": true}', Content_Type="application/json")})
    assert answer.status == "live"


SALE = "The domain name site.test is for sale"


@pytest.mark.parametrize(
    ("page", "quote"),
    [
        (f"<title>{SALE}</title>", SALE),
        ("<title>site.test</title><h1>This domain is for sale!</h1>", "This domain is for sale!"),
        ("<title>Site.TEST is for sale | HugeDomains</title>", "Site.TEST is for sale | HugeDomains"),
        ("<title>site.test - This website is for sale! - site Resources</title>", None),
        ("<title>site.test domain name is for sale. Inquire now.</title>", None),
        ("<title>Welcome</title><h2>This domain may be available for purchase</h2>" + "related links " * 60, None),
        (
            "<p>This domain is parked free, courtesy of GoDaddy.com.",
            "This domain is parked free, courtesy of GoDaddy.com.",
        ),
        ("<title>site.test</title><p>Buy this domain.", "Buy this domain."),
        ("<title>Domain for sale</title>", "Domain for sale"),
        ("<h1>Diese Domain steht zum Verkauf</h1>", "Diese Domain steht zum Verkauf"),
        ("<h1>This\u200b do\u00admain&nbsp;is <b>for</b> sale</h1>", "This domain is for sale"),
        ("<html data-adblockkey='MFwwDQYJ'><title>site.test</title><script src=/b.js></script>", None),
        ("<script src='https://d1.sedoparking.com/frmpark/x.js'></script>", None),
        ('<script>window.onload=function(){window.location.href="/lander"}</script>', None),
        ("<meta http-equiv=refresh content='0; url=https://www.hugedomains.com/profile.cfm?d=site.test'>", None),
    ],
)
def test_a_page_that_says_it_is_for_sale_is_parked(page: str, quote: str | None) -> None:
    presence = look({"/": html(page)})
    assert presence.status == "parked"
    assert presence.detail.startswith("The domain is parked: ")
    assert presence.evidence is not None
    if quote is not None:
        assert presence.evidence.quote == quote
        assert presence.evidence.quote_sha256 == hashlib.sha256(quote.encode()).hexdigest()


@pytest.mark.parametrize(
    "page",
    [
        "<title>Hosting guide</title><p>We moved from GoDaddy to Namecheap; Sedo and Afternic sell domains.",
        "<title>Cars for sale | site.test</title><p>Used cars for sale near you. Parked at our lot.",
        "<title>site.test for sale listings</title><p>Houses for sale.",
        "<title>Register a domain</title><h1>Get the domain name you deserve</h1><p>Domains for sale at fair prices.",
        "<title>Web site builder</title><p>Our website builder is now for sale. Buy it today.",
        "<title>Is this domain taken?</title><p>Find out who owns it.",
        f"<title>Why this domain is for sale</title><p>{LONG_TEXT}",
        f"<title>Blog</title><h2>{SALE}: a story</h2><p>{LONG_TEXT}",
        f"<title>Acme</title><p>{LONG_TEXT[:900]} This domain is for sale.",
        f"<html data-adblockkey=x><title>Acme</title><p>{LONG_TEXT}",
        f"<html data-adblockkey=x><title>Acme</title><p>{LONG_TEXT[:900]}",
        "<title>my-site.test is for sale</title><p>So says the news.",
        "<title>Acme</title><p>Anvils.<script src='https://sedoparking.example/x.js'></script>",
        "<title>Acme</title><p>Anvils.<a href='https://www.sedoparking.com/'>parking</a>",
        "<title>Acme</title><p>Anvils.<script>if (lost) location.href='/lander'</script>",
        "<title>Acme</title><p>Anvils.<!-- This domain is for sale --><script>'This domain is for sale'</script>",
        "<meta http-equiv=refresh content='0; url=https://www.godaddy.com/'><title>A brand of theirs</title>",
        "<meta http-equiv=refresh content='0; url=https://notsedo.com/?d=site.test'><title>Elsewhere</title>",
    ],
)
def test_words_of_trade_do_not_make_a_site_parked(page: str) -> None:
    assert look({"/": html(page)}).status == "live"


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("http://www.sedo.com/search/details/?domain=site.test", "parked"),
        ("http://www.afternic.com/forsale/Site.Test?traffic_id=1", "parked"),
        ("http://site.test.parkingcrew.net/", "parked"),
        ("http://www.sedo.com/", "live"),
        ("http://www.sedo.com/search/details/?domain=notsite.test", "live"),
        ("http://other.test/?domain=site.test&via=sedo.com", "live"),
        ("http://notsedo.com/?domain=site.test", "live"),
    ],
)
def test_a_redirect_to_a_market_place_is_parked_if_it_is_about_this_domain(location: str, status: str) -> None:
    def by_host(request: Request) -> None:
        if request.headers["Host"] == "site.test":
            redirect(location)(request)
        else:
            html("<title>Here</title>" + LONG_TEXT)(request)

    path = location.partition("//")[2].partition("/")[2]
    names = dict.fromkeys(["www.sedo.com", "www.afternic.com", "site.test.parkingcrew.net", "notsedo.com"], OTHER)
    with internet({"/": by_host, f"/{path}": by_host}, names={**names}) as (client, _):
        presence = look_at_domain("site.test", client)
    assert presence.status == status
    assert presence.evidence is not None
    assert presence.evidence.url == location


def test_a_market_place_itself_is_a_site() -> None:
    page = "<title>Sedo</title><script src='https://img.sedo.com/a.js'></script><p>Buy domains."
    with internet({"/": redirect("/sedo.com"), "/sedo.com": html(page)}, names={"sedo.com": SITE}) as (client, _):
        assert look_at_domain("sedo.com", client).status == "live"


def test_a_name_that_does_not_exist_is_none_without_evidence() -> None:
    with internet({}) as (client, nat):
        presence = look_at_domain("free.test", client)
    assert (presence.status, presence.detail) == ("none", "The name does not exist in DNS.")
    assert presence.scanned_at is not None
    assert presence.evidence is None
    assert nat.connections == []


def test_a_name_without_an_address_is_registered() -> None:
    with internet({}, names={"mail.test": socket.EAI_NODATA}) as (client, _):
        presence = look_at_domain("mail.test", client)
    assert (presence.status, presence.detail) == ("none", "The name is registered, but has no address.")


def test_a_name_whose_ports_are_closed_has_no_site() -> None:
    with closed_port() as refusing:
        nat = Nat({(SITE, 80): refusing, (SITE, 443): refusing})
        presence = look_at_domain("site.test", OutboundClient(resolver=resolver({"site.test": SITE}), network=nat))
    assert presence.status == "none"
    assert "closed" in presence.detail
    assert presence.scanned_at is not None


def assert_not_measured(presence: Presence, reason: str) -> None:
    assert presence.status == "not_measured"
    assert presence.detail.startswith("Not measured: ")
    assert reason in presence.detail
    assert presence.scanned_at is None
    assert presence.evidence is None


@pytest.mark.parametrize("code", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM])
def test_without_a_name_service_nothing_is_measured(code: int) -> None:
    def offline(host: str) -> Sequence[str]:
        raise socket.gaierror(code, "Temporary failure in name resolution")

    presence = look_at_domain("example.com", OutboundClient(resolver=offline, network=Nat({})))
    assert_not_measured(presence, "example.com could not be looked up (Temporary failure in name resolution)")


@pytest.mark.parametrize("code", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_a_resolver_that_denies_every_name_measures_nothing(code: int) -> None:
    """A closed network answers "no such name" to everything: the domain must not pass for free."""

    def closed(host: str) -> Sequence[str]:
        raise socket.gaierror(code, "Name or service not known")

    presence = look_at_domain("example.com", OutboundClient(resolver=closed, network=Nat({})))
    assert_not_measured(presence, "knows no public names")


def test_a_resolver_that_sends_every_public_name_inside_measures_nothing() -> None:
    inside = dict.fromkeys(CONTROL_NAMES, "10.0.0.1")
    client = OutboundClient(resolver=resolver({**inside}), network=Nat({}))
    assert_not_measured(look_at_domain("example.com", client), "knows no public names")


def test_without_a_route_nothing_is_measured() -> None:
    client = OutboundClient(resolver=resolver({"site.test": SITE}), network=Nat({}))
    assert_not_measured(look_at_domain("site.test", client), "cannot be reached")


def test_a_server_that_never_answers_is_not_measured_within_the_time() -> None:
    with silent_port() as address:
        nat = Nat({(SITE, 80): address, (SITE, 443): address})
        client = OutboundClient(resolver=resolver({"site.test": SITE}), network=nat)
        assert_not_measured(look_at_domain("site.test", client, seconds=SHORT_SECONDS), "did not answer in time")


def test_one_closed_port_does_not_prove_that_nothing_is_there() -> None:
    with silent_port() as address, closed_port() as refusing:
        nat = Nat({(SITE, 80): address, (SITE, 443): refusing})
        client = OutboundClient(resolver=resolver({"site.test": SITE}), network=nat)
        assert_not_measured(look_at_domain("site.test", client, seconds=SHORT_SECONDS), "did not answer in time")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"]
)
def test_a_domain_that_leads_inside_is_not_looked_at(address: str) -> None:
    with internet({"/": html("<title>Inside")}, names={"inside.test": address}) as (client, nat):
        assert_not_measured(look_at_domain("inside.test", client), "not public")
    assert nat.connections == []


def test_a_redirect_that_leads_inside_is_not_followed() -> None:
    with internet({"/": redirect("http://169.254.169.254/latest/meta-data/")}) as (client, nat):
        assert_not_measured(look_at_domain("site.test", client), "not public (link-local)")
    assert {address for address, _ in nat.connections} == {SITE}


def test_a_certificate_that_does_not_fit_is_said() -> None:
    with internet({"/": html("<title>Other")}, tls=True) as (client, _):
        presence = look_at_domain("other.test", client)
    assert_not_measured(presence, "certificate that does not fit")


def test_broken_answers_are_reasons_and_never_errors() -> None:
    for answer in (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"):
        assert_not_measured(look({"/": raw(answer)}), "broke off")


def test_outbound_turned_off_is_said() -> None:
    client = OutboundClient(enabled=False, resolver=resolver({"site.test": SITE}), network=Nat({}))
    assert_not_measured(look_at_domain("site.test", client), "outbound requests are turned off")


def test_the_system_as_it_is_gives_an_answer() -> None:
    """With a network, a reserved name does not exist; without one, nothing is measured."""
    presence = look_at_domain("nothing-is-here.invalid", OutboundClient(), seconds=5.0)
    assert presence.status in ("none", "not_measured")
    assert (presence.scanned_at is None) == (presence.status == "not_measured")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com", "example.com"),
        (" Example.COM. ", "example.com"),
        ("https://www.Example.com:443/path?q#f", "example.com"),
        ("//example.com/", "example.com"),
        ("example.com/path:1", "example.com"),
        ("https://example.com/?next=http://other.com", "example.com"),
        ("example.com#http://other.com/@", "example.com"),
        ("example.com?x", "example.com"),
        ("shop.example.com", "shop.example.com"),
        ("www.com", "www.com"),
        ("http://BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_domain_has_one_spelling(text: str, expected: str) -> None:
    assert normalise_domain(text) == expected
    assert normalise_domain(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "localhost",
        "intranet",
        "127.0.0.1",
        "http://2130706433/",
        "[::1]",
        "http://[::1]:80/",
        "1.1.1.1",
        "me@example.com",
        "https://me:secret@example.com",
        "exa mple.com",
        "a_b.example",
        "example.com:80:80",
        "example.com:port",
        "exa\x00mple.com",
        "\ud800.com",
        "https://",
        "site.local",
        "-.com",
        "a" * 300 + ".com",
    ],
)
def test_what_is_no_domain_is_an_error_of_input(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        look_at_domain(text, OutboundClient(enabled=False))
    assert "secret" not in str(caught.value)
    caught.value.message.encode("utf-8")
