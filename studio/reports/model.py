"""A report before it is drawn: what was asked, what was found, and what each statement rests on.

The research makes it, the checker has had its say, and the renderer draws nothing that is not in it. Every statement
that stands names a snapshot of a page, and a quote that is in the snapshot's text, letter for letter.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# `supported`: its quote carries it. `marked`: shown, but called unsupported. `removed`: counted, not shown.
ClaimOutcome = Literal["supported", "marked", "removed"]


class ReportPart(BaseModel):
    """A part of a report."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportSource(ReportPart):
    """A page that was retrieved: `key` is how claims name it (`S1`), `text_sha256` that of the stored text in hex."""

    key: str
    url: str
    title: str
    text_sha256: str
    retrieved_at: datetime


class Claim(ReportPart):
    """A statement with the exact words of a page that are said to carry it.

    `reason` says why the checker marked or removed it. `confidence` is 0 to 100: how surely the quote carries the
    statement, not how surely the page is right. `quote_language` is that of the quote's page, without script and
    country, None where the page does not tell.
    """

    number: int = Field(ge=1)
    question: int = Field(ge=1)
    statement: str
    quote: str | None
    source: str | None
    outcome: ClaimOutcome
    reason: str | None = None
    confidence: int = Field(ge=0, le=100)
    quote_language: str | None = None


class Datum(ReportPart):
    """A figure of a chart: as the page writes it (`shown`), and as a number. `claim` is the number of its claim.

    Where the page writes a part of it elsewhere ("10" of "10 to 20 million"), it is shown with that part.
    """

    label: str
    value: float
    shown: str
    claim: int


class Chart(ReportPart):
    """Figures of one unit that can be compared, each carried by a claim."""

    title: str
    unit: str
    data: tuple[Datum, ...] = Field(min_length=2)


class Contradiction(ReportPart):
    """Claims (by number) that cannot all be true, and in what they differ."""

    claims: tuple[int, ...] = Field(min_length=2)
    difference: str


class Question(ReportPart):
    """A question that was researched. `heading` answers it in a few words, from supported claims alone.

    `unanswered` says why there is no claim to it; None where there is.
    """

    number: int = Field(ge=1)
    text: str
    heading: str
    claims: tuple[int, ...]
    charts: tuple[Chart, ...] = ()
    unanswered: str | None = None


class Report(ReportPart):
    """A report. `summary` and `next_steps` cite claims by number; what nothing supports is not in them.

    `language` is a BCP 47 tag, `sandbox` says that no real model wrote it.
    """

    project: str
    topic: str
    title: str
    language: str
    asked_at: datetime
    summary: tuple[CitedText, ...]
    questions: tuple[Question, ...]
    claims: tuple[Claim, ...]
    contradictions: tuple[Contradiction, ...]
    sources: tuple[ReportSource, ...]
    searches: int
    limits: tuple[str, ...]
    sandbox: bool
    next_steps: tuple[CitedText, ...] = ()

    @property
    def nothing_found(self) -> bool:
        """Whether no statement stands."""
        return not any(claim.outcome == "supported" for claim in self.claims)


class CitedText(ReportPart):
    """A sentence and the numbers of the claims that it says again."""

    text: str
    claims: tuple[int, ...]


Report.model_rebuild()
