"""How a stack runs Dagster: the instance's configuration, the daemon, and what its processes find in their environment.

There are two ways of the repository's own: with runs on this machine, and with a broker that carries them to workers.
The benchmarks bring another to compare with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from studio.paths import ROOT
from studio.settings import Settings


def daemon_command(workspace: Path) -> list[str]:
    """Return the command of the daemon on the workspace file `workspace`."""
    return [sys.executable, "-m", "greenlight_dagster.daemon", "--workspace", str(workspace)]


@dataclass(frozen=True)
class Profile:
    """One way to run Dagster. `environment` is given to every part, below what the stack itself says."""

    dagster_yaml: Path = ROOT / "dagster.yaml"
    daemon_command: Callable[[Path], list[str]] = daemon_command
    environment: Mapping[str, str] = field(default_factory=dict)


DEFAULT = Profile()
FLEET = Profile(dagster_yaml=ROOT / "dagster.celery.yaml")


def profile_of(settings: Settings) -> Profile:
    """Return how the settings want Dagster to be run."""
    return FLEET if settings.broker_url is not None else DEFAULT
