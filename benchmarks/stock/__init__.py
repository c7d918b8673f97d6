"""Dagster as its documentation recommends to run it, to compare with: its configuration lies beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.lane_settings import LANE_SETTINGS
from greenlight_dagster.stack.profile import Profile


def _daemon_command(workspace: Path) -> list[str]:
    return [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]


# The pickup sensors look by themselves, at the shortest interval that sensors have, instead of waiting to be woken.
STOCK = Profile(
    dagster_yaml=Path(__file__).parent / "dagster.yaml",
    daemon_command=_daemon_command,
    environment={**LANE_SETTINGS, "GREENLIGHT_PICKUP_WAIT_SECONDS": "0"},
)
