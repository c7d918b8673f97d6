"""A project's own build and tests, run in a sandbox on exactly what was committed, and what they really said.

There are three outcomes. What could not be run (a program that is not here, packages that nobody could install, no
tests at all) has neither passed nor failed, and is not called either. A test may print anything: that it could not be
run is believed of the exit code, of make's own last words, and of a missing package that the project declares.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from studio.code.declared import DeclaredCheck
from studio.code.missing_packages import missing
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
# `make: *** [Makefile:2: test] Error 127`; a make inside another one ends the outer with Error 2.
_MAKE_ERROR = re.compile(r"(?m)^make(?:\[\d{1,4}\])?: \*\*\* \[.{1,400}\] Error (?P<code>\d{1,3})$")
_MAKE_FAILED = 2
_RAN = re.compile(r"(?m)^Ran (?P<count>\d{1,9}) tests? in ")


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
        # Up to Python 3.11 that is no failure. There may be several suites, and the first ones cut off from the output.
        counts = [int(found["count"]) for found in _RAN.finditer(_plain(ran.output))]
        return ("could not run", "There are no tests.") if counts and not any(counts) else ("passed", "")
    if ran.exit_code == _NO_TESTS and ("unittest" in check.argv or "pytest" in check.argv):
        return "could not run", "There are no tests."
    if ran.exit_code in (_NOT_FOUND, _NOT_EXECUTABLE) or (check.argv[0] == "make" and _make_missed(output)):
        return "could not run", "It calls a program that is not here."
    packages = missing(output, check.absent, modules)
    if packages:
        return "could not run", f"What it needs is not installed: {', '.join(packages)}."
    return "failed", f"It ended with {ran.exit_code}."


def _make_missed(output: str) -> bool:
    """Say whether it was for want of a program, and nothing else, that make ended."""
    codes = {int(found["code"]) for found in _MAKE_ERROR.finditer(output)} - {_MAKE_FAILED}
    return bool(codes) and codes <= {_NOT_FOUND, _NOT_EXECUTABLE}


def _plain(output: str) -> str:
    return _ANSI.sub("", output.replace("\r\n", "\n").replace("\r", "\n"))


def _readable(output: str) -> str:
    """Return the end of an output as text, without what steers a terminal."""
    text = storable(_plain(output[-4 * OUTPUT_CHARS :])).strip()
    return text if len(text) <= OUTPUT_CHARS else f"…{text[-OUTPUT_CHARS:]}"
