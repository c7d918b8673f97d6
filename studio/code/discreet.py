"""Progress without secrets and without bulk: what an agent writes and sees goes through it."""

from __future__ import annotations

import re
from typing import Any

from studio.progress import Progress
from studio.text import clip
from studio.tracing.redaction import Redactor

# What a tool's call or result shows of each text in the event stream.
SHOWN_CHARS = 2_000
# No tool needs more; a model may write any number.
ENTRIES = 50
# So far does it reach from where a rule's match begins to where it is known to be one: from `Bearer`, the name of a
# value or the first line of a key to what gives it away. What is known to be a match may go on for ever.
REACH_CHARS = 128
# Text is parted only behind what stands in no word: white space, or a letter of a script that writes without it.
_PARTED = re.compile(r".*[^!-~]", re.DOTALL)
# What could not be parted is looked at again when it is longer by this share: all looks together cost a multiple of
# the text's length, and not its square.
_LOOK_AGAIN = 8


class DiscreetProgress:
    """Passes on what an agent does, shortened and redacted; close it.

    The end of streamed text is held back until it is known whether a secret begins there: until more has come, or
    something else is passed on.
    """

    def __init__(self, progress: Progress, redactor: Redactor) -> None:
        self._progress = progress
        self._redactor = redactor
        self._reach = max(redactor.longest, REACH_CHARS)
        self._held = ""
        self._held_data: dict[str, Any] = {}
        # How long the held text has to be before it is looked at again.
        self._look_at = 0

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
        if len(self._held) < self._look_at:
            return
        end = self._end()
        shown, rest = self._redactor.text(self._held[:end]), self._held[end:]
        # A secret reaches from the one into the other.
        if not end or shown + self._redactor.text(rest) != self._redactor.text(self._held):
            self._look_at = len(self._held) + len(self._held) // _LOOK_AGAIN
            return
        self._held, self._look_at = rest, 0
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
        held, self._held, self._look_at = self._held, "", 0
        if held:
            self._progress.delta(self._redactor.text(held), **self._held_data)

    def _end(self) -> int:
        """Return up to where the held text may be shown: no secret that is not known to be one yet begins before it.

        What looks like a key looks like none in parts.
        """
        known = max(0, len(self._held) - self._reach + 1)
        parted = _PARTED.match(self._held, 0, known)
        return parted.end() if parted else 0

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
