"""What a packet teaches: the values that the next run of any agent finds in its memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio import memory
from studio.claims import Json
from studio.database.connection import Connection
from studio.memory import Category
from studio.phases.common import Attempt
from studio.text import clip

# Long enough for a list of channels, short enough for forty memories in a prompt.
VALUE_CHARS = 500


@dataclass(frozen=True)
class Lesson:
    """One value to remember, and which agent it comes from."""

    category: Category
    key: str
    value: str
    agent_key: str


def remember(attempt: Attempt, conn: Connection, saved: Json) -> list[str]:
    """Remember a packet's verdict and lessons in the caller's transaction; return category and key of each.

    A packet that a newer one has overtaken teaches nothing. The verdict is a fact of the project; what an agent read
    out of its own work is as sure as the packet.
    """
    version, latest = attempt.held_version(conn, saved)
    if not latest:
        return []
    verdict = Lesson(
        "decision",
        f"phase{version.phase}_completed",
        f"Phase {version.phase} packet version {version.version}: {saved['recommendation']} with confidence"
        f" {saved['confidence']}. {saved['headline']}",
        "ceo",
    )
    found = [(verdict, 1.0), *((lesson, version.confidence / 100) for lesson in lessons(version.phase, version.packet))]
    for lesson, confidence in found:
        memory.remember(
            conn,
            attempt.project_id,
            lesson.category,
            lesson.key,
            lesson.value,
            agent_key=lesson.agent_key,
            job_id=attempt.claim.job_id,
            confidence=confidence,
        )
    return [f"{lesson.category}.{lesson.key}" for lesson, _ in found]


def lessons(phase: int, packet: dict[str, Any]) -> list[Lesson]:
    """Return what a packet of the phase teaches beside its verdict."""
    found = {0: _pitch, 1: _validate, 2: _distribute, 3: _go_live}[phase](packet)
    return [
        Lesson(lesson.category, lesson.key, clip(" ".join(lesson.value.split()), VALUE_CHARS), lesson.agent_key)
        for lesson in found
        if lesson.value.strip()
    ]


def _pitch(packet: dict[str, Any]) -> Iterable[Lesson]:
    persona = packet["target_persona"]
    yield Lesson("fact", "target_audience", f"{persona['name']}: {persona['description']}", "ceo")


def _validate(packet: dict[str, Any]) -> Iterable[Lesson]:
    kit, social = packet["brand_kit"], packet["social_strategy"]
    yield Lesson("preference", "brand_voice", kit["voice"], "design")
    yield Lesson("preference", "brand_looks", f"{'; '.join(kit['color_palette'])}. {kit['font_pairing']}", "design")
    yield Lesson("learning", "audience_channels", "; ".join(social["channels"]), "outreach")


def _distribute(packet: dict[str, Any]) -> Iterable[Lesson]:
    strategy = packet["distribution_strategy"]
    channels = (f"{plan['channel']} ({plan['objective']})" for plan in strategy["channel_plan"])
    yield Lesson("decision", "north_star_metric", strategy["north_star_metric"], "ceo")
    yield Lesson("decision", "channels", "; ".join(channels), "ceo")
    yield Lesson("fact", "audience_segments", "; ".join(packet["outreach"]["target_segments"]), "outreach")


def _go_live(packet: dict[str, Any]) -> Iterable[Lesson]:
    review = packet["architecture_review"]
    yield Lesson("fact", "system_components", "; ".join(review["system_components"]), "engineering")
    yield Lesson("fact", "critical_dependencies", "; ".join(review["critical_dependencies"]), "engineering")
