"""The Phase 2 deck (distribute): channels, budgets, ads, outreach, mail, experiments, guardrails."""

from __future__ import annotations

from decimal import Decimal

from studio.decks.content import common
from studio.decks.content.common import items, plural, texts
from studio.decks.content.phase1 import mails
from studio.decks.model import (
    Bar,
    Bars,
    Cell,
    Column,
    Columns,
    Fact,
    Listing,
    Notes,
    Slide,
    Split,
    Statement,
    Table,
    clean,
)
from studio.packets.phase2 import DistributionStrategy, LifecycleEmail, Outreach, PaidAcquisition, Phase2Packet
from studio.packets.versions import PacketVersion
from studio.projects import Project

# What the studio does, whatever a plan recommends (`studio/mail`).
SENDING_RULE = "Approved mails go out around the clock but for the project's quiet hours, and within its daily cap."


def slides(project: Project, version: PacketVersion, packet: Phase2Packet) -> list[Slide]:
    """Return the deck's slides in their order."""
    synopsis = packet.reasoning_synopsis
    strategy = packet.distribution_strategy
    return [
        common.cover(project, version),
        common.summary(packet.summary),
        _north_star(strategy),
        *_channels(strategy),
        _paid(packet.paid_acquisition),
        _outreach(packet.outreach),
        *_lifecycle(packet.lifecycle_email),
        _list("What is tried, week by week", "Experiments", packet.weekly_experiments, common.PLAN),
        _list("What is not to be crossed", "Guardrails", packet.guardrails, common.PLAN),
        common.verdict(synopsis),
        common.risks(synopsis),
        *common.next_steps(synopsis.next_actions, synopsis.proposed_actions),
        common.evidence(synopsis.evidence),
        common.closing(project, version, synopsis),
    ]


def money(amount: Decimal) -> str:
    """Return dollars as they are read: "$1,250", "$12.50"."""
    return f"${amount:,.0f}" if amount == amount.to_integral_value() else f"${amount:,.2f}"


def _north_star(strategy: DistributionStrategy) -> Slide:
    return Slide(
        title="The one figure that counts",
        kicker="North star",
        body=Statement(clean(strategy.north_star_metric)),
        notes=Notes(say=clean(strategy.north_star_metric), unsourced=(common.PLAN,)),
        ground="accent",
    )


def _channels(strategy: DistributionStrategy) -> list[Slide]:
    plan = strategy.channel_plan
    total = sum((one.weekly_budget for one in plan), Decimal(0))
    notes = Notes(
        say=f"{plural(len(plan), 'channel')} for {money(total)} a week altogether.",
        details=tuple(
            f"{clean(one.channel)}: {clean(one.objective)} ({money(one.weekly_budget)} a week)" for one in plan
        ),
        unsourced=("budgets are planned, nothing has been spent.",),
    )
    rows = tuple(
        (
            Cell(clean(one.channel), strong=True),
            Cell(clean(one.objective)),
            Cell(money(one.weekly_budget) if one.weekly_budget else "No money"),
        )
        for one in plan
    )
    table = Slide(
        title=f"{plural(len(plan), 'channel')} and what each is for",
        kicker="Channels",
        body=Table(("Channel", "Objective", "A week"), (2.6, 5.6, 1.4), rows),
        notes=notes,
    )
    if not total:
        return [table]
    whole = all(one.weekly_budget == one.weekly_budget.to_integral_value() for one in plan)
    free = sum(not one.weekly_budget for one in plan)
    remarks = [f"{plural(free, 'channel')} {'works' if free == 1 else 'work'} without money."] if free else []
    chart = Slide(
        title=f"{money(total)} a week over {plural(len(plan) - free, 'channel')}",
        kicker="Channels",
        body=Bars(
            series="Dollars a week",
            bars=tuple(
                Bar(clean(one.channel), float(one.weekly_budget), money(one.weekly_budget))
                for one in sorted(plan, key=lambda one: -one.weekly_budget)
            ),
            number_format='"$"#,##0' if whole else '"$"#,##0.00',
            maximum=None,
            fact=Fact("Planned a week", money(total)),
            remarks=(*remarks, "Planned, not spent: every campaign waits for an approval."),
        ),
        notes=notes,
    )
    return [chart, table]


def _paid(plan: PaidAcquisition) -> Slide:
    audiences, angles = texts(plan.target_audiences), texts(plan.creative_angles)
    if plan.enabled:
        title = f"Paid ads may run, up to {money(plan.budget_cap_per_day)} a day"
        remark = f"Stops when: {clean(plan.kill_switch)}"
    else:
        title = "Paid ads are off: the project does not permit them"
        remark = f"If they are permitted later, they stop when: {clean(plan.kill_switch)}"
    return Slide(
        title=title,
        kicker="Paid acquisition",
        body=Columns((Column("Audiences", audiences), Column("Angles", angles)), note=remark),
        notes=Notes(
            say=title + ".",
            details=(f"Kill switch: {clean(plan.kill_switch)}", *audiences, *angles),
            unsourced=("whether ads may run, and the cap, are the project's permissions; the rest is a plan.",),
        ),
    )


def _outreach(plan: Outreach) -> Slide:
    segments = texts(plan.target_segments)
    cap = f"{plan.daily_send_cap} a day" if plan.daily_send_cap else "None are sent"
    return Slide(
        title=f"Outreach to {plural(len(segments), 'segment')}",
        kicker="Outreach",
        body=Split("How", clean(plan.sequence_type), Column("To whom", segments), (Fact("Messages at most", cap),)),
        notes=Notes(say=clean(plan.sequence_type), details=(f"At most: {cap}.", *segments), unsourced=(common.PLAN,)),
    )


def recommended(plan: LifecycleEmail) -> str:
    """Return the plan's time for mails as what it is: the agent recommends it, and nothing sends by it."""
    return f"Recommended times, which nothing enforces: {clean(plan.send_window).rstrip('.')}."


def _lifecycle(plan: LifecycleEmail) -> list[Slide]:
    journeys = texts(plan.journeys)
    return [
        Slide(
            title=f"{plural(len(journeys), 'journey')} by mail",
            kicker="Lifecycle mail",
            body=Listing(items(journeys), mark="number", cards=True),
            notes=Notes(say=recommended(plan), details=(*journeys, SENDING_RULE), unsourced=(common.PLAN,)),
        ),
        mails(plan.emails, "Lifecycle mail", "mail", "sent only after an approval", (recommended(plan), SENDING_RULE)),
    ]


def _list(title: str, kicker: str, entries: list[str], source: str) -> Slide:
    return Slide(
        title=title,
        kicker=kicker,
        body=Listing(items(entries), mark="number" if kicker == "Experiments" else "point", cards=len(entries) <= 6),
        notes=Notes(say=title + ".", details=texts(entries), unsourced=(source,)),
    )
