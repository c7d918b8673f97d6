"""The packets of phases 1 to 3 as a terminal shows them, and what changed between two versions of any packet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ValidationError
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from greenlight_dagster.cli.packet_view import VERDICT_STYLE, bullets, evidence_line, packet_panels, section, stored
from studio.packets.diff import Change
from studio.packets.phase1 import Phase1Packet
from studio.packets.phase2 import Phase2Packet
from studio.packets.phase3 import Phase3Packet
from studio.text import clip, printable

NAMES = {0: "pitch", 1: "validate", 2: "distribute", 3: "go live"}
_SCHEMAS: dict[int, type[BaseModel]] = {1: Phase1Packet, 2: Phase2Packet, 3: Phase3Packet}
# What a line of a comparison holds; the whole text is in --json.
VALUE_CHARS = 600
_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def phase_word(phase: int) -> str:
    """Return a phase as lists show it: 2 is "2 distribute"; behind the last one a project is live."""
    return f"{phase} {NAMES[phase]}" if phase in NAMES else "live"


def phase_panels(phase: int, packet: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield the sections of the packet of any phase as rich renderables, the verdict first."""
    if phase == 0:
        yield from packet_panels(packet)
        return
    packet = printable(packet)
    try:
        packet = _SCHEMAS[phase].model_validate(packet).model_dump(mode="json")
    except ValidationError:
        yield from stored(packet)
        return
    synopsis = packet["reasoning_synopsis"]
    style = VERDICT_STYLE[packet["recommendation"]]
    yield Panel(
        Group(
            Text(packet["summary"]),
            "",
            Text.assemble((packet["recommendation"].upper(), style), f"  confidence {synopsis['confidence']} of 100"),
        ),
        title=f"Phase {phase} packet: {NAMES[phase]}",
        border_style=style.split()[-1],
    )
    yield section("Why", bullets(synopsis["rationale"]))
    yield from {1: _validate, 2: _distribute, 3: _go_live}[phase](packet)
    if synopsis["proposed_actions"]:
        yield section(
            "Could be done after an approval",
            bullets(f"{a['action_type']}: {a['description']} {a['reason']}" for a in synopsis["proposed_actions"]),
        )
    if synopsis["evidence"]:
        yield section("Evidence", bullets(evidence_line(item) for item in synopsis["evidence"]))
    yield section("Risks", bullets(synopsis["risks"]))
    yield section("Next", bullets(synopsis["next_actions"]))


def change_panels(changes: Iterable[Change]) -> Iterator[RenderableType]:
    """Yield one block per change: where, what it was, what it is."""
    for change in changes:
        mark, style = _MARKS[change.kind]
        lines = [Text.assemble((f"{mark} {printable(change.path)}", f"bold {style}"))]
        if change.kind != "added":
            lines.append(Text(f"    was  {_value(change.before)}", style="dim"))
        if change.kind != "removed":
            lines.append(Text(f"    is   {_value(change.after)}"))
        yield Group(*lines)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clip(" ".join(printable(text).split()), VALUE_CHARS)


def _dollars(amount: Any) -> str:
    value = Decimal(str(amount))
    return f"${value:,.0f}" if value == value.to_integral_value() else f"${value:,.2f}"


