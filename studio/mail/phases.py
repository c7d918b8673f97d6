"""The four phases by name, as letters speak of them."""

from __future__ import annotations

NAMES = {0: "Pitch", 1: "Validate", 2: "Distribute", 3: "Go live", 4: "Live"}


def phase_name(phase: int) -> str:
    """Return a phase's name with its number, as in `Phase 1, Validate`."""
    return NAMES[4] if phase >= 4 else f"Phase {phase}, {NAMES[phase]}"
