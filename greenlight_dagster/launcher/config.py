"""How the launcher is configured: the values of `run_launcher.config` in `dagster.yaml`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from greenlight_dagster.sockets import socket_path

# Idle workers. One is taken per run and replaced in some 20 ms; more than two cores can use at once cost memory only.
SPARES = 3
# All lanes together run 13 jobs by default; the rest is for runs that people start.
MAX_CONCURRENT_RUNS = 24
# The template's own memory; it grows where an import or a fork leaks.
RECYCLE_AFTER_GROWTH_MB = 200
# An op that is interrupted has this long to clean up.
TERMINATE_GRACE_SECONDS = 10.0
# A server without clients and runs stays for a moment: commands follow each other.
IDLE_SECONDS = 10.0


@dataclass(frozen=True)
class LauncherConfig:
    """Where the launcher lives and how much it may use.

    `folder` holds its records, lock and log; `socket` is where the server listens.
    """

    folder: Path
    socket: Path
    spares: int = SPARES
    max_concurrent_runs: int = MAX_CONCURRENT_RUNS
    recycle_after_growth_mb: int = RECYCLE_AFTER_GROWTH_MB
    terminate_grace_seconds: float = TERMINATE_GRACE_SECONDS
    idle_seconds: float = IDLE_SECONDS

    @classmethod
    def at(cls, home: Path, socket: Path | None = None, **values: float) -> LauncherConfig:
        """Return the configuration for the Dagster home `home`; `values` are fields of this class."""
        folder = home / "launcher"
        return cls(folder=folder, socket=socket or socket_path(folder, "server"), **values)  # type: ignore[arg-type]

    @classmethod
    def found_at(cls, home: Path) -> LauncherConfig:
        """Return where the server of `home` listens, also where `dagster.yaml` has put its socket somewhere else."""
        config = cls.at(home)
        with contextlib.suppress(FileNotFoundError):
            _pid, *socket = config.server_lock.read_text().splitlines() or [""]
            if socket:
                return dataclasses.replace(config, socket=Path(socket[0]))
        return config

    @property
    def records(self) -> Path:
        """The folder of the records of runs."""
        return self.folder / "runs"

    @property
    def log(self) -> Path:
        """Where server, template and workers write, apart from what is captured of a run."""
        return self.folder / "launcher.log"

    @property
    def start_lock(self) -> Path:
        """Held by whoever starts a server."""
        return self.folder / "start.lock"

    @property
    def server_lock(self) -> Path:
        """Held by the server for as long as it lives; its lines are the process id and the socket."""
        return self.folder / "server.lock"

    def to_json(self) -> str:
        """Return the configuration as an argument for the server's command line."""
        return json.dumps(
            {key: str(value) if isinstance(value, Path) else value for key, value in dataclasses.asdict(self).items()}
        )

    @classmethod
    def from_json(cls, text: str) -> LauncherConfig:
        """Read what `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "folder": Path(values["folder"]), "socket": Path(values["socket"])})