def _pairs(*rows: tuple[str, Any]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        if isinstance(value, bool):
            value = "yes" if value else "no"
        table.add_row(Text(name, style="dim"), Text(", ".join(value) if isinstance(value, list) else str(value)))
    return table


def _mails(emails: list[dict[str, Any]]) -> RenderableType:
    parts: list[RenderableType] = []
    for mail in emails:
        parts.append(Text.assemble((f"{mail['day']}  ", "dim"), (mail["subject"], "bold")))
        parts += [Text(f"    {paragraph}") for paragraph in mail["body"]]
        if mail["cta_label"]:
            parts.append(Text(f"    [{mail['cta_label']}]", style="cyan"))
    return Group(*parts)


def _validate(packet: dict[str, Any]) -> Iterator[RenderableType]:
    page = packet["landing_page"]
    parts: list[RenderableType] = [Text(page["headline"], style="bold"), Text(page["subheadline"])]
    parts.append(Text(f"[{page['primary_cta']}]", style="cyan"))
    for part in page["section_copy"]:
        parts += [Text(part["title"], style="bold"), Text(f"    {part['body']}")]
    yield section("Landing page", Group(*parts))
    yield section("Before it goes live", bullets(page["launch_notes"]))
    waitlist = packet["waitlist"]
    yield section(
        "Waitlist",
        _pairs(
            ("captured by", waitlist["capture_stack"]),
            ("double opt-in", waitlist["double_opt_in"]),
            ("fields", waitlist["form_fields"]),
            ("target", waitlist["target_conversion_rate"]),
        ),
    )
    analytics = packet["analytics"]
    yield section(
        "Measured",
        _pairs(("by", analytics["provider"]), ("events", analytics["events"]), ("views", analytics["dashboard_views"])),
    )
    brand = packet["brand_kit"]
    yield section(
        "Brand",
        _pairs(("voice", brand["voice"]), ("colours", brand["color_palette"]), ("fonts", brand["font_pairing"])),
    )
    social = packet["social_strategy"]
    yield section(
        "Social",
        _pairs(
            ("channels", social["channels"]),
            ("pillars", social["content_pillars"]),
            ("cadence", social["posting_cadence"]),
        ),
    )
    yield section("Welcome sequence", _mails(packet["email_sequence"]["emails"]))


def _distribute(packet: dict[str, Any]) -> Iterator[RenderableType]:
    strategy = packet["distribution_strategy"]
    yield section(
        "Channels",
        Group(
            _pairs(("north star", strategy["north_star_metric"])),
            bullets(
                f"{plan['channel']}: {plan['objective']} ({_dollars(plan['weekly_budget'])} a week)"
                for plan in strategy["channel_plan"]
            ),
        ),
    )
    ads = packet["paid_acquisition"]
    yield section(
        "Ads",
        _pairs(
            ("permitted", ads["enabled"]),
            ("cap", f"{_dollars(ads['budget_cap_per_day'])} a day"),
            ("for", ads["target_audiences"]),
            ("angles", ads["creative_angles"]),
            ("stops when", ads["kill_switch"]),
        ),
    )
    outreach = packet["outreach"]
    yield section(
        "Outreach",
        _pairs(
            ("sequence", outreach["sequence_type"]),
            ("to", outreach["target_segments"]),
            ("a day at most", outreach["daily_send_cap"]),
        ),
    )
    mail = packet["lifecycle_email"]
    yield section(
        "Lifecycle mails",
        Group(_pairs(("window", mail["send_window"])), bullets(mail["journeys"]), _mails(mail["emails"])),
    )
    yield section("Experiments", bullets(packet["weekly_experiments"]))
    yield section("Guardrails", bullets(packet["guardrails"]))


def _go_live(packet: dict[str, Any]) -> Iterator[RenderableType]:
    review = packet["architecture_review"]
    yield section(
        "Architecture",
        Group(
            _pairs(("runtime", review["runtime_mode"])),
            bullets(review["system_components"]),
            Text("Depends on", style="dim"),
            bullets(review["critical_dependencies"]),
        ),
    )
    yield section(
        "Milestones",
        bullets(f"{m['name']} ({m['owner']}): {m['exit_criteria']}" for m in packet["build_plan"]["milestones"]),
    )
    qa = packet["qa_plan"]
    yield section("Tests", bullets(qa["test_suites"]))
    yield section("Must hold before launch", bullets(qa["acceptance_gates"]))
    yield section("Launch checklist", bullets(packet["launch_checklist"]))
    rollback = packet["rollback_plan"]
    yield section(
        "Rollback",
        Group(
            Text("When", style="dim"),
            bullets(rollback["triggers"]),
            Text("How", style="dim"),
            bullets(rollback["steps"]),
        ),
    )
    policy = packet["merge_policy"]
    yield section(
        "Merges",
        _pairs(
            ("review required", policy["review_required"]),
            ("approvals", policy["approvals_required"]),
            ("protected branch", policy["protected_branch"]),
        ),
    )
    yield section("Readiness", bullets(packet["operational_readiness"]))
