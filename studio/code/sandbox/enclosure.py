"""The processes of one sandbox from outside: started, spoken to through pipes, and ended without remains.

Two ends keep it: a control pipe, which the first process inside watches and the kernel closes with this process,
however that ends; and a handle on that first process, whose end is the end of everything in its namespace. A signal at
the parent's death would be neither: it belongs to the thread that forked, and is lost when a process changes its user.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import time
from contextlib import ExitStack
from io import FileIO
from pathlib import Path

from studio.code.sandbox.limits import Limits
from studio.code.sandbox.starting import Pipes, Starting
from studio.errors import SandboxBroken
from studio.text import one_line

log = logging.getLogger(__name__)

# A busy machine may take its time; one that hangs must not be waited for.
START_SECONDS = 30.0
_END_SECONDS = 10.0
_LAST_WORDS_SECONDS = 1.0
_MAX_TOLD_BYTES = 4096
_MAX_WORDS_CHARS = 500
RETRY = "Try again; `greenlight doctor` says what runs generated code here."


class Enclosure:
    """The running processes. `requests` is written to, `answers` and `status` are read; none of them blocks."""

    def __init__(self, starting: Starting, limits: Limits, egress: Path | None, *, confined: bool) -> None:
        """Start them. `confined` says that their first process heads a namespace. Raise `SandboxBroken`."""
        self._confined = confined
        self._process: subprocess.Popen[bytes] | None = None
        self._first: int | None = None
        with ExitStack() as theirs, ExitStack() as ours:
            request_reader, self.requests = _pipe_to_them(theirs, ours)
            control_reader, self._control = _pipe_to_them(theirs, ours)
            self.answers, answer_writer = _pipe_to_us(theirs, ours)
            self.status, status_writer = _pipe_to_us(theirs, ours)
            self._errors, error_writer = _pipe_to_us(theirs, ours)
            info, info_writer = _pipe_to_us(theirs, ours)
            command = starting(limits, egress, Pipes(control_reader, status_writer, info_writer), theirs)
            self._closing = ours.pop_all()
            try:
                self._process = subprocess.Popen(  # noqa: S603 - an argument list of ours
                    command.argv,
                    stdin=request_reader,
                    stdout=answer_writer,
                    stderr=error_writer,
                    pass_fds=command.inherited,
                    env={},
                    cwd="/",
                    # What a terminal sends to this process is this process's to deal with.
                    start_new_session=True,
                )
                # Only so does the end of theirs show in ours.
                theirs.close()
                if confined:
                    self._first = self._open_first(info)
            except OSError as exc:
                self.close()
                raise SandboxBroken(f"The sandbox's program cannot be started: {exc}", RETRY) from exc
            except BaseException:
                self.close()
                raise

    def _open_first(self, info: FileIO) -> int:
        """Return a handle on the first process inside, which is alive or not yet collected while its parent is."""
        told = b""
        deadline = time.monotonic() + START_SECONDS
        while b"}" not in told and len(told) < _MAX_TOLD_BYTES:
            if not _readable(info.fileno(), deadline):
                raise SandboxBroken(f"The sandbox did not start within {START_SECONDS:g} s.", RETRY)
            chunk = info.read(_MAX_TOLD_BYTES)
            if not chunk:
                raise SandboxBroken(f"The sandbox could not be made: {self.last_words()}.", RETRY)
            told += chunk
        try:
            return os.pidfd_open(json.loads(told)["child-pid"])
        except (OSError, ValueError, KeyError) as exc:
            raise SandboxBroken(f"The sandbox ended at its start: {self.last_words()}.", RETRY) from exc

    @property
    def ended(self) -> int | None:
        """A descriptor that becomes readable when the first process inside has ended, if there is one to have."""
        return self._first

    def last_words(self) -> str:
        """Return what the set-up has said, on one line; it says nothing once the server runs."""
        said = b""
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        while len(said) < _MAX_TOLD_BYTES and _readable(self._errors.fileno(), deadline):
            chunk = self._errors.read(_MAX_TOLD_BYTES)
            if not chunk:
                break
            said += chunk
        text = one_line(said.decode("utf-8", "replace"), _MAX_WORDS_CHARS)
        return text.rstrip(".") or "its programs ended without a word"

    def close(self) -> None:
        """End everything, and return when it is gone. It may be called twice."""
        # Whatever interrupts the rest, this alone ends it.
        self._control.close()
        try:
            if self._first is not None:
                # The first process is gone when all others are.
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._first, signal.SIGKILL)
                if not _readable(self._first, time.monotonic() + _END_SECONDS):
                    log.error("a sandbox was killed, and something of it has not ended after %g s", _END_SECONDS)
            if self._process is not None:
                self._collect(self._process)
        finally:
            if self._first is not None:
                os.close(self._first)
                self._first = None
            self._process = None
            self._closing.close()

    def _collect(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _pipe_to_them(theirs: ExitStack, ours: ExitStack) -> tuple[int, FileIO]:
    reader, writer = os.pipe()
    theirs.callback(os.close, reader)
    os.set_blocking(writer, False)
    return reader, ours.enter_context(FileIO(writer, "wb"))


def _pipe_to_us(theirs: ExitStack, ours: ExitStack) -> tuple[FileIO, int]:
    reader, writer = os.pipe()
    theirs.callback(os.close, writer)
    os.set_blocking(reader, False)
    return ours.enter_context(FileIO(reader, "rb")), writer


def _readable(descriptor: int, deadline: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
