"""Checking a page: a visit in a real browser behind the guard, and a judgement by each check that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from studio.browser.session import BrowserSession, browser_session
from studio.egress import public_only, with_own_origins
from studio.egress.connection import Resolve
from studio.errors import BrowserUnavailable
from studio.job_types import CHECKS, CheckName
from studio.landing.document import CONTENT_SECURITY_POLICY
from studio.outbound import OutboundClient
from studio.page_checks import addresses, posting
from studio.page_checks.accessibility import accessibility
from studio.page_checks.appearance import mobile_responsive, screenshot
from studio.page_checks.declared import meta_tags, waitlist_form
from studio.page_checks.difference import visual_difference
from studio.page_checks.limits import Limits
from studio.page_checks.links import Follow, broken_links
from studio.page_checks.loading import console_errors, failed_requests, page_weight
from studio.page_checks.origins import origin, own_endpoints, public_origin
from studio.page_checks.posting import Arrival
from studio.page_checks.results import CheckResult, not_applicable, unseen
from studio.page_checks.seen import Seen
from studio.page_checks.speed import web_vitals
from studio.page_checks.visiting import DRAFT, PARTS, is_wanted, visit
from studio.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """What is to be checked. `draft` is the page as it was approved; without one, `no_draft` says why there is none."""

    url: str
    checks: Sequence[CheckName]
    job_id: UUID
    draft: bytes | None = None
    no_draft: str = "The page is no publication of this project, so there is no draft to compare it with."


@dataclass(frozen=True)
class Way:
    """How pages are reached: what resolves the browser's hosts, and how links are followed."""

    resolve: Resolve
    follow: Follow

    @classmethod
    def guarded(cls, settings: Settings, outbound: OutboundClient, limits: Limits, url: str) -> Way:
        """Return the guarded way to `url`: public addresses, and from one of the studio's own pages these pages."""
        own = own_endpoints(settings, url)
        return cls(with_own_origins(public_only(outbound), own), Follow(outbound, own, limits))


@dataclass(frozen=True)
class Checked:
    """A page's results, one for each check, and the pictures by name: desktop, mobile, difference-…."""

    results: tuple[CheckResult, ...]
    final_url: str | None
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether no check failed, and none was left unmeasured."""
        return not any(result.outcome in ("failed", "not measured") for result in self.results)

    @property
    def not_measured(self) -> list[CheckName]:
        """The checks for which the browser had too little time."""
        return [result.check for result in self.results if result.outcome == "not measured"]


def check_page(
    settings: Settings, wanted: Wanted, *, way: Way, arrival: Arrival, limits: Limits | None = None
) -> Checked:
    """Visit a page and return what each wanted check found; one that cannot be reached fails them all, and says why.

    Raise `BrowserUnavailable` where no browser can be started.
    """
    limits = limits or Limits()
    with browser_session(settings, resolve=way.resolve, max_bytes=limits.bytes) as session:
        return check_in(session, settings, wanted, way=way, arrival=arrival, limits=limits)


def check_in(
    session: BrowserSession, settings: Settings, wanted: Wanted, *, way: Way, arrival: Arrival, limits: Limits
) -> Checked:
    """Do what `check_page` does in a browser that is open."""
    checks = [check for check in CHECKS if check in wanted.checks]
    own = origin(wanted.url) == public_origin(settings) != ""
    asked = posting.named_by_somebody(checks)
    seen = _visited(session, wanted, checks, limits, _post(settings, wanted, own=own, asked=asked))
    pictures = {name: data for name, data in seen.pictures.items() if not name.startswith(("draft-", "again-"))}
    if why := seen.unreachable():
        hops = list(seen.desktop.get("hops") or [wanted.url])
        first, *others = checks
        # One reason for all of them, told once.
        results = [unseen(first, why, url=wanted.url, hops=hops)]
        results += [unseen(check, why._replace(why="The page could not be visited")) for check in others]
        return Checked(tuple(results), None, pictures)

    def compare() -> CheckResult:
        if wanted.draft is None:
            return not_applicable("visual_difference", wanted.no_draft)
        result, drawn = visual_difference(seen)
        pictures.update(drawn)
        return result

    judgements: dict[CheckName, Callable[[], CheckResult]] = {
        "screenshot": lambda: screenshot(seen),
        "mobile_responsive": lambda: mobile_responsive(seen),
        "waitlist_form": lambda: waitlist_form(seen),
        "meta_tags": lambda: meta_tags(seen),
        "console_errors": lambda: console_errors(seen),
        "failed_requests": lambda: failed_requests(seen),
        "broken_links": lambda: broken_links(seen, way.follow),
        "accessibility": lambda: accessibility(seen),
        "page_weight": lambda: page_weight(seen),
        "web_vitals": lambda: web_vitals(seen),
        "form_post": lambda: posting.form_post(seen, own=own, asked=asked, arrival=arrival),
        "visual_difference": compare,
    }
    return Checked(tuple(judgements[check]() for check in checks), seen.final_url, pictures)


def _post(settings: Settings, wanted: Wanted, *, own: bool, asked: bool) -> dict[str, Any] | None:
    """Return what is left in the page's form and where it may be left; None where it is not to be sent."""
    if own:
        # Where our own page's form leads anywhere else, nobody there is told our address.
        own_site = [f"{parts.scheme}://{parts.netloc}".lower() for parts in [urlsplit(wanted.url)]]
        return {"address": addresses.check_address(settings, wanted.job_id), "origins": own_site}
    return {"address": addresses.example_address(wanted.job_id), "origins": None} if asked else None


def _visited(
    session: BrowserSession, wanted: Wanted, checks: Sequence[CheckName], limits: Limits, post: dict[str, Any] | None
) -> Seen:
    task = {
        "url": wanted.url,
        "checks": checks,
        "limits": limits.as_json(),
        "post": post,
        "policy": CONTENT_SECURITY_POLICY if wanted.draft is not None else None,
    }
    lost: str | None = None
    session.kept.clear()
    pictures: dict[str, bytes] = {}
    draft = {} if wanted.draft is None else {DRAFT: wanted.draft}
    try:
        for part in PARTS:
            if is_wanted(task, session.kept, part):
                files = session.run(visit, {**task, "part": part}, files=draft).files
                pictures |= {name.removesuffix(".png"): data for name, data in files.items()}
    except BrowserUnavailable as exc:
        lost = exc.message
    pages = dict(session.kept)
    if again := (pages.get("again") or {}).get("vitals"):
        pages["desktop"] = {**pages["desktop"], "vitals_again": again}
    refused = {(request.host, request.port): request.refused for request in session.requests() if request.refused}
    return Seen(wanted.url, pages, pictures, refused, lost)
