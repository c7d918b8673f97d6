"""A check goes nowhere that the guard does not let it, and comes back from pages that do not let go."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from uuid import uuid4

import pytest

from studio.browser.session import browser_session
from studio.egress import with_own_origins
from studio.errors import OutboundRefused
from studio.job_types import CHECKS, CheckName
from studio.outbound import OutboundClient
from studio.page_checks.addresses import DOMAIN
from studio.page_checks.checking import Checked, Wanted, Way, check_in
from studio.page_checks.limits import Limits
from studio.page_checks.origins import own_endpoints, own_origins, published_origins, published_project
from studio.page_checks.posting import SENT_BEFORE
from studio.settings import Settings
from tests.integration.page_checks.conftest import LIMITS, NEIGHBOUR, Check
from tests.integration.page_checks.test_samples import of
from tests.support.local_web import closed_port
from tests.support.page_samples import SampleSite

ALL_BUT_SLOW: tuple[CheckName, ...] = ("screenshot", "meta_tags", "failed_requests")


def outcomes(checked: Checked) -> set[str]:
    return {result.outcome for result in checked.results}


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("http://10.0.0.1/", r"not public \(private\)"),
        ("http://169.254.169.254/latest/meta-data/", r"not public \(link-local\)"),
        ("https://[::1]/", r"not public \(loopback\)"),
        ("http://93.184.216.34:8080/", "port 8080.*Only the web's ports 80 and 443 are visited"),
        ("http://localhost/", "local network"),
        ("private.html", r"http://10\.0\.0\.1/ be visited: .*not public \(private\)"),
        ("moving_inwards.html", r"http://10\.0\.0\.1/ be visited: .*not public \(private\)"),
        ("metadata.html", r"http://169\.254\.169\.254/latest/ be visited: .*not public \(link-local\)"),
    ],
)
def test_a_refused_address_is_a_failed_check_that_says_why(check: Check, page: str, told: str) -> None:
    checked = check(page, *CHECKS)
    assert len(checked.results) == len(CHECKS)
    assert outcomes(checked) == {"failed"}
    assert (checked.final_url, dict(checked.pictures)) == (None, {})
    first, *others = checked.results
    assert first.summary.startswith("The guard does not let ")
    assert re.search(told, first.summary), first.summary
    assert first.evidence["hops"]
    # One reason is told once.
    assert {(result.summary, str(result.evidence)) for result in others} == {("The page could not be visited.", "{}")}


def test_nobody_on_this_machine_hears_of_it(check: Check, site: SampleSite) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0)
        site.redirects["/inwards.html"] = f"http://127.0.0.1:{canary.getsockname()[1]}/admin"
        checked = check("inwards.html", "screenshot")
        with pytest.raises(BlockingIOError):
            canary.accept()
    assert outcomes(checked) == {"failed"}


def test_the_picture_that_a_page_may_not_have_is_not_asked_for_and_named(check: Check) -> None:
    (result,) = check("fenced.html", "failed_requests").results
    (refused,) = result.evidence["failed"]
    assert refused["url"] == "http://10.0.0.1/drill.png"
    assert "refused by the guard" in refused["why"]


def test_somebody_elses_page_reaches_nothing_of_the_studios_own(settings: Settings, site: SampleSite) -> None:
    url = f"http://{NEIGHBOUR}/prying.html?{site.url}"
    way = Way.guarded(settings, OutboundClient(allow={(NEIGHBOUR, 80): site.endpoint}), LIMITS, url)
    way = replace(way, resolve=with_own_origins(way.resolve, {(NEIGHBOUR, 80): site.endpoint}))
    site.redirects |= {"/onwards.png": f"{site.url}/canary.png", "/onwards.html": f"{site.url}/good.html?canary"}
    before = (list(site.signups), site.asked.count("/good.html"))
    with browser_session(settings, resolve=way.resolve, max_bytes=LIMITS.bytes) as session:

        def checked(page: str) -> Checked:
            wanted = Wanted(page, ("failed_requests",), uuid4())
            return check_in(session, settings, wanted, way=way, arrival=lambda: None, limits=LIMITS)

        (asked,) = checked(url).results
        (led,) = checked(f"http://{NEIGHBOUR}/onwards.html").results
    assert asked.outcome == led.outcome == "failed"
    refused = {one["url"]: one["why"] for one in asked.evidence["failed"]}
    assert set(refused) == {f"{site.url}/join", f"{site.url}/canary.png"}
    assert all("refused by the guard" in why for why in refused.values())
    assert led.summary.startswith(f"The guard does not let {site.url}/good.html?canary be visited")
    assert (site.signups, site.asked.count("/good.html")) == before
    assert "/canary.png" not in site.asked
    with pytest.raises(OutboundRefused):
        way.follow.status(f"{site.url}/good.html", 1.0)


def test_a_redirect_within_reason_is_followed_and_told(check: Check, site: SampleSite) -> None:
    checked = check("away.html", "meta_tags")
    assert checked.passed
    assert checked.final_url == f"{site.url}/good.html"


def test_a_page_that_leads_on_by_itself_is_told_for_what_is_there(check: Check, site: SampleSite) -> None:
    checked = check("moving_on.html", "screenshot", "mobile_responsive")
    assert checked.final_url == f"{site.url}/unwell.html"
    shot = of(checked, "screenshot")
    assert (shot.outcome, shot.evidence["status"], shot.evidence["mobile_status"]) == ("failed", 500, 500)
    assert "answers a telephone with status 500" in of(checked, "mobile_responsive").summary


def test_a_page_that_listens_for_events_lacks_nothing(check: Check) -> None:
    checked = check("listening.html", "failed_requests", "page_weight")
    assert checked.passed, [result.summary for result in checked.results]
    assert of(checked, "failed_requests").evidence["requests"] == 2


def test_our_own_page_needs_proof_for_its_form_alone(check: Check, settings: Settings) -> None:
    secretless = settings.model_copy(update={"link_secret": None})
    assert check("good.html", "meta_tags", known=secretless).passed


def given_time(check: Check, page: str, *checks: CheckName) -> Checked:
    """Check a page whose server keeps everybody waiting; where this machine takes its part of it, with more time."""
    for seconds in (2.0, 8.0, 24.0):
        checked = check(page, *checks, limits=Limits(load=seconds, settle=0.3))
        if not checked.not_measured:
            break
    return checked


def test_who_does_not_answer_fails_with_the_reason(check: Check) -> None:
    with closed_port() as (_, port):
        checked = check(f"http://127.0.0.1:{port}/", *ALL_BUT_SLOW)
    assert outcomes(checked) == {"failed"}
    checked = given_time(check, "silent.html", *ALL_BUT_SLOW)
    assert outcomes(checked) == {"failed"}
    assert "could not be reached" in checked.results[0].summary


def test_a_page_that_never_ends_loading_is_looked_at_as_it_stands(check: Check) -> None:
    checked = given_time(check, "endless.html", "meta_tags", "failed_requests", "screenshot")
    loading = of(checked, "failed_requests")
    assert (loading.outcome, "endless.bmp never ends" in loading.summary) == ("failed", True)
    assert of(checked, "screenshot").evidence["visible_text_chars"] > 20
    assert "desktop" in checked.pictures


def test_a_page_that_keeps_its_thread_to_itself_is_given_up(check: Check) -> None:
    quick = Limits(load=1.0, answer=0.5, view=4.0, settle=0.2)
    checked = check("spinning.html", "meta_tags", "accessibility", limits=quick)
    assert outcomes(checked) == {"failed"}
    assert "to itself" in checked.results[0].summary, checked.results[0].summary


def test_fifty_megabytes_are_told_and_not_waited_for(settings: Settings, way: Way, site: SampleSite) -> None:
    limits = Limits(load=6.0, quiet=0.1, settle=0.5, bytes=8 * 1024 * 1024)
    wanted = Wanted(f"{site.url}/heavy.html", ("page_weight", "failed_requests"), uuid4())
    with browser_session(settings, resolve=way.resolve, max_bytes=limits.bytes) as session:
        checked = check_in(session, settings, wanted, way=way, arrival=lambda: None, limits=limits)
    weight = of(checked, "page_weight")
    assert weight.outcome == "failed"
    assert weight.evidence["largest"][0]["url"].endswith("/fifty-megabytes.bmp")
    assert 500_000 < weight.evidence["bytes"] <= limits.bytes
    assert of(checked, "failed_requests").outcome == "failed"


def test_somebody_elses_form_is_only_sent_where_that_is_asked_for(check: Check, site: SampleSite) -> None:
    before = list(site.signups)
    checked = check(f"http://{NEIGHBOUR}/good.html", *CHECKS)
    result = of(checked, "form_post")
    assert (result.outcome, "asked for by name" in result.summary) == ("not applicable", True)
    assert of(checked, "visual_difference").outcome == "not applicable"
    assert (checked.passed, site.signups) == (True, before)
    # One that an attempt before this one has sent is not sent again.
    (result,) = check(f"http://{NEIGHBOUR}/good.html", "form_post", once=lambda _: SENT_BEFORE).results
    assert (result.outcome, result.lasting, site.signups) == ("not measured", True, before)
    (result,) = check(f"http://{NEIGHBOUR}/good.html", "form_post").results
    assert result.outcome == "passed"
    (left,) = site.signups[len(before) :]
    assert re.fullmatch(r"greenlight-check-[0-9a-f]{12}@example\.com", left)
    # That it is taken is all that can be seen of somebody else's list.
    assert "arrived" not in result.evidence


@pytest.mark.parametrize("page", ["form_to_us.html", "form_to_us_by_script.html"])
def test_somebody_elses_form_leaves_nothing_with_us(check: Check, site: SampleSite, page: str) -> None:
    before = list(site.signups)
    (result,) = check(f"http://{NEIGHBOUR}/{page}?{site.url}", "form_post").results
    assert (result.outcome, "this studio's own waitlist" in result.summary) == ("not applicable", True), result.summary
    assert site.signups == before


def test_an_address_that_leads_to_our_own_page_leaves_what_our_waitlist_knows(check: Check, site: SampleSite) -> None:
    site.redirects["/short.html"] = f"{site.url}/good.html"
    before = list(site.signups)
    (result,) = check(f"http://{NEIGHBOUR}/short.html", "form_post").results
    assert (result.outcome, result.evidence["arrived"]) == ("passed", True), result.summary
    (left,) = site.signups[len(before) :]
    assert left.endswith(f"@{DOMAIN}")


def test_where_sign_ups_would_be_our_own() -> None:
    settings = Settings(pages_base_url="https://pages.example.org/x", app_base_url="http://127.0.0.1:3030")
    pages = {"https://pages.example.org:443", "http://pages.example.org:80"}
    assert published_origins(settings) == pages
    assert own_origins(settings) == {*pages, "http://127.0.0.1:3030"}
    assert published_origins(Settings()) == own_origins(Settings()) == frozenset()


def test_which_addresses_of_this_machine_are_the_studios_own() -> None:
    settings = Settings(pages_base_url="http://127.0.0.1:8001", app_base_url="http://localhost:8000/studio")
    own = {("127.0.0.1", 8001): ("127.0.0.1", 8001)}
    assert own_endpoints(settings, "http://127.0.0.1:8001/launch/x") == own
    for other in ("http://localhost:8000/studio", "https://example.org/", "http://127.0.0.1/", "http://[bad/"):
        assert own_endpoints(settings, other) == {}
    # Where pages are served by the app itself, they are where it is.
    together = Settings(app_base_url="http://localhost:8000/studio")
    assert own_endpoints(together, "http://localhost:8000/") == {("localhost", 8000): ("127.0.0.1", 8000)}
    project = uuid4()
    assert published_project(settings, f"http://127.0.0.1:8001/launch/{project}") == project
    for other in (
        f"http://127.0.0.1:8001/launch/{project}/x",
        f"http://127.0.0.1:8002/launch/{project}",
        f"http://localhost:8000/launch/{project}",
        f"https://127.0.0.1:8001/launch/{project}",
        "http://127.0.0.1:8001/launch/x",
    ):
        assert published_project(settings, other) is None
    public = Settings(pages_base_url="https://pages.example.org")
    assert own_endpoints(public, "https://pages.example.org/") == {}
    assert published_project(public, f"https://pages.example.org:443/launch/{project}") == project
