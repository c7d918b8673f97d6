"""The process that holds a browser's whole tree, and ends all of it when its worker ends, in whatever way.

    python -m studio.browser.guard ORDER        (JSON, see `Order`)

Its stdin is a pipe whose other end the worker alone holds: it breaks when the worker closes it or is killed. The tree
lives in namespaces of its own where that is allowed: one of processes, whose end is one call that nothing survives; one
of the network, which holds nothing but a loopback device, so that the only way out is the worker's proxy; one of
mounts, with the profile in memory. Elsewhere the tree is found by kinship: this process adopts what loses its parent.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import NoReturn

import psutil

from studio.browser import kernel

# Between two looks at the tree's memory: a page fills a gigabyte in about a second.
LOOK_SECONDS = 0.25
# Files of the profile, and what Chromium's processes share.
FOLDER_BYTES = 1024**3
_PROC_FLAGS = kernel.MOUNT_NO_SUID | kernel.MOUNT_NO_DEVICES | kernel.MOUNT_NO_PROGRAMS
_NO_NAMESPACES = 97
_KILL_PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Order:
    """What the worker wants: `control` is the descriptor of the socket on which the browser's process talks to it."""

    control: int
    executable: str
    folder: str
    memory_bytes: int
    namespaces: bool

    def to_json(self) -> str:
        """Return it for the command line."""
        return json.dumps(vars(self))


def main() -> None:
    """See the module."""
    order = Order(**json.loads(sys.argv[1]))
    # A terminal's Ctrl-C is the worker's to answer: it closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if kernel.on_linux():
        kernel.adopt_orphans()
    code = _NO_NAMESPACES
    if order.namespaces and kernel.on_linux():
        code = _watched(_fork_into_namespaces(order), order)
    if code == _NO_NAMESPACES:
        child = os.fork()
        if child == 0:
            _become_browser(order, alone=False)
        code = _watched(child, order)
    os._exit(code)


def _watched(child: int, order: Order) -> int:
    """Return the exit code of `child`, when all of its tree is gone; it is ended when the worker hangs up."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    try:
        while True:
            if poll.poll(LOOK_SECONDS * 1000):
                return 0
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status) & 0xFF
            _limit_memory(order.memory_bytes)
    finally:
        _end_tree()


def _end_tree() -> None:
    """Kill every descendant, and return when none is left; new ones are found in the next round."""
    me = psutil.Process()
    while True:
        for process in me.children(recursive=True):
            try:
                process.kill()
            except psutil.Error:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_KILL_PAUSE_SECONDS)


def _limit_memory(allowed: int) -> None:
    """Kill the largest process where all of them together hold more than `allowed` bytes: it is the page's."""
    sizes: dict[int, int] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            memory = process.memory_info()
        except psutil.Error:
            continue
        # What they share is Chromium itself, and counts once, or is in the profile's folder, which has a limit.
        sizes[process.pid] = memory.rss - getattr(memory, "shared", 0)
    if sum(sizes.values()) > allowed:
        try:
            os.kill(max(sizes, key=lambda pid: sizes[pid]), signal.SIGKILL)
        except ProcessLookupError:
            return


def _fork_into_namespaces(order: Order) -> int:
    """Return a process in front of the namespaces: it waits for the first one inside, and dies with this one."""
    pid = os.fork()
    if pid:
        return pid
    try:
        kernel.die_with_parent()
        _leave()
    except OSError as exc:
        _give_up(exc)
    inside = os.fork()
    if inside == 0:
        try:
            kernel.die_with_parent()
            kernel.mount("proc", "/proc", "proc", _PROC_FLAGS)
            options = f"size={FOLDER_BYTES},mode=0711"
            kernel.mount("tmpfs", order.folder, "tmpfs", kernel.MOUNT_NO_SUID | kernel.MOUNT_NO_DEVICES, options)
        except OSError as exc:
            _give_up(exc)
        _become_browser(order, alone=True)
    os.close(order.control)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(inside, 0)[1]) & 0xFF)


def _leave() -> None:
    user, group = os.geteuid(), os.getegid()
    flags = kernel.NEW_PIDS | kernel.NEW_MOUNTS | kernel.NEW_NETWORK
    kernel.unshare(flags if user == 0 else flags | kernel.NEW_USER)
    if user != 0:
        kernel.map_own_user(user, group)
    # Nothing that is mounted in here shows outside.
    kernel.mount("none", "/", "", kernel.MOUNT_RECURSIVE | kernel.MOUNT_PRIVATE)
    kernel.bring_up_loopback()


def _give_up(exc: OSError) -> NoReturn:
    print(f"no namespaces for the browser: {exc}", file=sys.stderr, flush=True)  # noqa: T201 - the worker reads it
    os._exit(_NO_NAMESPACES)


def _become_browser(order: Order, *, alone: bool) -> NoReturn:
    """Be the browser's process; `alone` says that nothing else is in its network."""
    code = 1
    try:
        if kernel.on_linux():
            kernel.die_with_parent()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        from studio.browser.child import serve

        serve(socket.socket(fileno=order.control), order.executable, order.folder, alone=alone)
        code = 0
    except BaseException:  # noqa: BLE001 - what broke is in the file that the worker reads
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        # Threads and the driver may hang: they end with the tree.
        os._exit(code)


if __name__ == "__main__":
    main()
