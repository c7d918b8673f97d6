"""Papers to work with: the plan of Phase 2 and the launch checklist of Phase 3, as Markdown and as HTML.

Both forms say the same. Texts of the packet are escaped in both: nothing in them is taken for markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from studio.brand import Brand
from studio.decks.build import read
from studio.decks.content.common import plural, texts
from studio.decks.content.phase2 import SENDING_RULE, money, recommended
from studio.decks.content.phase3 import RUNTIMES
from studio.decks.html import templates, theme
from studio.decks.model import clean
from studio.errors import InvalidInput
from studio.packets.phase1 import SequenceEmail
from studio.packets.phase2 import Phase2Packet
from studio.packets.phase3 import Phase3Packet
from studio.packets.versions import PacketVersion
from studio.projects import Project

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~&])")
# What opens a heading, a list or a rule where a line begins with it.
_OPENING = re.compile(r"^(\d+(?=[.)])|(?=[-#+=]))(.)")


@dataclass(frozen=True)
class Document:
    """A paper: its title, and its two forms."""

    title: str
    markdown: str
    html: str


@dataclass(frozen=True)
class Block:
    """A part of a section."""

    kind: Literal["text", "list", "numbered", "checks", "table", "mail"]
    lines: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


def phase2_plan(project: Project, version: PacketVersion, brand: Brand) -> Document:
    """Return the distribution plan of a Phase 2 packet. Raises `InvalidInput` where the packet is none."""
    _require(version, 2)
    packet = read(version, Phase2Packet)
    strategy, ads = packet.distribution_strategy, packet.paid_acquisition
    outreach, lifecycle = packet.outreach, packet.lifecycle_email
    permitted = (
        f"Permitted, up to {money(ads.budget_cap_per_day)} a day."
        if ads.enabled
        else "Off: the project does not permit paid ads."
    )
    channels = tuple(
        (clean(one.channel), clean(one.objective), money(one.weekly_budget) if one.weekly_budget else "no money")
        for one in strategy.channel_plan
    )
    cap = f"At most {outreach.daily_send_cap} messages a day." if outreach.daily_send_cap else "No messages are sent."
    sections = [
        Section("In short", (_text(packet.summary),)),
        Section("The figure that counts", (_text(strategy.north_star_metric),)),
        Section("Channels", (Block("table", header=("Channel", "Objective", "A week"), rows=channels),)),
        Section(
            "Paid ads",
            (
                _text(permitted), _text("Audiences:"), _list(ads.target_audiences), _text("Angles:"),
                _list(ads.creative_angles), _text(f"Stops when: {clean(ads.kill_switch)}"),
            ),
        ),
        Section("Outreach", (_text(outreach.sequence_type), _text(cap), _list(outreach.target_segments))),
        Section(
            "Lifecycle mail",
            (
                _list(lifecycle.journeys), _text(recommended(lifecycle)), _text(SENDING_RULE),
                *map(_mail, lifecycle.emails),
            ),
        ),
        Section("Experiments, week by week", (_list(packet.weekly_experiments, "numbered"),)),
        Section("Guardrails", (_list(packet.guardrails),)),
        *_verdict(version),
    ]  # fmt: skip
    return _document(project, version, brand, "Distribution plan", sections)


def phase3_checklist(project: Project, version: PacketVersion, brand: Brand) -> Document:
    """Return the launch checklist of a Phase 3 packet. Raises `InvalidInput` where the packet is none."""
    _require(version, 3)
    packet = read(version, Phase3Packet)
    policy = packet.merge_policy
    needed = ("a review and " if policy.review_required else "") + plural(policy.approvals_required, "approval")
    sections = [
        Section("Before the launch", (_list(packet.launch_checklist, "checks"),)),
        Section("Gates that must hold", (_list(packet.qa_plan.acceptance_gates, "checks"),)),
        Section("Tests to be run", (_list(packet.qa_plan.test_suites, "checks"),)),
        Section("Ready to be run", (_list(packet.operational_readiness, "checks"),)),
        Section(
            "Milestones",
            (
                _list(
                    [f"{one.name} ({one.owner}): {one.exit_criteria}" for one in packet.build_plan.milestones], "checks"
                ),
            ),
        ),
        Section(
            "Going back",
            (
                _text("Go back when:"), _list(packet.rollback_plan.triggers),
                _text("In this order:"), _list(packet.rollback_plan.steps, "numbered"),
            ),
        ),
        Section(
            "How changes get in",
            (
                _text(f"{clean(policy.protected_branch)} is protected. A change needs {needed}."),
                _text(f"Runtime. {RUNTIMES[packet.architecture_review.runtime_mode]}."),
            ),
        ),
        *_verdict(version),
    ]  # fmt: skip
    return _document(project, version, brand, "Launch checklist", sections)


def _require(version: PacketVersion, phase: int) -> None:
    if version.phase != phase:
        raise InvalidInput(
            f"This document is made from a packet of phase {phase}, not of phase {version.phase}.",
            f"Give it a version of the phase {phase} packet.",
        )


def _text(text: str) -> Block:
    return Block("text", (clean(text),))


def _list(values: Iterable[str], kind: Literal["list", "numbered", "checks"] = "list") -> Block:
    return Block(kind, texts(values))


def _mail(mail: SequenceEmail) -> Block:
    button = (f"[{clean(mail.cta_label)}]",) if mail.cta_label else ()
    return Block("mail", (f"{clean(mail.day)}: {clean(mail.subject)}", clean(mail.goal), *texts(mail.body), *button))


def _verdict(version: PacketVersion) -> list[Section]:
    synopsis = version.synopsis
    risks = texts(synopsis.get("risks", []))
    told = f"Recommendation: {synopsis['decision']}, confidence {version.confidence} of 100."
    return [
        Section("Risks", (Block("list", risks),) if risks else (_text("The packet names none."),)),
        Section("Verdict", (_text(told), _list(synopsis.get("rationale", [])))),
    ]


def _document(project: Project, version: PacketVersion, brand: Brand, kind: str, sections: list[Section]) -> Document:
    name = clean(project.name) or "Untitled project"
    sandbox = (version.model or "").startswith("sandbox")
    made = (
        f"From version {version.version} of the phase {version.phase} packet, {version.created_at:%Y-%m-%d}."
        + (" Written by the sandbox model." if sandbox else "")
    )  # fmt: skip
    html = (
        templates()
        .get_template("document.html.j2")
        .render(
            name=name, kind=kind, made=made, sections=sections, theme=theme(brand),
            scheme="dark" if brand.dark else "light",
        )
    )  # fmt: skip
    return Document(f"{name}: {kind}", _markdown(name, kind, made, sections), html)


def _markdown(name: str, kind: str, made: str, sections: list[Section]) -> str:
    parts = [f"# {escape(name)}: {kind}", escape(made)]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [_markdown_block(block) for block in section.blocks if block.lines or block.rows]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return a text in which Markdown sees no markup."""
    return _OPENING.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", text))


def _markdown_block(block: Block) -> str:
    lines = [escape(line) for line in block.lines]
    match block.kind:
        case "list":
            return "\n".join(f"- {line}" for line in lines)
        case "numbered":
            return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))
        case "checks":
            return "\n".join(f"- [ ] {line}" for line in lines)
        case "table":
            rows = [block.header, tuple("---" for _ in block.header), *(tuple(map(escape, row)) for row in block.rows)]
            return "\n".join(f"| {' | '.join(row)} |" for row in rows)
        case "mail":
            head, goal, *body = lines
            return "\n\n".join([f"### {head}", f"What it is for: {goal}", *(f"> {line}" for line in body)])
    return "\n\n".join(lines)
