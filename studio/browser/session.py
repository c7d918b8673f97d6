"""A browser for a few pages: in a process of its own, behind the guard, for a limited time, and gone afterwards.

The worker is interrupted in the middle of whatever it does, and may be killed. Playwright bears neither, so it runs in
a child with the browser (see `studio.browser.child`), which the worker tells what to do over a socket; between them
stands a guard that ends the whole tree when the worker lets go (see `studio.browser.guard`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Any

from studio.browser import chromium
from studio.browser.child import ALONE
from studio.browser.folder import session_folder
from studio.browser.guard import Order
from studio.browser.pages import Pages
from studio.browser.wire import Message, Wire, WireBroken
from studio.egress import Egress, EgressRequest
from studio.egress.connection import Resolve
from studio.errors import BrowserUnavailable
from studio.paths import ROOT
from studio.pinned_network import Endpoint
from studio.settings import Settings
from studio.text import clip, storable

log = logging.getLogger(__name__)

Work = Callable[[Pages, dict[str, Any]], dict[str, Any]]

# Everything that a page and what it shows may weigh: ten times a heavy one.
MAX_BYTES = 30 * 1024 * 1024
# Chromium takes 600 MB for itself and an ordinary page.
MEMORY_BYTES = 2 * 1024**3
_START_SECONDS = 60.0
# A killed tree is gone in milliseconds; one in a namespace whose disk hangs, never.
_END_SECONDS = 10.0
_SHOWN_LENGTH = 1_500
# What Python, Playwright's driver and the fonts need to be found. Nothing of the worker's keys.
PASSED_ON = (
    "PATH",
    "LANG",
    "TMPDIR",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "LD_LIBRARY_PATH",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "PLAYWRIGHT_NODEJS_PATH",
)
_TRY_AGAIN = "Try again; if it stays so, start Chromium by hand on this machine and see what it says."


@dataclass(frozen=True)
class Done:
    """What a piece of work has brought back: its result, and the files it attached."""

    result: dict[str, Any]
    files: dict[str, bytes]


@dataclass(frozen=True)
class BrowserFacts:
    """What was started: `alone` in namespaces of its own or not, `sandboxed` by Chromium itself or not."""

    version: str
    alone: bool
    sandboxed: bool
    user: int


class BrowserSession:
    """A running browser; made by `browser_session`."""

    def __init__(self, wire: Wire, egress: Egress, facts: BrowserFacts, said: Callable[[], str]) -> None:
        self.facts = facts
        self.kept: dict[str, Any] = {}
        self._wire = wire
        self._egress = egress
        self._said = said

    def requests(self) -> tuple[EgressRequest, ...]:
        """Return what was asked of the network so far, refused and failed requests with the reason."""
        return self._egress.requests()

    def silent_for(self, host: str, port: int, at: float, *, altogether: bool) -> float | None:
        """Return for how many seconds a host has owed an answer (see `Egress.silent_for`)."""
        return self._egress.silent_for(host, port, at, altogether=altogether)

    def without(self, endpoints: Iterable[Endpoint], why: str) -> AbstractContextManager[None]:
        """Refuse new connections to these hosts and ports for a while, and say `why`."""
        return self._egress.without(endpoints, why)

    def run(self, work: Work, task: Mapping[str, Any], *, files: Mapping[str, bytes] | None = None) -> Done:
        """Have `work`, a function of a module, do `task` (JSON) in the browser's process, and return what it brought.

        What it has told with `Pages.keep` is in `kept` at once. Raise `BrowserUnavailable` where the browser breaks or
        its time is over, and `RuntimeError` with its trace where the work itself does.
        """
        name = f"{work.__module__}:{work.__qualname__}"
        try:
            self._wire.send({"work": name, "task": dict(task)}, files)
            while True:
                message = self._wire.receive()
                if message.body["kind"] != "kept":
                    break
                self.kept[message.body["name"]] = message.body["value"]
        except TimeoutError as exc:
            raise BrowserUnavailable("The browser's time was over before its work was done.", _TRY_AGAIN) from exc
        except WireBroken as exc:
            raise BrowserUnavailable(f"The browser ended in the middle. {self._said()}".strip(), _TRY_AGAIN) from exc
        return _done(message)


@contextlib.contextmanager
def browser_session(
    settings: Settings,
    *,
    resolve: Resolve,
    seconds: float | None = None,
    max_bytes: int = MAX_BYTES,
    memory_bytes: int = MEMORY_BYTES,
    namespaces: bool = True,
) -> Iterator[BrowserSession]:
    """A browser whose every request goes where `resolve` leads, for `seconds` (the setting's where None).

    It may load `max_bytes` in all and hold `memory_bytes`; with `namespaces` it is alone in its own where this machine
    allows that. Nothing of it is left at the end, however the end comes. Raise `BrowserUnavailable` where none starts.
    """
    executable = chromium.find(settings)
    deadline = time.monotonic() + (settings.browser_seconds if seconds is None else seconds)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(session_folder())
        errors = stack.enter_context(tempfile.TemporaryFile())
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        with theirs:
            order = Order(theirs.fileno(), str(executable), str(folder), memory_bytes, namespaces)
            stack.enter_context(_guarded(order, errors))
        wire = Wire(ours)
        wire.deadline = min(deadline, time.monotonic() + _START_SECONDS)
        try:
            egress, facts = _started(stack, wire, resolve, max_bytes)
        except TimeoutError as exc:
            raise BrowserUnavailable(f"Chromium did not start in time. {_tail(errors)}".strip(), _TRY_AGAIN) from exc
        except (WireBroken, OSError) as exc:
            raise BrowserUnavailable(f"Chromium could not be started. {_tail(errors)}".strip(), _TRY_AGAIN) from exc
        if not facts.sandboxed:
            log.warning("Chromium %s runs without its own sandbox on this machine", facts.version)
        wire.deadline = deadline
        yield BrowserSession(wire, egress, facts, lambda: _tail(errors))


def _started(stack: contextlib.ExitStack, wire: Wire, resolve: Resolve, max_bytes: int) -> tuple[Egress, BrowserFacts]:
    listener, alone = _ear(wire)
    stack.callback(listener.close)
    # In a network of its own nobody else can reach the proxy, and Chromium measures better without being asked.
    credentials = None if alone else ("greenlight", secrets.token_urlsafe(24))
    egress = stack.enter_context(Egress(resolve, listener=listener, max_bytes=max_bytes, credentials=credentials))
    wire.send({"proxy": egress.url, "credentials": credentials})
    ready = _done(wire.receive()).result
    return egress, BrowserFacts(**ready)


def _ear(wire: Wire) -> tuple[socket.socket, bool]:
    """Return the socket at which the proxy is to listen, and whether the browser is alone in that network."""
    left = (wire.deadline or 0) - time.monotonic()
    wire.socket.settimeout(max(left, 0.001))
    said, descriptors, _, _ = socket.recv_fds(wire.socket, 1, 1)
    if not descriptors:
        raise WireBroken("the browser's process has ended")
    return socket.socket(fileno=descriptors[0]), said == ALONE


def _done(message: Message) -> Done:
    body = message.body
    if body["kind"] == "done":
        return Done(body["result"], message.files)
    if body["kind"] == "broken":
        raise BrowserUnavailable(f"The browser gave up: {body['why']}", _TRY_AGAIN)
    raise RuntimeError(f"work in the browser broke: {body['why']}")


@contextlib.contextmanager
def _guarded(order: Order, errors: IO[bytes]) -> Iterator[None]:
    """The guard and its tree; all of it is gone at the end."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "studio.browser.guard", order.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=[order.control],
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
        cwd=ROOT,
        # Not a session of its own: the launcher ends all of a worker's session after it, which is a second net.
        process_group=0,
    )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    try:
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("the guard of a browser did not end by itself")
            process.kill()
            process.wait()


def _tail(errors: IO[bytes]) -> str:
    """The last of what the browser's process has complained about."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - _SHOWN_LENGTH))
    return clip(storable(errors.read().decode(errors="replace")).strip(), _SHOWN_LENGTH)
