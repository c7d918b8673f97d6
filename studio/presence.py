"""A real look at a domain, which finds a site, a parked name or nothing.

Everything said here was measured just now, or the answer is "not measured" with the reason. Nothing is
taken from a model, and a machine without a network does not conclude that a domain is free.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict

from studio.addresses import ascii_host, literal_address, shown
from studio.errors import InvalidInput, OutboundFailed, OutboundRefused
from studio.outbound import Fetched, OutboundClient
from studio.parking import ParkedSign, parked_sign
from studio.text import sha256_hex
from studio.webpage import Page, read_page

Status = Literal["live", "parked", "none", "not_measured"]

# The first 256 kB hold the head and the first screens of any page.
PAGE_BYTES = 256 * 1024
ATTEMPT_SECONDS = 12.0
# All attempts together: four at their full time would hold a job for most of a minute.
LOOK_SECONDS = 30.0
QUOTE_LENGTH = 300
# A resolver that knows no public names says "no such name" to everything, as in a closed network. These
# have existed since the root zone's present form and do not depend on any company: if neither
# resolves, "no such name" means nothing.
CONTROL_NAMES = ("a.root-servers.net", "www.iana.org")
_URL_PREFIX = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?//")
EXAMPLE = "Give a domain such as example.com."


class Evidence(BaseModel):
    """What was retrieved: where, with which answer, and the passage of the page with its SHA-256."""

    model_config = ConfigDict(frozen=True)

    url: str
    http_status: int
    title: str | None
    quote: str | None
    quote_sha256: str | None


class Presence(BaseModel):
    """What a look at a domain found. `scanned_at` is None exactly where nothing was measured."""

    model_config = ConfigDict(frozen=True)

    domain: str
    status: Status
    detail: str
    scanned_at: AwareDatetime | None
    evidence: Evidence | None


class Sighting(NamedTuple):
    """One answer of a web server: what was fetched, what it shows, and the sign that it is parked, if any."""

    rank: int  # 0 is a page that settles the question; the lowest of several counts
    fetched: Fetched
    page: Page
    parked: ParkedSign | None


class Look(NamedTuple):
    """A look at a domain: its presence, whether DNS knows an address (None: unknown), and the answer that counts."""

    presence: Presence
    in_dns: bool | None
    sighting: Sighting | None


Note = Callable[[str], None]


def normalise_domain(text: str) -> str:
    """Return the bare domain in `text`: no scheme, path, port or leading www., lower case, IDNA.

    Raise `InvalidInput` where there is no public domain in it: an address, a name without a dot,
    credentials, characters that no domain has.
    """
    bare = text.strip()
    prefix = _URL_PREFIX.match(bare)
    authority = re.split(r"[/?#]", bare[prefix.end() :] if prefix else bare, maxsplit=1)[0]
    if "@" in authority:
        # Not repeated in the message: this may be a password.
        raise InvalidInput("A mail address or credentials are no domain.", EXAMPLE)
    host, colon, port = authority.partition(":")
    if colon and not (port.isascii() and port.isdigit()):
        raise InvalidInput(f"{shown(text)} is not a domain.", EXAMPLE)
    domain = ascii_host(host)
    if domain.startswith("www.") and domain.count(".") > 1:
        domain = domain.removeprefix("www.")
    if literal_address(domain) is not None or "_" in domain:
        raise InvalidInput(f"{shown(text)} is not a domain.", EXAMPLE)
    return domain


def look_at_domain(domain: str, client: OutboundClient, *, seconds: float = LOOK_SECONDS) -> Presence:
    """Look at `domain` (as a person wrote it) through `client`, within `seconds`, and say what is there.

    DNS first, then https and http, with and without www., until a page settles it. Network failures are
    part of the answer, never raised. Raise `InvalidInput` where `domain` contains no domain.
    """
    return survey_domain(domain, client, seconds=seconds).presence


def survey_domain(
    domain: str, client: OutboundClient, *, seconds: float = LOOK_SECONDS, note: Note = lambda _line: None
) -> Look:
    """Do what `look_at_domain` does, and return with the presence what it was told from.

    `note` is given a line for each step as it happens. Raise as `look_at_domain` does.
    """
    name = normalise_domain(domain)
    if not client.enabled:
        return Look(_not_measured(name, "Not measured: outbound requests are turned off."), None, None)
    deadline = time.monotonic() + seconds
    failures: list[OutboundFailed | OutboundRefused] = []
    note(f"Looking up {name} in DNS")
    hosts = _hosts_in_dns(name, client, deadline, failures)
    if not hosts:
        presence = _without_address(name, client, deadline, failures)
        note(presence.detail)
        return Look(presence, False if presence.status == "none" else None, None)
    note(f"DNS has an address for {' and '.join(hosts)}")
    best: Sighting | None = None
    failures.clear()
    for url in _urls(hosts):
        note(f"Fetching {url}")
        try:
            sighting = _sighted(name, client.get(url, max_bytes=PAGE_BYTES, timeout=_share(deadline)))
        except (OutboundFailed, OutboundRefused) as exc:
            note(exc.message)
            failures.append(exc)
            continue
        note(f"{shown(sighting.fetched.final_url)} answers with HTTP {sighting.fetched.status}")
        if best is None or sighting.rank < best.rank:
            best = sighting
        if best.rank == 0:
            break
    return Look(_unreached(name, failures) if best is None else _reached(name, best), True, best)


def _hosts_in_dns(
    name: str, client: OutboundClient, deadline: float, failures: list[OutboundFailed | OutboundRefused]
) -> list[str]:
    hosts = []
    for host in (name, f"www.{name}"):
        try:
            client.resolve(host, timeout=_share(deadline))
        except (OutboundFailed, OutboundRefused) as exc:
            failures.append(exc)
        else:
            hosts.append(host)
    return hosts


def _urls(hosts: list[str]) -> Iterator[str]:
    for scheme in ("https", "http"):
        for host in hosts:
            yield f"{scheme}://{host}/"


def _share(deadline: float) -> float:
    return min(ATTEMPT_SECONDS, deadline - time.monotonic())


def _sighted(name: str, fetched: Fetched) -> Sighting:
    is_html = fetched.content_type in ("", "text/html", "application/xhtml+xml")
    page = read_page(fetched.text) if is_html else Page(has_substance=bool(fetched.body))
    parked = parked_sign(name, fetched.hops, page)
    if parked is not None:
        rank = 0
    elif fetched.status >= 500:
        rank = 3
    elif fetched.status >= 400:
        rank = 1
    else:
        rank = 2 if page.blank else 0
    return Sighting(rank, fetched, page, parked)


def _reached(name: str, best: Sighting) -> Presence:
    fetched, page, parked = best.fetched, best.page, best.parked
    where = f"{fetched.final_url} answers with HTTP {fetched.status}"
    quote = page.description or page.text or None
    status: Status = "live"
    if parked is not None:
        status, quote = "parked", parked.quote or quote
        detail = f"The domain is parked: {parked.why}."
    elif best.rank == 2:
        status, detail = "none", f"{where} and an empty page."
    elif best.rank == 0:
        detail = f"{where}: {page.title}" if page.title else f"{where}, without a title."
    else:
        detail = f"{where}: a server is there, but it shows no page."
    # Cut without an ellipsis: a quote is what the page says, letter by letter.
    quote = quote[:QUOTE_LENGTH].rstrip() if quote else None
    return Presence(
        domain=name,
        status=status,
        detail=detail,
        scanned_at=fetched.fetched_at,
        evidence=Evidence(
            url=fetched.final_url,
            http_status=fetched.status,
            title=page.title,
            quote=quote,
            quote_sha256=sha256_hex(quote) if quote else None,
        ),
    )


def _unreached(name: str, failures: list[OutboundFailed | OutboundRefused]) -> Presence:
    """Say what it means that DNS knows the name and no page came: nothing there only if every port is closed."""
    if all(isinstance(failure, OutboundFailed) and failure.reason == "refused" for failure in failures):
        return _none(name, "The name has an address, but no web server answers there (ports 443 and 80 are closed).")
    return _not_measured(name, f"Not measured: {_reasons(failures)}")


def _without_address(
    name: str, client: OutboundClient, deadline: float, failures: list[OutboundFailed | OutboundRefused]
) -> Presence:
    reasons = {failure.reason if isinstance(failure, OutboundFailed) else "guard" for failure in failures}
    if not reasons <= {"no_name", "no_address"}:
        return _not_measured(name, f"Not measured: {_reasons(failures)}")
    if not _sees_public_names(client, deadline):
        return _not_measured(
            name, "Not measured: the name service here knows no public names, so there is no network to look from."
        )
    if "no_address" in reasons:
        return _none(name, "The name is registered, but has no address.")
    return _none(name, "The name does not exist in DNS.")


def _sees_public_names(client: OutboundClient, deadline: float) -> bool:
    for control in CONTROL_NAMES:
        try:
            client.resolve(control, timeout=_share(deadline))
        except (OutboundFailed, OutboundRefused):
            continue
        return True
    return False


def _reasons(failures: list[OutboundFailed | OutboundRefused]) -> str:
    return " ".join(dict.fromkeys(failure.message for failure in failures))


def _none(name: str, detail: str) -> Presence:
    return Presence(domain=name, status="none", detail=detail, scanned_at=datetime.now(UTC), evidence=None)


def _not_measured(name: str, detail: str) -> Presence:
    return Presence(domain=name, status="not_measured", detail=detail, scanned_at=None, evidence=None)
