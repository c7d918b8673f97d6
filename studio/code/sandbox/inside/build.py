"""The set-up program of a sandbox made of namespaces alone, where there is no bubblewrap.

It leaves the host's namespaces for new ones, makes a root file system in memory with nothing but what is to be seen,
and becomes the first process. Run by root it needs no user namespace; run by anybody else it makes one.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import NoReturn

from . import init, linux
from .plan import Bind, Building, Identity

_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
)
HOST_NAME = "sandbox"
# Any folder will do to begin with; this one is there everywhere.
_FIRST_ROOT = "/tmp"  # noqa: S108 - in a mount namespace of its own, covered at once
_OLD_ROOT = "/.old"
_ROOT_BYTES = 4 * 1024 * 1024
_ROOT_INODES = 4096


def main() -> NoReturn:
    """Build the sandbox that the only argument describes, and be its first process in a child."""
    building: Building = json.loads(sys.argv[1])
    try:
        _leave(building["user"])
        child = os.fork()
    except OSError as exc:
        sys.exit(f"The namespaces cannot be made: {exc}")
    if child:
        _stand_by(building, child)
    try:
        _build(building)
    except OSError as exc:
        sys.exit(f"The sandbox cannot be built: {exc}")
    init.run(building["plan"])


def _stand_by(building: Building, child: int) -> NoReturn:
    """Say who the first process is, and end when it does."""
    plan = building["plan"]
    os.write(building["info"], json.dumps({"child-pid": child}).encode("ascii") + b"\n")
    for descriptor in (0, 1, 2, building["info"], plan["control"], plan["status"]):
        os.close(descriptor)
    _, status = os.waitpid(child, 0)
    os._exit(min(abs(os.waitstatus_to_exitcode(status)), 255))


def _leave(user: Identity | None) -> None:
    outside = os.geteuid(), os.getegid()
    linux.unshare(_NAMESPACES | (linux.CLONE_NEWUSER if user is not None else 0))
    if user is not None:
        # Whoever maps only himself must give up setting groups first.
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user['uid']} {outside[0]} 1")
        _write("/proc/self/gid_map", f"{user['gid']} {outside[1]} 1")


def _build(building: Building) -> None:
    os.close(building["info"])
    os.umask(0o022)
    socket.sethostname(HOST_NAME)
    linux.loopback_up()
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.mount_memory(_FIRST_ROOT, _ROOT_BYTES, _ROOT_INODES, "mode=0755")
    os.mkdir(_FIRST_ROOT + _OLD_ROOT)
    linux.pivot_root(_FIRST_ROOT, _FIRST_ROOT + _OLD_ROOT)
    os.chdir("/")
    for folder in building["folders"]:
        os.makedirs(folder, exist_ok=True)
    for bind in building["binds"]:
        _show(bind)
    for path, content in building["made"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, content)
    for path, target in building["links"].items():
        os.symlink(target, path)
    os.makedirs("/proc", exist_ok=True)
    # Before the old one is out of sight: the kernel lets only those have one who see a whole one.
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    linux.unmount(_OLD_ROOT)
    os.rmdir(_OLD_ROOT)
    flags = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV
    linux.mount(None, "/", None, flags)


def _show(bind: Bind) -> None:
    source, target = _OLD_ROOT + bind["source"], bind["target"]
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _write(target, "")
    # With all that is mounted below: in a user namespace nothing may be uncovered.
    linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)
    linux.make_read_only(target, device=bind["device"])


def _write(path: str, content: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
