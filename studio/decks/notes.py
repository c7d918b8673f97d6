"""Notes as text: what to say, details, and the sources or that there are none."""

from __future__ import annotations

from studio.decks.model import Notes


def text(notes: Notes) -> str:
    """Return the notes as they stand below a slide."""
    parts = [notes.say, *notes.details]
    if notes.references:
        parts.append("Sources\n" + "\n".join(f"“{ref.quote}” ({ref.title}, {ref.url})" for ref in notes.references))
    parts += [f"No source: {reason}" for reason in notes.unsourced]
    return "\n\n".join(part for part in parts if part)
