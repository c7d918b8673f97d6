"""`broken_links`: every link of the page leads somewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from studio.errors import InvalidInput, OutboundFailed, OutboundOff, OutboundRefused
from studio.job_types import CheckName
from studio.mail.addresses import checked_address
from studio.outbound import OutboundClient
from studio.page_checks.limits import Limits
from studio.page_checks.origins import origin
from studio.page_checks.results import CheckResult, counted, judged, unseen
from studio.page_checks.seen import Seen
from studio.parallel import side_by_side
from studio.pinned_network import Endpoint

# So many are followed, those of the page's own site first: its visitors follow those, and a page of links is no page.
MAX_LINKS = 40
AT_ONCE = 6
# An answer's status is all that is asked; a server that cannot be told so sends a beginning.
_BYTES = 4096
# A person is let in where a program is not: these say that there is a page, not that there is none.
_CLOSED_TO_PROGRAMS = frozenset({401, 402, 403, 405, 406, 407, 418, 429, 451, 503, 999})
_TELEPHONE = frozenset("0123456789+-.() ;=")
# No visit of a person is counted for it (`web.visitors`).
_AGENT = "Greenlight/1.0 (headless; checks a page of this studio)"
# Not of our own server, which lets a check in as it lets anybody in: a page that it cannot serve is not there.
_CLOSED_TO_PEOPLE = frozenset({503})
# What a browser does by itself, and the programs that pages of products hand over to; anything else is a slip.
_OTHERS = frozenset(
    {
        "about",
        "blob",
        "bitcoin",
        "callto",
        "data",
        "ethereum",
        "facetime",
        "fb-messenger",
        "feed",
        "ftp",
        "geo",
        "im",
        "intent",
        "irc",
        "ircs",
        "itms",
        "itms-apps",
        "javascript",
        "lightning",
        "line",
        "magnet",
        "maps",
        "market",
        "matrix",
        "msteams",
        "sgnl",
        "sip",
        "sips",
        "skype",
        "slack",
        "sms",
        "spotify",
        "tg",
        "threema",
        "viber",
        "webcal",
        "weixin",
        "whatsapp",
        "xmpp",
        "zoommtg",
    }
)


@dataclass(frozen=True)
class Follow:
    """How links are followed: through the guard, and on this machine only to the studio's own pages."""

    outbound: OutboundClient
    own: Mapping[Endpoint, Endpoint]
    limits: Limits

    def status(self, url: str, seconds: float) -> int:
        """Return the status with which an address is answered in the end; raise `OutboundRefused`, `OutboundFailed`."""
        if not self.is_own(url):
            return self.outbound.get(url, max_bytes=_BYTES, timeout=seconds).status
        status, onwards = self._own_answer(url, seconds)
        if onwards is None:
            return status
        # One redirect, to the form in which the page has its address; where our own lead on and on, that is an answer.
        return self._own_answer(onwards, seconds)[0] if self.is_own(onwards) else self.status(onwards, seconds)

    def is_own(self, url: str) -> bool:
        """Say whether an address is one of the studio's own pages on this machine."""
        parts = urlsplit(origin(url))
        return (parts.hostname or "", parts.port or 0) in self.own

    def _own_answer(self, url: str, seconds: float) -> tuple[int, str | None]:
        """Return the status of an address of this machine, which the guard knows none of, and where it redirects to."""
        try:
            with (
                httpx.Client(trust_env=False, follow_redirects=False, timeout=seconds) as client,
                client.stream("GET", url, headers={"User-Agent": _AGENT}) as answer,
            ):
                onwards = answer.headers.get("Location") if answer.is_redirect else None
                return answer.status_code, urljoin(url, onwards) if onwards else None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
            raise OutboundFailed(f"{url} did not answer: {exc}.", reason="broken") from exc


