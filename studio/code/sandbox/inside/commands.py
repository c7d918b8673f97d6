"""Running one command of the studio's, such as a build, and ending what a command has left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from . import processes

# The beginning says what ran, the end how it went.
HEAD_BYTES = 16_384
TAIL_BYTES = 98_304
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126
# What a command has written before it ended is in the pipe already; what it has started may hold the pipe for ever.
_LAST_WORDS_SECONDS = 0.5
_LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `exit_code` is None where it was ended for its time, negative for a signal."""

    exit_code: int | None
    output: bytes
    seconds: float
    timed_out: bool


class _Output:
    """The first and the last of what a command writes."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, chunk: bytes) -> None:
        room = HEAD_BYTES - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room < len(chunk) else b""
        if (more := len(self._tail) - TAIL_BYTES) > 0:
            del self._tail[:more]
            self._left_out += more

    def value(self) -> bytes:
        left_out = f"\n[{self._left_out} bytes left out]\n".encode("ascii") if self._left_out else b""
        return bytes(self._head) + left_out + bytes(self._tail)


async def run(argv: Sequence[str], folder: str, seconds: float, *, isolated: bool) -> Outcome:
    """Run a command in `folder` with the server's own environment, for `seconds` at the most.

    Its time over, everything that runs in the sandbox is ended with it: what it has started may have left it.
    """
    begun = time.monotonic()
    try:
        # Not asyncio's own: it takes a command for running as long as anybody holds its output.
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - it starts at once, and is what was asked for
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError:
        return Outcome(_NOT_FOUND, f"{argv[0]}: not found\n".encode(errors="replace"), 0.0, False)
    except (OSError, ValueError) as exc:
        return Outcome(_NOT_EXECUTABLE, f"{argv[0]}: {exc}\n".encode(errors="replace"), 0.0, False)
    output = _Output()
    reading = asyncio.create_task(_read(process.stdout, output))
    timed_out = False
    try:
        async with asyncio.timeout(seconds):
            await _ended(process)
    except TimeoutError:
        timed_out = True
        end_all_others(isolated=isolated)
        await _ended(process)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.wait([reading], timeout=_LAST_WORDS_SECONDS)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    if not timed_out and process.returncode is not None and process.returncode < 0:
        # Otherwise nobody learns of it: a program that is ended, for its memory or its files, says nothing itself.
        output.add(f"\n[ended by {signal.Signals(-process.returncode).name}]\n".encode("ascii"))
    return Outcome(None if timed_out else process.returncode, output.value(), time.monotonic() - begun, timed_out)


async def _ended(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:  # noqa: ASYNC110 - an event would need a thread, which may be one too many
        await asyncio.sleep(_LOOK_SECONDS)


async def _read(stream: IO[bytes] | None, output: _Output) -> None:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), stream
    )
    try:
        while chunk := await reader.read(65_536):
            output.add(chunk)
    finally:
        transport.close()


def end_all_others(*, isolated: bool) -> None:
    """End everything in the sandbox but this process and the first one."""
    if isolated and os.getppid() == 1:
        # To all that this process can see, at one moment: nothing that forks can slip through. Only ever in a
        # namespace of processes, where the first one is this one's parent.
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        return
    processes.end_descendants(os.getppid(), spared=os.getpid())
