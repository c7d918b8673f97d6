"""Each check passes a good page and fails bad ones, and says on what it rests."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from studio.job_types import CHECKS, CheckName
from studio.page_checks.checking import Checked
from studio.page_checks.results import CheckResult
from studio.page_checks.seen import Seen
from studio.page_checks.speed import web_vitals
from tests.integration.page_checks.conftest import LIMITS, Check
from tests.support.size import FULL

GOOD = "good.html"
# Of each bad page: which checks fail it, and what the first of its problems says.
BAD: dict[str, dict[CheckName, str]] = {
    "bare.html": {
        "mobile_responsive": "no meta viewport",
        "waitlist_form": "There is no form",
        "meta_tags": "has no title",
        "accessibility": r"\(\w[\w-]+, (serious|critical)\)",
    },
    "sloppy.html": {
        "mobile_responsive": "5 targets are smaller than 24 pixels",
        "waitlist_form": "does not say in a label",
        "meta_tags": "no meta description",
        "accessibility": r"color-contrast, serious|label, critical",
    },
    "hidden_form.html": {"waitlist_form": "cannot be seen", "form_post": "no form that a visitor could"},
    "blank.html": {"screenshot": "no text on the page"},
    "ghost.html": {"screenshot": "desktop picture is blank"},
    "unwell.html": {"screenshot": "status 500", "failed_requests": "status 500"},
    "broken.html": {
        "console_errors": "Uncaught: .*null",
        "failed_requests": "nowhere.png is answered with status 404",
        "broken_links": r"mailto:hello at example.org is no mail address .*1 more",
    },
    "fenced.html": {
        "console_errors": "no locker is configured",
        "failed_requests": r"10\.0\.0\.1.*refused by the guard",
        "broken_links": "leads to a part of the page that is not there .*2 more",
    },
    "crowd.html": {"page_weight": "7[0-9] requests, more than 60"},
    "shift.html": {"web_vitals": r"layout shifts by 0\.\d+, more than 0.1: .* moves"},
    "unsized.html": {"web_vitals": r"layout shifts by 0\.\d+, more than 0.1: .* moves"},
    "form_breaks.html": {"form_post": "answered with status 500"},
    "form_forgets.html": {"form_post": "did not arrive"},
    "form_deaf.html": {"form_post": "nothing was sent"},
    "form_strays.html": {"form_post": "leads to https://collector.example.net"},
    "changed.html": {"visual_difference": r"\d.* of the desktop picture differs"},
    "shortened.html": {"visual_difference": r"\d.* of the desktop picture differs"},
}

# Those that take their time.
SLOW: dict[str, dict[CheckName, str]] = {"blocking.html": {"web_vitals": "largest part is painted after [3-9]"}}


@pytest.fixture(scope="module")
def good(check: Check) -> Checked:
    """The good page, checked by everything at once."""
    return check(GOOD, *CHECKS, draft=GOOD)


@pytest.mark.parametrize("name", CHECKS)
def test_a_good_page_passes(good: Checked, name: CheckName) -> None:
    result = of(good, name)
    assert result.outcome == "passed", result.summary
    assert result.evidence
    assert good.passed


@pytest.mark.chaos
@pytest.mark.parametrize("page", BAD | SLOW if FULL else BAD)
def test_a_bad_page_fails(check: Check, page: str) -> None:
    expected = (BAD | SLOW)[page]
    # Nothing comes of pressing its button, however long one waits.
    limits = replace(LIMITS, form=0.4) if page == "form_deaf.html" else LIMITS
    checked = check(page, *expected, draft=GOOD if "visual_difference" in expected else None, limits=limits)
    assert not checked.passed
    for name, told in expected.items():
        result = of(checked, name)
        assert result.outcome == "failed", f"{name}: {result.summary}"
        assert re.search(told, result.summary), f"{name}: {result.summary}"
        assert result.evidence, name


def test_every_check_has_two_pages_that_fail_it() -> None:
    # The page that weighs fifty megabytes has a test of its own.
    failing = [name for expected in BAD.values() for name in expected] + ["page_weight"]
    assert {name: failing.count(name) for name in CHECKS if failing.count(name) < 2} == {}


def measured(**vitals: Any) -> Seen:
    """A page that was there after half a second, but for what `vitals` say."""
    usual = {
        "first_paint_ms": 400.0,
        "largest_paint_ms": 500.0,
        "largest_element": "h1",
        "layout_shift": 0.0,
        "moved": [],
        "long_tasks": [],
        "response_ms": 100.0,
    }
    return Seen("https://example.org/", {"desktop": {"reached": True, "vitals": {**usual, **vitals}}})


@pytest.mark.parametrize(
    ("vitals", "told"),
    [
        ({"largest_paint_ms": 2600.0}, "painted after 2.60 s on the studio's own machine, more than 2.50 s"),
        ({"largest_paint_ms": None}, "Nothing that counts as content"),
        # 400 ms of it before anything was there, 50 ms of the rest unnoticed.
        ({"long_tasks": [{"start": 0.0, "duration": 800.0}]}, "block the page for 350 ms"),
        ({"long_tasks": [{"start": 500.0, "duration": 151.0}] * 2}, "block the page for 202 ms"),
        ({"long_tasks": [{"start": 100.0, "duration": 290.0}]}, None),
        ({"long_tasks": [{"start": 500.0, "duration": 150.0}] * 2}, None),
    ],
)
def test_how_slow_is_too_slow(vitals: dict[str, Any], told: str | None) -> None:
    result = web_vitals(measured(**vitals))
    assert result.outcome == ("passed" if told is None else "failed"), result.summary
    assert told is None or told in result.summary
    # Where the machine had other things to do, another visit shows it.
    first, again = (measured(**of_visit).desktop["vitals"] for of_visit in (vitals, {}))
    twice = web_vitals(Seen("", {"desktop": {"reached": True, "vitals": first, "vitals_again": again}}))
    assert (twice.outcome, twice.evidence["visits"]) == ("passed", 2)
    assert "studio's own machine" in twice.summary


def of(checked: Checked, name: CheckName) -> CheckResult:
    return next(result for result in checked.results if result.check == name)
