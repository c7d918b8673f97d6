"""A revision of a Phase 0 packet: only what the guidance's words touch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from studio.sandbox import synthesis, words
from studio.sandbox.audience import is_people
from studio.sandbox.facts import Facts
from studio.sandbox.wording import quoted, quoted_sentence, say
from studio.sandbox.words import Language

# "Stop showing ads" does not end a project.
_END = (
    r"(?:kill|stop|abandon|end) (?:it|this|here|(?:the|this) (?:project|idea))|give (?:it )?up|projekt (?:abbrechen|"
    r"einstellen)|aufhören"
)
# Which words of the guidance ask for which part of the packet.
_TOUCHES: tuple[tuple[str, str], ...] = (
    ("tagline", r"tag ?lines?|slogans?|headlines?|claims?|name|rename"),
    (
        "elevator_pitch",
        r"pitch|description|describe|story|wording|tone|shorter|longer|positioning|beschreibung|ton|kürzer",
    ),
    (
        "target_persona",
        r"personas?|audiences?|customers?|users?|targets?|segments?|aimed?|focus|niche|zielgruppen?|kunden|nutzer|fokus\w*|"
        r"konzentrier\w*",
    ),
    (
        "mvp_scope",
        r"scope|mvp|features?|versions?|add|include|remove|drop|cut|without|defer|postpone|later|first|only|support|"
        r"umfang|funktion\w*|ergänz\w*|hinzu\w*|streich\w*|weglass\w*|ohne|später|zuerst|nur",
    ),
    ("risks", r"risks?|dangers?|threats?|legal|privacy|risik\w*|gefahr\w*"),
    ("next_actions", r"next|actions?|steps?|plan|todo|interview\w*|schritte?|nächste\w*"),
    ("rationale", r"rationale|reasons?|why|justif\w*|begründ\w*|gründe|warum"),
    ("recommendation", rf"{_END}|recommendation|verdict|empfehlung"),
)
_KILL = re.compile(rf"\b(?:{_END})\b", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“„]([^\"“”„]{3,170})[\"”“]")
_ADD = re.compile(r"\b(?:add|include|support|also|ergänze?n?|füge?)\s+(?P<item>[^.;!?\n]+)", re.IGNORECASE)
_DROP = re.compile(
    r"\b(?:remove|drop|cut|without|skip|no|leave out|streiche?n?|ohne|entferne?n?|kein(?:e|en)?)\s+"
    r"(?P<item>[^.;!?\n]+)",
    re.IGNORECASE,
)
_LATER = re.compile(r"\b(?:defer|postpone|verschiebe?n?)\s+(?P<item>[^.;!?\n]+)", re.IGNORECASE)
_AIM = re.compile(
    r"\b(?:focus(?:ed)? on|aim(?:ed)? at|target(?:ing)?|for|towards?|on|für|auf|an)\s+(?:the\s+|only\s+|just\s+)?"
    r"(?P<who>[^.;:!?\n]+)",
    re.IGNORECASE,
)
_MENTION = re.compile(
    r"\b(?:mention|say|about|emphasi[sz]e|stress|highlight|erwähne?n?|betone?n?|über)\s+(?:the\s+|die\s+|das\s+|den\s+)?"
    r"(?P<item>[^.;:!?\n]+)",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r",?\s+(?:instead|first|only|rather|please|for now|not|and (?:remove|drop|add|make|change|cut)|because|so that|"
    r"than|statt|zuerst|nur|bitte|und (?:streich|ergänz)\w*)\b.*$|,.*$",
    re.IGNORECASE,
)


def compose(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `Phase0Patch` schema: at least one key, each reflecting the guidance."""
    spoken = words.plain(facts.guidance or facts.question)
    who = _aim(spoken, facts.reading.language)
    tagline = _tagline(facts, spoken, who)
    makers: dict[str, Callable[[], Any]] = {
        "tagline": lambda: tagline,
        "elevator_pitch": lambda: _pitch(facts, spoken),
        "target_persona": lambda: _persona(facts, spoken, who),
        "mvp_scope": lambda: _scope(facts, spoken),
        "risks": lambda: _more(facts, "risks", synthesis.risks(facts), spoken),
        "next_actions": lambda: _more(facts, "next_actions", synthesis.next_actions(facts), spoken),
        "rationale": lambda: _rationale(facts, spoken),
        "recommendation": lambda: "kill",
    }
    touched = _touched(spoken, who, tagline)
    return {key: make() for key, make in makers.items() if key in touched}


def _touched(spoken: str, who: str, tagline: str) -> set[str]:
    """Return the keys that the guidance asks to change, each with something to change it to."""
    keys = {key for key, cues in _TOUCHES if re.search(rf"\b(?:{cues})\b", spoken, re.IGNORECASE)}
    if who:
        keys |= {"target_persona", "tagline"}
    elif "target_persona" in keys:
        keys = keys - {"target_persona"} | {"elevator_pitch"}
    if "tagline" in keys and not tagline:
        # "Make it punchier" names no word to use: the wish is recorded where there is room for it.
        keys = keys - {"tagline"} | {"elevator_pitch"}
    if "risks" in keys and any(re.search(r"\b(?:risk|risik)", item, re.IGNORECASE) for item in _items(_ADD, spoken)):
        keys -= {"mvp_scope"}
    if "recommendation" in keys:
        # The sandbox recommends nothing that evidence does not carry: short of an end, the reasons answer.
        keys |= {"rationale"}
        if not _KILL.search(spoken):
            keys -= {"recommendation"}
    return keys or {"elevator_pitch", "mvp_scope"}


