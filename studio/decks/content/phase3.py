"""The Phase 3 deck (go live): architecture, milestones, quality, launch, rollback, readiness."""

from __future__ import annotations

from studio.decks.content import common
from studio.decks.content.common import items, plural, texts
from studio.decks.model import Cell, Column, Columns, Fact, Item, Listing, Notes, Slide, Split, Steps, Table, clean
from studio.packets.phase3 import ArchitectureReview, MergePolicy, Milestone, Phase3Packet, QaPlan, RollbackPlan
from studio.packets.versions import PacketVersion
from studio.projects import Project

RUNTIMES = {"shared": "Shared: the studio serves it", "attached": "Attached: the project's own deployment"}


def slides(project: Project, version: PacketVersion, packet: Phase3Packet) -> list[Slide]:
    """Return the deck's slides in their order."""
    synopsis = packet.reasoning_synopsis
    return [
        common.cover(project, version),
        common.summary(packet.summary),
        _architecture(packet.architecture_review),
        *_milestones(packet.build_plan.milestones),
        _quality(packet.qa_plan),
        _checklist(packet.launch_checklist),
        _rollback(packet.rollback_plan),
        _merging(packet.merge_policy),
        _readiness(packet.operational_readiness),
        common.verdict(synopsis),
        common.risks(synopsis),
        *common.next_steps(synopsis.next_actions, synopsis.proposed_actions),
        common.evidence(synopsis.evidence),
        common.closing(project, version, synopsis),
    ]


def _architecture(review: ArchitectureReview) -> Slide:
    parts, needs = texts(review.system_components), texts(review.critical_dependencies)
    return Slide(
        title=f"{plural(len(parts), 'component')}, {plural(len(needs), 'thing')} it cannot do without",
        kicker="Architecture",
        body=Columns(
            (Column("Components", parts), Column("Critical dependencies", needs)),
            note=f"Runtime. {RUNTIMES[review.runtime_mode]}.",
        ),
        notes=Notes(
            say=f"Runtime mode: {review.runtime_mode}.",
            details=(*parts, *needs),
            unsourced=("the runtime mode is the project's setting; the rest is the studio's judgement.",),
        ),
    )


def _milestones(listed: list[Milestone]) -> list[Slide]:
    notes = Notes(
        say=f"{plural(len(listed), 'milestone')}, each with what shows that it is reached.",
        details=tuple(f"{clean(one.name)} ({clean(one.owner)}): {clean(one.exit_criteria)}" for one in listed),
        unsourced=("this is a plan; nothing of it has been built because it stands here.",),
    )
    line = Slide(
        title=f"{plural(len(listed), 'milestone')} to a live product",
        kicker="Build plan",
        body=Steps(tuple(Item("", heading=clean(one.name), tag=clean(one.owner)) for one in listed)),
        notes=notes,
    )
    rows = tuple(
        (
            Cell(f"{number}. {clean(one.name)}", strong=True),
            Cell(clean(one.owner)),
            Cell(clean(one.exit_criteria)),
        )
        for number, one in enumerate(listed, 1)
    )
    table = Slide(
        title="How one sees that a milestone is reached",
        kicker="Build plan",
        body=Table(("Milestone", "Owner", "Reached when"), (2.9, 1.6, 5.1), rows),
        notes=notes,
    )
    return [line, table]


def _quality(plan: QaPlan) -> Slide:
    suites, gates = texts(plan.test_suites), texts(plan.acceptance_gates)
    return Slide(
        title="What is tested, and what must hold",
        kicker="Quality",
        body=Columns((Column("Test suites", suites), Column("Acceptance gates", gates, "check"))),
        notes=Notes(
            say="None of these has been run because it stands here.",
            details=(*suites, *gates),
            unsourced=(common.PLAN,),
        ),
    )


def _checklist(entries: list[str]) -> Slide:
    return Slide(
        title=f"Launch checklist: {plural(len(entries), 'point')}",
        kicker="Launch",
        body=Listing(items(entries), mark="check"),
        notes=Notes(
            say="All open. The same list is a document of its own, to be ticked.", details=texts(entries),
            unsourced=(common.PLAN,),
        ),
    )  # fmt: skip


def _rollback(plan: RollbackPlan) -> Slide:
    triggers, steps = texts(plan.triggers), texts(plan.steps)
    return Slide(
        title="When to go back, and how",
        kicker="Rollback",
        body=Columns((Column("Go back when", triggers), Column("In this order", steps, "number"))),
        notes=Notes(
            say="Decide before the launch who calls it.", details=(*triggers, *steps), unsourced=(common.PLAN,)
        ),
    )


def _merging(policy: MergePolicy) -> Slide:
    branch = clean(policy.protected_branch)
    needed = plural(policy.approvals_required, "approval")
    rules = (
        f"Every change to {branch} is reviewed."
        if policy.review_required
        else f"The plan asks for no review on {branch}.",
        f"{needed.capitalize()} {'is' if policy.approvals_required == 1 else 'are'} needed.",
        f"Nobody pushes to {branch} directly, the studio included.",
    )
    return Slide(
        title=f"How a change reaches {branch}",
        kicker="Merge policy",
        body=Split(
            f"Protected: {branch}",
            "A change goes through a branch, a review and an approval, in this order.",
            Column("The rules", rules),
            (
                Fact("Approvals", str(policy.approvals_required)),
                Fact("Review", "Yes" if policy.review_required else "No"),
            ),
        ),
        notes=Notes(
            say=f"{branch} is protected.", details=rules,
            unsourced=("the protected branch is a rule of the studio; the rest is the packet's plan.",),
        ),
    )  # fmt: skip


def _readiness(entries: list[str]) -> Slide:
    return Slide(
        title="Ready to be run",
        kicker="Operations",
        body=Listing(items(entries), mark="point", cards=len(entries) <= 6),
        notes=Notes(say="What must be in place to run it.", details=texts(entries), unsourced=(common.PLAN,)),
    )
