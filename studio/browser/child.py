"""Inside the browser's process: start Chromium behind the worker's proxy, and do the work that is asked for.

The worker is the only one who is listened to. It sends the name of a function of ours with its task; the function gets
`Pages`, and what it returns goes back. This process has neither the worker's environment nor its connections.
"""

from __future__ import annotations

import importlib
import os
import queue
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.browser import account
from studio.browser.arguments import ARGUMENTS, NOT_PLAYWRIGHTS
from studio.browser.pages import Pages
from studio.browser.wire import Message, Wire, WireBroken
from studio.errors import StudioError
from studio.text import clip

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

# Said with the proxy's ear.
ALONE = b"1"
NOT_ALONE = b"0"
_WAITING_CONNECTIONS = 128
_SHOWN_LENGTH = 2_000
# Chromium starts in a second, and in ten on a machine that does much else.
_LAUNCH_SECONDS = 60.0


def serve(sock: socket.socket, executable: str, folder: str, *, alone: bool) -> None:
    """Speak with the worker on `sock` until it hangs up."""
    # The proxy's ear is in this process's network, the proxy itself in the worker's: a socket stays where it was made.
    with socket.create_server(("127.0.0.1", 0), backlog=_WAITING_CONNECTIONS) as listener:
        socket.send_fds(sock, [ALONE if alone else NOT_ALONE], [listener.fileno()])
    start = account.prepare(Path(executable), Path(folder), own_mounts=alone)
    temporary = Path(folder, "driver")
    temporary.mkdir()
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    wire = Wire(sock)
    messages: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_listen, args=(wire, messages), name="worker", daemon=True).start()
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        order = messages.get().body
        try:
            browser = _launched(playwright, start, order["proxy"], order["credentials"])
        except Error as exc:
            wire.send({"kind": "broken", "why": _complaint(exc.message)})
            return
        facts = {"version": browser.version, "sandboxed": start.sandboxed, "user": start.user, "alone": alone}
        wire.send({"kind": "done", "result": facts})
        while True:
            wire.send(*_answer(browser, wire, messages.get()))


def _listen(wire: Wire, messages: queue.Queue[Message]) -> None:
    """Take what the worker says; its end is the end of this process, whatever that is doing."""
    try:
        while True:
            messages.put(wire.receive())
    except WireBroken:
        os._exit(0)


def _launched(playwright: Playwright, start: account.Start, proxy: str, credentials: list[str] | None) -> Browser:
    from playwright.sync_api import ProxySettings

    settings = ProxySettings(server=proxy, bypass="<-loopback>")
    if credentials is not None:
        settings["username"], settings["password"] = credentials
    return playwright.chromium.launch(
        executable_path=start.program,
        args=list(ARGUMENTS),
        ignore_default_args=list(NOT_PLAYWRIGHTS),
        chromium_sandbox=start.sandboxed,
        env=dict(start.environment),
        proxy=settings,
        timeout=_LAUNCH_SECONDS * 1000,
        handle_sigint=False,
        handle_sigterm=False,
        handle_sighup=False,
    )


def _complaint(message: str) -> str:
    """What Chromium itself has said, where it has; Playwright puts a page of arguments before it."""
    lines = [line.partition("[err]")[2].strip() for line in message.splitlines() if "[err]" in line]
    return clip("; ".join(lines) or message.split("\n", 1)[0], _SHOWN_LENGTH)


def _answer(browser: Browser, wire: Wire, message: Message) -> tuple[dict[str, Any], dict[str, bytes]]:
    from playwright.sync_api import Error

    pages = Pages(browser, message.files, lambda name, value: wire.send({"kind": "kept", "name": name, "value": value}))
    try:
        result = _work(message.body["work"])(pages, message.body["task"])
        return {"kind": "done", "result": result}, pages.attachments
    except (Error, StudioError) as exc:
        kind = "broken" if isinstance(exc, Error) or not browser.is_connected() else "failed"
        return {"kind": kind, "why": clip(str(exc), _SHOWN_LENGTH)}, {}
    except Exception:  # noqa: BLE001 - the other process raises it
        return {"kind": "failed", "why": traceback.format_exc()[-_SHOWN_LENGTH:]}, {}


def _work(name: str) -> Callable[[Pages, dict[str, Any]], dict[str, Any]]:
    module, _, function = name.partition(":")
    found: Callable[[Pages, dict[str, Any]], dict[str, Any]] = getattr(importlib.import_module(module), function)
    return found
