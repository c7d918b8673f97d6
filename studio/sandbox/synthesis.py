"""The Phase 0 synthesis from the project's own words and the evidence that came with the request."""

from __future__ import annotations

import re
from typing import Any

from studio.sandbox import evidence, words
from studio.sandbox.facts import Facts
from studio.sandbox.reading import Reading
from studio.sandbox.topics import topic_risks
from studio.sandbox.wording import listed, quoted, quoted_sentence, say

_MAX_SCOPE = 4
# An idea that names fewer things to do gets the page on which the next phase tests it.
_FULL_SCOPE = 2
_MAX_RISKS = 5
_MAX_ACTIONS = 5
_PITCH_SENTENCES = 4
_PITCH_LIMIT = 700
_THIN_WORDS = 3
_THIN_CHARS = 16
# A longer statement gives way to the name that the founder has put before it.
_SHORT_TAGLINE = 60
_SHORTEST_NAME = 8
_MEMORY_KEY = re.compile(r"^[\w.:/-]+(?: \([^)]*\))?: ")
_ASKED_LAST = re.compile(r"^\W*last_chat_topic\b")
_NAME_END = re.compile(r":\s|\s[-–—]\s")


def compose(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `Phase0Synthesis` schema."""
    figures = evidence.confidence(facts)
    return {
        "tagline": tagline(facts.reading),
        "elevator_pitch": pitch(facts),
        "confidence_breakdown": evidence.breakdown(facts),
        "target_persona": persona(facts),
        "mvp_scope": scope(facts),
        "recommendation": evidence.recommendation(facts, figures),
        "confidence": figures,
        "rationale": rationale(facts),
        "risks": risks(facts),
        "next_actions": next_actions(facts),
        "evidence": evidence.claims(facts),
    }


# --- texts ----------------------------------------------------------------------------------------------


def is_thin(reading: Reading) -> bool:
    """Say whether the idea is no more than a word or two."""
    return reading.word_count < _THIN_WORDS and len(reading.text) < _THIN_CHARS


def tagline(reading: Reading) -> str:
    """Return the idea's own shortest statement of itself."""
    if len(reading.tagline) > _SHORT_TAGLINE and (name := own_name(reading)):
        return name
    if reading.tagline and not is_thin(reading):
        return reading.tagline
    if reading.text:
        return say(reading.language, "tagline_thin", idea=words.clip_words(reading.text, 100))
    return say(reading.language, "tagline_none")


def own_name(reading: Reading) -> str:
    """Return what the founder calls it before a colon or a dash ("A tool library: neighbours …"), or nothing."""
    first = words.plain(next(iter(reading.sentences), ""))
    name = _NAME_END.split(first, maxsplit=1)[0].strip()
    return words.capitalise(name) if name != first and _SHORTEST_NAME <= len(name) <= _SHORT_TAGLINE else ""


def named(reading: Reading) -> str:
    """Return the idea's short name in quotation marks, for sentences that speak of it."""
    short = tagline(reading) if not is_thin(reading) else reading.text or tagline(reading)
    return quoted(short, reading.language, 120)


def pitch(facts: Facts) -> str:
    """Return the founder's opening sentences, and what was retrieved about them, or that nothing was."""
    reading, language = facts.reading, facts.reading.language
    if is_thin(reading):
        opening = say(language, "pitch_thin", idea=named(reading))
    else:
        opening = " ".join(words.sentence_case(words.clip_words(s, _PITCH_LIMIT)) for s in _opening(reading))
    first = next((source for source in facts.sources if source.quote), None)
    if first is None:
        return f"{opening} {say(language, 'pitch_unproven')}"
    title, quote = quoted(first.title or first.host, language, 90), quoted(first.quote, language, 260)
    return f"{opening} {say(language, 'pitch_evidence', title=title, quote=quote)}"


def _opening(reading: Reading) -> list[str]:
    """Return the sentences that the pitch opens with: the first, and what follows it and is no part of the scope."""
    kept = [*reading.sentences[:1]]
    planned = {words.folded(feature) for feature in reading.features[:_MAX_SCOPE]}
    for sentence in reading.sentences[1:_PITCH_SENTENCES]:
        if sum(map(len, kept)) + len(sentence) > _PITCH_LIMIT:
            break
        if words.folded(sentence) not in planned:
            kept.append(sentence)
    return kept


def _sentence_naming(reading: Reading, phrase: str) -> str:
    spoken = [words.plain(sentence) for sentence in reading.sentences]
    return next((s for s in spoken if phrase and phrase in s), spoken[0] if spoken else "")


def persona(facts: Facts) -> dict[str, Any]:
    """Return who it is for, in the founder's words, with the difficulties the idea names."""
    reading, language = facts.reading, facts.reading.language
    audience = reading.audience
    pains = [words.sentence_case(problem) for problem in reading.problems]
    if not pains and audience:
        pains = [say(language, "pain_asked", audience=quoted(audience, language))]
    sentence = _sentence_naming(reading, reading.audiences[0] if reading.audiences else "") or reading.text
    key = "persona_named" if audience else "persona_open"
    # What the pitch quotes already is not quoted again two pages on.
    if any(words.holds(told, sentence) for told in _opening(reading)) and not is_thin(reading):
        key += "_said"
    return {
        "name": words.capitalise(audience) if audience else say(language, "persona_unknown"),
        "description": say(language, key, sentence=quoted_sentence(sentence, language, 320), idea=named(reading)),
        "pain_points": pains or [say(language, "pain_open")],
    }


def scope(facts: Facts) -> dict[str, Any]:
    """Return what the idea says it does first, and what can wait."""
    reading, language = facts.reading, facts.reading.language
    opening = words.folded(next(iter(reading.sentences), ""))
    # What the pitch opens with is the whole idea, and the first version is its smallest form.
    first = [item for item in reading.features[:_MAX_SCOPE] if words.folded(item) != opening]
    deferred = list(reading.later)
    deferred += [say(language, "defer_feature", feature=item) for item in reading.features[_MAX_SCOPE:]]
    if reading.prices:
        deferred.append(say(language, "defer_price", price=quoted_sentence(reading.prices[0], language)))
    if not first:
        first = [say(language, "scope_smallest", idea=named(reading))]
    if len(first) < _FULL_SCOPE:
        page = ("scope_hand", {"audience": reading.audience}) if reading.audience else ("scope_page", {})
        first.append(say(language, page[0], **page[1]))
    return {"in_scope": first, "deferred": deferred or [say(language, "defer_rest")]}


def rationale(facts: Facts) -> list[str]:
    """Return the reasons for the verdict: who speaks, what evidence there is, what the idea says."""
    reading, language = facts.reading, facts.reading.language
    lines = [say(language, "author"), _evidence_line(facts)]
    if facts.sources:
        names = [str(entry["name"]) for entry in evidence.sourced_competitors(facts)][:4]
        lines.append(
            say(language, "competitors_found", names=listed(names, language))
            if names
            else say(language, "competitors_none")
        )
    does = reading.action or (reading.features[0] if reading.features else "")
    key = {(True, True): "says_both", (True, False): "says_audience", (False, True): "says_action"}.get(
        (bool(reading.audience), bool(does)), "says_neither"
    )
    lines.append(say(language, key, audience=quoted(reading.audience, language), action=quoted(does, language)))
    if reading.problems:
        lines.append(say(language, "says_problem", problem=quoted_sentence(reading.problems[0], language, 260)))
    else:
        lines.append(say(language, "says_no_problem"))
    lines += [_presence_line(facts, "presence"), _memory_line(facts), _guidance_line(facts)]
    lines.append(say(language, "counted"))
    return [line for line in lines if line][:8]


def _evidence_line(facts: Facts) -> str:
    language = facts.reading.language
    if not facts.sources:
        return say(language, "no_evidence")
    hosts = words.unique(source.host for source in facts.sources)
    shown = listed(hosts[:4], language) if hosts else "?"
    key = "evidence_one" if len(facts.sources) == 1 else "evidence_many"
    return say(language, key, count=str(len(facts.sources)), hosts=shown)


def _measured(facts: Facts) -> tuple[str, str]:
    entries = facts.presence if isinstance(facts.presence, list) else [facts.presence]
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("domain"), str) and entry["domain"]:
            status = str(entry.get("status") or "not_measured")
            if status != "not_measured":
                return entry["domain"], status
    return "", ""


