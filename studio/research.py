"""What a run really retrieved: passages with their addresses, stored and numbered `S1`, `S2`, ….

A statement is *sourced* only by a stored passage that speaks of it. What a model cites without that is
marked unsourced; nothing is added to make it look better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from studio.database.connection import Connection
from studio.model.answers import Passage
from studio.packets.fields import Source
from studio.presence import Presence
from studio.text import storable

# The 2 of "B2B" is no figure, the 12 of "€12bn" is one.
_FIGURE = re.compile(
    r"(?<!\w)(\d[\d.,]*)\s*(%|percent|per cent|thousand|million|billion|trillion|bn|mn|[kmb](?!\w))?", re.IGNORECASE
)
_THOUSANDS = re.compile(r",(?=\d{3}(\D|$))")
_MAGNITUDE = re.compile(r"\b(thousand|million|billion|trillion)s?\b", re.IGNORECASE)
_UNITS = {
    "%": "%",
    "percent": "%",
    "per cent": "%",
    "thousand": "thousand",
    "k": "thousand",
    "million": "million",
    "mn": "million",
    "m": "million",
    "billion": "billion",
    "bn": "billion",
    "b": "billion",
    "trillion": "trillion",
}
_WORD = re.compile(r"\w+", re.UNICODE)
# Words that share their first letters are taken for the same word in another form.
STEM_CHARS = 5
# One shared word is chance; two make a subject.
SHARED_STEMS = 2


class Dossier(BaseModel):
    """The outcome of one research call: prose notes and the passages they rest on, in citation order."""

    notes: str
    passages: list[Source]
    searches: int
    retrieved: int

    @property
    def empty(self) -> bool:
        """Whether nothing was retrieved that could be cited."""
        return not self.passages


def dossier(notes: str, passages: Iterable[Passage], *, searches: int, retrieved: int) -> Dossier:
    """Return the dossier of a research answer."""
    return Dossier(
        notes=notes,
        passages=[Source(url=p.url, title=p.title, quote=p.quote, quote_sha256=p.quote_sha256) for p in passages],
        searches=searches,
        retrieved=retrieved,
    )


def seen(presence: Presence) -> list[Source]:
    """Return what a look at a domain rests on as a passage; nothing where it saw no text."""
    found = presence.evidence
    if found is None or not found.quote:
        return []
    passage = Passage(found.url, storable(found.title or found.url), storable(found.quote))
    return [Source(url=passage.url, title=passage.title, quote=passage.quote, quote_sha256=passage.quote_sha256)]


def numbered(passages: Sequence[Source], first: int = 1) -> dict[str, Source]:
    """Return the passages by id: `{"S1": …, "S2": …}`, counting from `first`."""
    return {f"S{index}": passage for index, passage in enumerate(passages, start=first)}


def for_prompt(sources: dict[str, Source]) -> list[dict[str, str]]:
    """Return the sources as a prompt shows them."""
    return [{"id": key, "url": s.url, "title": s.title, "quote": s.quote} for key, s in sources.items()]


def named_by(name: str, ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    """Return those of the cited sources whose passage or title holds `name` as a phrase.

    A name of one word has to stand in its own spelling: Square is not in "per square metre".
    """
    words = name.split()
    if not words:
        return []
    phrase = r"\s+".join(re.escape(word) for word in words)
    flags = re.IGNORECASE if len(words) > 1 or name.isupper() else re.NOFLAG
    pattern = re.compile(rf"(?<!\w){phrase}(?!\w)", flags)
    return [source for source in _cited(ids, sources) if pattern.search(f"{source.quote}\n{source.title}")]


def carrying(text: str, ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    """Return those of the cited sources that can carry `text`.

    Together they hold all its figures, each with its unit or magnitude; a text without figures has to share
    telling words with a passage. This shows that a passage speaks of the matter, not that it proves it.
    """
    figures, cited = _figures(text), _cited(ids, sources)
    if not figures:
        return [source for source in cited if _speaks_of(source, text)]
    if not figures <= set().union(*(_figures(source.quote) for source in cited)):
        return []
    return [source for source in cited if figures & _figures(source.quote)]


def _speaks_of(source: Source, text: str) -> bool:
    told = _stems(text)
    return bool(told) and len(told & _stems(f"{source.quote} {source.title}")) >= min(SHARED_STEMS, len(told))


def _cited(ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    seen: dict[str, Source] = {}
    for key in ids:
        bare = key.strip().strip("[]")
        if bare in sources:
            seen[bare] = sources[bare]
    return list(seen.values())


def _stems(text: str) -> set[str]:
    return {word.casefold()[:STEM_CHARS] for word in _WORD.findall(text) if len(word) >= STEM_CHARS}


def _figures(text: str) -> set[tuple[str, str]]:
    """Return the figures of `text` as (number, unit); a magnitude in words counts, too ("billions")."""
    found: set[tuple[str, str]] = set()
    for number, unit in _FIGURE.findall(text):
        plain = _THOUSANDS.sub("", number.rstrip(".,"))
        found.add((plain, _UNITS.get(unit.lower(), "")))
    numbered_units = {unit for _, unit in found}
    found |= {("", word.lower()) for word in _MAGNITUDE.findall(text) if word.lower() not in numbered_units}
    return found


def store(conn: Connection, project_id: UUID, job_id: UUID, passages: Iterable[Source], tool: str) -> int:
    """Store the passages of a run in the caller's transaction, each once; return how many were new.

    Two researches of one run may find the same pages: they are inserted in one order, so that neither waits for
    the other in a circle.
    """
    rows: list[dict[str, Any]] = [
        {
            "project": project_id,
            "job": job_id,
            "url": p.url,
            "title": p.title,
            "quote": p.quote,
            "sha": p.quote_sha256,
            "tool": tool,
        }
        for p in sorted(passages, key=lambda passage: (passage.url, passage.quote_sha256))
    ]
    new = 0
    for row in rows:
        new += conn.execute(
            "insert into public.research_sources (project_id, job_id, url, title, quote, quote_sha256, retrieved_by)"
            " values (%(project)s, %(job)s, %(url)s, %(title)s, %(quote)s, %(sha)s, %(tool)s) on conflict do nothing",
            row,
        ).rowcount
    return new
