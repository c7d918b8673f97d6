"""The plan of a report: which slides it gets, so that there are exactly as many as were asked for.

Every part can be told on some slides or on more. All begin with none; then they are raised in turns, what matters most
first, as long as slides are left. With few slides only the strongest statements stand, with many each statement gets
one of its own, and where nothing is left to tell, working slides say what a reader can do next.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from studio.brand import Brand
from studio.decks.scene import Page
from studio.reports.drawing import appendix, doubts, findings, nothing, opening, working
from studio.reports.drawing.paging import Pages
from studio.reports.drawing.reading import Asked, Reading
from studio.reports.model import Claim

# The fewest are cover, summary and sources.
FEWEST, MOST = 3, 30
# From so many slides on, a report has a list of its parts.
_CONTENTS_FROM = 12
# No part has more levels than this: there are no more slides.
_LEVELS = MOST
# Statements beyond these get no slide of their own even in the longest report.
_MOST_DETAILS = MOST


class Part:
    """A part of a report at its level: `tell(level)` returns its pages, None where there is no such level."""

    def __init__(self, tell: Callable[[int], Pages | None], title: str = "") -> None:
        self._tell, self.title = functools.cache(tell), title
        self.pages: Pages = ()
        self._level = 0

    def raised(self, room: int) -> bool:
        """Tell it on more slides if it can be done with so many more; return whether it was."""
        if room < 1:
            return False
        for level in range(self._level + 1, _LEVELS + 1):
            pages = self._tell(level)
            if pages is None:
                return False
            # A level that needs no more slides than the one before is no progress by itself.
            if len(pages) > len(self.pages):
                if len(pages) - len(self.pages) > room:
                    return False
                self.pages, self._level = pages, level
                return True
        return False


def planned(reading: Reading, brand: Brand, count: int) -> list[Page]:
    """Return the pages of a report: exactly `count`, 3 to 30; three where nothing was found."""
    if reading.nothing_found:
        return list(nothing.found_nothing(reading, brand))
    return _Plan(reading, brand, count).pages()


class _Plan:
    def __init__(self, reading: Reading, brand: Brand, count: int) -> None:
        self._reading, self._brand, self._count = reading, brand, count
        asked = reading.answered
        self.cover = Part(_once(lambda: opening.cover(reading, brand)))
        self.summary = self._growing(opening.summary, "The answer in short")
        self.overview = Part(_once(lambda: opening.overview(reading, brand, 1)), "Questions")
        self.strongest = self._growing(findings.strongest, "Findings")
        self.answers = [
            Part(self._answer(one) if len(one.claims) > 1 else self._detail(one.claims[0], one), one.heading)
            for one in asked
        ]
        self.charts = [Part(self._charts(one)) for one in asked]
        # A question with one statement tells it in full as its answer.
        self.details = [
            [Part(self._detail(claim, one)) for claim in one.claims[:_MOST_DETAILS] if len(one.claims) > 1]
            for one in asked
        ]
        self.unanswered = self._growing(doubts.unanswered, "Questions that stayed open", bool(reading.unanswered))
        self.conflicts = Part(self._conflicts, "Contradictions")
        self.next_steps = self._growing(opening.next_steps, "What follows from this", bool(reading.next_steps))
        self.trust = Part(self._trust, "What was checked, and the limits")
        self.register = self._growing(appendix.register, "Every statement")
        self.single = [Part(_once(self._source(key, claims))) for key, claims in self._carrying()]
        self.sources = self._growing(appendix.sources, "Sources")
        self.contents = Part(_once(lambda: opening.contents([("", 1)] * 2, brand)))
        self.working: list[Pages] = []

    def _growing(self, tell: Callable[[Reading, Brand, int], Pages], title: str, there: bool = True) -> Part:
        def told(level: int) -> Pages | None:
            pages = tell(self._reading, self._brand, level) if there else ()
            # Fewer slides than it might take: all of it was told before.
            return pages if len(pages) == level else None

        return Part(told, title)

    def _conflicts(self, level: int) -> Pages | None:
        """Tell the contradictions in a table on one slide or two, then each on its own."""
        count = len(self._reading.conflicts)
        most = {1: 1, 2: 2, 3: count}.get(level)
        return doubts.conflicts(self._reading, self._brand, most) if count and most else None

    def _answer(self, asked: Asked) -> Callable[[int], Pages | None]:
        def tell(level: int) -> Pages | None:
            pages = findings.answer(asked, self._reading, self._brand, level)
            return pages if len(pages) == level else None

        return tell

    def _charts(self, asked: Asked) -> Callable[[int], Pages | None]:
        drawn = findings.charts(asked, self._reading, self._brand)
        return lambda level: tuple(page for pages in drawn[:level] for page in pages) if level <= len(drawn) else None

    def _detail(self, claim: Claim, asked: Asked) -> Callable[[int], Pages | None]:
        def tell(level: int) -> Pages | None:
            return findings.detail(claim, asked, self._reading, self._brand, whole=level > 1) if level < 3 else None

        return tell

    def _trust(self, level: int) -> Pages | None:
        if level == 1:
            return doubts.trust(self._reading, self._brand)
        left_out = doubts.removed(self._reading, self._brand, level - 1)
        return (*left_out, *doubts.method(self._reading, self._brand)) if len(left_out) == level - 1 else None

    def _carrying(self) -> list[tuple[str, tuple[Claim, ...]]]:
        return [(key, claims) for key, claims in self._reading.cited_pages.items() if claims]

    def _source(self, key: str, claims: tuple[Claim, ...]) -> Callable[[], Pages]:
        return lambda: appendix.source(self._reading.pages[key], claims, self._reading, self._brand)

    def pages(self) -> list[Page]:
        """Return the pages."""
        self._grow()
        sheets = working.sheets(self._reading, self._brand)
        self.working = list(islice(sheets, self._left()))
        return self._numbered()

    def _parts(self) -> list[Part]:
        told = [self.cover, self.contents, self.summary, self.overview, self.strongest]
        for answer, charts, details in zip(self.answers, self.charts, self.details, strict=True):
            told += [answer, charts, *details]
        return [*told, self.unanswered, self.conflicts, self.next_steps, self.trust, self.register, *self.single]

    def _left(self) -> int:
        used = sum(len(part.pages) for part in (*self._parts(), self.sources))
        return self._count - used - sum(map(len, self.working))

    def _grow(self) -> None:
        for turn in (self._base(), *self._answers_or_strongest(), *self._turns()):
            for part in turn:
                part.raised(self._left())

    def _base(self) -> list[Part]:
        return [self.cover, self.summary, self.sources]

    def _answers_or_strongest(self) -> Iterable[Sequence[Part]]:
        """Go through the first turns: each question on its own slide where there is room, else the strongest."""
        reading = self._reading
        needed = len(self.answers) + 1 + bool(reading.conflicts) + bool(reading.unanswered)
        if self._count - FEWEST >= needed:
            yield [*self.answers, self.trust, self.conflicts, self.unanswered]
        else:
            self.answers, self.charts, self.details = [], [], []
            yield [self.strongest, self.trust, self.conflicts]
            yield [self.next_steps, self.strongest, self.unanswered]

    def _turns(self) -> Iterable[Sequence[Part]]:
        """Go through what further slides are for, the most valuable first."""
        several = len(self._reading.questions) > 1
        yield self.charts
        yield [self.next_steps]
        yield [self.trust]
        yield [self.overview] if several else []
        yield self.answers
        yield [self.conflicts, self.sources]
        yield [*self.charts, *self.answers, self.summary]
        yield [self.contents] if self._count >= _CONTENTS_FROM and several else []
        for _ in range(_LEVELS):
            yield [
                *self.answers,
                *([] if self.answers else [self.strongest]),
                self.conflicts,
                self.sources,
                *self.charts,
                self.unanswered,
                self.next_steps,
            ]
        yield self._details_by_strength()
        yield self._details_by_strength()
        yield [self.trust] * 3
        for _ in range(_LEVELS):
            yield [self.register]
        yield self.single

    def _details_by_strength(self) -> list[Part]:
        """Return the statements' own slides, the strongest first: of each question one, then of each the next."""
        longest = max(map(len, self.details), default=0)
        return [details[at] for at in range(longest) for details in self.details if at < len(details)]

    def _numbered(self) -> list[Page]:
        """Return all pages in order, with the contents as they have become."""
        parts = self._parts()
        if self.contents.pages:
            at, listed = 1, []
            for part in parts:
                if part.title and part.pages:
                    listed.append((part.title, at))
                at += len(part.pages)
            if self.working:
                listed.append(("Working slides", at))
            listed.append((self.sources.title, at + sum(map(len, self.working))))
            self.contents.pages = opening.contents(listed, self._brand)
        told = [page for part in parts for page in part.pages]
        return [*told, *(page for pages in self.working for page in pages), *self.sources.pages]


def _once(make: Callable[[], Pages]) -> Callable[[int], Pages | None]:
    """Return a part that is told in one way."""
    return lambda level: make() if level == 1 else None
