"""Addresses that are secrets themselves: whoever knows that of a hook may post to it, so only its host is named."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator

from studio.addresses import parse_url, shown
from studio.errors import OutboundFailed, OutboundRefused
from studio.secrets import HIDDEN, SHORTEST_SECRET, redact_secrets

# Shorter parts of a path are names: `api`, `v1`, `hooks`.
SHORTEST_PIECE = 8


def shown_address(url: str) -> str:
    """Return where a hook is, without what would let somebody use it."""
    return f"https://{_host(url)}/{HIDDEN}"


def secrets_in(url: str) -> list[str]:
    """Return the parts of a secret address that must not be seen, as they stand there and decoded.

    Words that anything is called by (`integrations`) are none of them, unless there is nothing else.
    """
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return []
    pieces = [piece for piece in parts.path.split("/") if len(piece) >= SHORTEST_PIECE]
    values = [value or name for name, _, value in (pair.partition("=") for pair in parts.query.split("&"))]
    values = [value for value in (*values, parts.password or "", parts.fragment) if len(value) >= SHORTEST_SECRET]
    found = [part for part in (*pieces, *values) if not _is_word(part)] or [*values, *pieces[-1:]]
    return [said for part in found for said in (part, urllib.parse.unquote(part), urllib.parse.unquote_plus(part))]


@contextlib.contextmanager
def kept_secret(url: str) -> Iterator[None]:
    """Let what a request to `url` raises name its host alone, and forget what it comes from: that may name the rest."""
    try:
        yield
    except (OutboundRefused, OutboundFailed) as exc:
        exc.message = _without(exc.message, url)
        exc.args = (exc.message,)
        exc.__cause__ = exc.__context__ = None
        raise


def _without(message: str, url: str) -> str:
    spellings = {shown(url), url}
    with contextlib.suppress(OutboundRefused):
        spellings |= {shown(parse_url(url).url), parse_url(url).url}
    for spelling in sorted(spellings, key=len, reverse=True):
        message = message.replace(spelling, shown_address(url))
    # A server may repeat what it was asked for.
    return redact_secrets(message, [*secrets_in(url), _path(url)])


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(url).hostname or ""
    return ""


def _path(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(url).path
    return ""


def _is_word(part: str) -> bool:
    return part.isalpha() and part.islower()