def _presence_line(facts: Facts, key: str) -> str:
    domain, status = _measured(facts)
    return say(facts.reading.language, key, domain=domain, status=status) if domain else ""


def remembered(facts: Facts) -> list[str]:
    """Return what the project remembers, value by value.

    The block is a list in groups: a line that is a heading remembers nothing, and keys are the studio's own.
    """
    lines = [line for line in facts.memory.splitlines() if not line.rstrip().endswith(":")]
    # What was asked last is no answer to what is asked now.
    told = "\n".join(line for line in lines if not _ASKED_LAST.match(line))
    return [_MEMORY_KEY.sub("", note) for note in words.items(told)] or words.sentences(told)


def _memory_line(facts: Facts) -> str:
    language, notes = facts.reading.language, remembered(facts)
    return say(language, "remembered", note=quoted_sentence(notes[0], language, 240)) if notes else ""


def _guidance_line(facts: Facts) -> str:
    language = facts.reading.language
    return say(language, "guided", guidance=quoted_sentence(facts.guidance, language, 260)) if facts.guidance else ""


def _described(reading: Reading) -> str:
    """Return the passages that describe the product itself; a founder's history touches much else."""
    opening = [s for s in map(words.plain, reading.sentences[:3]) if s not in reading.later]
    return ". ".join([*opening, reading.tagline, *reading.features, *reading.prices])


