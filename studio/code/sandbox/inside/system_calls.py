"""The filter of system calls inside: no namespaces, no tracing, no memory that nobody could count, no odd sockets.

It is the second wall: nothing here stands in for the namespaces. It closes what they leave open: a kernel's younger and
more dangerous parts, which generated code has no use for, the sockets that no network namespace holds back (AF_VSOCK),
and memory that belongs to no process (memfd, System V), which no limit would see.
"""

from __future__ import annotations

import errno
import os
import struct

from . import linux

_LOAD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_AT_LEAST = 0x35
_JUMP_ANY_BIT = 0x45
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_ERROR = 0x00050000
_NUMBER_OFFSET = 0
_ARCHITECTURE_OFFSET = 4
_FIRST_ARGUMENT_OFFSET = 16
# x86-64 has a second numbering of its calls, from here on.
_X32_BIT = 0x40000000
_NEW_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
)
# AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK, by which programs list the network devices.
_SOCKET_FAMILIES = (1, 2, 10, 16)

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Callers of these know how to do without: they must hear that there is no such call, not that it is forbidden.
_ABSENT = {
    "x86_64": {"memfd_create": 319, "shmget": 29, "semget": 64, "msgget": 68},
    "aarch64": {"memfd_create": 279, "shmget": 194, "semget": 190, "msgget": 186},
}
_ABSENT_EVERYWHERE = {
    "clone3": 435,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "memfd_secret": 447,
}
_FORBIDDEN = {
    "x86_64": {
        "ptrace": 101,
        "syslog": 103,
        "pivot_root": 155,
        "mount": 165,
        "umount2": 166,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "perf_event_open": 298,
        "fanotify_init": 300,
        "open_by_handle_at": 304,
        "setns": 308,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "kcmp": 312,
        "bpf": 321,
        "userfaultfd": 323,
    },
    "aarch64": {
        "umount2": 39,
        "mount": 40,
        "pivot_root": 41,
        "syslog": 116,
        "ptrace": 117,
        "add_key": 217,
        "request_key": 218,
        "keyctl": 219,
        "perf_event_open": 241,
        "fanotify_init": 262,
        "open_by_handle_at": 265,
        "setns": 268,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "kcmp": 272,
        "bpf": 280,
        "userfaultfd": 282,
    },
}
_FORBIDDEN_EVERYWHERE = {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
}
_WITH_FLAGS = {"x86_64": {"clone": 56, "unshare": 272}, "aarch64": {"clone": 220, "unshare": 97}}
_SOCKET = {"x86_64": 41, "aarch64": 198}


def forbid() -> None:
    """Install the filter for this process and all it will start; do nothing on an architecture that is not known."""
    program = _program(os.uname().machine)
    if program is not None:
        linux.install_filter(program)


def _program(machine: str) -> bytes | None:
    if machine not in _ARCHITECTURES:
        return None
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
    ]
    absent = {**_ABSENT[machine], **_ABSENT_EVERYWHERE}
    forbidden = {**_FORBIDDEN[machine], **_FORBIDDEN_EVERYWHERE}
    for numbers, error in ((absent, errno.ENOSYS), (forbidden, errno.EPERM)):
        for number in numbers.values():
            steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | error)]
    for number in _WITH_FLAGS[machine].values():
        steps += [
            (_JUMP_EQUAL, 0, 4, number),
            (_LOAD, 0, 0, _FIRST_ARGUMENT_OFFSET),
            (_JUMP_ANY_BIT, 0, 1, _NEW_NAMESPACES),
            (_RETURN, 0, 0, _ERROR | errno.EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    steps += [(_JUMP_EQUAL, 0, 2 + 2 * len(_SOCKET_FAMILIES), _SOCKET[machine])]
    steps += [(_LOAD, 0, 0, _FIRST_ARGUMENT_OFFSET)]
    for family in _SOCKET_FAMILIES:
        steps += [(_JUMP_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    steps += [(_RETURN, 0, 0, _ERROR | errno.EAFNOSUPPORT), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
