"""The server-side web search: over a folder of documents if there is one, over nothing otherwise.

A document is a Markdown file that opens with front matter naming its address and title:

    ---
    url: https://example.org/page
    title: A page
    ---
    The text.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.errors import SettingsError
from studio.sandbox import lexicon, words
from studio.sandbox.facts import Facts
from studio.sandbox.reading import MONEY
from studio.sandbox.reply import Block, Reply
from studio.sandbox.wording import quoted, say

MAX_RESULTS = 5
CITED_CHARS = 150
_QUOTES_PER_RESULT = 2
_DEFAULT_USES = 5
# A title says more about a page than a sentence in it.
_TITLE_WEIGHT = 3
_QUERY_PHRASES = 3
# What the prompt asks about, and the words that find it.
_SUBJECTS: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (
        ("competitor", "competitors", "alternatives", "wettbewerb", "wettbewerber"),
        {"en": "competitors alternatives", "de": "Wettbewerber Anbieter"},
    ),
    (
        ("market", "tam", "sam", "som", "markt", "marktgröße"),
        {"en": "market size revenue", "de": "Marktgröße Umsatz"},
    ),
)


@dataclass(frozen=True)
class Document:
    """One page of the corpus."""

    url: str
    title: str
    sentences: tuple[str, ...]
    age: str | None

    @property
    def host(self) -> str:
        """The host of the page."""
        return urlsplit(self.url).hostname or ""

    @property
    def text(self) -> str:
        """All of the page."""
        return " ".join(self.sentences)

    def permitted(self, allowed: list[str] | None, blocked: list[str] | None) -> bool:
        """Return whether a tool that is limited to hosts may return it."""
        return _permitted(self.host, allowed, blocked)


@dataclass(frozen=True)
class Hit:
    """A page that matches, with the sentences that match best, as they stand."""

    document: Document
    score: float
    quotes: tuple[str, ...]


class Corpus:
    """The documents that a search may return. Empty where no folder was given."""

    def __init__(self, documents: list[Document]) -> None:
        self.documents = documents
        self._stems = [Counter(words.stem(t.text) for s in d.sentences for t in words.tokens(s)) for d in documents]
        self._titles = [words.stems(document.title) for document in documents]

    @classmethod
    def load(cls, folder: Path | None) -> Corpus:
        """Read every `*.md` below `folder`. Raise `SettingsError` for a file without address or title."""
        if folder is None:
            return cls([])
        if not folder.is_dir():
            raise SettingsError(f"The corpus folder {folder} does not exist.", "Name a folder of Markdown files.")
        return cls([_document(path) for path in sorted(folder.rglob("*.md"))])

    def search(self, query: str, *, allowed: list[str] | None = None, blocked: list[str] | None = None) -> list[Hit]:
        """Return the best pages for `query`, at most `MAX_RESULTS`, best first; ties in the folder's order."""
        wanted = words.stems(query)
        hits: list[Hit] = []
        for position, document in enumerate(self.documents):
            if not _permitted(document.host, allowed, blocked):
                continue
            counts, title = self._stems[position], self._titles[position]
            found = {stem for stem in wanted if counts[stem] or stem in title}
            # One shared word is chance, unless the page is about it; a query of one word has no more to share.
            if not found or (len(found) < min(2, len(wanted)) and not found & title):
                continue
            score = sum(math.log1p(counts[stem]) + _TITLE_WEIGHT * (stem in title) for stem in found)
            hits.append(Hit(document, score * len(found), _quotes(document, wanted)))
        return sorted(hits, key=lambda hit: -hit.score)[:MAX_RESULTS]


def _document(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"The corpus file {path} cannot be read as UTF-8 text.", "Repair or remove it.") from exc
    lines = text.splitlines()
    fields: dict[str, str] = {}
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if lines and lines[0].strip() == "---" and end is not None:
        pairs = (line.partition(":") for line in lines[1:end])
        fields = {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}
    if not fields.get("url") or not fields.get("title"):
        raise SettingsError(
            f"The corpus file {path} names no url and title.", "Open it with `---`, `url: …`, `title: …`, `---`."
        )
    body = "\n".join(line for line in lines[(end or 0) + 1 :] if not line.lstrip().startswith("#"))
    told = tuple(words.sentences(body))
    return Document(fields["url"], fields["title"], told, fields.get("date"))


def _permitted(host: str, allowed: list[str] | None, blocked: list[str] | None) -> bool:
    def listed(domains: list[str]) -> bool:
        return any(host == domain or host.endswith(f".{domain}") for domain in domains)

    return (not allowed or listed(allowed)) and not (blocked and listed(blocked))


