"""Unix sockets: where their files may lie, and that nobody else can reach them."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from studio.errors import StackError

# The shortest limit of a Unix socket's path (macOS; Linux has 108), less the final zero byte.
_SOCKET_PATH_LIMIT = 103
# gRPC reads the path as part of a URI.
_SAFE_PATH = re.compile(r"[\w./-]+", re.ASCII)


def socket_path(folder: Path, name: str) -> Path:
    """Return where the socket `name` of `folder` lies: below `folder`, or where a short path can be had."""
    path = folder / "run" / f"{name}.sock"
    if fits(path):
        return path
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    private = f"greenlight-{name}-{digest}-{os.geteuid()}"
    short = Path(tempfile.gettempdir()) / private / f"{name}.sock"
    return short if fits(short) else Path("/tmp") / private / f"{name}.sock"  # noqa: S108 - `make_private` checks it


def make_private(folder: Path) -> None:
    """Make `folder` for this user alone: whoever reaches the socket in it can run code as this user.

    Raise `StackError` where it is there and open to others: it may be somebody's home, which is not ours to close.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # In a shared folder anybody may have made something of this name before us.
    if folder.is_symlink() or folder.lstat().st_uid != os.geteuid():
        raise StackError(
            f"{folder} belongs to somebody else, so no socket can lie there.",
            "Remove it, or choose a data folder with a shorter path.",
        )
    if folder.stat().st_mode & 0o077:
        raise StackError(
            f"{folder} is open to others, so no socket can lie there.",
            "Choose a folder of its own for it, or `chmod 700` this one.",
        )


def fits(path: Path) -> bool:
    """Say whether a socket can lie at `path`, on any system, and be named to every program."""
    return len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT and _SAFE_PATH.fullmatch(str(path)) is not None
