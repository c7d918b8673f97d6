"""The instant preview: a figure and a verdict from what a scan found, without a model (domain specification §11).

It says how much there is to build on, not whether the idea is good; it is called a rough preview wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from studio.onboarding.scan import Scan

Verdict = Literal["greenlight", "revise", "research"]

LABEL = "Rough preview"
NOTE = "Counted from the scan and your own words, by fixed rules and without research. Phase 0 brings the real verdict."
# Domain specification §11.
BASE = 36
LIVE = 24
PARKED = 8
REPOSITORY = 18
COMPETITOR = 4
COMPETITORS_AT_MOST = 18
DESCRIPTION = 8
STRATEGIC = 6
IDEA = 10
LOWEST, HIGHEST = 38, 92
GREENLIGHT, REVISE = 78, 62
# Fewer characters say nothing.
SAYS_SOMETHING = 20


class Factor(BaseModel):
    """What counted, and how much."""

    model_config = ConfigDict(frozen=True)

    what: str
    points: int


class Brief(BaseModel):
    """The preview. `factors` add up to the confidence before it is held between 38 and 92."""

    model_config = ConfigDict(frozen=True)

    label: str = LABEL
    note: str = NOTE
    confidence: int
    verdict: Verdict
    factors: list[Factor]


def preview(scan: Scan, *, idea: str = "", strategic: Sequence[str | None] = ()) -> Brief:
    """Return the preview of a scan; `strategic` are value proposition, mission and audience, as far as given."""
    factors = [Factor(what="Where everybody starts", points=BASE)]
    if scan.dns == "live":
        factors.append(Factor(what="The domain is in use", points=LIVE))
    elif scan.dns == "parked":
        factors.append(Factor(what="The domain is parked", points=PARKED))
    if scan.repo_summary is not None:
        factors.append(Factor(what="There is a repository", points=REPOSITORY))
    if scan.competitors_found:
        points = min(COMPETITORS_AT_MOST, COMPETITOR * len(scan.competitors_found))
        factors.append(Factor(what="Competitors were found", points=points))
    if scan.own_words is not None and scan.meta is not None and scan.meta.description:
        factors.append(Factor(what="The site says what it is", points=DESCRIPTION))
    said = sum(1 for text in strategic if text and len(text.strip()) >= SAYS_SOMETHING)
    if said:
        factors.append(Factor(what="You say what it is worth, for whom, or why", points=STRATEGIC * said))
    if len(idea.strip()) >= SAYS_SOMETHING:
        factors.append(Factor(what="You describe the idea", points=IDEA))
    confidence = min(HIGHEST, max(LOWEST, sum(factor.points for factor in factors)))
    return Brief(confidence=confidence, verdict=_verdict(confidence), factors=factors)


def _verdict(confidence: int) -> Verdict:
    if confidence >= GREENLIGHT:
        return "greenlight"
    return "revise" if confidence >= REVISE else "research"
