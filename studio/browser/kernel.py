"""The few calls to the kernel for which Python has no name: namespaces, mounts, and who dies with whom. Linux alone."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys

NEW_MOUNTS = 0x00020000
NEW_USER = 0x10000000
NEW_PIDS = 0x20000000
NEW_NETWORK = 0x40000000

MOUNT_NO_SUID = 2
MOUNT_NO_DEVICES = 4
MOUNT_NO_PROGRAMS = 8
MOUNT_BIND = 4096
MOUNT_RECURSIVE = 16384
MOUNT_PRIVATE = 1 << 18

_SET_DEATH_SIGNAL = 1
_SET_SUBREAPER = 36
_SET_NO_NEW_PRIVILEGES = 38
_GET_NO_NEW_PRIVILEGES = 39
_GET_INTERFACE_FLAGS = 0x8913
_SET_INTERFACE_FLAGS = 0x8914
_INTERFACE_UP = 1


def on_linux() -> bool:
    """Say whether the rest of this module works here."""
    return sys.platform == "linux"


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for new ones; raise `OSError` where that is not allowed."""
    _checked(_libc().unshare(flags))


def map_own_user(uid: int, gid: int) -> None:
    """Keep `uid` and `gid` what they are in the user namespace that was just entered."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount `source` on `target`, as the system call does; raise `OSError` where it fails."""
    _checked(_libc().mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()))


def die_with_parent() -> None:
    """Have this process killed when the thread that has forked it ends."""
    _checked(_libc().prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own."""
    _checked(_libc().prctl(_SET_SUBREAPER, 1, 0, 0, 0))


def gain_no_privileges() -> None:
    """Let no set-uid program mean anything to this process and its descendants."""
    _checked(_libc().prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def may_gain_privileges() -> bool:
    """Say whether a set-uid program means anything to this process."""
    return int(_libc().prctl(_GET_NO_NEW_PRIVILEGES, 0, 0, 0, 0)) == 0


def bring_up_loopback() -> None:
    """Let 127.0.0.1 exist in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sh14x", b"lo", 0)
        name, flags = struct.unpack("16sh14x", fcntl.ioctl(sock, _GET_INTERFACE_FLAGS, asked))
        fcntl.ioctl(sock, _SET_INTERFACE_FLAGS, struct.pack("16sh14x", name, flags | _INTERFACE_UP))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(outcome: int) -> None:
    if outcome != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
