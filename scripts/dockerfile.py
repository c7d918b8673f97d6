"""A Dockerfile as instructions, and what `.dockerignore` lets into its context: as much of either as ours uses.

An instruction, a flag or a pattern beyond that is an error: nothing is passed over that an engine would carry out.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_KNOWN = frozenset(
    {
        *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM"),
        *("HEALTHCHECK", "LABEL", "RUN", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    }
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name, what follows it (lines joined), and where it stands."""

    name: str
    rest: str
    line: int


@dataclass
class Stage:
    """One stage: what it begins with, and its instructions in their order."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """The arguments before the first stage with their defaults, and the stages."""

    arguments: dict[str, str]
    stages: list[Stage]


def parse(text: str) -> Dockerfile:
    """Return the Dockerfile that `text` is; raise `ValueError` for what is not known here."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            words = instruction.rest.split()
            if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
                raise ValueError(f"line {instruction.line}: FROM {instruction.rest} is not known here")
            stages.append(Stage(words[2] if len(words) == 3 else "", words[0]))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            if instruction.name != "ARG":
                raise ValueError(f"line {instruction.line}: {instruction.name} before FROM")
            name, _, default = instruction.rest.partition("=")
            arguments[name] = default
    return Dockerfile(arguments, stages)


def _instructions(text: str) -> Iterator[Instruction]:
    gathered: list[str] = []
    began = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not gathered and not line.strip()):
            continue
        began = began if gathered else number
        if line.endswith("\\"):
            gathered.append(line[:-1])
            continue
        name, _, rest = " ".join([*gathered, line]).strip().partition(" ")
        gathered = []
        if name.upper() not in _KNOWN:
            raise ValueError(f"line {began}: the instruction {name} is not known here")
        yield Instruction(name.upper(), rest.strip(), began)


def expanded(text: str, variables: dict[str, str]) -> str:
    """Return `text` with its `$NAME` and `${NAME}` replaced; an unknown one is empty, as with an engine."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def pairs(rest: str, variables: dict[str, str]) -> dict[str, str]:
    """Return the names and values of an ENV or LABEL."""
    found = {}
    for word in shlex.split(rest):
        name, separator, value = word.partition("=")
        if not separator:
            raise ValueError(f"{rest!r}: write NAME=value")
        found[name] = expanded(value, variables)
    return found


def exec_form(rest: str) -> list[str]:
    """Return the words of a command in the form of a JSON list; raise `ValueError` for the shell's form."""
    words = json.loads(rest)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{rest!r} is no list of words")
    return words


def health_command(rest: str) -> list[str]:
    """Return the command of a HEALTHCHECK, without its options."""
    _, separator, command = rest.partition("CMD ")
    if not separator:
        raise ValueError(f"HEALTHCHECK {rest}: no CMD")
    return exec_form(command)


class Ignored:
    """What a `.dockerignore` keeps out. The last pattern that matches decides, and one with `!` lets in."""

    def __init__(self, text: str) -> None:
        self._patterns: list[tuple[re.Pattern[str], bool]] = []
        for line in text.splitlines():
            pattern = line.strip()
            if pattern and not pattern.startswith("#"):
                keeps = not pattern.startswith("!")
                self._patterns.append((_regular(pattern.lstrip("!").strip("/")), keeps))

    def __call__(self, path: str) -> bool:
        """Say whether `path`, relative to the context, stays out: by itself, or because of a folder it lies in."""
        parts = path.split("/")
        above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        out = False
        for pattern, keeps in self._patterns:
            if any(pattern.fullmatch(one) for one in above):
                out = keeps
        return out


def _regular(pattern: str) -> re.Pattern[str]:
    """Return the expression for a pattern: `**` is any number of folders, `*` stays within a name (Go's filepath)."""
    written = ""
    for part in pattern.split("/"):
        written += r"(?:.*/)?" if part == "**" else fnmatch.translate(part)[4:-3].replace(".*", "[^/]*") + "/"
    return re.compile(written.removesuffix("/"), re.DOTALL)


def context_files(root: Path) -> list[str]:
    """Return the files of the context at `root` that `.dockerignore` lets in, sorted."""
    ignored = Ignored((root / ".dockerignore").read_text(encoding="utf-8"))
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in {".git", ".venv", "node_modules"}]
        for name in files:
            path = (Path(folder) / name).relative_to(root).as_posix()
            if not ignored(path):
                found.append(path)
    return sorted(found)
