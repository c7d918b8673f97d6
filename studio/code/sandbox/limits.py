"""What generated code may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from studio.code.sandbox.inside.plan import Bounds
from studio.settings import Settings

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """The memory and the number of all processes together, the largest file, and what the workspace may hold."""

    memory_bytes: int
    processes: int
    file_bytes: int
    disk_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits of this installation."""
        return cls(
            memory_bytes=settings.code_memory_mb * MEBIBYTE,
            processes=settings.code_processes,
            file_bytes=settings.code_file_mb * MEBIBYTE,
            disk_bytes=settings.code_disk_mb * MEBIBYTE,
        )

    def bounds(self) -> Bounds:
        """Return what the first process inside has to hold."""
        return Bounds(memory_bytes=self.memory_bytes, processes=self.processes, file_bytes=self.file_bytes)
