"""Progress without secrets and without bulk: what an agent writes and sees goes through it."""

from __future__ import annotations

from typing import Any

from studio.progress import Progress
from studio.text import clip
from studio.tracing.redaction import Redactor

# What a tool's call or result shows of each text in the event stream.
SHOWN_CHARS = 2_000
# No tool needs more; a model may write any number.
ENTRIES = 50


class DiscreetProgress:
    """Passes on what an agent does, shortened and redacted."""

    def __init__(self, progress: Progress, redactor: Redactor) -> None:
        self._progress = progress
        self._redactor = redactor

    def log(self, message: str, **data: Any) -> None:
        """Say something a person may want to read."""
        self._progress.log(self._redactor.text(message), **data)

    def delta(self, text: str, **data: Any) -> None:
        """Pass on a piece of streamed model text."""
        self._progress.delta(self._redactor.text(text), **data)

    def tool_call(self, tool: str, **data: Any) -> None:
        """Say that a tool is being used, and with what."""
        self._progress.tool_call(self._shown(tool), **self._shown(data))

    def tool_result(self, tool: str, **data: Any) -> None:
        """Say what the tool gave."""
        self._progress.tool_result(tool, **self._shown(data))

    def _shown(self, value: Any) -> Any:
        if isinstance(value, str):
            return clip(self._redactor.beginning(value, SHOWN_CHARS), SHOWN_CHARS)
        if isinstance(value, dict):
            if value.get("type") in ("image", "document"):
                return {"type": value["type"], "left_out": "not shown"}
            shown = {self._shown(str(key)): self._shown(item) for key, item in list(value.items())[:ENTRIES]}
            # A path before a whole file, in whatever order they were kept.
            return dict(sorted(shown.items(), key=lambda entry: len(str(entry[1]))))
        if isinstance(value, list):
            return [self._shown(item) for item in value[:ENTRIES]]
        return value
