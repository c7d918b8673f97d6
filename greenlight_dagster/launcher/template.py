"""The template process: loads a code location once, and then only forks.

It stays single-threaded and holds no connection: both would be broken in a child. Its memory is shared with the
workers until one of them writes to it, so whatever can be loaded or computed ahead is done here.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import psutil

from greenlight_dagster.launcher import huge_pages
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.messages import Channel, Message
from greenlight_dagster.launcher.sessions import end_group

if TYPE_CHECKING:
    from dagster import DagsterInstance

log = logging.getLogger("greenlight.launcher.template")

# Looking at its own memory costs a template a millisecond, and it grows slowly.
MEMORY_EVERY = 16


@dataclass(frozen=True)
class Loaded:
    """What the workers inherit."""

    instance: DagsterInstance
    config: LauncherConfig
    template: int


def main() -> None:
    """Load and fork, as the server says on the socket whose descriptor is the first argument."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    number, config = int(sys.argv[2]), LauncherConfig.from_json(sys.argv[3])
    handler = logging.StreamHandler()
    # What a run logs names its trace, once it has one.
    line = "%(asctime)s %(name)s %(levelname)s %(message)s%(trace)s"
    handler.setFormatter(logging.Formatter(line, defaults={"trace": ""}))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # Ctrl-C in a terminal is for the commands, not for what they share.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = channel.receive()
    if order is None:
        return
    began = time.monotonic()
    # What is loaded stays: to look for garbage in it takes a fifth of the time.
    gc.disable()
    try:
        loaded = _load(order, config, number)
    except BaseException as exc:  # noqa: BLE001 - a process's boundary: whatever user code raises at import
        channel.send({"error": "".join(traceback.format_exception(exc)).strip()})
        return
    _warn_of_threads()
    channel.send({"loaded": True, "memory": _memory(), "seconds": time.monotonic() - began})
    try:
        _Forker(channel, loaded).serve()
    finally:
        # The last children may end while the interpreter does.
        signal.set_wakeup_fd(-1)


def _load(order: Message, config: LauncherConfig, number: int) -> Loaded:
    # What Dagster and its libraries say of themselves would be said by each worker, into one log.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Only now: the server waits for nothing but a process that listens.
    from greenlight_dagster.launcher import loading

    warnings.filterwarnings("ignore", category=loading.BetaWarning)
    instance = loading.load(order)
    return Loaded(instance, config, number)


def _warn_of_threads() -> None:
    count = psutil.Process().num_threads()
    if count > 1:
        log.warning("loading the code has started %d threads: they will be missing in the workers", count - 1)


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)


class _Forker:
    """Forks on request and reports the ends of its children."""

    def __init__(self, channel: Channel, loaded: Loaded) -> None:
        self._channel = channel
        self._loaded = loaded
        self._children: set[int] = set()
        self._retired = False
        self._ended = 0
        # A signal writes a byte, so that one wait covers orders and ended children.
        self._wakeup_read, self._wakeup_write = socket.socketpair()
        for end in (self._wakeup_read, self._wakeup_write):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel.socket, selectors.EVENT_READ)
        self._selector.register(self._wakeup_read, selectors.EVENT_READ)

    def serve(self) -> None:
        """Work until the server is gone, or until the last child has ended after `retire`."""
        signal.set_wakeup_fd(self._wakeup_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # The rehearsal has left it ignored, as SIGINT is.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Nothing that is alive now will ever be garbage; scanning it would copy it in every child.
        gc.collect()
        gc.freeze()
        gc.enable()
        log.info("put %.0f MB into huge pages", huge_pages.collapse() / 1e6)
        while not (self._retired and not self._children):
            ready = {key.fileobj for key, _ in self._selector.select()}
            if self._wakeup_read in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup_read.recv(4096)
                self._reap()
            if self._channel.socket in ready and not self._obey():
                return

    def _obey(self) -> bool:
        """Carry out what the server has said; return whether it is still there."""
        while True:
            order = self._channel.receive()
            if order is None:
                return False
            for _ in range(int(order.get("fork", 0))):
                self._fork()
            self._retired |= bool(order.get("retire"))
            if not self._channel.has_message:
                return True

    def _fork(self) -> None:
        try:
            pid = os.fork()
        except OSError as exc:
            # No memory or no process left, just now.
            self._channel.send({"unforked": str(exc)})
            return
        if pid == 0:
            self._become_worker()
        self._children.add(pid)
        # Before anything that the worker itself may say.
        self._channel.send({"forked": pid})

    def _become_worker(self) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            self._channel.close()
            self._wakeup_read.close()
            self._wakeup_write.close()
            from greenlight_dagster.launcher import worker

            worker.work(self._loaded.instance, self._loaded.config, self._loaded.template)
            code = 0
        except BaseException:
            log.exception("worker %d broke", os.getpid())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            # Not the template's own way out: its exit handlers belong to it.
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._children.discard(pid)
            end_group(pid)
            self._ended += 1
            memory = _memory() if self._ended % MEMORY_EVERY == 1 else 0
            self._channel.send({"exited": pid, "status": _ending(status), "memory": memory})


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


if __name__ == "__main__":
    main()
