"""A log that several processes append to, kept from growing for ever."""

from __future__ import annotations

import shutil
from pathlib import Path

LIMIT_BYTES = 8 * 1024 * 1024


def bound_log(path: Path) -> None:
    """Move the content of a log that has grown too long into `<name>.1`.

    The file itself stays, because others have it open: they append to it, so what follows starts at its top.
    """
    if path.exists() and path.stat().st_size > LIMIT_BYTES:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        with path.open("r+b") as handle:
            handle.truncate(0)
