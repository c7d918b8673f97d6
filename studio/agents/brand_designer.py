"""The brand designer: specifies the brand brief, slide by slide; the studio draws it."""

from __future__ import annotations

from typing import Any

from studio.agents.profiles import PROFILES
from studio.agents.prompting import COPY_RULE, DATA_RULE, HONESTY_RULE, LANGUAGE_RULE, blocks
from studio.model.answers import Answer
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.brand_deck import BrandDeckSpec
from studio.progress import Progress
from studio.tracing.genai import traced_agent

# Domain specification §3.
SPEC_TOKENS = 4500


class BrandDesigner:
    """Turns a brand kit into a brief that somebody else could work from."""

    def __init__(self, model: CompletesCalls, spender: Spender, progress: Progress) -> None:
        self._model = model
        self._spender = spender
        self._progress = progress

    @traced_agent("brand_designer")
    def run(self, step: str, facts: dict[str, Any]) -> tuple[BrandDeckSpec, Answer]:
        """Return the specification of the brief for the brand in `facts` (blocks `brand`, `parts`, `project`, …)."""
        return self._model.structured(
            Call(
                profile=PROFILES["designer_full"],
                step=step,
                system="You are the brand designer of a startup studio and specify a brand brief of seven to nine"
                " slides for people who will work with the brand: cover, positioning, palette, typography, voice,"
                " guidelines, closing, and one more where the brand needs it. Build it on the <brand> kit: take its"
                " colours for the style tokens and the palette, its fonts, its voice. Each slide says one thing in a"
                " title of a few words; bullets are rules or examples somebody can follow, not adjectives. For the"
                " voice give sentences as the brand writes them and as it does not. The guidelines have at least three"
                " dos and three don'ts, each one checkable. Text and muted text must be readable on background and"
                f" surface. There are no pictures: do not speak of any. {LANGUAGE_RULE} {COPY_RULE} {HONESTY_RULE}"
                f" {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=SPEC_TOKENS,
            ),
            BrandDeckSpec,
            self._spender,
            self._progress,
        )
