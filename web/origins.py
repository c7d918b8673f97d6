"""Origins of addresses as browsers write them (RFC 6454 §6.1): lower case, without a port that goes without saying."""

from __future__ import annotations

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(address: str | None) -> str | None:
    """Return the origin of an address, None where it is the address of no site."""
    try:
        parts = urlsplit((address or "").strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else "")


def same_origin(one: str | None, other: str | None) -> bool:
    """Say whether two addresses are of one origin."""
    return origin_of(one) is not None and origin_of(one) == origin_of(other)
