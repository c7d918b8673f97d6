"""The studio's own origins: the only addresses of this machine that a check may visit, and what lies there."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from studio.addresses import DEFAULT_PORTS, literal_address, parse_url, require_public
from studio.errors import InvalidInput, OutboundRefused
from studio.outbound import OFF, TURN_ON

if TYPE_CHECKING:
    from studio.pinned_network import Endpoint
    from studio.settings import Settings


def origin(url: str) -> str:
    """Return scheme, host and port of an address in one spelling; an empty text where it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ""
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def public_origin(settings: Settings) -> str:
    """Return the origin of published pages; an empty text where none is configured."""
    return origin(settings.pages_base_url or settings.app_base_url or "")


def own_origins(settings: Settings) -> frozenset[str]:
    """Return every origin at which the studio takes sign-ups: that of published pages and the studio's own."""
    configured = (settings.pages_base_url, settings.app_base_url)
    return frozenset(name for url in configured if url for name in _names(origin(url)))


def published_origins(settings: Settings) -> frozenset[str]:
    """Return the origins of published pages; none where none is configured."""
    return frozenset(_names(public_origin(settings)))


def _names(own: str) -> set[str]:
    """Return an origin; for a name of the internet on both of the web's ports: what stands before it may serve both."""
    host = urlsplit(own).hostname or ""
    if not own or _loopback(host) is not None:
        return {own} - {""}
    written = f"[{host}]" if ":" in host else host
    return {own, *(f"{scheme}://{written}:{port}" for scheme, port in DEFAULT_PORTS.items())}


def own_endpoints(settings: Settings, url: str) -> dict[Endpoint, Endpoint]:
    """Return the host and port of published pages, where they lie on this machine, with the loopback address.

    Only for a check of one of these pages, `url`: anybody else's could send requests to the studio from within.
    Pages with a name of the internet are looked up and checked like any other site.
    """
    own = public_origin(settings)
    if not own or origin(url) != own:
        return {}
    parts = urlsplit(own)
    loopback = _loopback(parts.hostname or "")
    if loopback is None or parts.port is None:
        return {}
    return {(parts.hostname or "", parts.port): (loopback, parts.port)}


def require_way_out(settings: Settings, url: str) -> None:
    """Raise `InvalidInput` where requests may not leave this machine, and the address is none of our own on it."""
    if not settings.outbound_enabled and not own_endpoints(settings, url):
        raise InvalidInput(OFF, TURN_ON)


def require_visitable(settings: Settings, url: str) -> None:
    """Raise `InvalidInput` for an address that no check will ever visit, as far as that shows without looking it up."""
    require_way_out(settings, url)
    if origin(url) and origin(url) == public_origin(settings):
        return
    try:
        target = parse_url(url)
        if literal_address(target.host) is not None:
            require_public(target.host, target.host)
    except OutboundRefused as exc:
        raise InvalidInput(exc.message, exc.remedy) from exc
    if target.port not in DEFAULT_PORTS.values():
        raise InvalidInput(
            f"The address is on port {target.port}; pages are only visited on the ports 80 and 443.",
            "Give the address of a public page, without a port.",
        )


def published_project(settings: Settings, url: str) -> UUID | None:
    """Return whose published page an address is; None where it is none of this studio's."""
    if not public_origin(settings) or origin(url) != public_origin(settings):
        return None
    base = urlsplit(settings.pages_base_url or settings.app_base_url or "").path.rstrip("/")
    path = urlsplit(url).path
    if not path.startswith(f"{base}/launch/"):
        return None
    try:
        return UUID(path.removeprefix(f"{base}/launch/"))
    except ValueError:
        return None


def _loopback(host: str) -> str | None:
    if host == "localhost":
        return "127.0.0.1"
    try:
        return host if ipaddress.ip_address(host).is_loopback else None
    except ValueError:
        return None
