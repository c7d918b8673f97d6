"""What happened so far in the code agent's conversation: its calls, and what came back.

The agent remembers nothing else. A result is what a tool says, which may be anything; it is quoted and never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.sandbox.request import blocks_of, text_of


@dataclass(frozen=True)
class Made:
    """A call that was answered."""

    name: str
    given: dict[str, Any]
    result: str
    failed: bool

    def text(self, key: str) -> str:
        """Return a text of the input, empty where there is none."""
        value = self.given.get(key)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Transcript:
    """The answered calls in order, and how often the agent has spoken."""

    calls: tuple[Made, ...]
    turns: int

    def of(self, name: str) -> list[Made]:
        """Return the calls of one tool."""
        return [call for call in self.calls if call.name == name]

    def written(self, path: str) -> bool:
        """Say whether a file was written."""
        return any(call.text("file_path") == path and not call.failed for call in self.of("write"))

    def refusals(self, path: str) -> list[Made]:
        """Return the attempts to write a file that failed."""
        return [call for call in self.of("write") if call.text("file_path") == path and call.failed]

    def runs(self, *commands: str) -> list[Made]:
        """Return how any of these commands went, each time that it was run."""
        return [call for call in self.of("bash") if call.text("command") in commands]

    def after(self, earlier: Made, name: str) -> list[Made]:
        """Return the calls of one tool that came after `earlier`."""
        at = next(place for place, call in enumerate(self.calls) if call is earlier)
        return [call for call in self.calls[at + 1 :] if call.name == name]


def read(messages: Sequence[dict[str, Any]]) -> Transcript:
    """Return the transcript of a conversation."""
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    made: list[Made] = []
    turns = 0
    for message in messages:
        turns += message["role"] == "assistant"
        for block in blocks_of(message["content"]):
            if block["type"] == "tool_use":
                given = block["input"] if isinstance(block["input"], dict) else {}
                asked[block["id"]] = (str(block["name"]), given)
            elif block["type"] == "tool_result" and block["tool_use_id"] in asked:
                name, given = asked[block["tool_use_id"]]
                made.append(Made(name, given, text_of(block.get("content") or ""), bool(block.get("is_error"))))
    return Transcript(tuple(made), turns)


_RAN = re.compile(r"^Ran (\d+) tests? in [\d.]+s$", re.MULTILINE)
_ENDED = re.compile(r"^(OK|FAILED)\b.*$", re.MULTILINE)
_BROKEN = re.compile(r"^(?:FAIL|ERROR): (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a run of unittest said. `passed` only where it says so itself and the command did not fail."""

    passed: bool
    ran: bool
    said: str
    broken: tuple[str, ...]


def outcome_of(call: Made) -> Outcome:
    """Read what a run of the tests said."""
    ran, ended = _last(_RAN, call.result), _last(_ENDED, call.result)
    passed = (
        not call.failed and ran is not None and int(ran.group(1)) > 0 and ended is not None and ended.group(1) == "OK"
    )
    said = " ".join(found.group() for found in (ran, ended) if found)
    return Outcome(passed, ran is not None, said, tuple(dict.fromkeys(_BROKEN.findall(call.result))))


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(list(pattern.finditer(text))[-1:]), None)


def last_line(text: str) -> str:
    """Return the last line of a text that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
