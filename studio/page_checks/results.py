"""What a check says of a page: passed, failed, not measured or not applicable, in a sentence, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from studio.job_types import CheckName
from studio.page_checks.causes import Cause
from studio.text import clip, one_line, storable_json

Outcome = Literal["passed", "failed", "not measured", "not applicable"]

# A page decides what stands in the evidence, and a row has to stay readable: of a list its first entries are kept,
# of a text its beginning.
LIST_ENTRIES = 25
TEXT_CHARS = 400
SUMMARY_CHARS = 300
_DEPTH = 6


@dataclass(frozen=True)
class CheckResult:
    """One check's result. `evidence` is JSON: what was measured, and against which limits.

    `lasting` says of what was not measured that another attempt would not measure it either.
    """

    check: CheckName
    outcome: Outcome
    summary: str
    evidence: dict[str, Any] = field(default_factory=dict)
    lasting: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the result as a row keeps it: bounded, and of characters that a database can hold."""
        bounded = {**asdict(self), "evidence": bounded_evidence(self.evidence)}
        del bounded["lasting"]
        return {**storable_json(bounded), "summary": self.line}

    @property
    def line(self) -> str:
        """The summary as it may stand in a list or a log: pages put words into it."""
        return one_line(self.summary, SUMMARY_CHARS)


def passed(check: CheckName, summary: str, **evidence: Any) -> CheckResult:
    """Return the result of a check that found nothing wrong."""
    return CheckResult(check, "passed", summary, evidence)


def failed(check: CheckName, summary: str, **evidence: Any) -> CheckResult:
    """Return the result of a check that found something wrong."""
    return CheckResult(check, "failed", summary, evidence)


def not_applicable(check: CheckName, summary: str, **evidence: Any) -> CheckResult:
    """Return the result of a check that has nothing to look at here; the summary says why."""
    return CheckResult(check, "not applicable", summary, evidence)


def not_measured(check: CheckName, summary: str, *, lasting: bool = False, **evidence: Any) -> CheckResult:
    """Return the result of a check whose evidence the browser could not take; it says nothing of the page."""
    return CheckResult(check, "not measured", summary, evidence, lasting)


def unseen(check: CheckName, cause: Cause, **evidence: Any) -> CheckResult:
    """Return the result of a check that had nothing to judge: failed where that is the page's own doing."""
    told = f"{cause.why.rstrip('.')}."
    if cause.by_page:
        return failed(check, told, **evidence)
    return not_measured(check, told, lasting=cause.lasting, **evidence)


def judged(
    check: CheckName,
    problems: list[str],
    well: str,
    *,
    missing: Sequence[str] = (),
    lasting: bool = False,
    **evidence: Any,
) -> CheckResult:
    """Return a failed result that names the first problem and how many more there are, or a passed one: `well`.

    `missing` says what could not be measured: without a problem that leaves the check open, for good where it is
    `lasting`.
    """
    if missing:
        evidence["not_measured"] = list(missing)
    if missing and not problems:
        return not_measured(check, f"{missing[0].rstrip('.')}.", lasting=lasting, **evidence)
    if not problems:
        return passed(check, well, **evidence)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    told = clip(problems[0], SUMMARY_CHARS - len(more) - 1).rstrip(".")
    return failed(check, f"{told}{more}.", problems=problems, **evidence)


def bounded_evidence(value: Any, depth: int = 0) -> Any:
    """Return JSON with its lists and texts cut to what a person would read; what nests too deep is left out."""
    if isinstance(value, str):
        return clip(value, TEXT_CHARS)
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict | list | tuple) and depth >= _DEPTH:
        return None
    if isinstance(value, dict):
        return {clip(str(key), 80): bounded_evidence(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bounded_evidence(item, depth + 1) for item in value[:LIST_ENTRIES]]
    return value


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `number` with its noun: "1 form", "3 forms"."""
    return f"{number} {one if number == 1 else many or one + 's'}"
