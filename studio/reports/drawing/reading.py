"""A report as it is drawn: cleaned texts, strongest statements first, and nothing that does not stand.

What the checker removed is kept apart, so that no slide but the one about removed statements can show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from studio.decks.content.common import host_of, texts, web_address
from studio.decks.mirror import mostly_leftwards
from studio.decks.model import clean
from studio.reports.drawing.words import LABEL, day, shortened
from studio.reports.model import Chart, CitedText, Claim, Report, ReportSource

# A tag of sixteen bytes would be noise; eight digits tell two texts of one report apart.
_HASH_DIGITS = 8
_NO_PAGE = "It names no page that was kept."

Show = Callable[[str], str]


@dataclass(frozen=True)
class Page:
    """A page that was retrieved, as slides tell it. `url` is empty where a reader may not be led there."""

    key: str
    host: str
    title: str
    address: str
    url: str
    sha256: str
    retrieved_at: datetime

    @property
    def day(self) -> str:
        """The day on which it was retrieved."""
        return day(self.retrieved_at)

    @property
    def short_hash(self) -> str:
        """The first digits of its text's hash."""
        return self.sha256[:_HASH_DIGITS]


@dataclass(frozen=True)
class Cited:
    """A sentence of the summary or a next step, with the statements that it rests on."""

    text: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Asked:
    """A question with what is shown to it, the strongest first; charts have only figures that stand."""

    number: int
    text: str
    heading: str
    claims: tuple[Claim, ...]
    charts: tuple[Chart, ...]
    unanswered: str


@dataclass(frozen=True)
class Conflict:
    """Statements that stand, and cannot all be true."""

    claims: tuple[Claim, ...]
    difference: str


class Reading:
    """A report, read once. `show` replaces what cannot be drawn."""

    def __init__(self, report: Report, show: Show = str) -> None:
        self._report, self._show = report, show
        self.project = self._text(report.project) or "Untitled project"
        self.topic = self._text(report.topic)
        self.title = self._text(report.title) or self.topic or "Report"
        self.language = report.language
        self.asked_at, self.searches, self.sandbox = report.asked_at, report.searches, report.sandbox
        self.limits = texts(map(show, report.limits))
        self.pages = {source.key: self._page(source) for source in report.sources}
        read = [self._claim(claim) for claim in report.claims]
        by_strength = sorted(read, key=self._rank)
        self.supported = tuple(claim for claim in by_strength if claim.outcome == "supported")
        self.marked = tuple(claim for claim in by_strength if claim.outcome == "marked")
        self.removed = tuple(claim for claim in by_strength if claim.outcome == "removed")
        self._standing = {claim.number: claim for claim in self.supported}

    def _text(self, text: str) -> str:
        return clean(self._show(text))

    def _page(self, source: ReportSource) -> Page:
        host = shortened(self._text(host_of(source.url)), LABEL)
        address = self._text(source.url)
        return Page(
            self._text(source.key), host, self._text(source.title) or host, address, web_address(source.url),
            source.text_sha256, source.retrieved_at,
        )  # fmt: skip

    def _claim(self, claim: Claim) -> Claim:
        """Return the statement with texts that can be drawn; one without a page to show does not stand."""
        quote = self._text(claim.quote or "") or None
        change = {
            "statement": self._text(claim.statement),
            "quote": quote,
            "reason": self._text(claim.reason or "") or None,
        }
        if claim.outcome == "supported" and (quote is None or claim.source not in self.pages):
            change |= {"outcome": "marked", "reason": _NO_PAGE}
        return claim.model_copy(update=change)

    def _rank(self, claim: Claim) -> tuple[bool, int, int]:
        return (claim.number not in self._cited, -claim.confidence, claim.number)

    @cached_property
    def _cited(self) -> frozenset[int]:
        return frozenset(number for part in self._report.summary for number in part.claims)

    def page_of(self, claim: Claim) -> Page | None:
        """Return the page that a statement rests on."""
        return self.pages.get(claim.source) if claim.source else None

    @cached_property
    def shown(self) -> tuple[Claim, ...]:
        """Every statement that slides show: those that stand, then those that are called unsupported."""
        return (*self.supported, *self.marked)

    @cached_property
    def summary(self) -> tuple[Cited, ...]:
        """The sentences of the summary that something supports; without any, the strongest statements."""
        told = self._sentences(self._report.summary)
        return told or tuple(Cited(claim.statement, (claim,)) for claim in self.supported)

    @cached_property
    def next_steps(self) -> tuple[Cited, ...]:
        """The next steps that something supports."""
        return self._sentences(self._report.next_steps)

    def _sentences(self, told: Iterable[CitedText]) -> tuple[Cited, ...]:
        return tuple(
            Cited(text, claims)
            for part in told
            if (text := self._text(part.text)) and (claims := self._of(part.claims))
        )

    def _of(self, numbers: Iterable[int]) -> tuple[Claim, ...]:
        return tuple(self._standing[number] for number in dict.fromkeys(numbers) if number in self._standing)

    @cached_property
    def questions(self) -> tuple[Asked, ...]:
        """The questions in their order."""
        return tuple(
            Asked(
                number=question.number,
                text=(text := self._text(question.text) or f"Question {question.number}"),
                heading=self._text(question.heading) or text,
                claims=tuple(
                    claim
                    for claim in self.shown
                    if claim.number in question.claims or claim.question == question.number
                ),
                charts=tuple(chart for drawn in question.charts if (chart := self._chart(drawn)) is not None),
                unanswered=self._text(question.unanswered or ""),
            )
            for question in self._report.questions
        )

    def _chart(self, chart: Chart) -> Chart | None:
        data = tuple(
            datum.model_copy(update={"label": self._text(datum.label), "shown": self._text(datum.shown)})
            for datum in chart.data
            if datum.claim in self._standing
        )
        if len(data) < 2:
            return None
        return chart.model_copy(update={"title": self._text(chart.title), "unit": self._text(chart.unit), "data": data})

    @cached_property
    def answered(self) -> tuple[Asked, ...]:
        """The questions to which something is shown."""
        return tuple(question for question in self.questions if question.claims)

    @cached_property
    def unanswered(self) -> tuple[Asked, ...]:
        """The questions to which nothing is shown."""
        return tuple(question for question in self.questions if not question.claims)

    @cached_property
    def conflicts(self) -> tuple[Conflict, ...]:
        """The contradictions of statements that stand."""
        return tuple(
            Conflict(claims, self._text(one.difference))
            for one in self._report.contradictions
            if len(claims := self._of(one.claims)) > 1
        )

    @cached_property
    def cited_pages(self) -> dict[str, tuple[Claim, ...]]:
        """The pages that statements rest on, in the order of their keys' first use, and then the others."""
        used: dict[str, tuple[Claim, ...]] = {}
        for claim in sorted(self.supported, key=lambda one: one.number):
            used[claim.source or ""] = (*used.get(claim.source or "", ()), claim)
        return used | {key: () for key in self.pages if key not in used}

    @cached_property
    def nothing_found(self) -> bool:
        """Whether no statement stands."""
        return not self.supported

    @cached_property
    def leftwards(self) -> bool:
        """Whether what was written for it is read from right to left; addresses and our own labels do not count."""
        return mostly_leftwards([self.title, *(one.text for one in self.summary), *(c.statement for c in self.shown)])
