"""A check goes nowhere that the guard does not let it, and comes back from pages that do not let go."""

from __future__ import annotations

import re
import socket
from uuid import uuid4

import pytest

from studio.browser.session import browser_session
from studio.job_types import CHECKS, CheckName
from studio.page_checks.checking import Checked, Wanted, Way, check_in
from studio.page_checks.limits import Limits
from studio.page_checks.origins import own_endpoints, published_project
from studio.settings import Settings
from tests.integration.page_checks.conftest import NEIGHBOUR, Check
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
        ("http://93.184.216.34:8080/", "port 8080"),
        ("http://localhost/", "local network"),
        ("private.html", r"http://10\.0\.0\.1/ be visited: .*not public \(private\)"),
        ("metadata.html", r"http://169\.254\.169\.254/latest/ be visited: .*not public \(link-local\)"),
    ],
)
def test_a_refused_address_is_a_failed_check_that_says_why(check: Check, page: str, told: str) -> None:
    checked = check(page, *CHECKS)
    assert len(checked.results) == len(CHECKS)
    assert outcomes(checked) == {"failed"}
    assert (checked.final_url, dict(checked.pictures)) == (None, {})
    for result in checked.results:
        assert result.summary.startswith("The guard does not let ")
        assert re.search(told, result.summary), result.summary
        assert result.evidence["hops"]


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


def test_a_redirect_within_reason_is_followed_and_told(check: Check, site: SampleSite) -> None:
    checked = check("away.html", "meta_tags")
    assert checked.passed
    assert checked.final_url == f"{site.url}/good.html"


def test_who_does_not_answer_fails_with_the_reason(check: Check) -> None:
    with closed_port() as (_, port):
        checked = check(f"http://127.0.0.1:{port}/", *ALL_BUT_SLOW)
    assert outcomes(checked) == {"failed"}
    checked = check("silent.html", *ALL_BUT_SLOW, limits=Limits(load=0.5))
    assert outcomes(checked) == {"failed"}
    assert "could not be reached" in checked.results[0].summary


def test_a_page_that_never_ends_loading_is_looked_at_as_it_stands(check: Check) -> None:
    checked = check("endless.html", "meta_tags", "failed_requests", "screenshot", limits=Limits(load=0.7, settle=0.3))
    loading = of(checked, "failed_requests")
    assert (loading.outcome, "endless.bmp" in loading.summary) == ("failed", True)
    assert of(checked, "screenshot").evidence["visible_text_chars"] > 20
    assert "desktop" in checked.pictures


def test_a_page_that_keeps_its_thread_to_itself_is_given_up(check: Check) -> None:
    quick = Limits(load=1.0, answer=0.5, view=4.0, settle=0.2)
    checked = check("spinning.html", "meta_tags", "accessibility", limits=quick)
    assert outcomes(checked) == {"failed"}


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
    (result,) = check(f"http://{NEIGHBOUR}/good.html", "form_post").results
    assert result.outcome == "passed"
    (left,) = site.signups[len(before) :]
    assert re.fullmatch(r"greenlight-check-[0-9a-f]{12}@example\.com", left)
    # That it is taken is all that can be seen of somebody else's list.
    assert "arrived" not in result.evidence


def test_which_addresses_of_this_machine_are_the_studios_own() -> None:
    settings = Settings(pages_base_url="http://127.0.0.1:8001", app_base_url="http://localhost:8000/studio")
    assert own_endpoints(settings) == {
        ("127.0.0.1", 8001): ("127.0.0.1", 8001),
        ("localhost", 8000): ("127.0.0.1", 8000),
    }
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
    assert own_endpoints(public) == {}
    assert published_project(public, f"https://pages.example.org:443/launch/{project}") == project
