"""Which sandbox can be made on this machine, found out by making one."""

from __future__ import annotations

import functools
import shutil
import sys
from dataclasses import dataclass
from typing import Literal

from studio.code.sandbox.channel import Channel
from studio.code.sandbox.enclosure import Enclosure
from studio.code.sandbox.identity import may_change_identity
from studio.code.sandbox.limits import MEBIBYTE, Limits
from studio.code.sandbox.starting import Starting, bubblewrap, namespaces
from studio.errors import NoSandbox, SandboxBroken
from studio.settings import Settings

SandboxKind = Literal["bubblewrap", "namespaces", "none"]
Confined = Literal["bubblewrap", "namespaces"]

_PREFERRED: tuple[Confined, ...] = ("bubblewrap", "namespaces")
_PROBE = Limits(memory_bytes=512 * MEBIBYTE, processes=64, file_bytes=MEBIBYTE, disk_bytes=16 * MEBIBYTE)
_REMEDY = (
    "Install bubblewrap (`apt install bubblewrap`), and let its user make namespaces: sysctl"
    " kernel.unprivileged_userns_clone=1 on Debian's older kernels,"
    " kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, and in a container a seccomp profile that permits it"
    " (`--security-opt seccomp=unconfined --security-opt systempaths=unconfined`)."
    " GREENLIGHT_CODE_SANDBOX=none runs generated code without any protection, with all that this account may do."
)

_ELSEWHERE = "Run the worker on Linux, for instance in a virtual machine or a container."


@dataclass(frozen=True)
class _Tried:
    """What came of trying a kind: how to start one, or why there is none."""

    starting: Starting | None
    how: str


def choose(settings: Settings) -> SandboxKind:
    """Return the kind of sandbox that the settings ask for and this machine can make; raise `NoSandbox`.

    "none" comes back only where the setting says so.
    """
    wanted = settings.code_sandbox
    if sys.platform != "linux":
        raise NoSandbox("Generated code is run on Linux alone: only there can all of it be ended.", _ELSEWHERE)
    if wanted == "none":
        return "none"
    reasons = []
    for kind in _PREFERRED if wanted == "auto" else (wanted,):
        tried = _tried(kind)
        if tried.starting is not None:
            return kind
        reasons.append(f"{kind}: {tried.how}")
    raise NoSandbox(f"No sandbox can be made for generated code ({'; '.join(reasons)}).", _REMEDY)


def describe(settings: Settings) -> str:
    """Return one line on what generated code runs in here, or why it runs in nothing."""
    try:
        kind = choose(settings)
    except NoSandbox as exc:
        return exc.message
    if kind == "none":
        return "none: generated code runs unprotected, as GREENLIGHT_CODE_SANDBOX asks for"
    return f"{kind} ({_tried(kind).how})"


def starting(kind: Confined) -> Starting:
    """Return what starts a sandbox of this kind here; raise `NoSandbox` where it does not work."""
    tried = _tried(kind)
    if tried.starting is None:
        raise NoSandbox(f"No sandbox of the kind {kind} can be made: {tried.how}.", _REMEDY)
    return tried.starting


@functools.cache
def _tried(kind: Confined) -> _Tried:
    """Make a sandbox, once per process and kind: that a program is there says little about what it may do."""
    program = shutil.which("bwrap")
    if kind == "bubblewrap" and program is None:
        return _Tried(None, "the program bwrap is not installed")
    reasons = []
    for privileged in (True, False) if may_change_identity() else (False,):
        if kind == "bubblewrap":
            candidate = bubblewrap(str(program), privileged=privileged)
        else:
            candidate = namespaces(privileged=privileged)
        how = "by root, with a user number of its own" if privileged else "in a user namespace"
        try:
            _make(candidate)
        except SandboxBroken as exc:
            reasons.append(f"{how}: {exc.message.rstrip('.')}")
        else:
            return _Tried(candidate, how)
    return _Tried(None, ", ".join(reasons))


def _make(candidate: Starting) -> None:
    enclosure = Enclosure(candidate, _PROBE, None, confined=True)
    try:
        Channel(enclosure, lambda _: None).greeted()
    finally:
        enclosure.close()
