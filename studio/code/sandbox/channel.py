"""The studio's side of the conversation with a sandbox's server: every length, wait and word of it is bounded.

Whoever answers may be an agent's code: what does not fit ends the sandbox, and nothing else.
"""

from __future__ import annotations

import json
import select
import time
from collections.abc import Callable, Iterable
from typing import Any

from studio.code.sandbox.enclosure import RETRY, START_SECONDS, Enclosure
from studio.code.sandbox.inside.frames import LENGTHS, encode
from studio.errors import SandboxBroken
from studio.text import one_line

MAX_HEADER_BYTES = 65_536
_CHUNK_BYTES = 262_144
_MAX_STATUS_LINE_BYTES = 8192
_MAX_NOTE_CHARS = 300
_MAX_REASON_CHARS = 1500
_LAST_WORDS_SECONDS = 2.0
# What one sandbox may have to say about itself.
_MAX_NOTES = 200


class Channel:
    """Frames to and from the server of one enclosure. Notes from its first process are passed on as they come."""

    def __init__(self, enclosure: Enclosure, note: Callable[[str], None]) -> None:
        self._enclosure = enclosure
        self._note = note
        self._notes = 0
        self._number = 0
        self._read = bytearray()
        self._status = bytearray()
        self._ended_because = ""

    def greeted(self) -> None:
        """Wait for the server's first word. Raise `SandboxBroken` where it does not come."""
        deadline = time.monotonic() + START_SECONDS
        self._expect(self._frame(deadline, 0), 0)

    def ask(
        self, message: dict[str, Any], body: bytes = b"", *, seconds: float, more: Iterable[bytes] = ()
    ) -> tuple[int, float]:
        """Send a request and the frames of `more`; return its number, and when its answer must be complete."""
        self._number += 1
        deadline = time.monotonic() + seconds
        self._write(encode({"id": self._number, **message}, body), deadline)
        for frame in more:
            self._write(frame, deadline)
        return self._number, deadline

    def answer(self, number: int, deadline: float, *, max_body: int) -> tuple[dict[str, Any], bytes]:
        """Return the next frame of the answer to request `number`, of at most `max_body` bytes beside its header."""
        header, body = self._frame(deadline, max_body)
        self._expect((header, body), number)
        return header, body

    def hear(self) -> None:
        """Pass on what the first process has to say by now."""
        while self._heard_more():
            pass

    def broken(self, what: str) -> SandboxBroken:
        """Return the error for a sandbox that did wrong, with the reason that it gave."""
        self.hear()
        reason = f": {self._ended_because}" if self._ended_because else ""
        return SandboxBroken(f"{what}{reason}.", RETRY)

    def _ended(self) -> SandboxBroken:
        """Return the error for a server that has ended: the first process says how, and ends as well."""
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        poll = select.poll()
        poll.register(self._enclosure.status.fileno(), select.POLLIN)
        while not self._ended_because and poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            if not self._heard_more():
                break
        return self.broken("The server in the sandbox ended")

    def _expect(self, frame: tuple[dict[str, Any], bytes], number: int) -> None:
        header, _ = frame
        if isinstance(broken := header.get("broken"), str):
            self._ended_because = one_line(broken, _MAX_REASON_CHARS)
            raise self.broken("The server in the sandbox broke")
        if header.get("id") != number:
            raise self.broken("The server in the sandbox answered something that was not asked")

    def _frame(self, deadline: float, max_body: int) -> tuple[dict[str, Any], bytes]:
        head, size = LENGTHS.unpack(self._exactly(LENGTHS.size, deadline))
        if head > MAX_HEADER_BYTES or size > max_body:
            raise self.broken(f"The server in the sandbox answered with {head + size} bytes, which is too much")
        try:
            header = json.loads(self._exactly(head, deadline))
        except (ValueError, RecursionError) as exc:
            raise self.broken("The server in the sandbox answered with something that is no JSON") from exc
        if not isinstance(header, dict):
            raise self.broken("The server in the sandbox answered with something that is no object")
        return header, self._exactly(size, deadline)

    def _exactly(self, size: int, deadline: float) -> bytes:
        answers = self._enclosure.answers
        while len(self._read) < size:
            self._wait(answers.fileno(), select.POLLIN, deadline)
            # Never far ahead: what it sends stays with it until it is asked for.
            chunk = answers.read(min(_CHUNK_BYTES, max(size - len(self._read), LENGTHS.size)))
            if chunk == b"":
                raise self._ended()
            self._read += chunk or b""
        taken = bytes(self._read[:size])
        del self._read[:size]
        return taken

    def _write(self, data: bytes, deadline: float) -> None:
        left = memoryview(data)
        while left:
            self._wait(self._enclosure.requests.fileno(), select.POLLOUT, deadline)
            try:
                written = self._enclosure.requests.write(left[:_CHUNK_BYTES])
            except BrokenPipeError as exc:
                raise self._ended() from exc
            left = left[written or 0 :]

    def _wait(self, descriptor: int, event: int, deadline: float) -> None:
        """Wait until `descriptor` is ready. A signal to this process interrupts it, as it interrupts everything."""
        status, ended = self._enclosure.status.fileno(), self._enclosure.ended
        poll = select.poll()
        poll.register(descriptor, event)
        poll.register(status, select.POLLIN)
        if ended is not None:
            poll.register(ended, select.POLLIN)
        while True:
            ready = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
            if status in ready:
                self.hear()
                if ready[status] & ~select.POLLIN:
                    # Its other end is closed: from now on it would be ready for ever.
                    poll.unregister(status)
            if descriptor in ready:
                return
            if ended is not None and ended in ready:
                raise self._ended()
            if time.monotonic() >= deadline:
                raise self.broken("The server in the sandbox did not answer in time")

    def _heard_more(self) -> bool:
        """Take in what is there to be read, and say whether there was any; there is none at its end."""
        chunk = self._enclosure.status.read(_CHUNK_BYTES)
        self._status += chunk or b""
        self._lines()
        return bool(chunk)

    def _lines(self) -> None:
        while (end := self._status.find(b"\n")) >= 0:
            line = bytes(self._status[:end])
            del self._status[: end + 1]
            self._heard(line)
        if len(self._status) > _MAX_STATUS_LINE_BYTES:
            self._status.clear()

    def _heard(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict):
            return
        for kind, text in said.items():
            if kind in ("ended", "failed"):
                self._ended_because = one_line(str(text), _MAX_REASON_CHARS)
                self._note(f"The sandbox ended by itself: {self._ended_because}.")
            elif kind == "note" and self._notes < _MAX_NOTES:
                self._notes += 1
                self._note(one_line(str(text), _MAX_NOTE_CHARS))
