"""What came with the request that the Phase 0 verdict may rest on, and the figures that count it."""

from __future__ import annotations

from typing import Any

from studio.sandbox.facts import Facts
from studio.sandbox.wording import quoted

# Without a passage the figures must stay below what the studio calls medium risk (40).
MAX_UNPROVEN = 39
# Even much evidence is only read, never judged, by this model.
MAX_CONFIDENCE = 78
# From here on, and only with a named competitor and a sourced figure, the sandbox recommends going on.
GREENLIGHT_FROM = 60

_COUNTED_FEATURES = 4


def sourced_competitors(facts: Facts) -> list[dict[str, Any]]:
    """Return the competitors of the request that rest on a given source, their ids checked."""
    listed_ = facts.competitors
    if isinstance(listed_, dict):
        listed_ = listed_.get("competitors")
    found: list[dict[str, Any]] = []
    for entry in listed_ if isinstance(listed_, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and entry["name"].strip():
            ids = facts.source_ids(entry.get("source_ids"))
            if ids:
                found.append({**entry, "source_ids": ids})
    return found


def sourced_sizes(facts: Facts) -> list[dict[str, Any]]:
    """Return the market sizes of the request that rest on a given source, their ids checked."""
    market = facts.market if isinstance(facts.market, dict) else {}
    return _sourced([market.get(key) for key in ("tam", "sam", "som")], facts)


def sourced_notes(facts: Facts) -> list[dict[str, Any]]:
    """Return the market notes of the request that rest on a given source, their ids checked."""
    notes = facts.market.get("notes") if isinstance(facts.market, dict) else None
    return _sourced(notes if isinstance(notes, list) else [], facts)


def _sourced(entries: list[Any], facts: Facts) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("text"), str):
            ids = facts.source_ids(entry.get("source_ids"))
            if ids:
                found.append({"text": entry["text"], "source_ids": ids})
    return found


def claims(facts: Facts) -> list[dict[str, Any]]:
    """Return what the verdict may rest on: each claim repeats a given passage and names its id."""
    texts: dict[str, list[str]] = {}
    for entry in sourced_competitors(facts):
        name, positioning = str(entry["name"]), str(entry.get("positioning") or "")
        text = positioning if name.lower() in positioning.lower() else f"{name}: {positioning}".strip(": ")
        texts.setdefault(text, []).extend(entry["source_ids"])
    for entry in [*sourced_sizes(facts), *sourced_notes(facts)]:
        texts.setdefault(entry["text"], []).extend(entry["source_ids"])
    found = [{"claim": text, "source_ids": list(dict.fromkeys(ids))} for text, ids in texts.items()]
    used = {i for entry in found for i in entry["source_ids"]}
    for source in facts.sources:
        if source.id not in used and source.quote:
            text = f"{source.title}: {quoted(source.quote, facts.reading.language, 300)}"
            found.append({"claim": text.strip(": "), "source_ids": [source.id]})
    return found[:8]


# --- figures --------------------------------------------------------------------------------------------


def breakdown(facts: Facts) -> dict[str, int]:
    """Return the four figures: each counts passages or what the idea spells out."""
    reading = facts.reading
    told = min(reading.clarity * 2 + 3 * min(len(reading.features), _COUNTED_FEATURES), 24)
    if not facts.sources:
        return {"market": 10, "competition": 10, "feasibility": min(15 + told, MAX_UNPROVEN), "timing": 10}
    count = len(facts.sources)
    return {
        "market": min(
            30 + 12 * len(sourced_sizes(facts)) + 3 * len(sourced_notes(facts)) + 2 * min(count, 5), MAX_CONFIDENCE
        ),
        "competition": min(30 + 10 * len(sourced_competitors(facts)) + 2 * min(count, 5), MAX_CONFIDENCE),
        "feasibility": 30 + told,
        "timing": 25 + 3 * min(count, 5),
    }


def confidence(facts: Facts) -> int:
    """Return the overall figure: below 40 without a passage, rising with passages, names and figures."""
    told = facts.reading.clarity
    if not facts.sources:
        return min(12 + 2 * told, MAX_UNPROVEN)
    evidence = 5 * min(len(facts.sources), 4) + 4 * min(len(sourced_competitors(facts)), 3)
    return min(30 + told + evidence + 5 * min(len(sourced_sizes(facts)), 2), MAX_CONFIDENCE)


def recommendation(facts: Facts, figure: int) -> str:
    """Return `greenlight` where passages carry a competitor and a figure, else `revise`."""
    proven = bool(sourced_competitors(facts)) and bool(sourced_sizes(facts))
    return "greenlight" if proven and figure >= GREENLIGHT_FROM else "revise"
