"""The answer of a web server, read with a bound on what it may make of little input."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS}


class Unreadable(Exception):
    """The body cannot be decoded; the message says what the server does."""


@dataclass(frozen=True)
class Answer:
    """Status, headers by lower-case name, where it redirects to, and the decoded body."""

    status: int
    headers: Mapping[str, str]
    location: str | None
    body: bytes = b""
    truncated: bool = False


def read_answer(response: httpcore.Response, max_bytes: int, *, redirects: bool) -> Answer:
    """Read an answer, of its body at most `max_bytes` decoded bytes; with `redirects` a redirect has a location only.

    Raise `Unreadable` for an encoding that was not asked for, or one that is damaged.
    """
    headers = httpx.Headers([(name, value) for name, value in response.headers])
    flat = {name.lower(): value for name, value in headers.items()}
    if redirects and response.status in _REDIRECTS and flat.get("location", "").strip():
        return Answer(response.status, flat, flat["location"].strip())
    encoding = flat.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise Unreadable("answers in an encoding that was not asked for")
    body, truncated = _read_body(response, encoding, max_bytes)
    return Answer(response.status, flat, None, body, truncated)


def _read_body(response: httpcore.Response, encoding: str, max_bytes: int) -> tuple[bytes, bool]:
    inflater = None if encoding in ("", "identity") else _Inflater(encoding)
    body = bytearray()
    for chunk in response.iter_stream():
        room = max_bytes + 1 - len(body)
        try:
            body += chunk[:room] if inflater is None else inflater.feed(chunk, room)
        except zlib.error as exc:
            raise Unreadable("sends compressed data that is damaged") from exc
        if len(body) > max_bytes:
            return bytes(body[:max_bytes]), True
    return bytes(body), inflater is not None and inflater.unfinished


class _Inflater:
    """Decompression that never produces more than it is asked for, however small its input is."""

    def __init__(self, encoding: str) -> None:
        self._started = False
        self._window_bits = _WINDOW_BITS.get(encoding)
        self._stream: Any = None if self._window_bits is None else zlib.decompressobj(self._window_bits)

    def feed(self, data: bytes, room: int) -> bytes:
        # What follows the compressed stream is dropped, as browsers do.
        if not data or (self._stream is not None and self._stream.eof):
            return b""
        if self._stream is None:
            # "deflate" means zlib by RFC 9110, but some servers send it bare; a zlib stream starts with
            # method 8 in its low four bits, which as bare deflate would be a block no encoder begins with.
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        self._started = True
        output: bytes = self._stream.decompress(data, room)
        return output

    @property
    def unfinished(self) -> bool:
        return self._started and not self._stream.eof