def broken_links(seen: Seen, follow: Follow) -> CheckResult:
    """Pass where every link that was followed is answered, every part of the page is there, every address is one."""
    check: CheckName = "broken_links"
    if silence := seen.silence("desktop", "links"):
        return unseen(check, silence)
    links = seen.desktop["links"]
    here = origin(seen.final_url or seen.url)
    outward = [link for link in links if link["fragment"] is None and origin(link["url"])]
    outward.sort(key=lambda link: origin(link["url"]) != here)
    chosen = outward[:MAX_LINKS]
    followed, unknown = _followed(chosen, follow)
    wrong = [{**link, "why": why} for link in links if (why := _wrong_by_itself(link)) is not None]
    wrong += [{**link, "status": status, "why": why} for link, status, why in followed if why is not None]
    # More than anybody follows; what there was no time for is another matter.
    unasked = len(outward) - len(chosen)
    late = len(chosen) - len(followed) - len(unknown)
    missing = [f"{link['written']} could not be followed from here: {why}" for link, why in unknown]
    if late:
        missing.append(f"{counted(late, 'link')} could not be followed in the time that there was")
    closed = [link["url"] for link, status, why in followed if why is None and status in _CLOSED_TO_PROGRAMS]
    more = f"; {counted(unasked, 'link')} more were not followed" if unasked else ""
    return judged(
        check,
        [f"{link['written']} {link['why']} ({link['element']})" for link in wrong],
        f"{counted(len(links), 'link')}, and none is broken{more}." if links else "The page has no links.",
        missing=missing,
        lasting=not follow.outbound.enabled and not late,
        links=len(links),
        followed=len(followed),
        not_followed=len(outward) - len(followed),
        closed_to_programs=closed,
        broken=[{name: link.get(name) for name in ("url", "element", "status", "why")} for link in wrong],
    )


def _followed(
    links: Sequence[Mapping[str, Any]], follow: Follow
) -> tuple[list[tuple[Mapping[str, Any], int | None, str | None]], list[tuple[Mapping[str, Any], str]]]:
    """Follow the links side by side, as long as there is time for a whole one.

    Return those that were followed, each with its status and what is wrong, and those of which nothing can be told
    from here, with the reason.
    """
    end = time.monotonic() + follow.limits.links
    by_address: dict[str, list[int]] = {}
    for index, link in enumerate(links):
        by_address.setdefault(link["url"].split("#")[0], []).append(index)
    addresses = list(by_address)
    answers: dict[str, tuple[int | None, str | None]] = {}
    unknown: dict[str, str] = {}
    turn = count()

    def work() -> None:
        # Each takes the next address; the counter hands out every number once.
        while (index := next(turn)) < len(addresses) and end - time.monotonic() >= follow.limits.link:
            address = addresses[index]
            try:
                answers[address] = _answer(address, follow, follow.limits.link)
            except _Unknown as exc:
                unknown[address] = str(exc)

    workers: list[Callable[[], None]] = [work] * min(AT_ONCE, len(addresses))
    side_by_side(*workers)
    followed = [
        (links[index], *answers[address]) for address, of in by_address.items() if address in answers for index in of
    ]
    return followed, [(links[index], why) for address, why in unknown.items() for index in by_address[address]]


class _Unknown(Exception):
    """Nothing can be told of an address: it lies with this machine's network or settings."""


def _answer(address: str, follow: Follow, seconds: float) -> tuple[int | None, str | None]:
    try:
        status = follow.status(address, seconds)
    except OutboundOff as exc:
        raise _Unknown(exc.message.removesuffix(".")) from exc
    except OutboundRefused as exc:
        return None, f"is refused by the guard: {exc.message.removesuffix('.')}"
    except OutboundFailed as exc:
        if exc.reason == "no_dns":
            raise _Unknown(exc.message.removesuffix(".")) from exc
        return None, f"does not answer: {exc.message.removesuffix('.')}"
    closed = _CLOSED_TO_PROGRAMS - _CLOSED_TO_PEOPLE if follow.is_own(address) else _CLOSED_TO_PROGRAMS
    if status < 400 or status in closed:
        return status, None
    return status, f"is answered with status {status}"


def _wrong_by_itself(link: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a link that need not be followed to be known wrong."""
    if link["fragment"] is not None:
        return None if link["there"] else "leads to a part of the page that is not there"
    scheme, _, rest = link["url"].partition(":")
    scheme = scheme.lower()
    if scheme == "mailto":
        recipients = [one for one in unquote(rest.partition("?")[0]).split(",") if one.strip()]
        return next(
            (why for one in recipients if (why := _no_mail(one))), None if recipients or "?" in rest else "names nobody"
        )
    if scheme == "tel":
        number = unquote(rest)
        fits = any(char.isdigit() for char in number) and _TELEPHONE.issuperset(number.partition(";")[0])
        return None if fits else "is no telephone number"
    if scheme in ("http", "https"):
        return None if origin(link["url"]) else "is no address"
    known = scheme in _OTHERS or scheme.startswith("web+")
    return None if known else "is no address, or one for a program that hardly anybody has"


def _no_mail(address: str) -> str | None:
    try:
        checked_address(address)
    except InvalidInput:
        return "is no mail address"
    return None
