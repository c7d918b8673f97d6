"""What could not be seen for lack of time is told apart from what a page does, in words for whoever owns the page."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from PIL import Image
from playwright.sync_api import TimeoutError

from studio.browser.pages import View
from studio.browser.session import BrowserSession
from studio.errors import InvalidInput
from studio.job_types import JOB_TYPES
from studio.page_checks.appearance import mobile_responsive, screenshot
from studio.page_checks.causes import Cause, cause
from studio.page_checks.checking import Checked, Wanted, _Visit
from studio.page_checks.difference import visual_difference
from studio.page_checks.limits import Limits
from studio.page_checks.loading import failed_requests, page_weight
from studio.page_checks.origins import require_visitable, require_way_out
from studio.page_checks.owing import Owed, with_owing
from studio.page_checks.posting import form_post
from studio.page_checks.results import not_applicable, not_measured, passed
from studio.page_checks.seen import Seen
from studio.settings import Settings
from studio.settings_builders import MAX_BROWSER_SECONDS

HURRY = "The browser's time was over before its work was done."
DESKTOP: dict[str, Any] = {
    "reached": True,
    "status": 200,
    "loaded": True,
    "document": {"text_chars": 90},
    "requests": [],
}
URL = "https://example.org/"
LATE: dict[str, Any] = {"reached": False, "hops": [URL], "error": "There was no answer within 15 s.", "timed_out": True}


def request(path: str = "a.png", **told: Any) -> dict[str, Any]:
    """A request that came well, but for what is `told` of it."""
    usual = {"kind": "Image", "status": 200, "error": None, "ended": True, "cut": False, "bytes": 1000}
    return {"url": f"{URL}{path}", **usual, **told}


def loaded(*requests: dict[str, Any], **told: Any) -> Seen:
    return Seen(URL, {"desktop": {**DESKTOP, "requests": list(requests), **told}})


def owing(seconds: float | None) -> Owed:
    """A way out on which every server owes its answer for so long."""
    return lambda host, port, at, *, altogether: seconds if (host, port, at) == ("example.org", 443, 100.0) else None


class Tab:
    """What a cause is told by: the state of a view, which no page of a test can be brought into without waiting."""

    seconds = 60.0
    crashed = False

    def __init__(self, *, worked: bool, over: bool = False) -> None:
        self.worked, self.out_of_time = worked, over

    def busy(self) -> bool:
        return self.worked


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("worked", [False, True])
def test_a_page_is_only_blamed_for_what_it_was_seen_to_do(over: bool, worked: bool) -> None:
    error = TimeoutError("Locator.fill: Timeout 3000ms exceeded.\nCall log: waiting")
    found = cause(error, cast("View", Tab(worked=worked, over=over)))
    assert found.by_page is worked
    assert "Locator" not in found.why
    assert not found.why.endswith(".")


def test_when_the_time_is_over_what_was_not_reached_is_not_measured() -> None:
    seen = Seen("https://example.org/", {"desktop": DESKTOP}, lost=HURRY)
    results = [screenshot(seen), mobile_responsive(seen), visual_difference(seen)[0]]
    results.append(form_post(seen, own=True, asked=False, arrival=lambda: None))
    for result in results:
        assert result.outcome == "not measured", result.check
        assert "time was over" in result.summary
        assert not result.summary.endswith("..")


def test_a_crash_is_the_pages_own() -> None:
    crashed = Cause("its process crashed", by_page=True).as_json()
    result = screenshot(Seen("https://example.org/", {"desktop": {**DESKTOP, "picture_error": crashed}}))
    assert (result.outcome, result.summary) == ("failed", "There is no desktop picture: its process crashed.")


def test_a_page_that_ends_the_look_at_it_has_answered() -> None:
    crashed = Cause("its process crashed", by_page=True).as_json()
    document = request("", kind="Document", main=True, framed=False)
    frame = request("frame", main=True, framed=True, status=404)
    ended = {"reached": False, "hops": [URL], "ended": crashed, "requests": [document, frame]}
    known = {"url": URL, "hops": [URL]}
    assert Seen(URL, {"desktop": ended}).came_of_it() == {**known, "status": 200, "ended": True}
    ended["ended"] = Cause("its time was over", by_page=False).as_json()
    assert Seen(URL, {"desktop": ended}).came_of_it()["ended"] is False
    assert Seen(URL, {"desktop": LATE}).came_of_it() == {**known, "status": None, "ended": False}


def test_without_a_form_none_is_sent_however_little_time_there_was() -> None:
    seen = Seen("https://example.org/", {"desktop": {**DESKTOP, "forms": {"count": 0, "forms": []}}}, lost=HURRY)
    result = form_post(seen, own=True, asked=False, arrival=lambda: None)
    assert (result.outcome, result.summary) == ("failed", "There is no form.")


@pytest.mark.parametrize(("owed", "outcome"), [(14.8, "failed"), (2.0, "not measured"), (None, "not measured")])
def test_no_answer_is_only_blamed_on_a_server_that_owed_it(owed: float | None, outcome: str) -> None:
    pages = with_owing({"desktop": {**LATE, "gave_up_at": 100.0}}, Limits(), owing(owed))
    silence = Seen(URL, pages).unreachable()
    assert silence is not None
    assert (silence.by_page, "no answer within 15 s" in silence.why) == (outcome == "failed", True)
    form = {
        **dict.fromkeys(("reached", "sent", "pressed", "changed"), True),
        **dict.fromkeys(("status", "failure")),
        "answered_at": f"{URL}join",
        "gave_up_on_answer_at": 100.0,
    }
    pages = with_owing({"desktop": DESKTOP, "form": form}, Limits(), owing(owed))
    # Another attempt, with another way out, is told of it and leaves it as it was.
    for seen in (Seen(URL, pages), Seen(URL, with_owing(pages, Limits(), owing(None)))):
        result = form_post(seen, own=True, asked=False, arrival=lambda: None)
        assert (result.outcome, "nobody answered in time" in result.summary) == (outcome, True)


class Browser:
    """A session whose page sends its form and hears nothing: what passed between them is told to nobody else."""

    silent_for = staticmethod(owing(15.0))

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def without(self, endpoints: Iterable[tuple[str, int]], why: str) -> nullcontext[None]:
        return nullcontext()

    def run(self, *_: object, **__: object) -> SimpleNamespace:
        self.kept["form"] = {"answered_at": f"{URL}join", "gave_up_on_answer_at": 100.0}
        return SimpleNamespace(files={})


def test_what_came_of_a_strangers_form_is_known_before_it_is_written_down() -> None:
    written: list[Any] = []

    def once(send: Callable[[], Any]) -> Any:
        written.append(send())
        return written[-1]

    wanted = Wanted(URL, ("form_post",), UUID(int=1))
    visit = _Visit(cast("BrowserSession", Browser()), Settings(), wanted, wanted.checks, Limits(), once)
    visit._send({"post": {"ours": []}})
    assert written == [{"answered_at": f"{URL}join", "gave_up_on_answer_at": 100.0, "owed": True}]


def test_a_window_after_one_that_was_answered_waits_for_the_machine() -> None:
    pages = {"desktop": DESKTOP, "mobile": {**LATE, "gave_up_at": 100.0}}
    seen = Seen(URL, with_owing(pages, Limits(), owing(15.0)), pictures={"desktop": drawn()})
    for result in (screenshot(seen), mobile_responsive(seen)):
        assert (result.outcome, result.lasting) == ("not measured", False), result.summary


@pytest.mark.parametrize(("owed", "outcome"), [(14.0, "failed"), (3.0, "not measured")])
def test_what_we_stopped_is_only_blamed_on_a_server_that_owed_it(owed: float, outcome: str) -> None:
    cut = request(ended=False, cut=True)
    desktop = {**DESKTOP, "loaded": False, "gave_up_at": 100.0, "settled_at": 102.0, "requests": [cut]}
    seen = Seen(URL, with_owing({"desktop": desktop}, Limits(), owing(owed)))
    assert failed_requests(seen).outcome == outcome
    # However it comes about, nobody knows what all of it weighs.
    assert (page_weight(seen).outcome, page_weight(seen).lasting) == ("not measured", False)


def test_what_did_not_come_has_no_weight_that_is_known() -> None:
    assert page_weight(loaded(request())).outcome == "passed"
    refused = page_weight(loaded(request(), request("b.png", status=None, error="net::ERR_FAILED")))
    assert (refused.outcome, refused.lasting, "b.png" in refused.summary) == ("not measured", True, True)
    assert page_weight(loaded(request(bytes=50_000_000), loaded=False)).outcome == "failed"
    stream = request("events", kind="EventSource", ended=False)
    for check in (failed_requests, page_weight):
        assert check(loaded(stream)).outcome == "passed"


def test_what_a_host_answered_was_not_refused() -> None:
    seen = Seen(
        URL, {"desktop": {**DESKTOP, "requests": [request()]}}, refused={("example.org", 443): "It is private."}
    )
    assert failed_requests(seen).outcome == "passed"
    gone = request("b.png", status=None, error="net::ERR_TUNNEL_CONNECTION_FAILED")
    seen = Seen(URL, {"desktop": {**DESKTOP, "requests": [gone]}}, refused={("example.org", 443): "It is private."})
    assert "refused by the guard: It is private" in failed_requests(seen).summary


def test_what_lies_with_this_machine_is_no_fault_of_the_page() -> None:
    here = {("example.org", 443): "example.org could not be looked up."}
    nowhere = {"reached": False, "hops": [URL], "error": "net::ERR_TUNNEL_CONNECTION_FAILED"}
    silence = Seen(URL, {"desktop": nowhere}, here=here).unreachable()
    assert silence is not None
    assert (silence.by_page, silence.lasting, "looked up" in silence.why) == (False, False, True)
    lacking = request(status=None, error="net::ERR_TUNNEL_CONNECTION_FAILED")
    seen = Seen(URL, {"desktop": {**DESKTOP, "requests": [lacking]}}, here=here)
    assert (failed_requests(seen).outcome, failed_requests(seen).lasting) == ("not measured", False)
    # What a server garbles is its own, and no refusal.
    garbled = Seen(URL, {"desktop": nowhere}, failed={("example.org", 443): "The head breaks off."}).unreachable()
    assert garbled == ("The page could not be reached: The head breaks off.", True, False)


def test_a_picture_of_an_error_is_none_of_the_page() -> None:
    mobile = {"reached": True, "status": 502, "layout": {}, "document": {}}
    seen = Seen(URL, {"desktop": DESKTOP, "mobile": mobile}, {"desktop": drawn(), "mobile": drawn()})
    for result in (screenshot(seen), mobile_responsive(seen)):
        assert (result.outcome, result.summary) == ("failed", "The page answers a telephone with status 502.")


def test_only_what_was_measured_passes() -> None:
    other = not_applicable("form_post", "It is somebody else's.")
    nothing = Checked((other,), URL)
    assert (nothing.passed, nothing.nothing_applies, nothing.not_measured) == (False, True, [])
    some = Checked((other, passed("meta_tags", "All there.")), URL)
    assert (some.passed, some.nothing_applies) == (True, False)
    late = Checked(
        (*some.results, not_measured("screenshot", "Late."), not_measured("form_post", "", lasting=True)), URL
    )
    assert (late.passed, late.not_measured) == (False, ["screenshot", "form_post"])
    assert late.worth_another_attempt == ["screenshot"]


def test_a_browser_that_lives_longer_gives_every_step_more() -> None:
    usual, twice = Limits(), Limits.within(480)
    assert Limits.within(Settings().browser_seconds) == usual
    assert (twice.view, twice.load, twice.picture, twice.link, twice.links) == (120, 30, 40, 16, 90)
    assert (twice.quiet, twice.bytes) == (usual.quiet, usual.bytes)
    # All of it, and the links besides, within what its job may take.
    longest = MAX_BROWSER_SECONDS + Limits.within(MAX_BROWSER_SECONDS).links
    assert longest + 60 < JOB_TYPES["browser.check_page"].timeout_seconds


def drawn() -> bytes:
    """A picture with something on it."""
    picture = Image.new("L", (40, 40), 255)
    picture.paste(0, (10, 10, 20, 20))
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def test_a_blocked_picture_is_listed_once() -> None:
    blocked = request(status=None, error="blocked")
    result = failed_requests(Seen("https://example.org/", {"desktop": {**DESKTOP, "requests": [blocked, blocked]}}))
    assert len(result.evidence["failed"]) == len(result.evidence["problems"]) == 1


def test_a_load_that_lacks_nothing_but_its_end_is_not_measured() -> None:
    result = failed_requests(Seen("https://example.org/", {"desktop": {**DESKTOP, "loaded": False}}))
    assert result.outcome == "not measured"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://10.0.0.1/", "not public"),
        ("http://127.0.0.1:8002/", "not public"),
        ("http://0x7f.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("http://localhost/", "local network"),
        ("https://example.org:8443/", "ports 80 and 443"),
    ],
)
def test_what_is_never_visited_is_refused_when_asked_for(url: str, told: str) -> None:
    settings = Settings(pages_base_url="http://127.0.0.1:8001")
    with pytest.raises(InvalidInput, match=told):
        require_visitable(settings, url)
    for allowed in ("http://127.0.0.1:8001/launch/x", "https://example.org/", "http://example.org:443/"):
        require_visitable(settings, allowed)


def test_where_nothing_leaves_this_machine_only_our_own_page_on_it_is_asked_about() -> None:
    settings = Settings(pages_base_url="http://127.0.0.1:8001", outbound_enabled=False)
    require_visitable(settings, "http://127.0.0.1:8001/launch/x")
    public = Settings(pages_base_url="https://pages.example.org", outbound_enabled=False)
    for known, url in ((settings, URL), (public, "https://pages.example.org/launch/x")):
        for refused in (require_visitable, require_way_out):
            with pytest.raises(InvalidInput, match="turned off"):
                refused(known, url)
