"""What the pool keeps books of: runs, runs that were lost, and workers."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from greenlight_dagster.launcher import messages
from greenlight_dagster.launcher.messages import Launch, Message
from greenlight_dagster.launcher.records import Process
from greenlight_dagster.launcher.templates import Template


@dataclass
class Run:
    """A run that was accepted and has not ended."""

    launch: Launch
    worker: Worker | None = None
    # Whose process is known from the records alone, because an earlier server had handed the run out.
    adopted: Process | None = None
    terminating: bool = False
    # How many workers have ended before they touched it.
    attempts: int = 0

    @property
    def pid(self) -> int | None:
        """The process that carries the run out."""
        return self.worker.pid if self.worker else self.adopted.pid if self.adopted else None


@dataclass
class Report:
    """A run of which Dagster has to be told that it was lost."""

    launch: Launch
    why: str
    attempts: int = 0


@dataclass(eq=False)
class Worker:
    """A forked process that is connected: idle, or with one thing to do."""

    pid: int
    template: Template
    writer: asyncio.StreamWriter
    task: Run | Report | None = None
    done: bool = False
    rehearsed: bool = False
    rehearses: bool = False

    def tell(self, message: Message) -> None:
        """Send `message`; a worker that is gone will be noticed by its end."""
        with contextlib.suppress(OSError):
            self.writer.write(messages.encode(message))
