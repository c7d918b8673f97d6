"""Docker's seccomp profiles as the kernel's filters, through libseccomp: to run under one without an engine."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import json
import os
import tempfile
from pathlib import Path

# seccomp.h
_ACTIONS = {"SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_ERRNO": 0x00050000}


def program(profile: Path) -> bytes:
    """Return the filter (BPF) of a profile in which the actions are allow and errno, without conditions.

    System calls that this machine's libseccomp does not know are left out, as Docker does. Raise `ValueError` for
    anything else that a profile could say, `OSError` where there is no libseccomp.
    """
    said = json.loads(profile.read_text(encoding="utf-8"))
    library = ctypes.CDLL(ctypes.util.find_library("seccomp") or "libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = library.seccomp_init(ctypes.c_uint32(_action(said["defaultAction"], said.get("defaultErrnoRet"))))
    try:
        for rule in said["syscalls"]:
            if set(rule) - {"names", "action", "errnoRet", "comment"}:
                raise ValueError(f"{sorted(rule)}: conditions are not known here")
            for name in rule["names"]:
                number = library.seccomp_syscall_resolve_name(name.encode())
                if number != -1:
                    action = ctypes.c_uint32(_action(rule["action"], rule.get("errnoRet")))
                    _checked(library.seccomp_rule_add_array(ctypes.c_void_p(context), action, number, 0, None))
        with tempfile.TemporaryFile() as file:
            _checked(library.seccomp_export_bpf(ctypes.c_void_p(context), file.fileno()))
            file.seek(0)
            return file.read()
    finally:
        library.seccomp_release(ctypes.c_void_p(context))


def _action(name: str, number: int | None) -> int:
    if name not in _ACTIONS:
        raise ValueError(f"the action {name} is not known here")
    return _ACTIONS[name] | ((errno.EPERM if number is None else number) if name == "SCMP_ACT_ERRNO" else 0)


def _checked(outcome: int) -> None:
    if outcome < 0:
        raise OSError(-outcome, os.strerror(-outcome))
