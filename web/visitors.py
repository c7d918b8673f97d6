"""Whom a request comes from."""

from __future__ import annotations

import ipaddress
import re

from fastapi import Request

from studio.waitlist import Visitor

# Programs that say so (a Cubot is a telephone). Who hides it is counted, and is one visitor a day all the same.
_PROGRAMS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|preview|headless|lighthouse|monitor|uptime|validator|scan|fetch|scrap|archiv"
    r"|externalhit|embed|curl|wget|python|java/|okhttp|axios|go-http|node|ruby|perl|libwww|postman|http-?client",
    re.IGNORECASE,
)
# A household or a machine has at least this much of the IPv6 space, and may change the rest at will.
_IPV6_NETWORK = 64
_UNKNOWN = "unknown"


def visitor(request: Request) -> Visitor:
    """Return who asks: the network address (of IPv6 the network), and what the browser calls itself."""
    return Visitor(network_of(request.client.host if request.client else ""), request.headers.get("user-agent", ""))


def is_person(request: Request) -> bool:
    """Say whether a person probably looks at the answer: no program that says so, and no browser that fetches ahead."""
    purpose = f"{request.headers.get('purpose', '')} {request.headers.get('sec-purpose', '')}".lower()
    agent = request.headers.get("user-agent", "")
    return request.method == "GET" and "prefetch" not in purpose and bool(agent) and not _PROGRAMS.search(agent)


def network_of(host: str) -> str:
    """Return the address that stands for a household or a machine: of IPv6 the network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), _IPV6_NETWORK), strict=False).network_address)
    return str(address)
