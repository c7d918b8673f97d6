"""What a request tells the model: the tagged blocks of the studio's prompts, and the text around them."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from studio.sandbox import reading, words
from studio.sandbox.reading import Reading
from studio.sandbox.words import Language

TAGS = (
    "project",
    "idea",
    "guidance",
    "memory",
    "sources",
    "research",
    "competitors",
    "market",
    "presence",
    "prior_packet",
    "company",
    "permissions",
    "figures",
    "packets",
    "parts",
    "brand",
    "landing",
    "direction",
    "page",
    "critique",
    "mail",
    "packet",
    "assets",
    "actions",
    "conversation",
    "message",
    "topic",
    "question",
    "questions",
    "claims",
    "request",
    "files",
)
# A tag that is only mentioned before its block ("the <idea> below") opens nothing.
_BLOCK = re.compile(rf"<(?P<tag>{'|'.join(TAGS)})>(?P<body>(?:(?!<(?P=tag)>).)*?)</(?P=tag)>", re.DOTALL)
_IDEA_KEYS = ("idea_description", "idea", "description")
_MAX_SOURCES = 60


@dataclass(frozen=True)
class Source:
    """A retrieved passage as the request carries it."""

    id: str
    url: str
    title: str
    quote: str

    @property
    def host(self) -> str:
        """The host of the source's address without `www.`, or an empty string."""
        try:
            return (urlsplit(self.url).hostname or "").removeprefix("www.")
        except ValueError:
            return ""


@dataclass(frozen=True)
class Facts:
    """Everything a reply may be made of."""

    idea: str = ""
    question: str = ""
    guidance: str = ""
    memory: str = ""
    research: str = ""
    project: dict[str, Any] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    competitors: Any = None
    market: Any = None
    presence: Any = None
    prior: dict[str, Any] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    language: Language | None = None

    @functools.cached_property
    def reading(self) -> Reading:
        """The idea taken apart; `language` decides in which language the answer frames it."""
        read = reading.read(self.idea)
        return dataclasses.replace(read, language=self.language) if self.language else read

    def text(self, tag: str) -> str:
        """Return the block `tag` as cleaned text, empty where the request has none."""
        return words.clean(self.blocks.get(tag, ""))

    def given(self, tag: str) -> Any:
        """Return the JSON of the block `tag`, None where it is no JSON or not there."""
        return _json(self.blocks.get(tag, ""))

    def source_ids(self, wanted: Any) -> list[str]:
        """Return the ids in `wanted` that belong to given sources, in order, without repeats."""
        known = {source.id for source in self.sources}
        return [i for i in dict.fromkeys(map(str, wanted)) if i in known] if isinstance(wanted, list) else []


def collect(system: str, user_texts: Sequence[str]) -> Facts:
    """Read the facts out of the system prompt and the user's texts, oldest first; later blocks win.

    A block that is not the JSON it should be is left out: the reply then says that nothing was given.
    """
    blocks: dict[str, str] = {}
    free: list[str] = []
    for text in [system, *user_texts]:
        for match in _BLOCK.finditer(text):
            blocks[match.group("tag")] = match.group("body").strip()
    for text in user_texts:
        free.append(_BLOCK.sub(" ", text).strip())
    project = _json_object(blocks.get("project", ""))
    described = next((str(project[key]) for key in _IDEA_KEYS if isinstance(project.get(key), str)), "")
    idea = blocks.get("idea") or described or next((text for text in free if text), "")
    return Facts(
        idea=words.clean(idea),
        question=words.clean(blocks.get("message") or (free[-1] if free else "")),
        guidance=words.clean(blocks.get("guidance", "")),
        memory=words.clean(blocks.get("memory", "")),
        research=words.clean(blocks.get("research", "")),
        project=project,
        sources=tuple(_sources(blocks.get("sources", ""))),
        competitors=_json(blocks.get("competitors", "")),
        market=_json(blocks.get("market", "")),
        presence=_json(blocks.get("presence", "")),
        prior=_json_object(blocks.get("prior_packet", "") or blocks.get("packet", "")),
        blocks=blocks,
    )


def _json(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _json_object(text: str) -> dict[str, Any]:
    value = _json(text)
    return value if isinstance(value, dict) else {}


def _sources(text: str) -> list[Source]:
    listed = _json(text)
    if isinstance(listed, dict):
        listed = listed.get("sources")
    found: list[Source] = []
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            continue
        quote = entry.get("quote") or entry.get("cited_text") or ""
        found.append(
            Source(
                id=entry["id"],
                url=str(entry.get("url") or ""),
                title=words.plain(str(entry.get("title") or "")),
                quote=" ".join(str(quote).split()),
            )
        )
    return found[:_MAX_SOURCES]
