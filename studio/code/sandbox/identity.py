"""Who generated code runs as: nobody who owns anything on this machine.

The kernel limits the number of processes per user, and never for its own root: so where the studio runs as root, each
sandbox gets a user number of its own, from a range that no account is in. Anybody else can only be himself, in a user
namespace of his own, where his processes are counted afresh.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from studio.code.sandbox.inside.plan import Identity

# Inside a user namespace: the number that the first account of a machine has mostly.
NAMESPACE_IDENTITY: Identity = {"uid": 1000, "gid": 1000}
# Above all ranges that login.defs, systemd and container tools give away, and below 2³¹.
_FIRST_NUMBER = 0x6000_0000
_SANDBOXES_PER_PROCESS = 64
_HIGHEST_PROCESS = 2**22
_RANGE = _HIGHEST_PROCESS * _SANDBOXES_PER_PROCESS
_CAP_SETGID, _CAP_SETUID, _CAP_SYS_ADMIN = 6, 7, 21

_count = itertools.count()


def may_change_identity() -> bool:
    """Say whether this process is root with the rights to make namespaces and to become somebody else."""
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(status.partition("CapEff:")[2].split(maxsplit=1)[0], 16)
    return all(effective >> right & 1 for right in (_CAP_SETGID, _CAP_SETUID, _CAP_SYS_ADMIN))


def new_identity() -> Identity:
    """Return a user number that no other living sandbox on this machine has, and nobody else."""
    offset = os.getpid() * _SANDBOXES_PER_PROCESS + next(_count) % _SANDBOXES_PER_PROCESS
    return Identity(uid=_number("/proc/self/uid_map", offset), gid=_number("/proc/self/gid_map", offset))


def _number(map_path: str, offset: int) -> int:
    ranges = [tuple(map(int, line.split())) for line in Path(map_path).read_text(encoding="ascii").splitlines()]
    if any(first <= _FIRST_NUMBER and first + count >= _FIRST_NUMBER + _RANGE for first, _, count in ranges):
        return _FIRST_NUMBER + offset % _RANGE
    # A container that was given fewer numbers: any of them but its root.
    first, _, count = max(ranges, key=lambda entry: entry[2])
    return first + 1 + offset % max(1, count - 1)
