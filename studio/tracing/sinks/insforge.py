"""InsForge as a place for traces: its records API, which is PostgREST behind a gateway of its own.

What is known of it from its own code: an array of records is inserted as a whole or not at all; with `on_conflict` and
`resolution=ignore-duplicates` a record that is there already stays as it is, so that a request may be repeated, but an
open row would stay for ever: it is given ended rows only. All records need the same keys; from each, keys whose value
is an empty string are removed where the column is no text, so that none must be one. The gateway itself repeats no
POST that may have arrived, gives a request ten seconds, and allows a thousand requests in fifteen minutes.

Whose fault an answer is decides what follows. Where a row's (SQLSTATE 22, 23, 54; PGRST1xx; 413), it is `SinkRefused`.
Where it is that of the configuration (redirects, 401 and 403, 404, an unknown column), all rows would be refused alike,
and may be taken once somebody has mended it: that is `SinkUnavailable`, without another request for a minute.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from studio.secrets import redact_secrets
from studio.text import one_line
from studio.tracing.encoding import Row, as_uniform_array
from studio.tracing.errors import SinkError, SinkRefused, SinkUnavailable
from studio.tracing.rows import Batch

RECORDS_AT_ONCE = 500
# The gateway gives up after ten.
TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
# A wrong key may be mended any minute; asking more often finds out no sooner.
MISCONFIGURED_SECONDS = 60.0
# Where it does not say how long it wants to be left alone, and the longest that it is left alone: its window.
BUSY_SECONDS = 30.0
LONGEST_QUIET_SECONDS = 900.0
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


class InsForgeSink:
    """Keeps a copy of the traces in the tables of `insforge/migrations` at the project behind `url`."""

    name = "insforge"
    takes_open_rows = False

    def __init__(self, url: str, api_key: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Make one; nothing is sent before the first write. `timeout` is for one request, in seconds."""
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout = timeout
        # Until when no request is made, by the monotonic clock, and why.
        self._quiet: tuple[float, str] = (0.0, "")

    def write(self, batch: Batch) -> None:
        """Store the spans, then the traces; raise `SinkUnavailable` or `SinkRefused` as `Sink.write` does."""
        self._store("pipeline_spans", "span_id", batch.spans)
        self._store("pipeline_traces", "trace_id", batch.traces)

    def close(self) -> None:
        """Close the connection, where there is one; another write opens it again."""
        client: httpx.Client | None = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()

    def _store(self, table: str, key: str, rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), RECORDS_AT_ONCE):
            self._post(table, key, rows[start : start + RECORDS_AT_ONCE])

    def _post(self, table: str, key: str, rows: Sequence[Row]) -> None:
        until, why = self._quiet
        if time.monotonic() < until:
            raise SinkUnavailable(why, f"It is asked again in {until - time.monotonic():.0f} s.")
        try:
            content = as_uniform_array(rows).encode()
        except UnicodeEncodeError:
            raise SinkRefused("A row holds text that is no UTF-8.") from None
        error = self._judged(self._send(table, key, content))
        if error is not None:
            raise error

    def _send(self, table: str, key: str, content: bytes) -> _Answer:
        deadline = time.monotonic() + self._timeout
        request: dict[str, Any] = {
            "params": {"on_conflict": key},
            "headers": {
                "Authorization": f"Bearer {self._api_key}",
                "Content-Type": "application/json",
                "Prefer": "resolution=ignore-duplicates,return=minimal",
                "User-Agent": "Greenlight/1.0",
            },
            "content": content,
        }
        url = f"{self._url}/api/database/records/{table}"
        try:
            with self._client.stream("POST", url, **request) as response:
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
        """Return the error that an answer stands for, None where the rows are stored."""
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