def _quotes(document: Document, wanted: set[str]) -> tuple[str, ...]:
    scored = [
        (len(wanted & words.stems(sentence)) + 0.5 * bool(MONEY.search(sentence)), -position, sentence)
        for position, sentence in enumerate(document.sentences)
    ]
    best = sorted((entry for entry in scored if entry[0] > 0), reverse=True)[:_QUOTES_PER_RESULT]
    return tuple(sentence for _, _, sentence in sorted(best, key=lambda entry: -entry[1]))


def cited(sentence: str) -> str:
    """Return the sentence, or its beginning up to a word's end, in at most `CITED_CHARS` characters."""
    if len(sentence) <= CITED_CHARS:
        return sentence
    cut = sentence[: CITED_CHARS + 1]
    return cut[: max(cut.rfind(" "), 1)].rstrip() if " " in cut else sentence[:CITED_CHARS]


# --- the answer to a request that may search ------------------------------------------------------------


def queries(facts: Facts, asked: str) -> list[str]:
    """Return what to search for: the idea's key phrases, with each subject that the prompt asks about.

    The last one is the phrases alone; it is the one to fall back on.
    """
    phrases = facts.reading.phrases or tuple(words.key_phrases(facts.question))
    telling = [p for p in phrases if not all(t.lower in lexicon.GENERIC_NOUNS for t in words.tokens(p))]
    base = " ".join((telling or list(phrases))[:_QUERY_PHRASES]) or words.clip_words(words.plain(facts.idea), 80)
    if not base.strip():
        return []
    said = {token.lower for token in words.tokens(asked)}
    subjects = [names[facts.reading.language] for cues, names in _SUBJECTS if said & set(cues)]
    return words.unique([*(f"{base} {subject}" for subject in subjects), base])


def research(facts: Facts, asked: str, tool: dict[str, Any], corpus: Corpus) -> Reply:
    """Return the answer with the searches made, their results and the passages, each with its citation.

    `asked` is the prompt's own text, which says what to look for. A page is returned by one search only.
    """
    language = facts.reading.language
    uses = tool.get("max_uses") or _DEFAULT_USES
    wanted = queries(facts, asked)
    limits = {"allowed": tool.get("allowed_domains"), "blocked": tool.get("blocked_domains")}
    blocks: list[Block] = []
    found: list[Hit] = []
    for position, query in enumerate(wanted[:uses]):
        # The fallback is for searches that found nothing; without documents one search says it all.
        falls_back = position > 0 and position == len(wanted) - 1
        if (falls_back and found) or (blocks and not corpus.documents):
            break
        known = {hit.document.url for hit in found}
        hits = [hit for hit in corpus.search(query, **limits) if hit.document.url not in known]
        blocks += results(query, [hit.document for hit in hits])
        found += hits
    searches = len(blocks) // 2
    shown = quoted(wanted[0] if wanted else "", language)
    if not found:
        miss = say(language, "search_corpus_miss") if corpus.documents else ""
        text = say(language, "search_nothing", query=shown, corpus=miss)
        return Reply((*blocks, {"type": "text", "text": text}), searches=searches)
    blocks.append({"type": "text", "text": say(language, "search_lead", query=shown)})
    blocks += _passages(found, facts)
    blocks.append({"type": "text", "text": f"\n\n{say(language, 'search_end')}"})
    return Reply(tuple(blocks), searches=searches)


def results(query: str, documents: Iterable[Document]) -> Iterator[Block]:
    """Yield a search and what it returned."""
    yield {"type": "server_tool_use", "name": "web_search", "input": {"query": query}}
    found = [
        {
            "type": "web_search_result",
            "url": document.url,
            "title": document.title,
            "encrypted_content": sealed(document.text),
            "page_age": document.age,
        }
        for document in documents
    ]
    yield {"type": "web_search_tool_result", "content": found}


def sealed(text: str) -> str:
    """Return a text as the service hands on what only it can read."""
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")


def _passages(hits: list[Hit], facts: Facts) -> Iterator[Block]:
    language = facts.reading.language
    for hit in hits:
        if not hit.quotes:
            continue
        title = quoted(hit.document.title, language, 120)
        yield {"type": "text", "text": f"\n\n{say(language, 'search_found', title=title)} "}
        for position, sentence in enumerate(hit.quotes):
            yield {
                "type": "text",
                "text": f"{sentence} " if position + 1 < len(hit.quotes) else sentence,
                "citations": [
                    {
                        "type": "web_search_result_location",
                        "url": hit.document.url,
                        "title": hit.document.title,
                        "encrypted_index": sealed(f"{hit.document.url}#{sentence[:40]}"),
                        "cited_text": cited(sentence),
                    }
                ],
            }
