"""The model calls of a report: each is paid for once, and kept as a checkpoint of its own.

A call whose answer fits nothing, or that the model declines, costs the report what it would have said, and not the
rest: the answer is None, and the report says so. Whatever concerns the whole job (budget, claim, an unreachable model)
is raised, and so is a plan that is declined: without questions there is no report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from studio.claims import Claim as Held
from studio.claims import Json
from studio.errors import BudgetExhausted, ModelAnswerInvalid, ModelDeclined
from studio.model.spend import Spender
from studio.parallel import side_by_side
from studio.progress import Progress
from studio.reports import assembly, checking, claims, contradictions, planning, reviewing, searching, writing
from studio.reports.assembly import Answered
from studio.reports.checking import Checked
from studio.reports.contradictions import FoundContradiction
from studio.reports.languages import primary
from studio.reports.model import Claim
from studio.reports.reviewing import SentenceVerdict
from studio.reports.snapshots import Keeper
from studio.reports.writing import ReportText

if TYPE_CHECKING:
    from studio.model.client import Model

T = TypeVar("T")


@dataclass(frozen=True)
class PaidCalls:
    """The calls of one job. Each answers with JSON, which an earlier attempt may have paid for."""

    held: Held
    model: Callable[[], Model]
    progress: Progress
    topic: str

    @property
    def _asking(self) -> tuple[Model, Spender, Progress]:
        spender = Spender(self.held.job.project_id, self.held.job_id, self.held.claim_no)
        return self.model(), spender, self.progress

    def plan(self, facts: dict[str, Any], slides: int) -> Json:
        """Return the report's `language` and `questions`."""
        return self.held.once(planning.STEP, lambda: planning.plan(*self._asking, facts, slides))

    def look_up(self, number: int, facts: dict[str, Any], keeper: Keeper) -> Json:
        """Return what the research of a question has brought; the pages that were fetched for it are stored.

        What was paid for is kept before the pages are stored, so that a storage that fails costs no second answer. A
        question that the model declines brings nothing, and says so.
        """
        step = f"research/{number}"

        def asked() -> Json:
            try:
                return assembly.answered(searching.look_up(*self._asking, step, facts))
            except ModelDeclined as exc:
                self.progress.log(f"Question {number} is not looked up: {exc.message}", step=step)
                return assembly.declined()

        def stored() -> Json:
            given = self.held.once(f"{step}/answer", asked)
            found = Answered.model_validate(given)
            return assembly.brought(found, keeper.keep_fetched(found.pages))

        return self.held.once(step, stored)

    def state(self, number: int, facts: dict[str, Any], shown: Sequence[dict[str, Any]]) -> Json:
        """Return the statements that the pages make to a question, None where no answer was usable."""
        step = f"claims/{number}"
        return self._once(
            step,
            lambda: [one.model_dump() for one in claims.state(*self._asking, step, facts, shown)],
            f"Question {number} has no statements",
        )

    def review(self, number: int, standing: Sequence[Checked]) -> Json:
        """Return the second reading of a question's claims, None where none was usable."""
        step = f"check/{number}"
        return self._once(
            step,
            lambda: [one.model_dump() for one in checking.review(*self._asking, step, self.topic, standing)],
            f"Question {number} has no second reading",
        )

    def contrary(self, standing: Sequence[Claim]) -> list[FoundContradiction]:
        """Return what a model finds contradictory, nothing where it gave no usable answer."""
        step = "check/contradictions"
        found = self._once(
            step,
            lambda: [one.model_dump() for one in contradictions.find(*self._asking, step, self.topic, standing)],
            "Contradictions are told by figures alone",
        )
        return [FoundContradiction.model_validate(one) for one in found or ()]

    def write(self, questions: Sequence[str], standing: Sequence[Claim], language: str) -> ReportText | None:
        """Return the report's words as far as a second reading confirms them, None without a usable answer."""
        step = "write/text"
        listed = [{"question": number, "text": text} for number, text in enumerate(questions, 1)]
        facts = {"topic": self.topic, "questions": listed}
        given = self._once(
            step,
            lambda: writing.write(*self._asking, step, facts, standing)[0].model_dump(mode="json"),
            "The statements stand for themselves",
        )
        if given is None:
            return None
        text = writing.carried(ReportText.model_validate(given), self.topic, standing, primary(language))
        items = reviewing.items(text, self.topic, standing)
        if not items:
            return text
        step = "write/check"
        verdicts = self._once(
            step,
            lambda: [one.model_dump() for one in reviewing.review(*self._asking, step, self.topic, items)],
            "The written text has no second reading, and the statements stand for themselves",
        )
        given = [SentenceVerdict.model_validate(one) for one in verdicts or ()]
        return reviewing.confirmed(text, self.topic, items, given)

    def _once(self, step: str, ask: Callable[[], Json], without: str) -> Json:
        def paid() -> Json:
            try:
                return ask()
            except (ModelAnswerInvalid, ModelDeclined) as exc:
                self.progress.log(f"{without}: {exc.message}", step=step)
                return None

        return self.held.once(step, paid)


def in_batches(work: Sequence[Callable[[], T]], at_once: int) -> list[T]:
    """Run each piece of work, `at_once` of them side by side; return their results in order.

    Pieces that keep each other's budget out run one after the other: each is a checkpoint, so none is done twice.
    """
    results: list[T] = []
    for start in range(0, len(work), at_once):
        batch = work[start : start + at_once]
        try:
            results += side_by_side(*batch)
        except BudgetExhausted as exc:
            if exc.permanent:
                raise
            results += [piece() for piece in batch]
    return results
