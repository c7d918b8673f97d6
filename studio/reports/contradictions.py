"""Which of the statements that stand cannot all be true: told by their figures, and by a model that reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import combinations

from pydantic import BaseModel

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, blocks
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.progress import Progress
from studio.reports.figures import Figure, figures_in
from studio.reports.languages import primary
from studio.reports.matter import terms
from studio.reports.model import Claim, Contradiction
from studio.reports.wording import say
from studio.tracing.genai import traced_agent

FINDINGS_TOKENS = 2000
# Two statements are about the same subject where they share this much of what tells of their matter.
SAME_SUBJECT = 0.6
_YEAR = re.compile(r"(?:19|20)\d\d")


class FoundContradiction(BaseModel):
    """Claims by number that cannot all be true. In what they differ, they say themselves."""

    claims: list[int]


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
            " other. Different years, places or definitions are no contradiction. Name them by their numbers. An"
            f" empty list is the usual answer. {HONESTY_RULE} {DATA_RULE}",
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


def contradictions(claims: Iterable[Claim], found: Iterable[FoundContradiction], language: str) -> list[Contradiction]:
    """Return the contradictions among the claims that stand: those that were `found`, then those of figures.

    In what they differ is told by their own figures, or else in the studio's words: that they do not agree.
    `language` is the report's, a BCP 47 tag.
    """
    standing = {claim.number: claim for claim in claims if claim.outcome == "supported"}
    result: dict[tuple[int, ...], Contradiction] = {}
    for one in found:
        numbers = tuple(sorted({number for number in one.claims if number in standing}))
        if len(numbers) > 1:
            difference = _difference([standing[number] for number in numbers], language)
            result.setdefault(numbers, Contradiction(claims=numbers, difference=difference))
    for first, second in combinations(standing.values(), 2):
        pair = (first.number, second.number)
        if _figures_differ(first, second, language) and not any(set(pair) <= set(known) for known in result):
            result[pair] = Contradiction(claims=pair, difference=_difference([first, second], language))
    return sorted(result.values(), key=lambda one: one.claims)


def _difference(claims: Sequence[Claim], language: str) -> str:
    figures = [_single(claim, language) for claim in claims]
    shown = [figure.shown for figure in figures if figure is not None]
    if len(set(shown)) == len(claims):
        return " ≠ ".join(shown)
    return say(language, "differ", numbers=", ".join(str(claim.number) for claim in claims))


def _figures_differ(first: Claim, second: Claim, language: str) -> bool:
    """Return whether the figures of two claims on one subject differ beyond rounding."""
    mine, its = terms(first.statement), terms(second.statement)
    if not mine or not its or len(mine & its) < SAME_SUBJECT * len(mine | its):
        return False
    one, other = _single(first, language), _single(second, language)
    if one is None or other is None or one.unit != other.unit:
        return False
    return _years(first) == _years(second) and not (one.same(other) or _rounded_alike(one, other))


def _single(claim: Claim, language: str) -> Figure | None:
    """Return the one figure of a claim that is no year; None where it has none or several, or it is not clear."""
    said = figures_in(claim.statement, primary(language))
    figures = [figure for figure in said if not _YEAR.fullmatch(figure.shown)]
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
