"""The fields that packets are made of: texts with a bound, percentages, verdicts, and what may be repaired in them.

Repairs happen here, and only where nothing is invented: white space, length, numbers written as text, the case of
a verdict, an array nested one level too deep.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Recommendation = Literal["greenlight", "revise", "kill"]

_VERDICT = re.compile(r"(greenlight|revise|kill)", re.IGNORECASE)


def squeeze(limit: int) -> BeforeValidator:
    """Return a validator that puts a text on one line and cuts it at `limit` characters, with an ellipsis."""

    def squeezed(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = " ".join(value.split())
        return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"

    return BeforeValidator(squeezed)


def _verdict(value: Any) -> Any:
    if isinstance(value, str) and (found := _VERDICT.match(value.strip())):
        return found.group(1).lower()
    return value


def _whole_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no percentages")
    if isinstance(value, str) and re.fullmatch(r"\s*\d{1,3}(\.\d+)?\s*%?\s*", value, re.ASCII):
        value = float(value.strip().rstrip("%"))
    # A share such as 0.85 stays as it is and does not fit: to round it would make it 1 %.
    return round(value) if isinstance(value, float) and 1 <= value <= 100 else value


Short = Annotated[str, squeeze(240), Field(min_length=1, max_length=240)]
Line = Annotated[str, squeeze(400), Field(min_length=1, max_length=400)]
Paragraph = Annotated[str, squeeze(1200), Field(min_length=1, max_length=1200)]
Percent = Annotated[int, BeforeValidator(_whole_number), Field(ge=0, le=100)]
Verdict = Annotated[Recommendation, BeforeValidator(_verdict)]


class PacketModel(BaseModel):
    """A part of a packet. What a model says beyond the schema is left out."""

    model_config = ConfigDict(extra="ignore")


def claim_object(value: Any) -> Any:
    """Return a claim that was given as a bare text as the object it should have been, without sources."""
    return {"claim": value, "source_ids": []} if isinstance(value, str) else value


class EvidenceClaim(PacketModel):
    """A claim that the verdict rests on, with the sources that carry it."""

    claim: Line
    source_ids: list[str]


EvidenceClaims = Annotated[list[Annotated[EvidenceClaim, BeforeValidator(claim_object)]], Field(max_length=12)]


class Source(PacketModel):
    """A passage that the run really retrieved."""

    url: str
    title: str
    quote: str
    quote_sha256: str


class Evidence(PacketModel):
    """A claim and where it comes from; `source` is the first URL, or `unsourced`."""

    claim: str
    source: str
    sourced: bool
    sources: list[Source]


class ReasoningSynopsis(PacketModel):
    """Why the verdict is what it is."""

    decision: Recommendation
    confidence: Percent
    rationale: list[str] = Field(min_length=3)
    risks: list[str]
    next_actions: list[str]
    evidence: list[Evidence]
