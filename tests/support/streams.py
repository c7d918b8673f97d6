"""A browser's end of an event stream: a socket, HTTP as far as a stream needs it, and the parser of the standard."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx

# No test comes near it while things go well.
LONG_SECONDS = 30.0


class Frame(NamedTuple):
    """An event as a browser dispatches it: its name, its data, and the last id that has been seen."""

    event: str
    data: Any
    id: str


class Parser:
    """Turns the bytes of a stream into frames (WHATWG HTML §9.2.6), however they were cut."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retries: list[int] = []
        self.comments: list[str] = []
        self._rest = b""
        self._event, self._data, self._id = "", [], None  # type: str, list[str], str | None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take more bytes; yield the frames that they complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            frame = self._line(line.decode("utf-8", errors="strict"))
            if frame is not None:
                yield frame

    def _line(self, line: str) -> Frame | None:
        if not line:
            if self._id is not None:
                self.last_id = self._id
            event, data, self._event, self._data, self._id = self._event, self._data, "", [], None
            return Frame(event or "message", json.loads("\n".join(data)), self.last_id) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments.append(value)
        elif name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        elif name == "retry":
            self.retries.append(int(value))
        else:
            raise AssertionError(f"a stream has no field {name!r}")
        return None


@dataclass
class Answer:
    """The head of an answer."""

    status: int
    headers: Mapping[str, str]


class Stream:
    """One connection. A context manager; what it has read stays in `parser`, and `ended` says that it ended whole."""

    def __init__(
        self,
        client: httpx.Client,
        path: str,
        *,
        last_id: str | None = None,
        version: str = "1.1",
        receive_bytes: int | None = None,
        **query: Any,
    ) -> None:
        address = urlsplit(str(client.base_url))
        self.parser = Parser()
        self.ended = False
        self._sock = socket.socket()
        if receive_bytes is not None:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._sock.settimeout(LONG_SECONDS)
        self._sock.connect(("127.0.0.1", address.port))
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        since = f"Last-Event-ID: {last_id}\r\n" if last_id is not None else ""
        target = path + (f"?{urlencode(query)}" if query else "")
        self._sock.sendall(
            f"GET {target} HTTP/{version}\r\nHost: {address.netloc}\r\nCookie: {cookie}\r\n{since}\r\n".encode()
        )
        self._raw = b""
        self._frames: list[Frame] = []
        self.answer = self._head()
        self._chunked = self.answer.headers.get("transfer-encoding") == "chunked"

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Go away."""
        self._sock.close()

    def reset(self) -> None:
        """Go away without a word, as a telephone does that loses its net."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._sock.close()

    def body(self) -> bytes:
        """Return the next bytes of the body; nothing at its end."""
        while not self.ended:
            part = self._chunk() if self._chunked else self._plain()
            if part:
                return part
        return b""

    def frame(self) -> Frame:
        """Return the next frame."""
        while not self._frames:
            data = self.body()
            assert data, "the stream has ended"
            self._frames.extend(self.parser.feed(data))
        return self._frames.pop(0)

    def events(self, count: int) -> list[dict[str, Any]]:
        """Return the data of the next `count` events of jobs; what else comes is passed over."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            frame = self.frame()
            if frame.event == "message":
                found.append(frame.data)
        return found

    def seqs(self, count: int) -> list[int]:
        """Return the seqs of the next `count` events."""
        return [event["seq"] for event in self.events(count)]

    def rest(self) -> list[Frame]:
        """Return what comes until the stream ends."""
        while data := self.body():
            self._frames.extend(self.parser.feed(data))
        found, self._frames = self._frames, []
        return found

    # --- HTTP

    def _head(self) -> Answer:
        while b"\r\n\r\n" not in self._raw:
            self._more()
        head, _, self._raw = self._raw.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        return Answer(int(status.split()[1]), {name.lower(): value for name, _, value in pairs})

    def _more(self) -> None:
        data = self._sock.recv(65_536)
        if not data:
            raise ConnectionError("the connection was closed in the middle of a stream")
        self._raw += data

    def _plain(self) -> bytes:
        if not self._raw:
            with contextlib.suppress(ConnectionError):
                self._more()
        self.ended = not self._raw
        part, self._raw = self._raw, b""
        return part

    def _chunk(self) -> bytes:
        while b"\r\n" not in self._raw:
            self._more()
        size = int(self._raw.partition(b"\r\n")[0], 16)
        start = self._raw.index(b"\r\n") + 2
        while len(self._raw) < start + size + 2:
            self._more()
        part, self._raw = self._raw[start : start + size], self._raw[start + size + 2 :]
        self.ended = size == 0
        return part
