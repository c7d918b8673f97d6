"""What a demo that is over may not leave behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil


def left_behind(folder: Path) -> list[Any]:
    """Return the files and processes of a demo that is over."""
    processes = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or [])
    ]
    return [*folder.glob("greenlight-*"), *processes]