def risks(facts: Facts) -> list[str]:
    """Return what stands against it: what was retrieved, what the idea touches, what it leaves open."""
    reading, language = facts.reading, facts.reading.language
    positions = {
        str(c.get("positioning") or c["name"]): str(c["name"]) for c in evidence.sourced_competitors(facts)[::-1]
    }
    lines = [
        say(language, "risk_competitor", name=name, positioning=quoted_sentence(said, language, 240))
        for said, name in list(positions.items())[::-1][:2]
    ]
    if not facts.sources:
        lines.append(say(language, "risk_unchecked"))
    if not reading.audience:
        lines.append(say(language, "risk_audience"))
    elif not reading.problems:
        lines.append(say(language, "risk_problem", audience=quoted(reading.audience, language)))
    return [*lines, *topic_risks(_described(reading), language, _MAX_RISKS - len(lines))][:_MAX_RISKS]


def next_actions(facts: Facts) -> list[str]:
    """Return the steps that the gaps ask for, the cheapest first."""
    reading, language = facts.reading, facts.reading.language
    lines: list[str] = []
    if is_thin(reading):
        lines.append(say(language, "next_describe"))
    if reading.audience:
        lines.append(say(language, "next_ask", audience=quoted(reading.audience, language)))
    else:
        lines.append(say(language, "next_name"))
    names = [str(entry["name"]) for entry in evidence.sourced_competitors(facts)][:3]
    if names:
        lines.append(say(language, "next_compare", names=listed(names, language)))
    if reading.features:
        lines.append(say(language, "next_try", feature=quoted_sentence(reading.features[0], language)))
    if not facts.sources:
        lines.append(say(language, "next_research"))
    if reading.prices:
        lines.append(say(language, "next_price", price=quoted_sentence(reading.prices[0], language)))
    lines.append(_presence_line(facts, "next_domain"))
    return [line for line in lines if line][:_MAX_ACTIONS]
