"""How a report opens: its cover, the summary with its citations, the questions at a glance, and the contents."""

from __future__ import annotations

from collections.abc import Sequence

from studio.brand import Brand
from studio.decks.content.common import plural, sentence
from studio.decks.layouts.flow import numbered_title
from studio.decks.model import Cell, Cover, Fact, Item, Listing, Mark, Slide, Statement, Table
from studio.reports.drawing import notes
from studio.reports.drawing.paging import Pages, left_in_studio, one, paged
from studio.reports.drawing.reading import Asked, Cited, Reading
from studio.reports.drawing.words import LABEL, STATEMENT, day, marks, shortened
from studio.reports.model import Claim

SANDBOX = "Made by the sandbox model"
SANDBOX_BANNER = (
    f"{SANDBOX}, to show how the studio works. No language model has researched or judged anything in this report."
)
# A sentence of the summary beside others.
_SENTENCE = 420
_MOST_HOSTS = 3


def cover(reading: Reading, brand: Brand) -> Pages:
    """Return the cover: what was asked, how much stands, and how much does not."""
    stand, read = len(reading.supported), len(reading.pages)
    if reading.nothing_found:
        subtitle = "Nothing was found that a page carries. What follows says what was asked and how it was searched."
    else:
        subtitle = (
            f"{plural(stand, 'statement')}, {'each ' if stand > 1 else ''}with the words of a page that carry it."
        )
        if reading.topic and reading.topic.casefold() != reading.title.casefold():
            subtitle = reading.topic
    facts = (
        Fact("Statements", str(stand)),
        Fact("Removed", str(len(reading.removed))),
        Fact("Marked", str(len(reading.marked))),
        Fact("Pages read", str(read)),
    )
    body = Cover(subtitle, facts, SANDBOX_BANNER if reading.sandbox else "")
    kicker = f"Research report · {day(reading.asked_at)} · {shortened(reading.project, LABEL)}"
    told = (
        f"Made for {reading.project}, asked on {day(reading.asked_at)}.",
        f"{plural(stand, 'statement')} with a source, {len(reading.marked)} marked as unsupported,"
        f" {len(reading.removed)} removed; {plural(reading.searches, 'search', 'searches')},"
        f" {plural(read, 'page')} read.",
        *((SANDBOX_BANNER,) if reading.sandbox else ()),
    )
    return one(brand, Slide(reading.title, body, notes.own(f"{reading.title}: {reading.topic}", told), kicker))


def summary(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return the summary on at most so many pages: sentences with the statements and pages behind them."""
    say = "What was found, in a few sentences."
    return _sentences(reading, brand, most, reading.summary, ("The answer in short", "Summary", say, "point"))


def next_steps(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return what follows from the findings, each step with the statements and pages behind it."""
    say = "What follows from what was found. Nothing of it has been done."
    return _sentences(reading, brand, most, reading.next_steps, ("What follows from this", "Next steps", say, "number"))


def _sentences(
    reading: Reading, brand: Brand, most: int, listed: Sequence[Cited], told: tuple[str, str, str, Mark]
) -> Pages:
    title, kicker, say, mark = told

    def make(here: Sequence[Cited], index: int, count: int, more: int) -> Slide:
        items = tuple(Item(shortened(cited.text, _SENTENCE), tag=_behind(cited, reading)) for cited in here)
        note = _note(reading, more)
        body: Listing | Statement = Listing(items, mark, note=note)
        if len(items) == 1:
            body = Statement(items[0].text, f"{items[0].tag}. {note}")
        claims = list({claim.number: claim for cited in here for claim in cited.claims}.values())
        known = notes.on_claims(say, claims, reading, [cited.text for cited in here])
        return Slide(numbered_title(title, index, count), body, known, kicker)

    return paged(brand, listed, make, most)


def _behind(cited: Cited, reading: Reading) -> str:
    pages = [page for claim in cited.claims if (page := reading.page_of(claim))]
    hosts = list(dict.fromkeys(page.host for page in pages))[:_MOST_HOSTS]
    # Where there are many, the others are named by their keys in the list of sources.
    told = [*hosts, *dict.fromkeys(page.key for page in pages if page.host not in hosts)]
    return f"{marks(claim.number for claim in cited.claims)} {sentence(told)}"


def _note(reading: Reading, more: int) -> str:
    told = ["Numbers in brackets are those of the statements."]
    if reading.conflicts:
        count = len(reading.conflicts)
        told.append(f"{'Some' if count > 1 else 'Two'} of them contradict each other"
                    f"{f' ({count} contradictions)' if count > 1 else ''}.")  # fmt: skip
    if more:
        told.append(f"{plural(more, 'more sentence is', 'more sentences are')} in the studio.")
    return " ".join(told)


def overview(reading: Reading, brand: Brand, most: int) -> Pages:
    """Return the questions with their answers in short."""

    def make(asked: Sequence[Asked], index: int, count: int, more: int) -> Slide:
        answered = len(reading.answered)
        rows = tuple(
            (
                Cell(str(one.number), strong=True),
                Cell(shortened(one.text, STATEMENT)),
                Cell(_short_answer(one), strong=bool(one.claims)),
                Cell(_counted(one.claims)),
            )
            for one in asked
        ) + left_in_studio(more, "question is", "questions are", 4)
        title = f"{answered} of {plural(len(reading.questions), 'question')} could be answered"
        return Slide(
            numbered_title(title, index, count),
            Table(("No.", "Question", "Answer in short", "Statements"), (0.6, 4, 4.2, 1.7), rows),
            notes.own(
                "What was asked, and what was found to it.",
                (f"{one.number}. {one.text} {_short_answer(one)}" for one in asked),
            ),
            "Questions",
        )

    return paged(brand, reading.questions, make, most)


def _short_answer(asked: Asked) -> str:
    if asked.claims:
        return shortened(asked.heading, STATEMENT)
    return f"Not answered. {shortened(asked.unanswered, STATEMENT)}".strip()


def _counted(claims: Sequence[Claim]) -> str:
    marked = sum(claim.outcome == "marked" for claim in claims)
    stand = len(claims) - marked
    return f"{stand}, and {marked} marked" if marked else str(stand)


def contents(entries: Sequence[tuple[str, int]], brand: Brand) -> Pages:
    """Return the contents: what stands from which slide on."""
    items = tuple(Item(shortened(title, LABEL), tag=f"· slide\N{NO-BREAK SPACE}{number}") for title, number in entries)
    listed = tuple(f"Slide {number}: {title}" for title, number in entries)
    return one(
        brand,
        Slide(
            "What this report holds",
            Listing(items, mark="none"),
            notes.own("The parts of this report.", listed),
            "Contents",
        ),
    )
