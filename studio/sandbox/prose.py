"""Prose: short answers that quote what the project says about the question."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

from studio.sandbox import evidence, synthesis, wishes, words
from studio.sandbox.facts import Facts
from studio.sandbox.wording import quoted, quoted_sentence, say

MAX_WORDS = 140
_MAX_PASSAGES = 3
_PASSAGE_CHARS = 200
_RESULT_CHARS = 600

# What people ask in many words: the part of the project that answers it.
_ASKED = (
    ("money", r"price|pricing|charges?|costs?|pay|money|preise?|kosten|kostet|geld|verlangen"),
    ("others", r"competitors?|competition|alternatives?|rivals?|wettbewerb\w*|konkurren\w+"),
    ("risks", r"risks?|worr\w+|dangers?|go wrong|risik\w+|gefahr\w*|schief"),
    ("people", r"who|whom|audience|customers?|users?|persona|wer|wen|wem|zielgruppe|kunden"),
    ("verdict", r"packet|pitch|recommend\w*|verdict|confiden\w*|paket|empf\w+|urteil|zuversicht|sicher"),
    ("waiting", r"wait\w*|decide|decisions?|approvals?|inbox|warte\w*|entscheid\w*|freigaben?"),
    ("figures", r"visits?|visitors?|sign-?ups?|leads?|conversion|numbers|figures|besuch\w*|anmeldung\w*|zahlen"),
    ("events", r"happened|overnight|last night|news|recent\w*|passiert|geschehen|neues|nachts?"),
    ("steps", r"next|first|start|begin|should (?:we|i) do|nächste\w*|zuerst|anfangen|beginnen|tun"),
)
# Where the company's page tells of a subject.
_SECTIONS = {"waiting": "Waiting for a decision", "figures": "Figures (measured)", "events": "Recent events"}


def chat(facts: Facts) -> str:
    """Return an answer of at most `MAX_WORDS` words to the last question, from the project's own words."""
    asked = facts.question if facts.question != facts.idea else ""
    if asked:
        facts = dataclasses.replace(facts, language=words.language_of(asked))
    language = facts.reading.language
    if not facts.idea:
        return say(language, "chat_empty")
    subject = next((name for name, cues in _ASKED if re.search(rf"\b(?:{cues})\b", asked, re.IGNORECASE)), "")
    wanted = words.stems(asked)
    passages = _about(subject, facts) or _named(facts, wanted) or _ranked(facts, wanted)
    parts = [say(language, "chat_author")]
    if passages:
        parts.append("\n".join([say(language, "chat_found"), *(f"- {passage}" for passage in passages)]))
    else:
        topic = next(iter(words.key_phrases(asked, 1)), "")
        if topic:
            parts.append(say(language, "chat_missing", topic=quoted(topic, language)))
        opening = words.plain(facts.reading.sentences[0]) if facts.reading.sentences else facts.idea
        parts.append(say(language, "chat_idea", idea=quoted_sentence(opening, language, _PASSAGE_CHARS)))
    step = next(iter(_steps(facts)), None)
    if step and subject != "steps":
        parts.append(say(language, "chat_next", action=step))
    return _within("\n\n".join(parts))


def after_tools(facts: Facts, results: list[tuple[str, str, bool]]) -> str:
    """Return an answer that reports what the tools returned, at most `MAX_WORDS` words."""
    language = words.language_of(facts.question) if facts.question else facts.reading.language
    return _within("\n\n".join(_told(facts, language, *result) for result in results))


