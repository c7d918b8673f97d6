"""What the design agent and its critic return about a landing page (domain specification §3 and §4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from studio.packets.fields import Line, PacketModel, squeeze

# A page that scores this much is good enough to be shown (domain specification §3).
PASS_SCORE = 55


class Rubric(PacketModel):
    """Points by part; the bounds are the parts' weights."""

    typography: int = Field(ge=0, le=20)
    colour: int = Field(ge=0, le=20)
    layout: int = Field(ge=0, le=20)
    atmosphere: int = Field(ge=0, le=20)
    motion: int = Field(ge=0, le=10)
    completeness: int = Field(ge=0, le=10)


class LandingCritique(PacketModel):
    """A critic's judgement of one variant. The score is the sum of the rubric, which nobody needs to add up."""

    rubric: Rubric
    feedback: Annotated[str, squeeze(1200), Field(min_length=1, max_length=1200)]
    improvements: list[Line] = Field(max_length=8, description="What to change next, most telling first")

    @property
    def score(self) -> int:
        """0 to 100."""
        return sum(self.rubric.model_dump().values())

    @property
    def passed(self) -> bool:
        """Whether the page is good enough."""
        return self.score >= PASS_SCORE
