"""What lies where in the data folder, and the files that Dagster's programs need there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from studio.errors import StackError
from studio.paths import ROOT

# The same name as in the root's workspace.yaml: Dagster stores cursors and schedules under it.
CODE_LOCATION = "greenlight"
# The shortest limit of a Unix socket's path (macOS; Linux has 108), less the final zero byte.
_SOCKET_PATH_LIMIT = 103
# gRPC reads the path as part of a URI.
_SAFE_PATH = re.compile(r"[\w./-]+", re.ASCII)


class Folders:
    """The paths of one stack. Nothing is made before `make_root` and `prepare`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder.expanduser().resolve()
        self.postgres = self.root / "postgres"
        self.dagster_home = self.root / "dagster_home"
        self.workspace = self.root / "workspace.yaml"
        self.logs = self.root / "logs"
        self.sandbox_port = self.root / "sandbox.port"
        self.code_socket = _socket_path(self.root)

    def make_root(self) -> None:
        """Make the data folder itself, in which the lock lies."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Make the folders inside, link the instance's configuration and write the workspace.

        Whoever calls this holds the lock. Raise `StackError` where somebody else owns the socket's folder.
        """
        for folder in (self.dagster_home, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        _make_private(self.code_socket.parent)
        link = self.dagster_home / "dagster.yaml"
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / "dagster.yaml")
        workspace = {"load_from": [{"grpc_server": {"socket": str(self.code_socket), "location_name": CODE_LOCATION}}]}
        # JSON is YAML, and its quoting is the simpler one.
        self.workspace.write_text(json.dumps(workspace, indent=2) + "\n")

    def tidy(self) -> None:
        """Remove what a stopped stack has outside the data folder."""
        if self.root not in self.code_socket.parents:
            shutil.rmtree(self.code_socket.parent, ignore_errors=True)


def _socket_path(root: Path) -> Path:
    """Return where the code server's socket lies: in the data folder, or where a short path can be had."""
    path = root / "run" / "code.sock"
    if _fits(path):
        return path
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
    name = f"greenlight-code-{digest}-{os.geteuid()}"
    short = Path(tempfile.gettempdir()) / name / "code.sock"
    return short if _fits(short) else Path("/tmp") / name / "code.sock"  # noqa: S108 - `_make_private` checks it


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT and _SAFE_PATH.fullmatch(str(path)) is not None


def _make_private(folder: Path) -> None:
    """Make `folder` for this user alone: whoever reaches the socket in it can run code as this user."""
    folder.mkdir(mode=0o700, exist_ok=True)
    # In a shared folder anybody may have made something of this name before us.
    if folder.is_symlink() or folder.lstat().st_uid != os.geteuid():
        raise StackError(
            f"{folder} belongs to somebody else, so the code server's socket cannot lie there.",
            "Remove it, or choose a data folder with a shorter path.",
        )
    folder.chmod(0o700)
