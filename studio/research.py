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
from studio.packets.phase0 import Source

# The 2 of "B2B" is no figure, the 12 of "€12bn" is one.
_NUMBER = re.compile(r"(?<!\w)\d[\d.,]*")
_WORD = re.compile(r"\w+")
# Shorter words of a name ("of", "&") say nothing, unless it has no others.
TELLING_CHARS = 3


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


def numbered(passages: Sequence[Source], first: int = 1) -> dict[str, Source]:
    """Return the passages by id: `{"S1": …, "S2": …}`, counting from `first`."""
    return {f"S{index}": passage for index, passage in enumerate(passages, start=first)}


def for_prompt(sources: dict[str, Source]) -> list[dict[str, str]]:
    """Return the sources as a prompt shows them."""
    return [{"id": key, "url": s.url, "title": s.title, "quote": s.quote} for key, s in sources.items()]


def named_by(name: str, ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    """Return those of the cited sources in which every longer word of `name` stands, each as a whole word."""
    all_words = _words(name)
    words = {word for word in all_words if len(word) >= TELLING_CHARS} or all_words
    if not words:
        return []
    return [source for source in _cited(ids, sources) if words <= _words(f"{source.quote} {source.title} {source.url}")]


def carrying(text: str, ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    """Return those of the cited sources that can carry `text`: together they hold all its figures, if it has any."""
    figures, cited = _figures(text), _cited(ids, sources)
    if not figures:
        return cited
    if not figures <= set().union(*(_figures(source.quote) for source in cited)):
        return []
    return [source for source in cited if figures & _figures(source.quote)]


def _cited(ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    seen: dict[str, Source] = {}
    for key in ids:
        bare = key.strip().strip("[]")
        if bare in sources:
            seen[bare] = sources[bare]
    return list(seen.values())


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _figures(text: str) -> set[str]:
    return {figure.rstrip(".,") for figure in _NUMBER.findall(text)}


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
