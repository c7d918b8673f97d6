"""Notices to a founder: what is ready, said once.

The mail is put into the outbox (`email_jobs`) under a key that names project and occasion, so that a second
run, a retry or a re-execution does not send it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from studio.database.connection import Connection
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


@dataclass(frozen=True)
class Notice:
    """What became of a notice: `mail` is queued, was queued before, or there is no address."""

    mail: Literal["queued", "already queued", "no address"]


def phase0_ready(conn: Connection, settings: Settings, project: Project, packet: PacketVersion) -> Notice:
    """Announce a Phase 0 packet: ledger event, and one mail per project. Runs in the caller's transaction."""
    record(conn, project.id, "phase0.summary_ready", packet.packet["tagline"], _summary(packet.packet))
    owner = conn.execute("select email from public.users where clerk_id = %s", [project.owner_clerk_id]).fetchone()
    if owner is None or not owner["email"]:
        return Notice("no address")
    subject, body = _mail(settings, project, packet)
    queued = conn.execute(
        "insert into public.email_jobs (project_id, outbox_key, to_email, subject, html_body, scheduled_for)"
        " values (%s, 'phase0_ready', %s, %s, %s, now()) on conflict do nothing",
        [project.id, owner["email"], subject, body],
    ).rowcount
    return Notice("queued" if queued else "already queued")


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


def _mail(settings: Settings, project: Project, packet: PacketVersion) -> tuple[str, str]:
    subject = f"{clip(' '.join(project.name.split()), 60)}: your Phase 0 packet is ready for review"
    link = ""
    if settings.app_base_url:
        address = f"{settings.app_base_url.rstrip('/')}/projects/{project.id}"
        link = f'<p><a href="{escape(address, quote=True)}">Open the packet</a></p>'
    body = (
        f"<p>{escape(packet.packet['tagline'])}</p>"
        f"<p>Recommendation: <strong>{escape(packet.packet['recommendation'])}</strong>,"
        f" confidence {packet.confidence} of 100.</p>"
        f"<p>{escape(clip(packet.packet['elevator_pitch'], PITCH_CHARS))}</p>{link}"
    )
    return subject, body
