"""How work tells what it is doing: the interface that agents and phases report to.

In a run, the Dagster resource of the job implements it (log lines and tool calls go through Dagster's log
and are mirrored, streamed text goes straight to the event stream).
"""

from __future__ import annotations

from typing import Any, Protocol


class Progress(Protocol):
    """Where work reports. Every call returns at once and never raises into the work."""

    def log(self, message: str, **data: Any) -> None:
        """Say something a person may want to read."""

    def delta(self, text: str, **data: Any) -> None:
        """Pass on a piece of streamed model text."""

    def tool_call(self, tool: str, **data: Any) -> None:
        """Say that a tool is being used, and with what."""

    def tool_result(self, tool: str, **data: Any) -> None:
        """Say what the tool gave."""
