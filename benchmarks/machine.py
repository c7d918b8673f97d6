"""What the figures were measured on: without it a figure says nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from typing import Any

import psutil

from studio.paths import ROOT


def facts(postgres_version: str) -> dict[str, Any]:
    """Return the machine, the versions, the commit and the moment."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "dagster": importlib.metadata.version("dagster"),
        "postgres": postgres_version,
    }


def _commit() -> str | None:
    """Return the commit, marked where the files differ from it; None outside a clone."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
