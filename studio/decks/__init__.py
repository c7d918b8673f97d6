"""Decks and documents: what a phase's packet says, as a presentation, its HTML twin, and papers to work with.

| module | what it holds |
|---|---|
| `model`, `content` | slides by what they say, and how they follow from a packet |
| `layouts`, `scene`, `setting`, `metrics`, `ornament`, `mirror` | pages by where things stand; nothing overflows |
| `pptx`, `theme`, `words`, `grids`, `charts`, `archive` | pages as an editable presentation |
| `html` | pages as one self-contained document |
| `documents` | the plan of Phase 2 and the launch checklist of Phase 3 |
"""

from __future__ import annotations

from studio.decks.build import Deck, brand_brief, build

__all__ = ["Deck", "brand_brief", "build"]
