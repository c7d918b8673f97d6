"""What speaks against a report: contradictions, what was removed or marked, what stayed open, and its limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from studio.brand import Brand
from studio.decks.content.common import plural, sentence
from studio.decks.layouts.flow import numbered_title
from studio.decks.model import Cell, Column, Columns, Item, Listing, Slide, Table
from studio.reports.drawing import findings, notes, passages
from studio.reports.drawing.paging import Pages, fits, left_in_studio, one, paged
from studio.reports.drawing.passages import Passages
from studio.reports.drawing.reading import Asked, Conflict, Reading
from studio.reports.drawing.words import QUOTE, STATEMENT, TITLE, marks, shortened
from studio.reports.model import Claim

# Statements that can stand side by side.
_MOST_BESIDE = 3
# Open questions that stand in large type.
_MOST_LARGE = 3
# Entries of a column, from as many as there are down to the fewest that say anything.
_LADDER = (24, 16, 12, 9, 7, 6, 5, 4, 3, 2, 1)
_NOT_CARRIED = "Its words do not carry it."
_CARRIED = (
    "Each statement is tied to the exact words of a page that was retrieved and kept with a hash.",
    "A checker compared each statement with its words, and removed or marked what they do not carry.",
    "Confidence says how surely the words carry the statement, not how surely the page is right.",
)


def conflict(shown: Conflict, number: int, reading: Reading, brand: Brand) -> Pages:
    """Return a contradiction: the statements side by side, each with its words and its page."""
    count = len(reading.conflicts)
    kicker = f"Contradiction{f' {number} of {count}' if count > 1 else ''} · not all of this can be true"
    title = (
        shortened(shown.difference[:1].upper() + shown.difference[1:], TITLE) or "Statements that contradict each other"
    )
    say = f"These statements contradict each other: {shown.difference}"
    told = notes.on_claims(say, shown.claims, reading)
    if len(shown.claims) > _MOST_BESIDE:

        def make(claims: Sequence[Claim], index: int, count: int, more: int) -> Slide:
            slide = findings.table(numbered_title(title, index, count), kicker, claims, reading, more)
            return Slide(slide.title, slide.body, told, kicker)

        return paged(brand, shown.claims, make, 1)
    cards = tuple(
        findings.passage(claim, reading, statement=shortened(claim.statement, STATEMENT)) for claim in shown.claims
    )
    return passages.laid(brand, Passages(title, kicker, cards, told))


def conflicts(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return the contradictions on at most so many pages: each on its own, or all in a table where those are fewer."""
    if len(reading.conflicts) <= most:
        return tuple(
            page
            for number, shown in enumerate(reading.conflicts, 1)
            for page in conflict(shown, number, reading, brand)
        )

    def make(listed: Sequence[Conflict], index: int, count: int, more: int) -> Slide:
        rows = tuple(
            (
                Cell(str(reading.conflicts.index(shown) + 1), strong=True),
                Cell(shortened(shown.difference, STATEMENT), strong=True),
                *_sides(shown, reading),
            )
            for shown in listed
        ) + left_in_studio(more, "contradiction is", "contradictions are", 4)
        claims = list({claim.number: claim for shown in listed for claim in shown.claims}.values())
        return Slide(
            numbered_title(f"{len(reading.conflicts)} contradictions between pages", index, count),
            Table(("No.", "In what they differ", "One page says", "Another page says"), (0.6, 3, 3.6, 3.6), rows),
            notes.on_claims("Statements that contradict each other.", claims, reading),
            "Contradictions",
        )

    return paged(brand, reading.conflicts, make, most)


def _sides(shown: Conflict, reading: Reading) -> tuple[Cell, Cell]:
    first, second, *others = shown.claims
    more = f" · and {marks(claim.number for claim in others)}" if others else ""
    return _side(first, reading, ""), _side(second, reading, more)


def _side(claim: Claim, reading: Reading, more: str) -> Cell:
    page = reading.page_of(claim)
    where = f"{page.key} · {page.host}" if page else ""
    return Cell(
        f"“{shortened(claim.quote or claim.statement, QUOTE // 2)}”", f"[{claim.number}] {where}{more}",
        tag_url=page.url if page else "",
    )  # fmt: skip


def left_out(reading: Reading) -> str:
    """Return how many statements were removed and how many are marked, as a sentence."""
    removed, marked = len(reading.removed), len(reading.marked)
    parts = [f"{plural(removed, 'statement was', 'statements were')} removed"] if removed else []
    if marked:
        parts.append(f"{plural(marked, 'is', 'are') if removed else plural(marked, 'statement is', 'statements are')}"
                     " only marked")  # fmt: skip
    return sentence(parts) or "No statement had to be removed or marked"


