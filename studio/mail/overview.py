"""The daily overview: what happened in a project, in real numbers, and what there is to do. Nothing pads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

from studio import projects
from studio.database.connection import Connection
from studio.errors import InvalidInput, SettingsError
from studio.kpis import Kpis
from studio.mail import letters
from studio.mail.letters import Letter
from studio.mail.links import project_url
from studio.mail.phases import phase_name
from studio.settings import Settings
from studio.text import clip

# Domain specification §5.
TASKS = 3
LINE_CHARS = 240
# Below this share of visitors that leave an address, the page is what to work on.
LOW_CONVERSION = Decimal("0.03")


@dataclass(frozen=True)
class OverviewFacts:
    """What the overview may say; every number was counted.

    `activity` is what happened since the last overview, a few words each. `waiting` counts the approvals that wait
    for the founder, `proposed` names those that this night added, `recommended` what was advised. `skip` says why
    the night did nothing. `page_live` tells whether visitors have a page to come to.
    """

    figures: Kpis
    waiting: int
    page_live: bool
    activity: Sequence[str] = field(default_factory=tuple)
    proposed: Sequence[str] = field(default_factory=tuple)
    recommended: Sequence[str] = field(default_factory=tuple)
    skip: str | None = None


@dataclass(frozen=True)
class Overview:
    """What became of an overview; `email_id` is None where there is no row for it."""

    email_id: UUID | None
    outcome: Literal["queued", "already queued", "suppressed", "no address", "no unsubscribe link"]


def queue_overview(conn: Connection, settings: Settings, project_id: UUID, day: date, facts: OverviewFacts) -> Overview:
    """Queue the overview of a UTC day to the project's owner in the caller's transaction, once.

    A night's work does not fail for its mail: where the owner's address is none, or no unsubscribe link can be
    made, the outcome says so.
    """
    project = projects.get_in(conn, project_id)
    owner = conn.execute("select email from public.users where clerk_id = %s", [project.owner_clerk_id]).fetchone()
    letter = Letter(
        project_id=project_id,
        outbox_key=f"overview:{day.isoformat()}",
        to_email=owner["email"] if owner else None,
        template="daily_overview",
        category="overview",
        context={
            "project_name": project.name,
            "phase": phase_name(project.phase),
            "day": f"{day:%A}, {day.day} {day:%B %Y}",
            "figures": _figures(facts.figures),
            "measured": bool(facts.figures.traffic_30d or facts.figures.leads_30d or facts.figures.payments_30d),
            "activity": [clip(line, LINE_CHARS) for line in facts.activity],
            "proposed": [clip(line, LINE_CHARS) for line in facts.proposed][:TASKS],
            "recommended": [clip(line, LINE_CHARS) for line in facts.recommended][:TASKS],
            "to_do": to_do(facts),
            "skip": facts.skip,
            "waiting": facts.waiting,
            "url": project_url(settings, project_id),
        },
    )
    try:
        queued = letters.enqueue(conn, settings, letter)
    except SettingsError:
        return Overview(None, "no unsubscribe link")
    except InvalidInput:
        # Another client stored what is no address.
        return Overview(None, "no address")
    return Overview(queued.email_id, queued.outcome)


def to_do(facts: OverviewFacts) -> list[str]:
    """Return what the figures ask of the founder, at most three (domain specification §5)."""
    figures = facts.figures
    tasks: list[str] = []
    if facts.waiting:
        tasks.append(f"Decide on the {_count(facts.waiting, 'approval')} that wait for you.")
    if not facts.page_live:
        # What visitors do cannot be read from a page that nobody can visit.
        return tasks
    if figures.traffic_7d == 0:
        tasks.append("Nobody has visited the page in seven days: show it to people before changing it.")
    elif figures.leads_7d == 0:
        tasks.append(
            f"{_count(figures.traffic_7d, 'visit')} and no lead in seven days: work on the page's headline and offer."
        )
    elif figures.conversion_7d < LOW_CONVERSION:
        tasks.append(
            f"{_percent(figures.conversion_7d)} of the visits became leads: try another headline or a shorter form."
        )
    else:
        tasks.append(f"{_percent(figures.conversion_7d)} of the visits became leads: bring more people to the page.")
    if figures.payments_30d == 0 and figures.leads_30d > 0:
        tasks.append(f"{_count(figures.leads_30d, 'lead')} in thirty days and no payment: make somebody an offer.")
    elif figures.payments_30d > 0:
        tasks.append(
            f"{_count(figures.payments_30d, 'payment')} in thirty days: ask who paid what they would pay for next."
        )
    return tasks[:TASKS]


def _figures(figures: Kpis) -> list[dict[str, str]]:
    return [
        {"name": "Visits", "week": str(figures.traffic_7d), "month": str(figures.traffic_30d)},
        {"name": "Leads", "week": str(figures.leads_7d), "month": str(figures.leads_30d)},
        {
            "name": "Conversion",
            "week": _percent(figures.conversion_7d) if figures.traffic_7d else "–",
            "month": _percent(figures.conversion_30d) if figures.traffic_30d else "–",
        },
        {
            "name": "Revenue",
            "week": _money(figures.revenue_cents_7d, figures.currency),
            "month": _money(figures.revenue_cents_30d, figures.currency),
        },
    ]


def _percent(share: Decimal) -> str:
    return f"{share * 100:.1f} %"


def _money(cents: int, currency: str) -> str:
    return f"{Decimal(cents) / 100:,.2f} {currency}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
