"""Under whose name Chromium runs, and whether its own sandbox works there.

A page that breaks out of Chromium has what Chromium's user has. So a worker that is root gives Chromium a user that
owns nothing, one per session; only as such does Chromium's sandbox (user namespaces) work at all, because it refuses to
run for root. Where neither is possible, it runs without its sandbox, and says so.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from studio.browser import kernel

# Far from every user and every container's range; the second is `nobody`, for where only 65,536 users exist.
_FIRST_USER = 1_900_000_000
_USERS = 1 << 20
_NOBODY = 65534
_PATH = "/usr/local/bin:/usr/bin:/bin"

# Exit codes of a probe.
_WORKS, _NO_PROGRAM, _NO_NAMESPACES, _NO_USER = range(4)


@dataclass(frozen=True)
class Start:
    """How Chromium is started: which program, with which environment, with its own sandbox or without."""

    program: Path
    environment: dict[str, str]
    sandboxed: bool
    user: int


def prepare(executable: Path, folder: Path, *, own_mounts: bool) -> Start:
    """Choose a user for `executable`, and give it what it needs in `folder`.

    `own_mounts` says that this process has a mount namespace of its own.
    """
    home = folder / "home"
    temporary = home / "tmp"
    temporary.mkdir(parents=True)
    environment = {"PATH": _PATH, "HOME": str(home), "TMPDIR": str(temporary), "LANG": "C.UTF-8"}
    if not kernel.on_linux():
        return Start(executable, environment, sandboxed=True, user=os.geteuid())
    if os.geteuid() != 0:
        sandboxed = _probe(executable, None) == _WORKS or _has_helper(executable)
        return Start(executable, environment, sandboxed=sandboxed, user=os.geteuid())
    folder.chmod(0o711)
    for user in (_FIRST_USER + secrets.randbelow(_USERS), _NOBODY):
        outcome = _probe(executable, user)
        if outcome == _NO_PROGRAM and own_mounts:
            executable = _brought_near(executable, folder)
            outcome = _probe(executable, user)
        if outcome in (_WORKS, _NO_NAMESPACES):
            for path in (home, temporary):
                os.chown(path, user, user)
            return Start(_script(executable, folder, user), environment, sandboxed=outcome == _WORKS, user=user)
    return Start(executable, environment, sandboxed=False, user=0)


def become(user: int) -> None:
    """Be `user` from now on, without any way back; raise `OSError` where that user cannot be."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    kernel.gain_no_privileges()


def _probe(executable: Path, user: int | None) -> int:
    """Try in a process of its own what Chromium will do: be `user`, be started, make namespaces."""
    pid = os.fork()
    if pid == 0:
        code = _NO_USER
        with contextlib.suppress(OSError):
            if user is not None:
                become(user)
            code = _NO_PROGRAM
            if os.access(executable, os.X_OK):
                code = _NO_NAMESPACES
                # In two steps, as Chromium does it: the first is allowed on machines where the second is not.
                kernel.unshare(kernel.NEW_USER)
                kernel.unshare(kernel.NEW_PIDS | kernel.NEW_NETWORK)
                code = _WORKS
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _has_helper(executable: Path) -> bool:
    """Say whether the set-uid helper is there that Chromium uses where there are no user namespaces."""
    if not kernel.may_gain_privileges():
        return False
    for folder in (executable.resolve().parent, Path("/usr/lib/chromium")):
        with contextlib.suppress(OSError):
            found = (folder / "chrome-sandbox").stat()
            if found.st_uid == 0 and found.st_mode & stat.S_ISUID:
                return True
    return False


def _brought_near(executable: Path, folder: Path) -> Path:
    """Make the program's folder visible in `folder`: it may lie in somebody's home, which its user may not enter."""
    real = executable.resolve()
    near = folder / "browser"
    near.mkdir(exist_ok=True)
    kernel.mount(str(real.parent), str(near), "", kernel.MOUNT_BIND)
    return near / real.name


def _script(executable: Path, folder: Path, user: int) -> Path:
    """Write the program that Playwright starts, still as root: it hands the profile over, and becomes `user`."""
    words = [sys.executable, "-I", "-S", str(Path(__file__).with_name("hand_over.py")), str(user), str(executable)]
    script = folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    return script
