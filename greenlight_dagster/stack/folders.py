"""What lies where in the data folder, and the files that Dagster's programs need there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.sockets import make_private, socket_path
from greenlight_dagster.stack.profile import DEFAULT

# The same name as in the root's workspace.yaml: Dagster stores cursors and schedules under it.
CODE_LOCATION = "greenlight"


class Folders:
    """The paths of one stack. Nothing is made before `make_root` and `prepare`."""

    def __init__(self, folder: Path, dagster_yaml: Path = DEFAULT.dagster_yaml) -> None:
        self._dagster_yaml = dagster_yaml
        self.root = folder.expanduser().resolve()
        self.postgres = self.root / "postgres"
        self.dagster_home = self.root / "dagster_home"
        self.workspace = self.root / "workspace.yaml"
        self.logs = self.root / "logs"
        self.sandbox_port = self.root / "sandbox.port"
        self.web_port = self.root / "web.port"
        self.studio_port = self.root / "studio.port"
        self.secrets = self.root / "secrets.json"
        self.stopping = self.root / "stopping"
        self.code_socket = socket_path(self.root, "code")

    @property
    def launcher(self) -> LauncherClient:
        """The run launcher of this stack."""
        return LauncherClient(LauncherConfig.found_at(self.dagster_home))

    def make_root(self) -> None:
        """Make the data folder itself, in which the lock lies."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Make the folders inside, link the instance's configuration and write the workspace.

        Whoever calls this holds the lock. Raise `StackError` where somebody else owns the socket's folder.
        """
        for folder in (self.dagster_home, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.stopping.unlink(missing_ok=True)
        make_private(self.code_socket.parent)
        link = self.dagster_home / "dagster.yaml"
        link.unlink(missing_ok=True)
        link.symlink_to(self._dagster_yaml)
        workspace = {"load_from": [{"grpc_server": {"socket": str(self.code_socket), "location_name": CODE_LOCATION}}]}
        # JSON is YAML, and its quoting is the simpler one.
        self.workspace.write_text(json.dumps(workspace, indent=2) + "\n")

    def tidy(self) -> None:
        """Remove what a stopped stack has outside the data folder."""
        self.stopping.unlink(missing_ok=True)
        for socket in (self.code_socket, LauncherConfig.at(self.dagster_home).socket):
            if self.root not in socket.parents:
                shutil.rmtree(socket.parent, ignore_errors=True)
