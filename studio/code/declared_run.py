"""A project's own build and tests, run in a sandbox on exactly what was committed, and what they really said.

There are three outcomes. What could not be run (a program that is not here, packages that nobody could install, no
tests at all) has neither passed nor failed, and is not called either.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from studio.code.declared import DeclaredCheck
from studio.errors import SandboxBroken
from studio.text import storable

Outcome = Literal["passed", "failed", "could not run"]
# The end of an output says what went wrong.
OUTPUT_CHARS = 8_000
_PROBE_SECONDS = 20.0
_NOT_FOUND, _NOT_EXECUTABLE, _NO_TESTS = 127, 126, 5

_ANSI = re.compile(
    r"\x1b\[[0-9;?]{0,16}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]"
)
# `make: *** [Makefile:2: test] Error 127`, `sh: 1: tsc: not found`.
_NO_PROGRAM = re.compile(
    r"^make(?:\[\d+\])?: \*\*\* .{0,200} Error 127$"
    r"|^[\w./-]{1,80}: (?:(?:line )?\d{1,6}: )?[\w./-]{1,80}: (?:command )?not found$",
    re.MULTILINE,
)
_NO_MODULE = re.compile(r"No module named '?(?P<name>[A-Za-z0-9_]{1,80})")
_RAN_NONE = re.compile(r"(?m)^Ran 0 tests in ")


class Ran(Protocol):
    """How a command ended: `studio.code.sandbox.Ran`."""

    @property
    def exit_code(self) -> int | None:
        """The exit code, None where it was ended."""
        ...

    @property
    def output(self) -> str:
        """What it wrote."""
        ...

    @property
    def seconds(self) -> float:
        """How long it took."""
        ...

    @property
    def timed_out(self) -> bool:
        """Whether its time was up."""
        ...


class Runs(Protocol):
    """Where a command runs: `studio.code.sandbox.Sandbox`."""

    def run(self, argv: Sequence[str], *, seconds: float) -> Ran:
        """Run a command in the workspace."""
        ...


@dataclass(frozen=True)
class CheckResult:
    """What became of a check; `reason` says why, where it has not passed."""

    name: str
    command: str
    outcome: Outcome
    exit_code: int | None
    seconds: float
    output: str
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored, the reason before the output."""
        return {
            "name": self.name,
            "command": self.command,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 2),
            "output": "\n\n".join(filter(None, (self.reason, self.output))),
        }


def run(check: DeclaredCheck, sandbox: Runs, *, seconds: float, modules: Collection[str] = ()) -> CheckResult:
    """Run a check in `sandbox` and return what became of it; nothing that it does is an error here.

    The sandbox must be a fresh one for each check, filled with the tree that was committed: what one leaves, or breaks,
    is nothing to the next. `modules` are the tree's own Python modules (`python_modules`). Each command has `seconds`.
    """
    try:
        return _run(check, sandbox, seconds, modules)
    except SandboxBroken as exc:
        return CheckResult(
            check.name, check.command, "could not run", None, 0.0, "", f"The sandbox ended. {exc.message}"
        )


def python_modules(paths: Collection[str]) -> set[str]:
    """Return the names under which a tree's own Python files can be imported from its uppermost folder, or from src."""
    inside = (path.removeprefix("src/") for path in paths if path.endswith(".py"))
    return {path.partition("/")[0].removesuffix(".py") for path in inside}


def _run(check: DeclaredCheck, sandbox: Runs, seconds: float, modules: Collection[str]) -> CheckResult:
    for number, argv in enumerate((*check.set_up, check.argv)):
        if _missing_program(sandbox, argv[0]):
            return CheckResult(
                check.name, check.command, "could not run", None, 0.0, "", f"There is no {argv[0]} here."
            )
        ran = sandbox.run(argv, seconds=seconds)
        output = _readable(ran.output)
        if number < len(check.set_up) and (ran.exit_code != 0 or ran.timed_out):
            reason = f"What it needs could not be installed: `{' '.join(argv)}` failed."
            return CheckResult(check.name, check.command, "could not run", ran.exit_code, ran.seconds, output, reason)
    outcome, reason = _judged(check, ran, output, seconds, modules)
    return CheckResult(check.name, check.command, outcome, ran.exit_code, ran.seconds, output, reason)


def _missing_program(sandbox: Runs, program: str) -> bool:
    return sandbox.run(["sh", "-c", 'command -v -- "$1"', "sh", program], seconds=_PROBE_SECONDS).exit_code != 0


def _judged(
    check: DeclaredCheck, ran: Ran, output: str, seconds: float, modules: Collection[str]
) -> tuple[Outcome, str]:
    if ran.timed_out:
        return "failed", f"It did not end within {seconds:g} seconds."
    if ran.exit_code is None:
        return "failed", "It was ended before its time: it may have used up the memory that it has."
    if ran.exit_code == 0:
        # Up to Python 3.11 that is no failure.
        return ("could not run", "There are no tests.") if _RAN_NONE.search(output) else ("passed", "")
    if ran.exit_code == _NO_TESTS and ("unittest" in check.argv or "pytest" in check.argv):
        return "could not run", "There are no tests."
    if ran.exit_code in (_NOT_FOUND, _NOT_EXECUTABLE) or _NO_PROGRAM.search(output):
        return "could not run", "It calls a program that is not here."
    missing = _missing_modules(check, output, modules)
    if missing:
        return "could not run", f"The Python package {', '.join(missing)} is not installed."
    if check.lacks is not None:
        return "could not run", f"It ended with {ran.exit_code}, but what it needs is not installed: {check.lacks}."
    return "failed", f"It ended with {ran.exit_code}."


def _missing_modules(check: DeclaredCheck, output: str, modules: Collection[str]) -> list[str]:
    """Return which modules are missing that are not the project's own; one that it forgot to declare is a failure."""
    names = {found["name"] for found in _NO_MODULE.finditer(output)} - set(modules) - sys.stdlib_module_names
    if check.lacks is None:
        names &= {"pytest"}
    return sorted(names)[:5]


def _readable(output: str) -> str:
    """Return the end of an output as text, without what steers a terminal."""
    text = _ANSI.sub("", output[-4 * OUTPUT_CHARS :].replace("\r\n", "\n").replace("\r", "\n"))
    text = storable(text).strip()
    return text if len(text) <= OUTPUT_CHARS else f"…{text[-OUTPUT_CHARS:]}"
