"""A text that matches a regular expression, for schemas that ask for one.

Covers what schemas use: literals, classes, groups, alternatives and counts. What it cannot read gives None.
"""

from __future__ import annotations

import re

_CLASS_SAMPLE = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_MAX_REPEAT = 64


class _Unreadable(Exception):
    """The pattern uses something this reader does not know."""


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        if self.at >= len(self.pattern):
            raise _Unreadable
        self.at += 1
        return self.pattern[self.at - 1]

    def alternatives(self) -> str:
        first = self.sequence()
        while self.peek() == "|":
            self.take()
            self.sequence()
        return first

    def sequence(self) -> str:
        out: list[str] = []
        while self.peek() and self.peek() not in "|)":
            out.append(self.repeated(self.atom()))
        return "".join(out)

    def atom(self) -> str:
        char = self.take()
        if char in "^$":
            return ""
        if char == ".":
            return "a"
        if char == "[":
            return self.one_of()
        if char == "(":
            if self.peek() == "?":
                self.take()
                if self.take() != ":":
                    raise _Unreadable
            inner = self.alternatives()
            if self.take() != ")":
                raise _Unreadable
            return inner
        if char == "\\":
            return self.escaped(self.take())
        if char in "*+?{":
            raise _Unreadable
        return char

    def escaped(self, char: str) -> str:
        if char in _CLASS_SAMPLE:
            return _CLASS_SAMPLE[char]
        if char in "bBAZ":
            return ""
        if char.isalnum():
            raise _Unreadable
        return char

    def one_of(self) -> str:
        if self.peek() == "^":
            # Any letter may be excluded; the caller checks the result against the pattern.
            while self.take() != "]":
                pass
            return "a"
        char = self.take()
        first = self.escaped(self.take()) if char == "\\" else char
        while self.take() != "]":
            if self.pattern[self.at - 1] == "\\":
                self.take()
        return first

    def repeated(self, unit: str) -> str:
        char = self.peek()
        if char in ("*", "?") and char:
            self.take()
            times = 0
        elif char == "+":
            self.take()
            times = 1
        elif char == "{":
            end = self.pattern.find("}", self.at)
            found = re.fullmatch(r"(\d+)(?:,\d*)?", self.pattern[self.at + 1 : end])
            if end < 0 or found is None:
                raise _Unreadable
            self.at = end + 1
            times = min(int(found.group(1)), _MAX_REPEAT)
        else:
            return unit
        if self.peek() == "?":
            self.take()
        return unit * times


def sample(pattern: str) -> str | None:
    """Return a short text in which `pattern` is found, or None where this reader cannot make one."""
    reader = _Reader(pattern)
    try:
        text = reader.alternatives()
        if reader.at == len(pattern) and re.search(pattern, text):
            return text
    except (_Unreadable, re.error):
        return None
    return None
