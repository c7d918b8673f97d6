"""A project's own build and tests, run in a sandbox on exactly what was committed, and what they really said.

There are three outcomes. What could not be run (a program that is not here, packages that nobody could install, no
tests at all) has neither passed nor failed, and is not called either. A test may print anything: that it could not be
run is believed of the exit code, of make's own last words, and of a missing package that the project declares; and of
none of them where tests were run and failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
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
_MAKE_SAYS = re.compile(r"make(?:\[(?P<level>\d{1,4})\])?: (?P<words>.*)")
# `make: *** [Makefile:2: test] Error 127`; a make inside another one ends the outer with Error 2.
_MAKE_ERROR = re.compile(r"\*\*\* \[.{1,400}\] Error (?P<code>\d{1,3})")
_MAKE_FAILED = 2
# That tests have failed, as pytest, unittest, Jest, Vitest, Mocha, Jasmine and Playwright sum it up. Node.js counts a
# file that cannot be loaded among them: of what it says, the assertion counts.
_FAILURES = re.compile(
    r"(?m)^(?:"
    r"(?:=+ )?[1-9]\d{0,8} failed(?:, \d{1,9} [a-z]{1,20}){0,9} in \d"
    r"|FAILED \S+::"
    r"|FAILED \(failures=[1-9]"
    r"| {0,20}Tests:? +[1-9]\d{0,8} failed\b"
    r"| {0,20}[1-9]\d{0,8} (?:failing|failed)\b(?:$| \()"
    r"|\d{1,9} specs?, [1-9]\d{0,8} failures?\b"
    r"| {0,40}(?:AssertionError \[ERR_ASSERTION\]|code: 'ERR_ASSERTION')"
    r")"
)
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


def run(
    check: DeclaredCheck,
    sandbox: Runs,
    *,
    seconds: float,
    modules: Collection[str] = (),
    clean: Callable[[str], str] = str,
) -> CheckResult:
    """Run a check in `sandbox` and return what became of it; nothing that it does is an error here.

    The sandbox must be a fresh one for each check, filled with the tree that was committed: what one leaves, or breaks,
    is nothing to the next. `modules` are the tree's own Python modules (`python_modules`). Each command has `seconds`.
    `clean` takes out of its output what nobody may read.
    """
    try:
        return _run(check, sandbox, seconds, modules, clean)
    except SandboxBroken as exc:
        return CheckResult(
            check.name, check.command, "could not run", None, 0.0, "", f"The sandbox ended. {exc.message}"
        )


def python_modules(paths: Collection[str]) -> set[str]:
    """Return the names under which a tree's own Python files can be imported from its uppermost folder, or from src."""
    inside = (path.removeprefix("src/") for path in paths if path.endswith(".py"))
    return {path.partition("/")[0].removesuffix(".py") for path in inside}


def _run(
    check: DeclaredCheck, sandbox: Runs, seconds: float, modules: Collection[str], clean: Callable[[str], str]
) -> CheckResult:
    for number, argv in enumerate((*check.set_up, check.argv)):
        if _missing_program(sandbox, argv[0]):
            return CheckResult(
                check.name, check.command, "could not run", None, 0.0, "", f"There is no {argv[0]} here."
            )
        ran = sandbox.run(argv, seconds=seconds)
        output = _readable(ran.output, clean)
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
    if _FAILURES.search(_plain(ran.output)):
        return "failed", f"It ended with {ran.exit_code}."
    if ran.exit_code in (_NOT_FOUND, _NOT_EXECUTABLE) or (check.argv[0] == "make" and _make_missed(output)):
        return "could not run", "It calls a program that is not here."
    packages = missing(output, check.absent, modules)
    if packages:
        return "could not run", f"What it needs is not installed: {', '.join(packages)}."
    return "failed", f"It ended with {ran.exit_code}."


def _make_missed(output: str) -> bool:
    """Say whether it was for want of a program, and nothing else, that make ended.

    What it says at the very end counts, up to where something else was printed: an error before that may have been
    ignored.
    """
    errors: list[tuple[int, int]] = []
    for line in reversed(output.split("\n")):
        said = _MAKE_SAYS.fullmatch(line)
        if said is None:
            break
        if (found := _MAKE_ERROR.fullmatch(said["words"])) is not None:
            errors.append((int(said["level"] or 0), int(found["code"])))
    # From the outermost make inwards: what one calls Error 2 is what went wrong in the next.
    inner = [*(level for level, _ in errors[1:]), -1]
    return bool(errors) and all(
        code in (_NOT_FOUND, _NOT_EXECUTABLE) or (code == _MAKE_FAILED and below > level)
        for (level, code), below in zip(errors, inner, strict=True)
    )


def _plain(output: str) -> str:
    return _ANSI.sub("", output.replace("\r\n", "\n").replace("\r", "\n"))


def _readable(output: str, clean: Callable[[str], str]) -> str:
    """Return the end of an output as text, without what steers a terminal."""
    # More of it than is shown: what is cut in two is not known for what it is.
    text = clean(storable(_plain(output[-4 * OUTPUT_CHARS :]))).strip()
    return text if len(text) <= OUTPUT_CHARS else f"…{text[-OUTPUT_CHARS:]}"