def _told(facts: Facts, language: words.Language, name: str, text: str, failed: bool) -> str:
    if name == wishes.TOOL and not failed:
        return wishes.answered(facts, _json(text))
    key = "tool_error" if failed else "tool_result"
    return say(language, key, tool=name, result=words.clip_words(text or "–", _RESULT_CHARS))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _about(subject: str, facts: Facts) -> list[str]:
    """Return what the project has on one of the usual subjects; empty where it has nothing."""
    reading, language = facts.reading, facts.reading.language
    if subject == "money":
        return [quoted_sentence(price, language, _PASSAGE_CHARS) for price in reading.prices]
    if subject == "people":
        persona = _pitched(facts, "target_persona")
        if isinstance(persona, dict) and isinstance(persona.get("description"), str):
            return [persona["description"]]
        return [synthesis.persona(facts)["description"]] if reading.audience else []
    if subject == "risks":
        return (_lines(facts.prior, "risks") or synthesis.risks(facts))[:_MAX_PASSAGES]
    if subject == "steps":
        return _steps(facts)[:_MAX_PASSAGES]
    if subject == "verdict":
        return _verdict(facts)
    if subject in _SECTIONS:
        lines = _section(facts, _SECTIONS[subject])[:_MAX_PASSAGES]
        return [say(language, "chat_nothing")] if lines == ["none"] else lines
    if subject == "others":
        listed = _pitched(facts, "competitor_analysis")
        found = listed if isinstance(listed, list) and listed else evidence.sourced_competitors(facts)
        named = [f"{entry['name']}: {entry.get('positioning') or ''}".strip(": ") for entry in found]
        return named[:_MAX_PASSAGES] or [say(language, "risk_unchecked")]
    return []


def _pitched(facts: Facts, key: str) -> Any:
    """Return a part of the pitch: of the packet that is shown whole, or of the first one beside it."""
    packets = facts.given("packets")
    first = packets.get("phase_0") if isinstance(packets, dict) else None
    return facts.prior.get(key) or (first.get(key) if isinstance(first, dict) else None)


def _verdict(facts: Facts) -> list[str]:
    """Return what the packet says in short, and how sure it is."""
    prior, language = facts.prior, facts.reading.language
    said = [prior[key] for key in ("tagline", "summary", "elevator_pitch") if isinstance(prior.get(key), str)]
    told = [quoted_sentence(line, language, _PASSAGE_CHARS) for line in said]
    if prior.get("verdict") is not None and prior.get("confidence") is not None:
        verdict, confidence = str(prior["verdict"]), str(prior["confidence"])
        told.append(say(language, "chat_verdict", verdict=verdict, confidence=confidence))
    return told[-_MAX_PASSAGES:]


def _section(facts: Facts, heading: str) -> list[str]:
    """Return the lines under a heading of the company's page."""
    _, _, rest = facts.text("company").partition(f"## {heading}\n")
    return [words.plain(line.removeprefix("- ")) for line in rest.partition("\n## ")[0].splitlines() if line.strip()]


def _named(facts: Facts, wanted: set[str]) -> list[str]:
    """Return the texts of the packet whose name the question says ("headline", "channels")."""
    found = [line for name, line in _entries(facts.prior) if words.stems(name.replace("_", " ")) & wanted]
    return [quoted_sentence(line, facts.reading.language, _PASSAGE_CHARS) for line in found[:_MAX_PASSAGES]]


def _entries(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and name:
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _entries(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item, name)


def _steps(facts: Facts) -> list[str]:
    return _lines(facts.prior, "next_actions") or synthesis.next_actions(facts)


def _ranked(facts: Facts, wanted: set[str]) -> list[str]:
    """Return the project's sentences that share words with the question, most shared first."""
    if not wanted:
        return []
    scored = [(len(wanted & words.stems(line)), -position, line) for position, line in enumerate(_known(facts))]
    best = sorted((entry for entry in scored if entry[0]), reverse=True)[:_MAX_PASSAGES]
    found = words.unique(words.plain(line) for _, _, line in best)
    return [quoted_sentence(line, facts.reading.language, _PASSAGE_CHARS) for line in found]


def _known(facts: Facts) -> Iterator[str]:
    yield from facts.reading.sentences
    for note in synthesis.remembered(facts):
        yield from words.sentences(note)
    yield from words.sentences(facts.guidance)
    yield from _strings(facts.prior)
    for source in facts.sources:
        yield from words.sentences(source.quote)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str) and " " in value:
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _lines(prior: dict[str, Any], key: str) -> list[str]:
    synopsis = prior.get("reasoning_synopsis")
    found = prior.get(key) or (synopsis.get(key) if isinstance(synopsis, dict) else None)
    return [line for line in found if isinstance(line, str)] if isinstance(found, list) else []


def _within(text: str) -> str:
    kept: list[str] = []
    left = MAX_WORDS
    for line in text.split("\n"):
        row = line.split()
        if len(row) > left:
            kept += [" ".join(row[:left]).rstrip(" ,;:") + " …"] if left else []
            return "\n".join(kept).rstrip()
        kept.append(line)
        left -= len(row)
    return "\n".join(kept)
