"""Landing copy, waitlist, mails and posts: what Phase 1 shows to people, in the idea's own words."""

from __future__ import annotations

import re
from typing import Any

from studio.sandbox import synthesis, words
from studio.sandbox.facts import Facts
from studio.sandbox.wording import quoted, quoted_sentence, say

_QUOTED = re.compile(r"[“\"„«‚‘]([^“”\"„«»‚‘’]{3,120})[”\"“»’‘]")
# "… to Bread by nine", without quotation marks.
_TO = re.compile(r"\b(?:to|auf|in)\b:?\s+([^.;!?\n,“”\"„]{3,120})", re.IGNORECASE)
_HEADLINE = re.compile(r"\b(?:headline|tagline|title|überschrift|titel|slogan)\b", re.IGNORECASE)
_SUBJECT = re.compile(r"\b(?:subject|betreff)\b", re.IGNORECASE)
_BUTTON = re.compile(r"\b(?:button|cta|call to action|knopf|schaltfläche)\b", re.IGNORECASE)
_MAX_SECTIONS = 6
# What a layout can set in large type beside its picture.
_HEADLINE_CHARS = 80
_SUBHEADLINE_CHARS = 220
# So many words more than the headline, and a sentence is worth its place below it.
_WORTH_SAYING = 5


def landing(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `LandingCopy` schema."""
    language = facts.reading.language
    written = _sections(facts)
    notes = [say(language, key) for key in ("note_read", "note_form", "note_reply")]
    if facts.guidance:
        notes.insert(0, say(language, "revised_scope", guidance=quoted_sentence(facts.guidance, language, 280)))
    return {
        "headline": headline(facts),
        "subheadline": _subheadline(facts),
        "primary_cta": wished_button(facts) or say(language, "cta"),
        "sections": [title for title, _ in written],
        "section_copy": [{"title": title, "body": body} for title, body in written],
        "launch_notes": notes,
    }


def headline(facts: Facts) -> str:
    """Return what the page says first: what the guidance spells out, else the idea's shortest statement of itself."""
    if wished := wished_headline(facts):
        return wished
    text = words.plain(synthesis.tagline(facts.reading)).rstrip(".")
    text = words.shortened(text, _HEADLINE_CHARS)
    return text if len(text) >= 8 else say(facts.reading.language, "headline_open", idea=text)


def wished_headline(facts: Facts) -> str:
    """Return the headline that the guidance spells out, or an empty string."""
    return _wished(facts, _HEADLINE, 120)


def wished_button(facts: Facts) -> str:
    """Return the button's words that the guidance spells out, or an empty string."""
    return _wished(facts, _BUTTON, 40)


def wished_subject(facts: Facts) -> str:
    """Return the subject of a mail that the guidance spells out, or an empty string."""
    return _wished(facts, _SUBJECT, 120)


def _wished(facts: Facts, named: re.Pattern[str], limit: int) -> str:
    spoken = named.search(facts.guidance)
    # What is asked for stands behind its name, mostly; before it, where nothing stands behind.
    wished = spoken and (
        _QUOTED.search(facts.guidance, spoken.end())
        or _TO.search(facts.guidance, spoken.end())
        or _QUOTED.search(facts.guidance)
    )
    return words.clip_words(words.capitalise(wished.group(1).strip()), limit) if wished else ""


def _told(facts: Facts) -> tuple[str, list[str]]:
    """Return a sentence for below the headline, or nothing, and what the product does: no text says a thing again."""
    reading, first = facts.reading, headline(facts)
    features = [text for text in reading.features[:4] if not _said(text, first)]
    elsewhere = {*map(words.folded, (*reading.prices, *reading.later, *reading.problems))}
    spoken = (words.plain(sentence) for sentence in reading.sentences[:4])
    fresh = [text for text in spoken if text and not _said(text, first) and words.folded(text) not in elsewhere]
    # A feature is a part of the sentence that names it.
    told = [text for text in fresh if not any(words.holds(text, feature) for feature in features)]
    # Where there is one sentence only, the section needs it more.
    lead = next((text for text in told[:1] if (features or len(told) > 1) and len(text) <= _SUBHEADLINE_CHARS), "")
    return lead, features or [text for text in told if text != lead][:3]


def _said(text: str, before: str) -> bool:
    """Return whether a text says nothing that has not been said before, or next to nothing."""
    more = len(words.folded(text).split()) - len(words.folded(before).split())
    return words.holds(before, text) or (words.holds(text, before) and more < _WORTH_SAYING)


def _subheadline(facts: Facts) -> str:
    lead, _ = _told(facts)
    return words.sentence_case(lead) if lead else say(facts.reading.language, "sub_early")


def _sections(facts: Facts) -> list[tuple[str, str]]:
    reading, language = facts.reading, facts.reading.language
    found: list[tuple[str, str]] = []
    _, texts = _told(facts)
    told = " ".join(map(words.sentence_case, texts))
    if told:
        own = told if texts[0] in reading.features else say(language, "body_does_open", idea=told)
        found.append((say(language, "section_does"), words.clip_words(own, 700)))
    elif reading.text:
        found.append((say(language, "section_does"), say(language, "body_does_said")))
    if reading.problems:
        wrong = " ".join(words.sentence_case(problem) for problem in reading.problems)
        found.append((say(language, "section_today"), words.clip_words(wrong, 600)))
    if reading.audience:
        found.append((say(language, "section_who"), say(language, "body_who_named", audience=reading.audience)))
    if reading.prices:
        price = words.sentence_case(words.clip_words(reading.prices[0], 400))
        found.append((say(language, "section_cost"), price))
    for title, body in (
        ("section_now", "body_now"),
        ("section_next", "body_next"),
        ("section_promise", "body_promise"),
    ):
        found.append((say(language, title), say(language, body)))
    return found[:_MAX_SECTIONS]


def waitlist(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `WaitlistPlan` schema."""
    language = facts.reading.language
    return {
        "waitlist": {
            "capture_stack": say(language, "capture"),
            "double_opt_in": True,
            "form_fields": [say(language, "field_email"), say(language, "field_name")],
            "target_conversion_rate": say(language, "conversion"),
        },
        "analytics": {
            "provider": say(language, "analytics"),
            # The names under which the studio really counts.
            "events": ["traffic", "waitlist_submit", "unsubscribe"],
            "dashboard_views": [say(language, "view_week"), say(language, "view_sequence")],
        },
    }


def emails(facts: Facts) -> dict[str, Any]:
    """Return the answer to an `EmailSequence` schema."""
    reading, language = facts.reading, facts.reading.language
    idea = words.clip_words(words.plain(synthesis.tagline(reading)).rstrip("."), 70)
    told = words.sentence_case(words.clip_words(words.plain(next(iter(reading.sentences), idea)), 500))
    asked = [say(language, "mail1_ask"), say(language, "mail1_why")]
    if reading.problems:
        asked.insert(0, say(language, "mail1_problem", problem=quoted_sentence(reading.problems[0], language, 300)))
    planned = [words.sentence_case(item) for item in synthesis.scope(facts)["in_scope"]]
    return {
        "emails": [
            {
                "day": "Day 0",
                "subject": say(language, "mail0_subject", idea=idea),
                "goal": say(language, "mail0_goal"),
                "body": [say(language, "mail0_thanks"), told, say(language, "mail0_next")],
            },
            {
                "day": "Day 3",
                "subject": say(language, "mail1_subject"),
                "goal": say(language, "mail1_goal"),
                "body": asked,
            },
            {
                "day": "Day 7",
                "subject": say(language, "mail2_subject"),
                "goal": say(language, "mail2_goal"),
                "body": [say(language, "mail2_plan"), *planned[:4], say(language, "mail2_try")],
            },
        ]
    }


def social(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `SocialStrategy` schema."""
    reading, language = facts.reading, facts.reading.language
    return {
        "channels": [*channels(facts), say(language, "social_note")],
        "content_pillars": [
            say(language, "pillar_problem", problem=quoted_sentence(reading.problems[0], language, 280))
            if reading.problems
            else say(language, "pillar_problem_open"),
            say(language, "pillar_making", feature=quoted(reading.features[0], language, 280))
            if reading.features
            else say(language, "pillar_making_open"),
            say(language, "pillar_learned"),
        ],
        "posting_cadence": say(language, "cadence"),
    }


def channels(facts: Facts) -> list[str]:
    """Return where the idea's audience can be met, without naming a place that nobody has looked at."""
    audience, language = words.clip_words(facts.reading.audience, 70), facts.reading.language
    if audience:
        return [say(language, "social_direct", audience=audience), say(language, "social_places", audience=audience)]
    return [say(language, "social_direct_open"), say(language, "social_places_open")]
