"""The project's own scripts of `deploy/postgres`, run as an operator runs them, with the programs of the wheel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from studio.database.postgres_wheel import installed_versions
from studio.paths import ROOT

SCRIPTS = ROOT / "deploy" / "postgres"
_INSTALLED = installed_versions()
PROGRAMS = _INSTALLED[max(_INSTALLED)]
SECONDS = 120.0


def script(name: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script; return what it said, whether it succeeded or not."""
    kept = {variable: os.environ[variable] for variable in ("PATH", "HOME", "TMPDIR") if variable in os.environ}
    # Dumps of a test are small; what is compressed least is there soonest.
    return subprocess.run(
        [SCRIPTS / name, *map(str, arguments)],
        env={**kept, "PG_BIN": str(PROGRAMS), "COMPRESS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def backed_up(folder: Path, **environment: str) -> Path:
    """Make a backup in `folder` and return where it is."""
    done = script("backup.sh", folder, **environment)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def moment_of(backup: Path) -> str:
    """Return the moment that a backup is restored to."""
    manifest = dict(line.split("=", 1) for line in (backup / "manifest").read_text().splitlines())
    return manifest["restored_to"]
