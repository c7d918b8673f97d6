"""What the night could propose: typed actions and advice, from the figures and from the packets, rules first.

A packet names an action by its type. Words are never searched for one: "leads" holds "ads" and "report" holds
"repo", and a project has had an ad campaign proposed for less. What is only words is advice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from studio.kpis import Kpis, counted
from studio.packets.actions import PHASE_ACTIONS, ActionType, ProposedAction
from studio.packets.versions import PacketVersion
from studio.text import one_line

# A packet of another client may list anything; five of each are looked at (domain specification §5).
PER_PACKET = 5
TEXT_CHARS = 400
LEADS_OF_INTEREST = 20

PHASE_OF: dict[ActionType, int] = {
    action: phase for phase, actions in PHASE_ACTIONS.items() for action in actions if action != "refine_phase_assets"
}


@dataclass(frozen=True)
class Situation:
    """What the rules look at."""

    phase: int
    figures: Kpis
    published: bool


@dataclass(frozen=True)
class Candidate:
    """Something to do: an action of a type, which the studio can carry out, or advice where there is none."""

    source: str
    description: str
    reason: str
    action_type: ActionType | None = None
    phase: int | None = None


@dataclass(frozen=True)
class Unreadable:
    """A proposal in a packet that is none: of a type that nobody knows, or without its words."""

    source: str
    description: str
    problem: str


def from_figures(situation: Situation) -> list[Candidate]:
    """Return what the rules say of the figures (domain specification §5); nothing before anything is public."""
    if situation.phase < 1:
        return []
    found: list[Candidate] = []
    for rule in (_visits_without_leads, _no_visits, _leads_without_payments, _revenue):
        found += rule(situation)
    return found


def _visits_without_leads(situation: Situation) -> list[Candidate]:
    figures = situation.figures
    if not (figures.traffic_7d > 0 and figures.leads_7d == 0):
        return []
    why = f"{counted(figures.traffic_7d, 'visit')} in 7 days, and no lead."
    source = "rule:visits_without_leads"
    return [
        Candidate(
            source,
            "Rework the landing page so that more of its visitors join the waitlist",
            why,
            "refine_phase_assets",
            phase=1,
        ),
        _mail(source, situation, "Write to those who have joined before", why),
    ]


def _no_visits(situation: Situation) -> list[Candidate]:
    figures = situation.figures
    if not (figures.traffic_7d == 0 and figures.leads_7d == 0):
        return []
    why = "No visit and no lead was measured in 7 days."
    source = "rule:no_visits"
    if not situation.published:
        return [
            Candidate(
                source, "Publish the landing page: nobody can visit it before", why, "deploy_landing_page", phase=1
            )
        ]
    return [
        Candidate(source, "Post where the people are whom it is for, with a link to the page", why),
        _mail(source, situation, "Write to those who have joined, and ask them to pass it on", why),
    ]


def _leads_without_payments(situation: Situation) -> list[Candidate]:
    figures = situation.figures
    if not (figures.leads_30d > LEADS_OF_INTEREST and figures.payments_30d == 0):
        return []
    why = f"{figures.leads_30d} leads in 30 days, and no payment."
    source = "rule:leads_without_payments"
    return [
        _mail(source, situation, "Write to the leads with a first offer", why),
        Candidate(
            source,
            "Reach those who showed interest again with a paid campaign",
            why,
            "activate_meta_ads_campaign",
            phase=2,
        ),
    ]


def _revenue(situation: Situation) -> list[Candidate]:
    figures = situation.figures
    if not (figures.payments_30d > 0 and figures.revenue_cents_30d > 0):
        return []
    why = (
        f"{counted(figures.payments_30d, 'payment')} in 30 days,"
        f" {figures.revenue_cents_30d / 100:.2f} {figures.currency} in all."
    )
    return [Candidate("rule:revenue", "Find out where the paying customers came from, and do more of that", why)]


def _mail(source: str, situation: Situation, description: str, why: str) -> Candidate:
    """Return the mail action that the project's phase has."""
    action: ActionType = "send_phase2_lifecycle_email" if situation.phase >= 2 else "send_welcome_email_sequence"
    return Candidate(source, description, why, action, phase=PHASE_OF[action])


def from_packets(packets: Sequence[PacketVersion]) -> tuple[list[Candidate], list[Unreadable]]:
    """Return the typed actions that the latest packets propose, in the order given, and what is none of them."""
    found: list[Candidate] = []
    unreadable: list[Unreadable] = []
    for packet in packets:
        source = _source(packet)
        for raw in _list(packet.synopsis.get("proposed_actions")):
            try:
                action = ProposedAction.model_validate(raw)
            except ValidationError as exc:
                problem = exc.errors()[0]
                name = ".".join(str(part) for part in problem["loc"]) or "it"
                unreadable.append(Unreadable(source, _described(raw), f"{name}: {problem['msg']}"))
                continue
            phase = PHASE_OF.get(action.action_type, packet.phase)
            found.append(Candidate(source, action.description, action.reason, action.action_type, phase))
    return found, unreadable


def in_words(packets: Sequence[PacketVersion]) -> list[Candidate]:
    """Return the next steps that the first of the packets has in words: advice, whatever it speaks of."""
    if not packets:
        return []
    texts = [text for text in _list(packets[0].synopsis.get("next_actions")) if isinstance(text, str) and text.strip()]
    reason = f"A next step of the phase {packets[0].phase} packet."
    return [Candidate(_source(packets[0]), one_line(text, TEXT_CHARS), reason) for text in texts]


def _source(packet: PacketVersion) -> str:
    return f"packet:{packet.phase}:{packet.version}"


def _list(value: Any) -> list[Any]:
    return value[:PER_PACKET] if isinstance(value, list) else []


def _described(raw: Any) -> str:
    said = raw.get("description") or raw.get("action_type") if isinstance(raw, dict) else raw
    return one_line(str(said or "an empty proposal"), TEXT_CHARS)
