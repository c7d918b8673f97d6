"""Notices to a founder: what is ready, said once.

The mail is reserved in `drip_email_log` and queued in one transaction, the caller's, which also opens the gate or
comes after it: nobody is told of something to review before it can be reviewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from studio.database.connection import Connection
from studio.mail.drips import Drip, queue_drip
from studio.mail.links import project_url
from studio.mail.phases import NAMES
from studio.packets.versions import PacketVersion
from studio.project_events import record
from studio.projects import Project
from studio.settings import Settings
from studio.text import clip

# The fields of `phase0.summary_ready` are clipped for lists and mails (domain specification §4).
TAGLINE_CHARS = 180
PITCH_CHARS = 320
LIST_ITEMS = 4
COMPETITORS = 6
EVIDENCE_ITEMS = 5

NAME_CHARS = 60
REASONS = 3


@dataclass(frozen=True)
class Notice:
    """What became of a notice: `mail` is queued, was queued before, may not be sent, or there is no address."""

    mail: Literal["queued", "already queued", "suppressed", "no address"]


def phase0_ready(conn: Connection, settings: Settings, project: Project, packet: PacketVersion) -> Notice:
    """Announce a Phase 0 packet: ledger event, and one mail per project. Runs in the caller's transaction."""
    record(conn, project.id, "phase0.summary_ready", packet.packet["tagline"], _summary(packet.packet))
    return phase_ready(conn, settings, project, packet)


def phase_ready(conn: Connection, settings: Settings, project: Project, packet: PacketVersion) -> Notice:
    """Tell the owner that the packet of a phase waits for review: one mail per project and phase.

    Runs in the caller's transaction, after the gate exists.
    """
    owner = conn.execute("select id, email from public.users where clerk_id = %s", [project.owner_clerk_id]).fetchone()
    if owner is None or not owner["email"]:
        return Notice("no address")
    drip = Drip(
        user_id=owner["id"],
        email_type=f"phase{packet.phase}_ready",
        to_email=owner["email"],
        template="phase_ready",
        # The founder has asked for the packet; this answers, and sells nothing.
        category="transactional",
        project_id=project.id,
        context=_facts(settings, project, packet),
    )
    return Notice(queue_drip(conn, settings, drip).outcome)


def _facts(settings: Settings, project: Project, packet: PacketVersion) -> dict[str, Any]:
    said, synopsis = packet.packet, packet.synopsis
    return {
        "project_name": clip(" ".join(project.name.split()), NAME_CHARS),
        "phase": packet.phase,
        "phase_name": NAMES[packet.phase],
        "version": packet.version,
        "headline": clip(said.get("tagline") or said.get("summary") or "", TAGLINE_CHARS * 2),
        "pitch": clip(said.get("elevator_pitch") or "", PITCH_CHARS),
        "recommendation": said.get("recommendation") or synopsis.get("decision") or "",
        "confidence": packet.confidence,
        "reasons": [clip(line, PITCH_CHARS) for line in synopsis.get("rationale") or []][:REASONS],
        "risks": [clip(line, PITCH_CHARS) for line in synopsis.get("risks") or []][:REASONS],
        "sandbox": (packet.model or "").startswith("sandbox"),
        "url": project_url(settings, project.id),
    }


def _summary(packet: dict[str, Any]) -> dict[str, Any]:
    synopsis = packet["reasoning_synopsis"]
    return {
        "tagline": clip(packet["tagline"], TAGLINE_CHARS),
        "elevator_pitch": clip(packet["elevator_pitch"], PITCH_CHARS),
        "recommendation": packet["recommendation"],
        "confidence": synopsis["confidence"],
        "rationale": synopsis["rationale"][:LIST_ITEMS],
        "risks": synopsis["risks"][:LIST_ITEMS],
        "next_actions": synopsis["next_actions"][:LIST_ITEMS],
        "competitors": [
            {"name": c["name"], "url": c["sources"][0]["url"] if c["sources"] else None}
            for c in packet["competitor_analysis"][:COMPETITORS]
        ],
        "evidence": [{"claim": e["claim"], "source": e["source"]} for e in synopsis["evidence"][:EVIDENCE_ITEMS]],
    }
