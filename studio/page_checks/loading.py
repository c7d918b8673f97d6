"""`console_errors`, `failed_requests` and `page_weight`: what went wrong while loading, and how much there was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.job_types import CheckName
from studio.page_checks.recording import REFUSED, is_stream
from studio.page_checks.results import CheckResult, counted, judged, unseen
from studio.page_checks.seen import Seen, requests_of

# On an ordinary mobile connection (9 Mbit/s by Lighthouse's "slow 4G" upper figure) 2 MB take some two seconds, which
# is what a first visitor waits.
PAGE_BYTES = 2_000_000
# Each costs a round trip's worth of waiting somewhere; the median page of the web makes about 70.
PAGE_REQUESTS = 60
# A picture of a whole window in a present-day format stays below, and so does a framework's script.
RESOURCE_BYTES = 500_000


def console_errors(seen: Seen) -> CheckResult:
    """Pass where no script failed and none complained."""
    check: CheckName = "console_errors"
    if silence := seen.silence("desktop"):
        return unseen(check, silence)
    # That a request failed is told by `failed_requests`, once.
    messages = [one for one in seen.desktop["messages"] if not one["text"].startswith("Failed to load resource")]
    uncaught = sum(one["kind"] == "uncaught" for one in messages)
    problems = [f"{'Uncaught' if one['kind'] == 'uncaught' else 'Console'}: {one['text']}" for one in messages]
    return judged(
        check,
        problems,
        "No script failed, and none reported an error.",
        uncaught=uncaught,
        reported=len(messages) - uncaught,
        closed=seen.desktop.get("closed", {}),
    )


def failed_requests(seen: Seen) -> CheckResult:
    """Pass where everything that the page asked for came."""
    check: CheckName = "failed_requests"
    if silence := seen.silence("desktop"):
        return unseen(check, silence)
    requests = requests_of(seen.desktop)
    # The browser asks again for what was refused, and a page may show one picture twice.
    wrong = list(
        {(one["url"], why): {**one, "why": why} for one in requests if (why := _why(seen, one)) is not None}.values()
    )
    missing = [missed for one in requests if (missed := _missed(seen, one)) is not None]
    problems = [f"{one['url']} {one['why']}" for one in wrong]
    if not seen.desktop["loaded"] and wrong:
        problems.append("The page never ends loading")
    elif not seen.desktop["loaded"]:
        # No server owed anything: it was not the page that was waited for.
        missing.append("The page did not end loading in the time that the browser had for it")
    return judged(
        check,
        problems,
        f"All of {counted(len(requests), 'request')} were answered."
        if len(requests) > 1
        else "The page asks for nothing but itself, and that came.",
        missing=missing,
        lasting=seen.off and not any(_is_unended(one) for one in requests) and seen.desktop["loaded"],
        requests=len(requests),
        failed=[{name: one[name] for name in ("url", "kind", "status", "why")} for one in wrong],
    )


def _why(seen: Seen, request: Mapping[str, Any]) -> str | None:
    """Return what became of a request that was not answered well, None of one that was, or of which nobody knows."""
    if seen.why_here(request["url"]) and request["error"]:
        return None
    # What was answered was let through, whatever became of another request to the same host.
    refused = seen.why_refused(request["url"]) if request["error"] or request["status"] is None else None
    if refused or request["error"] == REFUSED:
        return f"is refused by the guard: {refused or 'it is no public address'}".removesuffix(".")
    if request["error"]:
        return f"failed: {request['error']}"
    if request["status"] is not None and request["status"] >= 400:
        # The page's own status is told by `screenshot`, but it is a failed request as well.
        return f"is answered with status {request['status']}"
    return "never ends" if _is_unended(request) and request.get("owed") else None


def _missed(seen: Seen, request: Mapping[str, Any]) -> str | None:
    """Return why nobody knows what becomes of a request; None where somebody does."""
    if request["error"]:
        why = seen.why_here(request["url"])
        return f"{request['url']} could not be asked for from here: {why}" if why else None
    if _is_unended(request) and not request.get("owed"):
        return f"{request['url']} was still under way when the browser's time for it was over"
    return None


def _is_unended(request: Mapping[str, Any]) -> bool:
    """Say whether something is still to come; an open stream of events is whole as it is."""
    return not request["ended"] and not is_stream(request["kind"], request["status"], request["error"])


def page_weight(seen: Seen) -> CheckResult:
    """Pass where the page, as it comes over the wire, is light enough for a telephone."""
    check: CheckName = "page_weight"
    if silence := seen.silence("desktop"):
        return unseen(check, silence)
    requests = requests_of(seen.desktop)
    total = sum(one["bytes"] for one in requests)
    largest = max(requests, key=lambda one: one["bytes"], default=None)
    problems: list[str] = []
    if total > PAGE_BYTES:
        problems.append(f"The page weighs {_size(total)}, more than {_size(PAGE_BYTES)}")
    if largest is not None and largest["bytes"] > RESOURCE_BYTES:
        unended = "" if largest["ended"] and not largest["error"] else " so far"
        problems.append(f"{largest['url']} alone weighs {_size(largest['bytes'])}{unended}")
    if len(requests) > PAGE_REQUESTS:
        problems.append(f"The page makes {len(requests)} requests, more than {PAGE_REQUESTS}")
    # What was not loaded to its end weighs more than what came of it.
    light = [one for one in requests if one["error"] or _is_unended(one)]
    missing = [f"Not all of {one['url']} was loaded, so that nobody knows what the page weighs" for one in light]
    if not seen.desktop["loaded"]:
        missing.append("The page did not end loading, so that nobody knows what it weighs")
    return judged(
        check,
        problems,
        f"The page weighs {_size(total)} in {counted(len(requests), 'request')}.",
        missing=missing,
        lasting=seen.desktop["loaded"]
        and all(one["error"] and (seen.off or not seen.why_here(one["url"])) for one in light),
        bytes=total,
        requests=len(requests),
        largest=[
            {"url": one["url"], "kind": one["kind"], "bytes": one["bytes"]}
            for one in sorted(requests, key=lambda one: -one["bytes"])[:5]
        ],
        limits={"bytes": PAGE_BYTES, "requests": PAGE_REQUESTS, "resource_bytes": RESOURCE_BYTES},
    )


def _size(number: int) -> str:
    return f"{number / 1_000_000:.1f} MB" if number >= 1_000_000 else f"{number / 1000:.0f} kB"
