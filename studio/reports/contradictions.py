"""Which of the statements that stand cannot all be true: told by their figures, and by a model that reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import combinations
from typing import Annotated

from pydantic import BaseModel, Field

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, blocks
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.fields import squeeze
from studio.progress import Progress
from studio.reports.figures import Figure, figures_in, missing
from studio.reports.matter import terms
from studio.reports.model import Claim, Contradiction
from studio.tracing.genai import traced_agent

FINDINGS_TOKENS = 2000
DIFFERENCE_CHARS = 400
# Two statements are about the same subject where they share this much of what tells of their matter.
SAME_SUBJECT = 0.6
_YEAR = re.compile(r"(?:19|20)\d\d")


class FoundContradiction(BaseModel):
    """Claims by number that cannot all be true, and in what they differ."""

    claims: list[int]
    difference: Annotated[str, squeeze(DIFFERENCE_CHARS), Field(min_length=1, max_length=DIFFERENCE_CHARS)]


class ContradictionFindings(BaseModel):
    """What a model finds contradictory."""

    contradictions: list[FoundContradiction]


@traced_agent("report_checker")
def find(
    model: CompletesCalls, spender: Spender, progress: Progress, step: str, topic: str, claims: Sequence[Claim]
) -> list[FoundContradiction]:
    """Return what a model finds contradictory among claims that stand; nothing of it is checked yet."""
    answer, _ = model.structured(
        Call(
            profile=PROFILES["synthesizer"],
            step=step,
            system="You check a report on <topic> for a startup studio. Find among the <claims> those that cannot all"
            " be true: another figure for the same thing at the same time and place, or statements that deny each"
            " other. Different years, places or definitions are no contradiction. Name them by their numbers and say in"
            " one sentence in the language of <topic>, with the words of their quotes, in what they differ. An empty"
            f" list is the usual answer. {HONESTY_RULE} {DATA_RULE}",
            prompt=blocks(
                topic=topic,
                claims=[{"claim": one.number, "statement": one.statement, "quote": one.quote} for one in claims],
            ),
            max_tokens=FINDINGS_TOKENS,
        ),
        ContradictionFindings,
        spender,
        progress,
    )
    return answer.contradictions


def contradictions(claims: Iterable[Claim], found: Iterable[FoundContradiction]) -> list[Contradiction]:
    """Return the contradictions among the claims that stand: those that were `found`, then those of figures.

    A difference that says a figure which none of its claims has is not taken over; their figures or numbers stand there
    instead.
    """
    standing = {claim.number: claim for claim in claims if claim.outcome == "supported"}
    result: dict[tuple[int, ...], Contradiction] = {}
    for one in found:
        numbers = tuple(sorted({number for number in one.claims if number in standing}))
        if len(numbers) > 1:
            difference = _checked(one.difference, [standing[number] for number in numbers])
            result.setdefault(numbers, Contradiction(claims=numbers, difference=difference))
    for first, second in combinations(standing.values(), 2):
        pair = (first.number, second.number)
        differ = _figures_differ(first, second)
        if differ is not None and not any(set(pair) <= set(known) for known in result):
            result[pair] = Contradiction(claims=pair, difference=differ)
    return sorted(result.values(), key=lambda one: one.claims)


def _checked(difference: str, claims: Sequence[Claim]) -> str:
    said = [figure for claim in claims for figure in figures_in(f"{claim.statement} {claim.quote}")]
    # The claims' own numbers are a way to name them.
    said += figures_in(", ".join(str(claim.number) for claim in claims))
    if not missing((figure for figure in figures_in(difference) if not figure.spoken), said):
        return difference
    return " ≠ ".join(f"[{claim.number}]" for claim in claims)


def _figures_differ(first: Claim, second: Claim) -> str | None:
    """Return how the figures of two claims on one subject differ beyond rounding, None where they do not."""
    mine, its = terms(first.statement), terms(second.statement)
    if not mine or not its or len(mine & its) < SAME_SUBJECT * len(mine | its):
        return None
    one, other = _single(first), _single(second)
    if one is None or other is None or one.unit != other.unit or _years(first) != _years(second):
        return None
    return None if one.same(other) or _rounded_alike(one, other) else f"{one.shown} ≠ {other.shown}"


def _single(claim: Claim) -> Figure | None:
    """Return the one figure of a claim that is no year; None where it has none or several."""
    figures = [figure for figure in figures_in(claim.statement) if not _YEAR.fullmatch(figure.shown)]
    return figures[0] if len(figures) == 1 and figures[0].value is not None else None


def _years(claim: Claim) -> set[str]:
    return {figure.shown for figure in figures_in(claim.statement) if _YEAR.fullmatch(figure.shown)}


def _rounded_alike(one: Figure, other: Figure) -> bool:
    """Whether the coarser of two figures is the finer one, rounded."""
    assert one.value is not None  # noqa: S101 - `_single` gives none without
    assert other.value is not None  # noqa: S101
    step = max(_step(one.value), _step(other.value))
    return abs(one.value - other.value) <= step / 2


def _step(value: Decimal) -> Decimal:
    """Return the size of the last digit that is not a closing zero."""
    _, _, exponent = value.normalize().as_tuple()
    return Decimal(10) ** int(exponent)
