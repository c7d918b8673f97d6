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

_NUMBER = re.compile(r"\d[\d.,]*")
_WORD = re.compile(r"\w{3,}", re.UNICODE)


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
    """Return those of the cited sources in which every longer word of `name` stands."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return []
    return [source for source in _cited(ids, sources) if all(word in _searchable(source) for word in words)]


def carrying(text: str, ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    """Return those of the cited sources that can carry `text`: they hold one of its figures, if it has any."""
    figures = {figure.rstrip(".,") for figure in _NUMBER.findall(text)}
    if not figures:
        return _cited(ids, sources)
    return [
        source
        for source in _cited(ids, sources)
        if figures & {figure.rstrip(".,") for figure in _NUMBER.findall(source.quote)}
    ]


def _cited(ids: Iterable[str], sources: dict[str, Source]) -> list[Source]:
    seen: dict[str, Source] = {}
    for key in ids:
        source = sources.get(key.strip().strip("[]"))
        if source is not None:
            seen[key] = source
    return list(seen.values())


def _searchable(source: Source) -> str:
    return f"{source.quote} {source.title} {source.url}".lower()


def store(conn: Connection, project_id: UUID, job_id: UUID, passages: Iterable[Source], tool: str) -> int:
    """Store the passages of a run in the caller's transaction, each once; return how many were new."""
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
        for p in passages
    ]
    new = 0
    for row in rows:
        new += conn.execute(
            "insert into public.research_sources (project_id, job_id, url, title, quote, quote_sha256, retrieved_by)"
            " values (%(project)s, %(job)s, %(url)s, %(title)s, %(quote)s, %(sha)s, %(tool)s) on conflict do nothing",
            row,
        ).rowcount
    return new
