"""Checking a page: a visit in a real browser behind the guard, and a judgement by each check that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
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
from studio.page_checks.origins import origin, own_endpoints, own_origins, published_origins
from studio.page_checks.owing import form_with_owing, place, with_owing
from studio.page_checks.posting import Arrival, Form, Once
from studio.page_checks.results import CheckResult, not_applicable, unseen
from studio.page_checks.seen import Seen
from studio.page_checks.speed import web_vitals
from studio.page_checks.visiting import DRAFT, PARTS, is_wanted, visit
from studio.settings import Settings

_NOT_TO_US = "Somebody else's form is not sent to this studio."


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


def _at_once(send: Callable[[], Form | None]) -> Form | None:
    return send()


@dataclass(frozen=True)
class Checked:
    """A page's results, one for each check, and the pictures by name: desktop, mobile, difference-…."""

    results: tuple[CheckResult, ...]
    final_url: str | None
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether some check passed, none failed, and none was left unmeasured."""
        outcomes = {result.outcome for result in self.results}
        return "passed" in outcomes and outcomes.isdisjoint({"failed", "not measured"})

    @property
    def nothing_applies(self) -> bool:
        """Whether none of the checks applies to this page, so that nothing was measured and nothing is left open."""
        return all(result.outcome == "not applicable" for result in self.results)

    @property
    def not_measured(self) -> list[CheckName]:
        """The checks for which the browser had too little time, or too little else."""
        return [result.check for result in self.results if result.outcome == "not measured"]

    @property
    def worth_another_attempt(self) -> list[CheckName]:
        """Those of `not_measured` that another attempt may measure."""
        return [result.check for result in self.results if result.outcome == "not measured" and not result.lasting]


def check_page(
    settings: Settings,
    wanted: Wanted,
    *,
    way: Way,
    arrival: Arrival,
    once: Once = _at_once,
    limits: Limits | None = None,
) -> Checked:
    """Visit a page and return what each wanted check found; one that cannot be reached fails them all, and says why.

    A stranger's form is sent by way of `once`. Raise `BrowserUnavailable` where no browser can be started, and
    `SettingsError` where our own page's form is to be sent and nothing proves that it was us.
    """
    limits = limits or Limits.within(settings.browser_seconds)
    with browser_session(settings, resolve=way.resolve, max_bytes=limits.bytes) as session:
        return check_in(session, settings, wanted, way=way, arrival=arrival, once=once, limits=limits)


def check_in(
    session: BrowserSession,
    settings: Settings,
    wanted: Wanted,
    *,
    way: Way,
    arrival: Arrival,
    once: Once = _at_once,
    limits: Limits,
) -> Checked:
    """Do what `check_page` does in a browser that is open."""
    checks = [check for check in CHECKS if check in wanted.checks]
    asked = posting.named_by_somebody(checks)
    visit = _Visit(session, settings, wanted, checks, limits, once)
    seen = visit.seen(off=not way.follow.outbound.enabled)
    own = visit.is_own(seen.final_url)
    pictures = {name: data for name, data in seen.pictures.items() if not name.startswith(("draft-", "again-"))}
    if why := seen.unreachable():
        first, *others = checks
        # One reason for all of them, told once.
        results = [unseen(first, why, **seen.came_of_it())]
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


class _Visit:
    """All windows of a visit, one after another."""

    def __init__(
        self,
        session: BrowserSession,
        settings: Settings,
        wanted: Wanted,
        checks: Sequence[CheckName],
        limits: Limits,
        once: Once,
    ) -> None:
        self._session = session
        self._settings = settings
        self._wanted = wanted
        self._checks = checks
        self._limits = limits
        self._once = once
        self._pictures: dict[str, bytes] = {}

    def is_own(self, at: str | None) -> bool:
        """Say whether the page is one of the studio's own: as it was asked for, or `at` where it has led on to."""
        return any(origin(url) in published_origins(self._settings) for url in (self._wanted.url, at) if url)

    def seen(self, *, off: bool) -> Seen:
        """Visit the page in each window that is wanted; `off` says that nothing but our own pages can be reached."""
        task: dict[str, Any] = {
            "url": self._wanted.url,
            "checks": self._checks,
            "limits": self._limits.as_json(),
            "post": None,
            "policy": CONTENT_SECURITY_POLICY if self._wanted.draft is not None else None,
        }
        lost: str | None = None
        kept = self._session.kept
        kept.clear()
        try:
            for part in PARTS:
                if part == "form" and kept["desktop"]["reached"]:
                    task["post"] = self._post(kept["desktop"]["final_url"])
                if not is_wanted(task, kept, part):
                    continue
                if part == "form" and not task["post"]["own"]:
                    self._send(task)
                else:
                    self._run(task, part)
        except BrowserUnavailable as exc:
            lost = exc.message
        pages = with_owing(kept, self._limits, self._session.silent_for)
        if again := (pages.get("again") or {}).get("vitals"):
            pages["desktop"] = {**pages["desktop"], "vitals_again": again}
        requests = self._session.requests()
        return Seen(
            self._wanted.url,
            pages,
            self._pictures,
            refused={(one.host, one.port): one.refused for one in requests if one.refused and not one.here},
            failed={(one.host, one.port): one.failed for one in requests if one.failed and not one.here},
            here={(one.host, one.port): one.refused or one.failed or "" for one in requests if one.here},
            off=off,
            lost=lost,
        )

    def _run(self, task: Mapping[str, Any], part: str) -> None:
        draft = {} if self._wanted.draft is None else {DRAFT: self._wanted.draft}
        files = self._session.run(visit, {**task, "part": part}, files=draft).files
        self._pictures |= {name.removesuffix(".png"): data for name, data in files.items()}

    def _post(self, at: str | None) -> dict[str, Any] | None:
        """Return what is left in the form of the page that was found `at`, and by whom it is known; None for nothing.

        See `filling.fill_and_send`.
        """
        if "form_post" not in self._checks:
            return None
        if self.is_own(at):
            address = addresses.check_address(self._settings, self._wanted.job_id)
            return {"address": address, "own": True, "ours": sorted(published_origins(self._settings))}
        if not posting.named_by_somebody(self._checks):
            return None
        address = addresses.example_address(self._wanted.job_id)
        return {"address": address, "own": False, "ours": sorted(own_origins(self._settings))}

    def _send(self, task: Mapping[str, Any]) -> None:
        """Send a stranger's form, wherever that leads but to ourselves: there its address would be a sign-up."""

        def send() -> Form | None:
            with self._session.without(map(place, task["post"]["ours"]), _NOT_TO_US):
                self._run(task, "form")
            found: Form | None = self._session.kept.get("form")
            # Known as long as this browser's way out is.
            return None if found is None else form_with_owing(found, self._limits, self._session.silent_for)

        form = self._once(send)
        if form is not None:
            self._session.kept["form"] = form
