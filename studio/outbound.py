"""The one way out to addresses that a user or a model gave us.

Each hop of a fetch is parsed, looked up once, checked, and then connected to exactly the addresses
that were checked: the connection layer never sees a name, so no second DNS answer can lead elsewhere
(DNS rebinding), while TLS still verifies the name. This sits on httpx's own connection layer, httpcore,
because that is where an address can be pinned and a deadline holds for every single read; cookies,
proxies, automatic redirects and pooling do not exist there and need no switching off.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
import ssl
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx

from studio.addresses import Address, Target, literal_address, parse_url, require_public, shown
from studio.answer_body import Answer, Unreadable, read_answer
from studio.errors import OutboundFailed, OutboundOff, OutboundRefused
from studio.outbound_failure import brief, connection_failure, failed
from studio.pinned_network import Endpoint, Limits, PinnedNetwork
from studio.resolver import Resolver, look_up, system_resolver
from studio.secret_addresses import kept_secret
from studio.settings import Settings
from studio.tracing.headers import STATUS, request_span, trace_headers
from studio.webpage import decode_text

log = logging.getLogger(__name__)

ALLOWED_PORTS = frozenset({80, 443})
OFF = "Outbound requests are turned off."
TURN_ON = "Set GREENLIGHT_OUTBOUND=true to allow them."
MAX_REDIRECTS = 5
DEFAULT_MAX_BYTES = 1024 * 1024
DEFAULT_TIMEOUT_SECONDS = 12.0
MAX_ADDRESSES = 4
# What a hop may send in all, headers and framing included, beside four times its body: more is an attack.
WIRE_ALLOWANCE_BYTES = 256 * 1024

_HEADERS = {
    "User-Agent": "Greenlight/1.0 (looks once at a page that its user named)",
    "Accept": "text/html,application/xhtml+xml,application/json;q=0.9,text/*;q=0.8,*/*;q=0.5",
    "Accept-Language": "en,*;q=0.5",
    # Only what is decoded here with a bound on its output.
    "Accept-Encoding": "gzip, deflate",
    "Connection": "close",
}


@dataclass(frozen=True)
class Fetched:
    """One answer. `hops` are all URLs visited, the requested one first and `final_url` last."""

    url: str
    final_url: str
    hops: tuple[str, ...]
    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    fetched_at: datetime

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty where the server named none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @functools.cached_property
    def text(self) -> str:
        """The body as storable text, bad bytes replaced; empty for a type that is not text."""
        return decode_text(self.body, self.headers.get("content-type", ""))


class OutboundClient:
    """A guarded GET and POST for URLs that somebody outside the code chose."""

    def __init__(
        self,
        *,
        enabled: bool = True,
        resolver: Resolver = system_resolver,
        network: httpcore.NetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        allow: Mapping[Endpoint, Endpoint] | None = None,
    ) -> None:
        """Make a client.

        `resolver` turns a name into addresses (see `studio.resolver`). `network` opens the TCP
        connection to a checked address. `tls` replaces the trusted authorities. `allow` maps a (host,
        port) of a URL to a (loopback address, port) that it is pinned to without lookup and check: it
        lets tests serve pages from this machine, so no setting leads to it. Raise `ValueError` where
        `allow` points anywhere but to loopback.
        """
        for address, _ in (allow or {}).values():
            if not ipaddress.ip_address(address).is_loopback:
                raise ValueError(f"allow pins to loopback addresses only, not to {address}")
        self.enabled = enabled
        self._resolver = resolver
        self._network = network or httpcore.SyncBackend()
        self._tls = tls
        self._allow = dict(allow or {})

    @classmethod
    def from_settings(cls, settings: Settings) -> OutboundClient:
        """Return the client of this installation."""
        return cls(enabled=settings.outbound_enabled)

    def get(
        self,
        url: str,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,  # the whole fetch's seconds, redirects and lookups included
    ) -> Fetched:
        """Fetch `url`, following at most five redirects, each checked like the first address.

        At most `max_bytes` of decoded body are kept; a longer or incomplete one is marked `truncated`.
        Any status is an answer. Raise `OutboundRefused` where the guard forbids the address or outbound
        requests are off, `OutboundFailed` where a permitted address gives no usable answer in time.
        """
        with request_span("GET", url) as traced:
            fetched = self._get(url, max_bytes, timeout)
            traced.set_attributes({STATUS: fetched.status, "greenlight.hops": len(fetched.hops)})
            return fetched

    def _get(self, url: str, max_bytes: int, timeout: float) -> Fetched:
        self._require_enabled()
        deadline = time.monotonic() + timeout
        target = parse_url(url)
        hops: list[str] = []
        while True:
            hops.append(target.url)
            answer = self._request(target, max_bytes, deadline)
            if answer.location is None:
                return _fetched(url, target, hops, answer)
            if len(hops) > MAX_REDIRECTS:
                raise OutboundFailed(
                    f"{shown(url)} redirects more than {MAX_REDIRECTS} times.",
                    "Give the address it should end at.",
                    reason="limit",
                )
            target = _redirected(target, answer.location)

    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> Fetched:
        """Post `body` to `url` once; a redirect is an answer like any other, and is not followed.

        Raise as `get` does; `OutboundFailed.sent` then says whether the request may have arrived. Whoever knows an
        address that takes posts may post to it, so errors and traces name its host alone.
        """
        with request_span("POST", url, secret=True) as traced, kept_secret(url):
            self._require_enabled()
            target = parse_url(url)
            sending = {**(headers or {}), "Content-Type": content_type, "Content-Length": str(len(body))}
            answer = self._request(target, max_bytes, time.monotonic() + timeout, body, sending)
            traced.set_attributes({STATUS: answer.status})
            return _fetched(url, target, [target.url], answer)

    def resolve(self, host: str, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> list[Address]:
        """Return the addresses of `host` (as `ascii_host` spells it), every one of them checked.

        Raise `OutboundRefused` if any is not public or outbound requests are off, `OutboundFailed` with
        reason no_name, no_address or no_dns if there is none.
        """
        self._require_enabled()
        pinned = [pin for (name, _), (pin, _) in self._allow.items() if name == host]
        if pinned:
            return [ipaddress.ip_address(pin) for pin in pinned]
        return self._checked_addresses(host, timeout)

    def _require_enabled(self) -> None:
        if not self.enabled:
            raise OutboundOff(OFF, TURN_ON)

    def _request(
        self,
        target: Target,
        max_bytes: int,
        deadline: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        endpoints = self._endpoints(target, deadline)
        limits = Limits(deadline, 4 * max_bytes + WIRE_ALLOWANCE_BYTES)
        secure = target.scheme == "https"
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        connection = httpcore.HTTPConnection(
            origin=url.origin,
            ssl_context=(self._tls or _system_tls()) if secure else None,
            network_backend=PinnedNetwork(self._network, endpoints, limits),
        )
        try:
            with (
                connection,
                connection.stream(
                    "GET" if body is None else "POST",
                    url,
                    headers=[
                        ("Host", _host_header(target)),
                        *{**_HEADERS, **trace_headers(), **(headers or {})}.items(),
                    ],
                    content=body,
                ) as response,
            ):
                return read_answer(response, max_bytes, redirects=body is None)
        except Unreadable as exc:
            raise failed(target, str(exc), "broken", sent=limits.written) from exc
        except httpcore.TimeoutException as exc:
            raise failed(target, "did not answer in time", "timeout", sent=limits.written) from exc
        except httpcore.ConnectError as exc:
            raise connection_failure(target, exc) from exc
        except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
            if limits.exceeded:
                raise failed(target, "sends far more than a page", "limit", sent=limits.written) from exc
            raise failed(target, f"broke off its answer ({brief(exc)})", "broken", sent=limits.written) from exc

    def _endpoints(self, target: Target, deadline: float) -> list[Endpoint]:
        pinned = self._allow.get((target.host, target.port))
        if pinned is not None:
            return [pinned]
        if target.port not in ALLOWED_PORTS:
            log.warning("outbound request refused: port %s of %s", target.port, target.host)
            raise OutboundRefused(
                f"{shown(target.url)} is on port {target.port}.", "Only the web's ports 80 and 443 are visited."
            )
        addresses = self._checked_addresses(target.host, deadline - time.monotonic())
        return [(str(address), target.port) for address in addresses[:MAX_ADDRESSES]]

    def _checked_addresses(self, host: str, seconds: float) -> list[Address]:
        literal = literal_address(host)
        texts: Sequence[str] = [str(literal)] if literal is not None else look_up(self._resolver, host, seconds)
        try:
            # All of them, not the first good one: a name with one private address is not to be trusted.
            return [require_public(text, host) for text in texts]
        except OutboundRefused as exc:
            log.warning("outbound request refused: %s", exc.message)
            raise


def _fetched(url: str, target: Target, hops: Sequence[str], answer: Answer) -> Fetched:
    return Fetched(
        url=url,
        final_url=target.url,
        hops=tuple(hops),
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        truncated=answer.truncated,
        fetched_at=datetime.now(UTC),
    )


@functools.cache
def _system_tls() -> ssl.SSLContext:
    # Reads SSL_CERT_FILE and SSL_CERT_DIR: an operator's own authorities, not an attacker's.
    return httpx.create_ssl_context(verify=True, trust_env=True)


def _host_header(target: Target) -> str:
    return urllib.parse.urlsplit(target.url).netloc


def _redirected(target: Target, location: str) -> Target:
    try:
        # Servers often leave spaces in here unescaped, and browsers follow them.
        return parse_url(urllib.parse.urljoin(target.url, location.replace(" ", "%20")))
    except ValueError as exc:
        raise failed(target, "redirects to an address that cannot be read", "broken") from exc
    except OutboundRefused as exc:
        log.warning("outbound redirect refused: %s", exc.message)
        raise
