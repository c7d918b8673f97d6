"""The system calls that Python has no name for. Each raises `OSError` with what was tried."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MNT_DETACH = 0x2

CAP_KILL = 5
CAP_SYS_PTRACE = 19
LAST_CAPABILITY = 63

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION = 0x20080522

# The same on every architecture, like all calls since 2019.
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_ATTRIBUTE_RDONLY = 0x1
_ATTRIBUTE_NOSUID = 0x2
_ATTRIBUTE_NODEV = 0x4

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _require(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prctl(option: int, first: int, second: int = 0, *, what: str) -> None:
    arguments = (ctypes.c_ulong(value) for value in (first, second, 0, 0))
    _require(_libc().prctl(option, *arguments), what)


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for new ones."""
    _require(_libc().unshare(flags), "new namespaces")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Attach a file system, or what is at `source`, to `target`; `flags` and `options` as the system call has them."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    result = _libc().mount(*encoded, ctypes.c_ulong(flags), options.encode("ascii") or None)
    _require(result, f"mounting {target}")


def mount_memory(target: str, size: int, inodes: int, options: str) -> None:
    """Mount a file system in memory that holds at most `size` bytes and `inodes` files; it starts no program as root.

    Programs in it can be run: builds make such.
    """
    mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, f"size={size},nr_inodes={inodes},{options}")


def unmount(target: str) -> None:
    """Take a mount and all below it out of sight."""
    _require(_libc().umount2(os.fsencode(target), MNT_DETACH), f"unmounting {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and put the old one under `old`."""
    _require(_libc().pivot_root(os.fsencode(new), os.fsencode(old)), "changing the root")


def make_read_only(target: str, *, device: bool) -> None:
    """Make a mount and all below it read-only and without set-user-id; without devices too, unless it is one.

    Needs Linux 5.12: what was there before cannot do it for a whole tree.
    """
    attributes = _ATTRIBUTE_RDONLY | _ATTRIBUTE_NOSUID | (0 if device else _ATTRIBUTE_NODEV)
    what = struct.pack("=QQQQ", attributes, 0, 0, 0)
    result = _libc().syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.c_char_p(what),
        ctypes.c_size_t(len(what)),
    )
    _require(result, f"making {target} read-only")


def loopback_up() -> None:
    """Bring up the loopback device of this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH22x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(sock, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def keep_capabilities(*kept: int) -> None:
    """Give up every capability but these, which must be there already."""
    mask = sum(1 << capability for capability in kept)
    halves = (mask & 0xFFFFFFFF, mask >> 32)
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    data = b"".join(struct.pack("=III", half, half, 0) for half in halves)
    _require(_libc().capset(header, data), "giving up capabilities")


def drop_bounding_set() -> None:
    """Let no program that is started ever have a capability. Needs the right to, and is of no effect without it."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, what="giving up ambient capabilities")
    for capability in range(LAST_CAPABILITY + 1):
        try:
            _prctl(_PR_CAPBSET_DROP, capability, what="bounding capabilities")
        except OSError:
            # The kernel knows no more of them, or there is no right to: then no_new_privs stands alone.
            return


def set_dumpable(dumpable: bool) -> None:
    """Say whether others of the same user may trace this process, and look into its /proc folder."""
    _prctl(_PR_SET_DUMPABLE, int(dumpable), what="closing /proc")


def no_new_privileges() -> None:
    """Let no program that is started have more rights than this process, whatever its file says."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, what="no_new_privs")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, what="adopting orphans")


def install_filter(program: bytes) -> None:
    """Install a seccomp filter: `program` is an array of `struct sock_filter`."""
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a short, padding, and the pointer.
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions)))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(head), what="filtering system calls")
