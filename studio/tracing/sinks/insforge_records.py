"""InsForge's records API, which is PostgREST behind a gateway of its own: one request, and what its answer means.

What is known of it from its own code: method, query and the `Prefer` header go to PostgREST as they are, so that
records are read, changed and deleted by its filters. A parameter that is given twice does not arrive as such, so that
several conditions on a column stand in one `and`; and not every version lets a number limit what is changed or deleted.

An array of records is inserted as a whole or not at all; all need the same keys. From each, keys whose value is an
empty string are removed where the column is no text, so that none must be one. The gateway itself repeats no POST that
may have arrived, gives a request ten seconds, and allows a thousand in fifteen minutes.

Whose fault an answer is decides what follows. Where a row's (SQLSTATE 22, 23, 54; PGRST1xx; 413), it is `SinkRefused`.
Where it is that of the configuration (redirects, 401 and 403, 404, an unknown column), all would be refused alike, and
may be taken once somebody has mended it: that is `SinkUnavailable`, without another request for a minute.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from studio.secrets import redact_secrets
from studio.text import one_line
from studio.tracing.errors import SinkError, SinkRefused, SinkUnavailable

Method = Literal["GET", "POST", "PATCH", "DELETE"]

# The gateway gives up after ten.
TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
# A wrong key may be mended any minute; asking more often finds out no sooner.
MISCONFIGURED_SECONDS = 60.0
# Where it does not say how long it wants to be left alone, and the longest that it is left alone: its window.
BUSY_SECONDS = 30.0
LONGEST_QUIET_SECONDS = 900.0
# Whoever reads records asks for so few that they fit.
ANSWER_BYTES = 64 * 1024
SAID_CHARS = 300

# A row's fault, whatever the status: data that a column does not take, a constraint, more than PostgreSQL can hold.
_ROWS_FAULT = ("22", "23", "54", "PGRST1")
# Its fault, or the schema cache's: a table or column that is not there.
_SCHEMAS_FAULT = ("PGRST2", "42")
_MISCONFIGURED = frozenset({401, 402, 403, 404, 405, 410})
_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True)
class _Answer:
    status: int
    content_type: str
    retry_after: str
    body: bytes


class Records:
    """The records of an InsForge project, as whoever has its API key may use them."""

    def __init__(self, url: str, api_key: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Make one; nothing is sent before the first request. `timeout` is for one request, in seconds."""
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout = timeout
        # Until when no request is made, by the monotonic clock, and why.
        self._quiet: tuple[float, str] = (0.0, "")

    def close(self) -> None:
        """Close the connection, where there is one; another request opens it again."""
        client: httpx.Client | None = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def insert(self, table: str, key: str, content: bytes) -> None:
        """Insert an array of records, as JSON; whose `key` is there already stays as it is. Raises `SinkError`."""
        self._ask("POST", table, {"on_conflict": key}, content, "resolution=ignore-duplicates,return=minimal")

    def select(self, table: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return records by PostgREST's `query`, as many as fit into 64 KB. Raises `SinkError`."""
        body = self._ask("GET", table, query)
        try:
            records = json.loads(body)
        except (ValueError, RecursionError):
            raise SinkUnavailable("InsForge's answer is cut off, or no JSON.", "It is asked again.") from None
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise SinkUnavailable("InsForge's answer is no list of records.", "It is asked again.")
        return records

    def change(self, table: str, query: Mapping[str, str], values: Mapping[str, Any]) -> None:
        """Set columns of the records by `query`. Raises `SinkError`."""
        self._ask("PATCH", table, query, json.dumps(values).encode(), "return=minimal")

    def delete(self, table: str, query: Mapping[str, str]) -> None:
        """Delete the records by `query`. Raises `SinkError`."""
        self._ask("DELETE", table, query, prefer="return=minimal")

    def _ask(
        self, method: Method, table: str, query: Mapping[str, str], content: bytes | None = None, prefer: str = ""
    ) -> bytes:
        until, why = self._quiet
        if time.monotonic() < until:
            raise SinkUnavailable(why, f"It is asked again in {until - time.monotonic():.0f} s.")
        answer = self._send(method, table, query, content, prefer)
        error = self._judged(answer)
        if error is not None:
            raise error
        return answer.body

    def _send(
        self, method: Method, table: str, query: Mapping[str, str], content: bytes | None, prefer: str
    ) -> _Answer:
        deadline = time.monotonic() + self._timeout
        headers = {"Authorization": f"Bearer {self._api_key}", "User-Agent": "Greenlight/1.0"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if prefer:
            headers["Prefer"] = prefer
        request: dict[str, Any] = {"params": dict(query), "headers": headers, "content": content}
        url = f"{self._url}/api/database/records/{table}"
        try:
            with self._client.stream(method, url, **request) as response:
                return _Answer(
                    response.status_code,
                    response.headers.get("Content-Type", ""),
                    response.headers.get("Retry-After", ""),
                    _body(response, deadline),
                )
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError):
            # What it says may repeat the key.
            raise self._misconfigured("the address or the key cannot be put into a request") from None
        except httpx.RequestError as exc:
            # Whether it arrived or not, it may be sent again.
            said = self._clean(str(exc)) or type(exc).__name__
            raise SinkUnavailable(f"InsForge does not answer ({said}).", "It is tried again.") from exc

    def _judged(self, answer: _Answer) -> SinkError | None:
        """Return the error that an answer stands for, None where it was done."""
        # A sign-in page, or some other website's.
        website = answer.content_type.startswith("text/html")
        if 200 <= answer.status < 300 and not website:
            return None
        code, said = _said(answer.body)
        what = f"InsForge answered {answer.status}" + (f": {self._clean(said)}" if said else "")
        if code.startswith(_ROWS_FAULT) or answer.status == 413:
            return SinkRefused(f"{what}.")
        if answer.status in _LATER or answer.status >= 500:
            if answer.status == 429 or answer.retry_after:
                self._be_quiet(_seconds(answer.retry_after), f"{what}.")
            return SinkUnavailable(f"{what}.", "It is tried again.")
        if website or answer.status < 400 or answer.status in _MISCONFIGURED or code.startswith(_SCHEMAS_FAULT):
            return self._misconfigured(what)
        return SinkRefused(f"{what}.")

    def _misconfigured(self, what: str) -> SinkUnavailable:
        message = f"{what[0].upper()}{what[1:]}."
        self._be_quiet(MISCONFIGURED_SECONDS, message)
        return SinkUnavailable(
            message, "Check INSFORGE_URL, INSFORGE_API_KEY and whether insforge/migrations has been applied there."
        )

    def _be_quiet(self, seconds: float, why: str) -> None:
        self._quiet = (time.monotonic() + seconds, why)

    def _clean(self, text: str) -> str:
        return one_line(redact_secrets(text, [self._api_key]), SAID_CHARS).rstrip(".")

    @functools.cached_property
    def _client(self) -> httpx.Client:
        limits = httpx.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout))
        return httpx.Client(timeout=limits, follow_redirects=False)


def _body(response: httpx.Response, deadline: float) -> bytes:
    """Read an answer until its end, the limit or the deadline: its status has been said, whatever becomes of it."""
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > ANSWER_BYTES or time.monotonic() > deadline:
                break
    except httpx.RequestError:
        pass
    return bytes(body[:ANSWER_BYTES])


def _said(body: bytes) -> tuple[str, str]:
    """Return code and message of an error: PostgREST's (`code`), or the gateway's own (`error`)."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(said, dict):
        return "", ""
    return str(said.get("code") or said.get("error") or ""), str(said.get("message") or "")


def _seconds(retry_after: str) -> float:
    """Return how long a `Retry-After` header asks to wait, within bounds."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
        except ValueError:
            return BUSY_SECONDS
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    # Written so that a NaN comes out at the limit, too.
    return max(0.0, seconds) if seconds < LONGEST_QUIET_SECONDS else LONGEST_QUIET_SECONDS