def _prior(facts: Facts, key: str) -> Any:
    """Return what the prior packet says under `key`, also where it keeps it in its synopsis."""
    synopsis = facts.prior.get("reasoning_synopsis")
    inner = synopsis.get(key) if isinstance(synopsis, dict) else None
    return facts.prior.get(key) or inner


def _prior_lines(facts: Facts, key: str) -> list[str]:
    value = _prior(facts, key)
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []


def _aim(spoken: str, language: Language) -> str:
    """Return whom the guidance turns to, or an empty string."""
    for match in _AIM.finditer(spoken):
        who = _TAIL.sub("", match.group("who")).strip(" ,")
        row = words.tokens(who)
        if 0 < len(row) <= 8 and any(is_people(token.text, language) for token in row):
            return who
    return ""


def _tagline(facts: Facts, spoken: str, who: str) -> str:
    """Return the tagline that the guidance spells out, or an empty string where it spells out none."""
    named = re.search(rf"\b(?:{dict(_TOUCHES)['tagline']})\b", spoken, re.IGNORECASE)
    wished = _QUOTED.search(facts.guidance or facts.question)
    if named and wished:
        return words.capitalise(wished.group(1).strip())
    prior = str(_prior(facts, "tagline") or synthesis.tagline(facts.reading)).rstrip(".")
    if who:
        return words.clip_words(f"{prior} – {'für' if facts.reading.language == 'de' else 'for'} {who}", 180)
    if mention := _MENTION.search(spoken):
        return words.clip_words(f"{prior} – {_TAIL.sub('', mention.group('item')).strip(' ,')}", 180)
    return ""


def _pitch(facts: Facts, spoken: str) -> str:
    language = facts.reading.language
    prior = str(_prior(facts, "elevator_pitch") or synthesis.pitch(facts))
    earlier = say(language, "revised_pitch", guidance="\0").split("\0")[0]
    kept = prior.split(earlier)[0].strip()
    asked = say(language, "revised_pitch", guidance=quoted_sentence(spoken, language, 300))
    if re.search(r"\b(?:shorter|concise|brief|kürzer|knapp\w*)\b", spoken, re.IGNORECASE):
        kept = next(iter(words.sentences(kept)), kept)
    return f"{words.sentence_case(words.clip_words(kept, 800))} {asked}"


def _persona(facts: Facts, spoken: str, who: str) -> dict[str, Any]:
    language = facts.reading.language
    prior = _prior(facts, "target_persona")
    pains = prior.get("pain_points") if isinstance(prior, dict) else None
    # An open question to the former audience is not theirs.
    question = say(language, "pain_asked", audience="\0").split("\0")[0]
    kept = [p for p in pains if isinstance(p, str) and not p.startswith(question)] if isinstance(pains, list) else []
    asked = say(language, "pain_asked", audience=quoted(who, language))
    return {
        "name": words.capitalise(who),
        "description": say(language, "revised_scope", guidance=quoted_sentence(spoken, language, 300)),
        "pain_points": words.unique([asked, *kept])[:8],
    }


def _items(pattern: re.Pattern[str], spoken: str) -> list[str]:
    return [
        item
        for match in pattern.finditer(spoken)
        if (item := _TAIL.sub("", match.group("item")).strip(" ,")) and len(words.tokens(item)) <= 12
    ]


def _scope(facts: Facts, spoken: str) -> dict[str, Any]:
    language = facts.reading.language
    prior = _prior(facts, "mvp_scope")
    base = prior if isinstance(prior, dict) else synthesis.scope(facts)
    first = [item for item in base.get("in_scope") or [] if isinstance(item, str)]
    deferred = [item for item in base.get("deferred") or [] if isinstance(item, str)]
    added = [words.capitalise(item) for item in _items(_ADD, spoken)]
    dropped = _items(_DROP, spoken)
    later = _items(_LATER, spoken)
    for item in [*dropped, *later]:
        wanted = words.stems(item)
        moved = [line for line in first if wanted and wanted & words.stems(line)]
        first = [line for line in first if line not in moved]
        text = say(language, "revised_drop", item=item) if item in dropped else words.capitalise(item)
        deferred = [*(moved or [text]), *deferred]
    if not (added or dropped or later):
        added = [say(language, "revised_scope", guidance=quoted_sentence(spoken, language, 280))]
    first = words.unique([*added, *first])
    return {
        "in_scope": (first or added or synthesis.scope(facts)["in_scope"])[:12],
        "deferred": words.unique(deferred)[:12],
    }


def _more(facts: Facts, key: str, fallback: list[str], spoken: str) -> list[str]:
    language = facts.reading.language
    asked = say(language, "revised_scope", guidance=quoted_sentence(spoken, language, 300))
    return words.unique([asked, *(_prior_lines(facts, key) or fallback)])[:8]


def _rationale(facts: Facts, spoken: str) -> list[str]:
    language = facts.reading.language
    asked = say(language, "revised_reason", guidance=quoted_sentence(spoken, language, 280))
    kill = [say(language, "revised_kill")] if _KILL.search(spoken) else []
    lines = [
        asked,
        *kill,
        *_prior_lines(facts, "rationale"),
        *synthesis.rationale(dataclasses.replace(facts, guidance="")),
    ]
    return words.unique(lines)[:8]