def removed(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return what was removed or marked, and why: counts, and as many examples as the pages hold."""
    examples = _alternating(reading.removed, reading.marked)
    if not examples:
        return ()

    def make(claims: Sequence[Claim], index: int, count: int, more: int) -> Slide:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (
                Cell("Removed" if claim.outcome == "removed" else "Marked", strong=True),
                Cell(shortened(claim.statement, STATEMENT)),
                Cell(shortened(claim.reason or _NOT_CARRIED, STATEMENT)),
            )
            for claim in claims
        )
        rows += left_in_studio(more, "of them is", "of them are", 3)
        note = _reasons(reading) if index == 0 else ""
        return Slide(
            numbered_title(left_out(reading), index, count),
            Table(("What happened", "Statement", "Why"), (1.6, 4.4, 4), rows, note=note),
            notes.own(
                f"{left_out(reading)}. What was removed counts for nothing in this report; what is marked is shown"
                " with that mark.",
                (notes.told(claim, reading) for claim in claims),
            ),
            "Checked",
        )

    return paged(brand, examples, make, most)


def _alternating(first: Sequence[Claim], second: Sequence[Claim]) -> list[Claim]:
    """Return both in turn, so that a page with room for a few shows some of each; then in their groups again."""
    both = [claim for pair in zip(first, second, strict=False) for claim in pair]
    shorter = min(len(first), len(second))
    return [*both, *first[shorter:], *second[shorter:]]


def _reasons(reading: Reading) -> str:
    """Return the reasons with their counts, where some are given more than once."""
    counted = Counter(claim.reason for claim in (*reading.removed, *reading.marked) if claim.reason)
    often = [
        f"{shortened(reason.rstrip('.'), TITLE)} ({count})" for reason, count in counted.most_common(3) if count > 1
    ]
    return f"Most often: {sentence(often)}." if often else ""


def trust(reading: Reading, brand: Brand) -> Pages:
    """Return on one page what was left out, how the report was made, and its limits."""
    examples = [
        f"{'Removed' if claim.outcome == 'removed' else 'Marked'}: “{shortened(claim.statement, TITLE)}”"
        f" {shortened(claim.reason or _NOT_CARRIED, TITLE)}"
        for claim in _alternating(reading.removed, reading.marked)
    ]
    count = f"{left_out(reading)}."

    def make(most: int) -> Slide:
        left = (count, *examples[: max(0, most // 2 - 1)])
        made = (
            made_how(reading)[0],
            *_CARRIED[:most],
            *[shortened(limit, STATEMENT) for limit in reading.limits][:most],
        )
        told = (("Left out", left), ("How it was made, and its limits", made))
        return columns("How far this can be trusted", "Checked", reading, told)

    return first_that_fits(brand, make)


def method(reading: Reading, brand: Brand) -> Pages:
    """Return how the report was made, and its limits."""

    def make(most: int) -> Slide:
        limits = tuple(shortened(limit, STATEMENT) for limit in reading.limits)[:most]
        told = (("How it was made", (*made_how(reading), *_CARRIED)), ("Limits", limits))
        return columns("How this was made, and its limits", "Method", reading, told)

    return first_that_fits(brand, make)


def made_how(reading: Reading) -> tuple[str, ...]:
    """Return what was done, in counts."""
    left = len(reading.unanswered)
    stayed_open = f" of which {left} stayed open," if left and reading.answered else ""
    return (
        f"{plural(len(reading.questions), 'question')} asked,{stayed_open}"
        f" {plural(reading.searches, 'search', 'searches')} made, {plural(len(reading.pages), 'page')} retrieved and"
        " kept.",
        f"{plural(len(reading.supported), 'statement')} with a source, {len(reading.marked)} marked,"
        f" {len(reading.removed)} removed.",
    )


def columns(title: str, kicker: str, reading: Reading, told: tuple[tuple[str, tuple[str, ...]], ...]) -> Slide:
    """Return a slide on how the report was made; its notes have all of that in full."""
    body = Columns(tuple(Column(heading, items, empty="None is named.") for heading, items in told))
    return Slide(title, body, notes.own(title, (*made_how(reading), *_CARRIED, *reading.limits)), kicker)


def first_that_fits(brand: Brand, make: Callable[[int], Slide]) -> Pages:
    """Return the first of ever fewer entries that are one page."""
    slide = next((slide for most in _LADDER if fits(brand, slide := make(most))), make(1))
    return one(brand, slide)


def unanswered(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return the questions to which nothing was found, and why."""

    def make(asked: Sequence[Asked], index: int, count: int, more: int) -> Slide:
        return open_questions(f"{plural(len(reading.unanswered), 'question')} stayed open", asked, index, count, more)

    return paged(brand, reading.unanswered, make, most)


def open_questions(title: str, asked: Sequence[Asked], index: int, count: int, more: int) -> Slide:
    """Return a slide of questions that have no answer: few in large type, more in a table."""
    told = notes.own(
        "Nothing that a page carries was found to these questions.",
        (f"{question.number}. {question.text} {why(question)}" for question in asked),
    )
    body: Listing | Table = Listing(
        tuple(Item(shortened(why(one), STATEMENT), heading=shortened(one.text, STATEMENT)) for one in asked), cards=True
    )
    if len(asked) > _MOST_LARGE or more:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (
                Cell(str(question.number), strong=True),
                Cell(shortened(question.text, STATEMENT), strong=True),
                Cell(shortened(why(question), STATEMENT)),
            )
            for question in asked
        )
        rows += left_in_studio(more, "question is", "questions are", 3)
        body = Table(("No.", "Question", "Why nothing is said to it"), (0.6, 4.4, 5), rows)
    return Slide(numbered_title(title, index, count), body, told, "Open questions")


def why(question: Asked) -> str:
    """Return why a question has no answer."""
    return question.unanswered or "No statement to it stood the check."
