"""One request to a provider's API, and what may be concluded from how it ended.

What breaks before the request leaves has certainly not been done; what breaks afterwards may have been. A refusal
(3xx, 4xx) is certain; of a 5xx nobody knows, because a proxy gives one for a request that is still being worked on.
"""

from __future__ import annotations

import functools
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from studio.errors import OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable, SettingsError
from studio.secrets import redact_secrets
from studio.text import one_line, storable_json
from studio.tracing.headers import STATUS, request_span, trace_headers

# An answer says in a few hundred bytes what it did; lists come in pages.
MAX_ANSWER_BYTES = 512 * 1024
CONNECT_SECONDS = 5.0
SAID_CHARS = 300
# Refused for now: the server waited for a request that did not come, or has had too many.
LATER = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Reply:
    """A provider's answer; `body` ends early where it broke off or was endless."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the provider says that it did what it was asked."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body as JSON, None where it is none."""
        try:
            return storable_json(json.loads(self.body))
        except (ValueError, RecursionError):
            return None


class Service:
    """A provider's API under one account."""

    def __init__(self, name: str, base_url: str, *, timeout: float, secrets: Sequence[str], account: str) -> None:
        """Make one. `secrets` appear in no error; `account` names what to check where the provider refuses it."""
        self.name = name
        self._base_url = base_url
        self._timeout = timeout
        self._secrets = tuple(secrets)
        self._account = account

    def change(self, method: str, path: str, **request: Any) -> Reply:
        """Send a request that changes something, once; return its answer, whatever its status.

        Raise `ProviderUnavailable` where it has certainly not arrived, `OutcomeUnknown` where it may have.
        """
        return self._send(method, path, changes=True, **request)

    def ask(self, path: str, **request: Any) -> Reply:
        """Send a GET; return its answer, whatever its status. Raise `ProviderUnavailable` where none came."""
        return self._send("GET", path, changes=False, **request)

    def failure(self, reply: Reply, said: str = "", *, changes: bool = True, later: bool = False) -> ProviderError:
        """Return the error that an answer outside 2xx stands for; `said` is what the provider says about it.

        `later` says that it refuses for now, whatever its status.
        """
        what = f"{self.name} answered {reply.status}" + (f": {self.clean(said)}" if said.strip() else "")
        if reply.status >= 500:
            if changes:
                return OutcomeUnknown(f"{what}, so it may have done it or not.", "See there what became of it.")
            return ProviderUnavailable(f"{what}.", "It is asked again later.")
        if later or reply.status in LATER:
            return ProviderUnavailable(f"{what}.", "It is tried again later.")
        if reply.status in (401, 403, 404):
            return ProviderRefused(f"{what}.", f"Check {self._account} and what it may reach.")
        if 300 <= reply.status < 400:
            return ProviderRefused(f"{what}, a redirect.", "Give the address that it redirects to.")
        return ProviderRefused(f"{what}.", "Correct what was asked for.")

    def clean(self, text: str) -> str:
        """Return what a provider said on one line of bounded length, without secrets."""
        return one_line(redact_secrets(text, self._secrets), SAID_CHARS)

    def _send(self, method: str, path: str, *, changes: bool, **request: Any) -> Reply:
        with request_span(method, self._base_url, path) as traced:
            reply = self._sent(method, path, changes=changes, **request)
            traced.set_attributes({STATUS: reply.status})
            return reply

    def _sent(self, method: str, path: str, *, changes: bool, headers: Mapping[str, str], **request: Any) -> Reply:
        deadline = time.monotonic() + self._timeout
        given = {"User-Agent": "Greenlight/1.0", **trace_headers(), **headers}
        limits = httpx.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout))
        try:
            with (
                httpx.Client(base_url=self._base_url, timeout=limits, verify=_tls(), follow_redirects=False) as client,
                client.stream(method, path, headers=given, **request) as response,
            ):
                return Reply(response.status_code, _body(response, deadline))
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as exc:
            raise SettingsError(
                f"The address of {self.name} cannot be used.", "Check its URL in the settings."
            ) from exc
        except (httpx.LocalProtocolError, UnicodeError):
            # What it says repeats the header, in a spelling in which no secret would be found.
            raise ProviderRefused(
                f"A request to {self.name} cannot be made: a credential holds characters that no header can.",
                f"Check {self._account}.",
            ) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as exc:
            raise ProviderUnavailable(
                f"{self.name} cannot be reached ({self.clean(str(exc)) or type(exc).__name__}).",
                "It is tried again later.",
            ) from exc
        except httpx.RequestError as exc:
            what = "did not answer in time" if isinstance(exc, httpx.TimeoutException) else "broke the connection"
            if not changes:
                raise ProviderUnavailable(f"{self.name} {what}.", "It is asked again later.") from exc
            raise OutcomeUnknown(
                f"{self.name} {what}, so it may have done it or not.", "See there what became of it."
            ) from exc


def _body(response: httpx.Response, deadline: float) -> bytes:
    """Read what comes until the end, the limit or the deadline: the status has been said, whatever becomes of it."""
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                break
    except httpx.RequestError:
        pass
    return bytes(body[:MAX_ANSWER_BYTES])


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
