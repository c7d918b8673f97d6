"""What a client asks its proxy for, and what a server's head becomes on its way back.

Strict where parsers could disagree: whatever is not plainly one request to one place is refused, so that no byte
after it can be taken for a second request to another.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import urllib.parse
from typing import NamedTuple

# Chromium's own bound on an answer's head is four times this; no request of it comes near.
MAX_HEAD_BYTES = 64 * 1024
END_OF_HEAD = b"\r\n\r\n"

# Between a proxy and its two neighbours, not for the next one (RFC 9110 §7.6.1).
_HOP_BY_HOP = frozenset(
    {"connection", "proxy-connection", "keep-alive", "te", "upgrade", "proxy-authorization", "proxy-authenticate"}
)
_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.[01]")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*)")
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\x00\r\n]*)?")
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/@?#\s]+)):([0-9]{1,5})")
_LENGTH = re.compile(r"[0-9]{1,15}")

Fields = list[tuple[str, str]]


class Garbage(Exception):
    """The bytes are no request that is passed on; `status` is the answer to it."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


class Asked(NamedTuple):
    """A request to a proxy: `tunnel` for CONNECT, else `head` is what the server itself is to read.

    `body` is how many bytes of a body follow the head.
    """

    host: str
    port: int
    tunnel: bool
    head: bytes
    body: int


def asked(raw: bytes, credentials: tuple[str, str] | None) -> Asked:
    """Take apart a request's head, up to and without its empty line; raise `Garbage` for what is none."""
    line, fields = _parsed(raw)
    request = _LINE.fullmatch(line)
    if request is None:
        raise Garbage("This is no HTTP request.")
    if credentials is not None and not _known(fields, credentials):
        raise Garbage("This proxy is not for everybody.", 407)
    method, target = request.groups()
    if method == "CONNECT":
        host, port = _authority(target)
        return Asked(host, port, tunnel=True, head=b"", body=0)
    return _absolute(method, target, fields)


def passed_back(raw: bytes) -> tuple[int, bytes]:
    """Return the status of an answer's head, and the head as the client gets it: the connection ends after it."""
    line, fields = _parsed(raw)
    status = _STATUS.fullmatch(line)
    if status is None:
        raise Garbage("The server did not answer in HTTP.", 502)
    code = int(status.group(1))
    return code, _written(line, [*_for_the_next(fields), ("Connection", "close")] if code >= 200 else fields)


def _absolute(method: str, target: str, fields: Fields) -> Asked:
    try:
        parts = urllib.parse.urlsplit(target)
        port = parts.port
    except ValueError as exc:
        raise Garbage("This is no address.") from exc
    if parts.scheme != "http" or not parts.hostname or "@" in parts.netloc:
        raise Garbage("Only http:// addresses and CONNECT pass through here.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port in (None, 80) else f"{host}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [field for field in _for_the_next(fields) if field[0].lower() != "host"]
    # The one request of its connection: the name is the checked one, whatever the client's own field says.
    head = _written(f"{method} {path} HTTP/1.1", [("Host", authority), *kept, ("Connection", "close")])
    return Asked(parts.hostname, 80 if port is None else port, tunnel=False, head=head, body=_body(fields))


def _body(fields: Fields) -> int:
    if any(name.lower() == "transfer-encoding" for name, _ in fields):
        raise Garbage("A body needs its length said in advance.", 411)
    lengths = {value.strip() for name, value in fields if name.lower() == "content-length"}
    if not lengths:
        return 0
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise Garbage("The body's length is not clear.")
    return int(length)


def _authority(text: str) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(text)
    if found is None or not 0 < int(found.group(3)) < 65536:
        raise Garbage("CONNECT wants a host and a port.")
    return found.group(1) or found.group(2), int(found.group(3))


def _parsed(raw: bytes) -> tuple[str, Fields]:
    # Headers carry bytes; Latin-1 gives each of them back as it was.
    line, *rest = raw.decode("latin-1").split("\r\n")
    fields: Fields = []
    for text in rest:
        field = _FIELD.fullmatch(text)
        if field is None:
            raise Garbage("A header field cannot be read.")
        fields.append((field.group(1), field.group(2)))
    return line, fields


def _for_the_next(fields: Fields) -> Fields:
    named = {
        token.strip().lower() for name, value in fields if name.lower() == "connection" for token in value.split(",")
    }
    # A client could otherwise have its body's length removed, and the body read as another request.
    dropped = _HOP_BY_HOP | (named - {"content-length", "transfer-encoding", "host"})
    return [field for field in fields if field[0].lower() not in dropped]


def _written(line: str, fields: Fields) -> bytes:
    text = "\r\n".join([line, *(f"{name}: {value}" for name, value in fields)])
    return text.encode("latin-1") + END_OF_HEAD


def _known(fields: Fields, credentials: tuple[str, str]) -> bool:
    given = [value for name, value in fields if name.lower() == "proxy-authorization"]
    if len(given) != 1:
        return False
    scheme, _, encoded = given[0].strip().partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(decoded, ":".join(credentials).encode())
