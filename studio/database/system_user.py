"""The system user a PostgreSQL server runs as when the studio itself runs as root.

PostgreSQL refuses to run as root, so a root studio (a container, usually) starts it as an ordinary user,
who must be able to reach the data folder and the server's programs.
"""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from studio.errors import StackError

log = logging.getLogger(__name__)

USER_NAME = "pgserver"
# `useradd` fails while another process holds the lock on /etc/passwd; a second look then finds the user.
_USERADD_ATTEMPTS = 5
_USERADD_TIMEOUT_SECONDS = 10
_OTHERS_MAY_PASS = stat.S_IXOTH
_OTHERS_MAY_READ = stat.S_IROTH


class SystemUser(NamedTuple):
    """Who runs the server's programs."""

    name: str
    uid: int
    gid: int

    def run_as(self) -> dict[str, Any]:
        """Return the keyword arguments that make `subprocess` run a program as this user."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}

    def own(self, path: Path) -> None:
        """Give `path` to this user."""
        if os.geteuid() != self.uid:
            os.chown(path, self.uid, self.gid)


def server_user(data: Path) -> SystemUser:
    """Return the user who runs, or shall run, the server of the data folder `data`.

    That is the caller, unless the caller is root: then the owner of an existing folder, or the system
    user `pgserver`, created where it is missing. Raise `StackError` where that is impossible.
    """
    if os.geteuid() != 0:
        return SystemUser(str(os.geteuid()), os.geteuid(), os.getegid())
    entry = _ensure_user(USER_NAME)
    if data.exists() and (owner := data.stat().st_uid) != 0:
        try:
            entry = pwd.getpwuid(owner)
        except KeyError as exc:
            raise StackError(
                f"The database folder {data} belongs to user number {owner}, who is unknown here.",
                f"Give it to {USER_NAME}: `chown -R {USER_NAME} {data}`.",
            ) from exc
    return SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid)


def open_way(path: Path) -> None:
    """Let other users pass through every folder above `path`: as root only, and only where it is closed.

    Passing is all they get; the folders stay unreadable to them.
    """
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & _OTHERS_MAY_PASS:
            log.info("letting the database user pass through %s", folder)
            folder.chmod(stat.S_IMODE(mode) | _OTHERS_MAY_PASS)


def open_programs(install: Path) -> None:
    """Let other users read and run the server's programs below `install` (a private umask closes them)."""
    open_way(install / "bin")
    server = (install / "bin" / "postgres").stat().st_mode
    if server & _OTHERS_MAY_PASS and server & _OTHERS_MAY_READ:
        return
    for part in ("bin", "lib", "share"):
        for path in (install / part, *(install / part).rglob("*")):
            if path.is_symlink():
                continue
            mode = stat.S_IMODE(path.stat().st_mode)
            runnable = path.is_dir() or mode & stat.S_IXUSR
            path.chmod(mode | _OTHERS_MAY_READ | (_OTHERS_MAY_PASS if runnable else 0))
    # A wheel keeps its own shared libraries beside the package.
    for libraries in install.parent.parent.glob(f"{install.parent.name}.libs"):
        for path in (libraries, *libraries.iterdir()):
            path.chmod(stat.S_IMODE(path.stat().st_mode) | _OTHERS_MAY_READ | _OTHERS_MAY_PASS)


def _ensure_user(name: str) -> pwd.struct_passwd:
    complaint = "useradd is not installed"
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    for _ in range(_USERADD_ATTEMPTS):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            if useradd is None:
                break
        result = subprocess.run(  # noqa: S603 - fixed arguments
            [
                useradd,
                "--system",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/bin/sh",
                name,
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=_USERADD_TIMEOUT_SECONDS,
        )
        complaint = result.stderr.strip()
    raise StackError(
        f"PostgreSQL does not run as root, and the user {name} cannot be created ({complaint}).",
        f"Start the studio as an ordinary user, or create a system user named {name}.",
    )
