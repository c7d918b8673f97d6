"""A scan of a site says what was measured, and why something was not, and goes nowhere that is not public (D12)."""

from __future__ import annotations

import socket

import pytest

from studio.errors import InvalidInput
from studio.onboarding.scan import NO_COMPETITORS, Scan, scan_site
from studio.outbound import OutboundClient
from studio.presence import CONTROL_NAMES
from tests.support.local_web import Nat, PageFunction, Request, html, local_web, redirect
from tests.support.outbound import SITE, Names, client_for

PAGE = (
    "<html lang=en><title>Acme</title><meta name=description content='Anvils since 1949.'>"
    "<meta property=og:image content=/anvil.png><meta name=generator content='Hugo 0.12'><h1>Anvils</h1><p>Buy one."
)
PUBLIC = {name: [["198.41.0.4"]] for name in CONTROL_NAMES}


def scanned(page: PageFunction, domain: str = "site.test", notes: list[str] | None = None) -> Scan:
    lines = [] if notes is None else notes
    with local_web({"/": page}) as web:
        client, nat = client_for(web)
        scan = scan_site(domain, client, seconds=5.0, note=lines.append)
    assert {address for address, _ in nat.connections} <= {SITE}
    assert lines
    # Every field that is empty says why.
    for name in ("dns", "http_status", "existing_content", "meta", "url"):
        assert (getattr(scan, name) is None) == (name in scan.reasons), name
    assert Scan.model_validate_json(scan.model_dump_json()) == scan
    return scan


def test_a_site_is_described_from_what_it_sent() -> None:
    notes: list[str] = []
    scan = scanned(html(PAGE), "https://WWW.Site.test/about", notes)
    assert (scan.domain, scan.url, scan.dns, scan.http_status) == ("site.test", "http://site.test/", "live", 200)
    assert scan.existing_content == "site"
    assert scan.meta is not None
    assert scan.meta.model_dump() == {
        "title": "Acme",
        "description": "Anvils since 1949.",
        "description_from": "meta",
        "og_image": "http://site.test/anvil.png",
        "language": "en",
    }
    assert scan.tech_stack == ["Hugo"]
    assert scan.tech_evidence[0].evidence == "The page names its generator: Hugo 0.12"
    assert (scan.error, scan.worth_keeping) == (None, True)
    assert notes[0] == "Looking up site.test in DNS"
    assert "Fetching http://site.test/" in notes
    assert "http://site.test/ answers with HTTP 200" in notes


def test_no_competitor_is_invented_and_the_reason_is_said() -> None:
    scan = scanned(html(PAGE))
    assert scan.competitors_found == []
    assert scan.reasons["competitors_found"] == NO_COMPETITORS


def test_without_a_description_the_page_itself_is_quoted_and_said_to_be() -> None:
    scan = scanned(html("<title>Acme</title>" + "Anvils of every size. " * 40))
    assert scan.meta is not None
    assert scan.meta.description_from == "text"
    assert scan.meta.description is not None
    assert len(scan.meta.description) <= 220
    assert scan.worth_keeping


def test_a_site_that_does_not_say_what_it_is_is_not_kept() -> None:
    assert not scanned(html("<div id=app></div><script src=/app.js></script>")).worth_keeping
    assert not scanned(html("<p>Hello.")).worth_keeping


@pytest.mark.parametrize("status", [403, 404, 503])
def test_an_error_page_is_no_description_of_a_site(status: int) -> None:
    scan = scanned(html("<title>Sorry</title><p>Something is wrong.", status))
    assert (scan.dns, scan.http_status, scan.existing_content, scan.meta) == ("live", status, None, None)
    assert scan.own_words is None
    assert not scan.worth_keeping


def test_a_parked_domain_is_one_that_says_so_and_no_other() -> None:
    scan = scanned(html("<title>site.test is for sale</title>"))
    assert (scan.dns, scan.existing_content, scan.own_words) == ("parked", "parked", None)
    assert scan.worth_keeping
    prose = "<title>Hosting guide</title><p>We left GoDaddy for Namecheap. Sedo sells domains. Parking is free."
    assert scanned(html(prose)).dns == "live"


def test_an_empty_page_is_no_content() -> None:
    scan = scanned(html(""))
    assert (scan.dns, scan.existing_content, scan.http_status) == ("live", "none", 200)


@pytest.mark.parametrize("image", ["javascript:alert(1)", "http://127.0.0.1/a.png", "http://localhost/a", "//[", " "])
def test_an_image_lies_at_a_public_address_or_is_left_out(image: str) -> None:
    scan = scanned(html(f"<title>Acme</title><meta property=og:image content='{image}'><p>Anvils."))
    assert scan.meta is not None
    assert scan.meta.og_image is None or scan.meta.og_image.startswith("http://127.0.0.1/")


def test_a_name_that_does_not_exist_was_measured() -> None:
    scan = scan_site("free.test", OutboundClient(resolver=Names(PUBLIC), network=Nat({})), seconds=5.0, note=print)
    assert (scan.dns, scan.existing_content, scan.error) == ("none", "none", None)
    assert scan.worth_keeping


def test_where_nothing_can_be_measured_nothing_is_said() -> None:
    def offline(host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    scan = scan_site("example.com", OutboundClient(resolver=offline, network=Nat({})), seconds=5.0, note=print)
    assert (scan.dns, scan.existing_content, scan.http_status, scan.meta) == (None, None, None, None)
    assert scan.error is not None
    assert scan.error.startswith("Not measured: ")
    assert scan.scanned_at is None
    assert not scan.worth_keeping


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
def test_a_name_that_leads_inside_is_not_visited(address: str) -> None:
    nat = Nat({})
    client = OutboundClient(resolver=Names({"inside.test": [[address]], **PUBLIC}), network=nat)
    scan = scan_site("inside.test", client, seconds=5.0, note=print)
    assert scan.error is not None
    assert "not public" in scan.error
    assert (scan.dns, scan.http_status) == (None, None)
    assert nat.connections == []


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/", "http://local.test/", "http://site.test:8080/"])
def test_a_redirect_that_leads_inside_is_not_followed(location: str) -> None:
    scan = scanned(redirect(location))
    assert scan.error is not None
    assert scan.http_status is None


def test_a_name_that_changes_its_address_between_look_and_fetch_leads_nowhere_else() -> None:
    with local_web({"/": html(PAGE)}) as web:
        names = Names({"site.test": [[SITE], ["127.0.0.1"]], "www.site.test": [["127.0.0.1"]]})
        client, nat = client_for(web, names=names)
        scan = scan_site("site.test", client, seconds=5.0, note=print)
    assert scan.error is not None
    assert nat.connections == []


def test_a_page_without_end_is_cut_and_still_read() -> None:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        request.wfile.write(PAGE.encode())
        request.endlessly(b"x" * 65536, pause=0.001)

    scan = scanned(endless)
    assert scan.meta is not None
    assert scan.meta.title == "Acme"


@pytest.mark.parametrize("text", ["127.0.0.1", "localhost", "http://[::1]/", "me:secret@site.test", "a\x00.test", ""])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        scan_site(text, OutboundClient(enabled=False), seconds=1.0, note=print)
