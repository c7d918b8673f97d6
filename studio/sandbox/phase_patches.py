"""Revisions of the packets of phases 1 to 3: only what the guidance's words touch, and always the reasons.

Where the guidance spells words out in quotation marks they are taken as they are; a wish without words of its own
is written down where a person reads it before anything goes out.
"""

from __future__ import annotations

import re
from typing import Any

from studio.sandbox import launch, words
from studio.sandbox.facts import Facts
from studio.sandbox.palettes import PALETTES, palette_for
from studio.sandbox.wording import quoted_sentence, say

_LANDING = r"landing|page|copy|headlines?|taglines?|buttons?|cta|sections?|seite|überschrift|text|knopf"
_MAILS = r"e-?mails?|sequences?|subjects?|welcome|newsletter|betreff|begrüßung"
_BRAND = r"colou?rs?|palettes?|voice|tone|brand|farben?|palette|ton|marke"
_COLOURS = r"colou?rs?|palettes?|farben?|palette"
_LOOKS = r"design|looks?|styles?|layout|dark|bright|calm|playful|minimal|modern|gestaltung|aussehen|dunkel|hell"
_SOCIAL = r"social|posts?|channels?|instagram|linkedin|kanäle|beiträge"

_PLANS: dict[int, tuple[tuple[str, str], ...]] = {
    2: (
        ("guardrails", r"guardrails?|limits?|never|must not|grenzen?|niemals"),
        ("weekly_experiments", r"experiments?|tests?|try|versuche?|experimente?"),
    ),
    3: (
        ("operational_readiness", r"operations?|support|monitor\w*|backups?|betrieb|sicherung\w*"),
        ("launch_checklist", r"check ?lists?|before|launch|legal|privacy|checkliste|vorher|datenschutz"),
    ),
}
# Where a wish goes that names no part of the plan.
_USUAL = {2: "weekly_experiments", 3: "launch_checklist"}
_LIST_LIMITS = {"weekly_experiments": 10, "guardrails": 10, "launch_checklist": 16, "operational_readiness": 12}
_REASONS = 8
_GOAL_CHARS = 300


def validate(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `Phase1Patch` schema."""
    patch: dict[str, Any] = {}
    if _speaks_of(facts, _LANDING):
        patch["landing_page"] = _landing(facts)
    if _speaks_of(facts, _MAILS) and (mails := _mails(facts)):
        patch["email_sequence"] = mails
    if _speaks_of(facts, _BRAND):
        patch["brand_kit"] = _brand(facts)
    if _speaks_of(facts, _SOCIAL):
        patch["social_strategy"] = _social(facts)
    if _speaks_of(facts, _LOOKS):
        patch["page_direction"] = words.clip_words(words.plain(facts.guidance), 400)
    return {**patch, **_reasons(facts)}


def distribute(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `Phase2Patch` schema."""
    return {**_lists(facts, 2), **_reasons(facts)}


def go_live(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `Phase3Patch` schema."""
    return {**_lists(facts, 3), **_reasons(facts)}


def _speaks_of(facts: Facts, cues: str) -> bool:
    return re.search(rf"\b(?:{cues})\b", facts.guidance, re.IGNORECASE) is not None


def _asked(facts: Facts) -> str:
    return say(
        facts.reading.language, "revised_scope", guidance=quoted_sentence(facts.guidance, facts.reading.language, 280)
    )


def _open(facts: Facts) -> str:
    """Return a note of a wish that needs words of its own, which this model does not have."""
    language = facts.reading.language
    return say(language, "wish_open", guidance=quoted_sentence(facts.guidance, language, 240))


def _prior(facts: Facts, key: str) -> dict[str, Any]:
    value = facts.prior.get(key)
    return value if isinstance(value, dict) else {}


def _reasons(facts: Facts) -> dict[str, Any]:
    language = facts.reading.language
    asked = say(language, "revised_reason", guidance=quoted_sentence(facts.guidance, language, 280))
    known = _prior(facts, "reasoning_synopsis").get("rationale")
    kept = [reason for reason in known if isinstance(reason, str)] if isinstance(known, list) else []
    return {"rationale": words.unique([asked, *kept])[:_REASONS]}


def _landing(facts: Facts) -> dict[str, Any]:
    fresh = launch.landing(facts)
    prior = _prior(facts, "landing_page") or fresh
    done = launch.wished_headline(facts) or launch.wished_button(facts)
    return {
        **prior,
        "headline": launch.wished_headline(facts) or prior.get("headline", fresh["headline"]),
        "primary_cta": launch.wished_button(facts) or prior.get("primary_cta", fresh["primary_cta"]),
        "launch_notes": words.unique([*([] if done else [_open(facts)]), *_texts(prior.get("launch_notes"))])[:8],
    }


def _mails(facts: Facts) -> dict[str, Any] | None:
    mails = _prior(facts, "email_sequence").get("emails")
    if not isinstance(mails, list) or not mails or not isinstance(mails[0], dict):
        return None
    if subject := launch.wished_subject(facts):
        first = {**mails[0], "subject": subject}
    else:
        # What a mail is for is never sent, and is read by whoever approves it.
        goal = f"{_open(facts)} {mails[0].get('goal', '')}".strip()
        first = {**mails[0], "goal": words.clip_words(goal, _GOAL_CHARS)}
    return {"emails": [first, *mails[1:]]}


def _brand(facts: Facts) -> dict[str, Any]:
    language = facts.reading.language
    before = palette_for(facts.reading.text)
    named = palette_for(facts.guidance)
    others = [palette for palette in PALETTES if palette is not before]
    palette = named if named is not before else others[len(facts.guidance) % len(others)]
    roles = ("background", "text", "accent", "second", "surface")
    prior = _prior(facts, "brand_kit")
    kit = {**prior, "voice": words.clip_words(f"{prior.get('voice', '')} {_open(facts)}".strip(), 400)}
    if not _speaks_of(facts, _COLOURS):
        return kit
    return {
        **kit,
        "color_palette": [f"{getattr(palette, role)} {say(language, f'role_{role}')}" for role in roles],
    }


def _social(facts: Facts) -> dict[str, Any]:
    prior = _prior(facts, "social_strategy") or launch.social(facts)
    return {**prior, "content_pillars": words.unique([_asked(facts), *_texts(prior.get("content_pillars"))])[:8]}


def _lists(facts: Facts, phase: int) -> dict[str, Any]:
    touched = [key for key, cues in _PLANS[phase] if _speaks_of(facts, cues)] or [_USUAL[phase]]
    return {key: words.unique([_asked(facts), *_texts(facts.prior.get(key))])[: _LIST_LIMITS[key]] for key in touched}


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []
