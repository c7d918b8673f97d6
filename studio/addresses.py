"""Which network addresses and URLs may be visited on behalf of a user or a model.

An address passes only if it is ordinary public unicast. The tables are ours rather than the
`is_global` of `ipaddress`, because that property changes between Python releases and knows nothing of
tunnels, translation prefixes and cloud hosts. Sources: the IANA special-purpose address registries
(RFC 6890 and its updates), RFC 6052 for NAT64, the WHATWG URL standard for the spellings of IPv4.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from typing import NamedTuple

import idna

from studio.errors import InvalidInput, OutboundRefused
from studio.text import clip, storable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# RFC 1035: a name has at most 253 visible characters, a label at most 63.
MAX_HOST_LENGTH = 253
MAX_LABEL_LENGTH = 63
# Longer URLs are answered with 414 by most servers; no page a person means needs one.
MAX_URL_LENGTH = 4096
SHOWN_URL_LENGTH = 200

DEFAULT_PORTS = {"http": 80, "https": 443}

_REFUSED_IPV4 = [
    (ipaddress.IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud platform's own service"),  # public by number, local on Azure
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
]
_GLOBAL_UNICAST_IPV6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_IPV6 = [
    (ipaddress.IPv6Network(network), why)
    for network, why in (
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
]
# Why an address outside 2000::/3 is refused; whatever is in none of these is unassigned.
_NAMED_IPV6 = [
    (ipaddress.IPv6Network(network), why)
    for network, why in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
]
# DNS64 gives IPv6-only hosts these addresses for public IPv4 sites, so the embedded one decides.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# ISATAP tunnels put an IPv4 address behind one of these interface identifiers, under any prefix.
_ISATAP_IDENTIFIERS = {0x00005EFE, 0x02005EFE}

# Names that never belong to the public DNS (RFC 6761, 6762, 7686, 8375; ICANN's reservation of .internal).
_LOCAL_SUFFIXES = ("localhost", "local", "internal", "onion", "home.arpa")

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
# The standard library lets text stand around the brackets of an IPv6 address.
_NETLOC = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(?::[0-9]*)?")
_FORBIDDEN_IN_URL = re.compile(r"[\x00-\x20\x7f]")


class Target(NamedTuple):
    """A URL taken apart: lower-case scheme and ASCII host, the port in figures, path with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The same URL in one canonical spelling, without fragment and without a default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def why_not_public(address: Address) -> str | None:
    """Return in a word or two why `address` is not ordinary public unicast, or None if it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((why for network, why in _REFUSED_IPV4 if address in network), None)
    if address.scope_id is not None:
        return "scoped"
    if address.ipv4_mapped is not None:
        return why_not_public(address.ipv4_mapped)
    if address in _NAT64:
        return why_not_public(_low_ipv4(address))
    if address not in _GLOBAL_UNICAST_IPV6:
        return next((why for network, why in _NAMED_IPV6 if address in network), "reserved")
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP_IDENTIFIERS:
        return "ISATAP"
    return next((why for network, why in _REFUSED_IPV6 if address in network), None)


def require_public(text: str, host: str) -> Address:
    """Return the address `text` that `host` stands for, IPv4-mapped ones as IPv4.

    Raise `OutboundRefused` unless it is public; a text that is no address at all is refused as well.
    """
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError as exc:
        raise OutboundRefused(
            f"{shown(host)} leads to something that is no network address.",
            "Give the address of a public web site.",
        ) from exc
    why = why_not_public(address)
    if why is not None:
        raise OutboundRefused(
            f"{shown(host)} leads to an address that is not public ({why}).",
            "Give the address of a public web site.",
        )
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def literal_address(host: str) -> Address | None:
    """Return the address that `host` spells out, or None if it is a name.

    IPv6 comes without brackets. IPv4 has one to four parts, each decimal, octal (0…) or hexadecimal
    (0x…), as the system's own resolver reads them. Raise `InvalidInput` for a host that ends in a
    number, and so can only be an IPv4 address, but is none.
    """
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host)
        except ValueError as exc:
            raise _unusable(host, "is not an IPv6 address") from exc
    parts = host.lower().split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise _unusable(host, "ends in a number but is not an IPv4 address")
    try:
        *leading, last = [_number(part) for part in parts]
    except ValueError as exc:
        raise _unusable(host, "is not an IPv4 address") from exc
    if any(part > 255 for part in leading) or last >= 256 ** (4 - len(leading)):
        raise _unusable(host, "is not an IPv4 address")
    return ipaddress.IPv4Address(last + sum(part << (8 * (3 - index)) for index, part in enumerate(leading)))


def ascii_host(host: str) -> str:
    """Return `host` in lower-case ASCII: IDNA 2008 applied, one trailing dot gone, addresses canonical.

    Raise `InvalidInput` for what is neither a public-looking name nor an address: no dot in it, a
    label that DNS cannot hold, or a suffix that only exists on local networks.
    """
    # Bounded before IDNA, whose work grows faster than the text.
    if not 0 < len(host) <= MAX_HOST_LENGTH + 1:
        raise _unusable(host, "is empty or too long for a host name")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError as exc:
            raise _unusable(host, "is not a host name") from exc
    host = host.lower().removesuffix(".")
    address = literal_address(host)
    if address is not None:
        return str(address)
    labels = host.split(".")
    if len(host) > MAX_HOST_LENGTH or not all(
        _LABEL.fullmatch(label) and len(label) <= MAX_LABEL_LENGTH for label in labels
    ):
        raise _unusable(host, "is not a host name")
    if len(labels) < 2 or any(host.endswith(f".{suffix}") for suffix in _LOCAL_SUFFIXES):
        raise _unusable(host, "is a name of the local network, not of the internet")
    return host


def parse_url(url: str) -> Target:
    """Take an absolute http or https URL apart, normalised; the fragment is dropped.

    Raise `OutboundRefused` for another scheme, credentials, a host that `ascii_host` rejects, a port
    that is no number, and characters over which URL parsers disagree.
    """
    if len(url) > MAX_URL_LENGTH:
        raise _refused(url, "is longer than any page address")
    if _FORBIDDEN_IN_URL.search(url) or "\\" in url.partition("?")[0]:
        raise _refused(url, "contains characters that an address cannot have")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise _refused(url, "is not a valid address") from exc
    if parts.scheme not in DEFAULT_PORTS:
        raise _refused(url, "is not an http or https address")
    if "@" in parts.netloc:
        raise _refused(url, "carries credentials")
    if not _NETLOC.fullmatch(parts.netloc):
        raise _refused(url, "is not a valid address")
    try:
        host = ascii_host(parts.hostname or "")
    except InvalidInput as exc:
        raise _refused(url, f"cannot be fetched: {exc.message.removesuffix('.')}") from exc
    # Bytes that no request line may carry are escaped; what is escaped already stays as it is.
    path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~", errors="replace")
    if parts.query:
        path += "?" + urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~?[]|", errors="replace")
    return Target(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, path)


def shown(url: str) -> str:
    """Return `url` for a message: without credentials, unprintable characters or excessive length."""
    bare = re.sub(r"//[^/?#]*@", "//", storable(_FORBIDDEN_IN_URL.sub(" ", url)))
    return clip(bare, SHOWN_URL_LENGTH)


def _low_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def _unusable(host: str, why: str) -> InvalidInput:
    return InvalidInput(f"{shown(host) or 'The host'} {why}.", "Give a domain such as example.com.")


def _refused(url: str, why: str) -> OutboundRefused:
    return OutboundRefused(f"{shown(url)} {why}.", "Give the http or https address of a public page.")
