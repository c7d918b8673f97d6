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
    """Passes on what an agent does, shortened and redacted; close it.

    The end of streamed text is held back until it is known whether a secret begins there: until more has come, or
    something else is passed on.
    """

    def __init__(self, progress: Progress, redactor: Redactor) -> None:
        self._progress = progress
        self._redactor = redactor
        self._held = ""
        self._held_data: dict[str, Any] = {}

    def log(self, message: str, **data: Any) -> None:
        """Say something a person may want to read."""
        self.close()
        self._progress.log(self._redactor.text(message), **data)

    def delta(self, text: str, **data: Any) -> None:
        """Pass on streamed model text, as far as no secret can reach into what is still to come."""
        if data != self._held_data:
            self.close()
            self._held_data = data
        self._held += text
        end = self._end()
        shown, rest = self._redactor.text(self._held[:end]), self._held[end:]
        # A secret reaches from the one into the other.
        if shown + self._redactor.text(rest) != self._redactor.text(self._held):
            return
        self._held = rest
        if shown:
            self._progress.delta(shown, **data)

    def tool_call(self, tool: str, **data: Any) -> None:
        """Say that a tool is being used, and with what."""
        self.close()
        self._progress.tool_call(self._shown(tool), **self._shown(data))

    def tool_result(self, tool: str, **data: Any) -> None:
        """Say what the tool gave."""
        self.close()
        self._progress.tool_result(tool, **self._shown(data))

    def close(self) -> None:
        """Pass on what is held back. It may be used again."""
        held, self._held = self._held, ""
        if held:
            self._progress.delta(self._redactor.text(held), **self._held_data)

    def _end(self) -> int:
        """Return up to where the held text may be shown: neither a known secret nor a word can begin before and go on.

        What looks like a key looks like none in parts.
        """
        known = max(0, len(self._held) - self._redactor.longest + 1)
        return max(self._held.rfind(sign, 0, known) for sign in " \n") + 1

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
