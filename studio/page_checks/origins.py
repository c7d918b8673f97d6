"""The studio's own origins: the only addresses of this machine that a check may visit, and what lies there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from uuid import UUID

from studio.addresses import DEFAULT_PORTS
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


def own_endpoints(settings: Settings) -> dict[Endpoint, Endpoint]:
    """Return the studio's own hosts and ports that lie on this machine, each with the loopback address it is at.

    One with a name of the internet is looked up and checked like any other site.
    """
    found: dict[Endpoint, Endpoint] = {}
    for address in (settings.pages_base_url, settings.app_base_url):
        parts = urlsplit(origin(address or ""))
        loopback = _loopback(parts.hostname or "")
        if loopback is not None and parts.port is not None:
            found[parts.hostname or "", parts.port] = (loopback, parts.port)
    return found


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
