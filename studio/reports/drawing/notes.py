"""The notes below a report's slides: statements in full, with the passages and pages that they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from studio.decks.model import Notes, Reference
from studio.reports.drawing.reading import Page, Reading
from studio.reports.drawing.words import day
from studio.reports.model import Claim

OWN_ACCOUNT = "this slide is the studio's own account of its work."


def on_claims(say: str, claims: Sequence[Claim], reading: Reading, details: Iterable[str] = ()) -> Notes:
    """Return notes that hold these statements in full; those that nothing supports are named as such."""
    marked = tuple(told(claim, reading) for claim in claims if claim.outcome != "supported")
    references = dict.fromkeys(
        Reference(page.address, page.title, claim.quote)
        for claim in claims
        if claim.outcome == "supported" and claim.quote and (page := reading.page_of(claim))
    )
    return Notes(
        say=say,
        details=(*details, *(told(claim, reading) for claim in claims if claim.outcome == "supported")),
        references=tuple(references),
        unsourced=marked or (() if references else (OWN_ACCOUNT,)),
    )


def own(say: str, details: Iterable[str] = ()) -> Notes:
    """Return the notes of a slide on how the report was made."""
    return Notes(say=say, details=tuple(details), unsourced=(OWN_ACCOUNT,))


def told(claim: Claim, reading: Reading) -> str:
    """Return a statement with its number, and how surely it stands on what, or why it does not."""
    if claim.outcome != "supported":
        return f"[{claim.number}] “{claim.statement}”: {claim.reason or 'its passage does not carry it.'}"
    page = reading.page_of(claim)
    where = f"{page.key}, {page.host}, retrieved {page.day}" if page else ""
    return f"[{claim.number}] {claim.statement} (confidence {claim.confidence} of 100; {where})"


def on_pages(say: str, pages: Sequence[Page]) -> Notes:
    """Return notes that list pages in full: address, time and hash."""
    return Notes(
        say=say,
        details=tuple(
            f"{page.key}: {page.title}\n{page.address}\nRetrieved {day(page.retrieved_at)},"
            f" {page.retrieved_at:%H:%M} UTC. SHA-256 of its text: {page.sha256}"
            for page in pages
        ),
        unsourced=(OWN_ACCOUNT,),
    )
