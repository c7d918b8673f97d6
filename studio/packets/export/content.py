"""From a packet of any phase to a paper. Texts are the packet's own; only headings and labels are written here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from studio.packets.export.parts import (
    Bars,
    Block,
    Claim,
    Claims,
    Entry,
    Grid,
    Listed,
    Paper,
    Section,
    Swatches,
    Words,
    clean,
)
from studio.packets.fields import ReasoningSynopsis, Source
from studio.packets.phase0 import Competitor, Phase0Packet
from studio.packets.phase1 import Phase1Packet, PhaseReasoning, SequenceEmail
from studio.packets.phase2 import Phase2Packet
from studio.packets.phase3 import Phase3Packet
from studio.packets.versions import PacketVersion
from studio.text import clip

PHASES = {0: "Pitch", 1: "Validate", 2: "Distribute", 3: "Go live"}
_PRESENCE = {"live": "Live", "parked": "Parked", "none": "Nothing there", "not_measured": "Not measured"}
_RUNTIMES = {"shared": "Shared: the studio serves it.", "attached": "Attached: the project's own deployment."}
_ACTIONS = {
    "deploy_landing_page": "Publish the landing page",
    "send_welcome_email_sequence": "Send the welcome mails",
    "activate_meta_ads_campaign": "Create the ads campaign",
    "send_phase2_lifecycle_email": "Send the lifecycle mail",
    "trigger_phase3_repo_workflow": "Run the repository's workflow",
    "trigger_phase3_deploy": "Deploy",
    "refine_phase_assets": "Refine the assets",
}
_HEX = re.compile(r"^(#[0-9A-Fa-f]{6})\b[\s:,–-]*(.*)$")
# A packet of another client may nest as deep as it likes, and be as long.
_DEPTH = 4
_FOREIGN_ITEMS = 200
_FOREIGN_CHARS = 4000

_Packet = TypeVar("_Packet", bound=BaseModel)


def paper(version: PacketVersion, project_name: str, sources: Sequence[Source]) -> Paper:
    """Return the paper of a packet; one that is not in the studio's shape is printed as it is stored."""
    packet = version.packet
    try:
        tagline, verdict, sections = _written(version)
    except ValidationError:
        said = packet.get("recommendation")
        tagline, verdict = "", said if isinstance(said, str) else ""
        sections = [*_foreign(packet)]
    return Paper(
        name=clean(project_name) or "Untitled project",
        kind=f"Phase {version.phase} · {PHASES.get(version.phase, 'Packet')}",
        tagline=clean(tagline),
        verdict=clean(verdict),
        confidence=version.confidence,
        edition=f"Version {version.version} · {version.created_at.day} {version.created_at:%B %Y}",
        sandbox=(version.model or "").startswith("sandbox"),
        sections=tuple(section for section in sections if section.blocks),
        sources=tuple(sources),
    )


def _written(version: PacketVersion) -> tuple[str, str, list[Section]]:
    match version.phase:
        case 0:
            pitch = Phase0Packet.model_validate(version.packet)
            return pitch.tagline, pitch.recommendation, _pitch(pitch)
        case 1:
            return _phase(version, Phase1Packet, _validate)
        case 2:
            return _phase(version, Phase2Packet, _distribute)
        case _:
            return _phase(version, Phase3Packet, _go_live)


def _phase(
    version: PacketVersion, model: type[_Packet], parts: Callable[[_Packet], list[Section]]
) -> tuple[str, str, list[Section]]:
    packet: Any = model.model_validate(version.packet)
    reasoning = packet.reasoning_synopsis
    return (
        "",
        packet.recommendation,
        [
            Section("In short", (Words(clean(packet.summary), "lead"),)),
            Section("Why", (_points(reasoning.rationale),)),
            *parts(packet),
            *_end(reasoning),
        ],
    )


def _pitch(packet: Phase0Packet) -> list[Section]:
    breakdown, persona, scope = packet.confidence_breakdown, packet.target_persona, packet.mvp_scope
    deferred = (Words("Deferred", "strong"), _points(scope.deferred)) if scope.deferred else ()
    presence = tuple(
        Claim(
            clean(f"{_PRESENCE[one.status]}. {one.detail}"),
            tuple(one.sources),
            clean(one.domain),
            "Not measured" if one.status == "not_measured" else "Measured by the studio",
        )
        for one in packet.existing_presence
    )
    return [
        Section("The pitch", (Words(clean(packet.elevator_pitch), "lead"),)),
        Section("Why", (_points(packet.reasoning_synopsis.rationale),)),
        Section("Confidence", (Bars(tuple((name.capitalize(), value) for name, value in breakdown)),)),
        Section(
            "For whom",
            (Words(clean(persona.name), "strong"), Words(clean(persona.description)), _points(persona.pain_points)),
        ),
        Section("First version", (Words("In scope", "strong"), _points(scope.in_scope), *deferred)),
        Section(
            "Competitors",
            (*map(_competitor, packet.competitor_analysis), *_words(packet.competitor_note, "note")),
        ),
        Section("Market", _market(packet)),
        Section("Existing presence", (Claims(presence),) if presence else ()),
        *_end(packet.reasoning_synopsis),
    ]


def _competitor(rival: Competitor) -> Entry:
    def mark(field: str) -> str:
        return " (no source)" if rival.sourced and field in rival.unsourced_fields else ""

    return Entry(
        clean(rival.name),
        (
            Words(clean(rival.positioning) + mark("positioning")),
            Words(clean(rival.gap), label="Leaves open"),
            Words(clean(rival.pricing) + mark("pricing"), label="Price"),
        ),
        tuple(rival.sources) if rival.sourced else (),
    )


def _market(packet: Phase0Packet) -> tuple[Block, ...]:
    market = packet.market_sizing
    figures = [(key.upper(), market.figures[key]) for key in ("tam", "sam", "som") if key in market.figures]
    if not figures:
        told = {key.upper(): clean(getattr(market, key)) for key in ("tam", "sam", "som")}
        return tuple(Words(text, label=label) for label, text in told.items() if text)
    notes = [("", note) for note in market.notes]
    if len({figure.text for _, figure in figures}) == 1 and not any(figure.sourced for _, figure in figures):
        # Three times the same sentence that nothing is known.
        return (Words(clean(figures[0][1].text)), *(Words(clean(note.text), "note") for _, note in notes))
    return (
        Claims(
            tuple(
                Claim(clean(one.text), tuple(one.sources) if one.sourced else (), label)
                for label, one in (*figures, *notes)
            )
        ),
    )


def _validate(packet: Phase1Packet) -> list[Section]:
    page, kit, social = packet.landing_page, packet.brand_kit, packet.social_strategy
    waitlist, analytics = packet.waitlist, packet.analytics
    return [
        Section(
            "Landing page",
            (
                Words(clean(page.headline), "lead"),
                Words(clean(page.subheadline)),
                Words(clean(page.primary_cta), label="Button"),
                *(Entry(clean(one.title), (Words(clean(one.body)),)) for one in page.section_copy),
                Words("Before it goes live", "strong"),
                _points(page.launch_notes, "checks"),
            ),
        ),
        Section(
            "Brand",
            (
                Words(clean(kit.voice), label="Voice"),
                Words(clean(kit.font_pairing), label="Typefaces"),
                Words(clean(kit.logo_prompt), label="Logo"),
                *_palette(kit.color_palette),
            ),
        ),
        Section(
            "Waitlist",
            (
                Words(clean(waitlist.capture_stack)),
                Words("Yes, every address is confirmed." if waitlist.double_opt_in else "No.", label="Double opt-in"),
                Words(clean(", ".join(waitlist.form_fields)), label="Fields"),
                Words(clean(waitlist.target_conversion_rate), label="Aim"),
            ),
        ),
        Section(
            "What is measured",
            (
                Words(clean(analytics.provider), label="With"),
                Words(clean(", ".join(analytics.events)), label="Events"),
                Words(clean(", ".join(analytics.dashboard_views)), label="Views"),
            ),
        ),
        Section(
            "Channels",
            (
                _points(social.channels),
                Words("What is talked about", "strong"),
                _points(social.content_pillars),
                Words(clean(social.posting_cadence), label="How often"),
            ),
        ),
        Section("Welcome mails", tuple(map(_mail, packet.email_sequence.emails))),
    ]


def _palette(colors: Iterable[str]) -> tuple[Block, ...]:
    found = [_HEX.match(clean(color)) for color in colors]
    known = tuple((match[1], match[2]) for match in found if match is not None)
    other = [clean(color) for color, match in zip(colors, found, strict=True) if match is None]
    return (*((Swatches(known),) if known else ()), *((_points(other),) if other else ()))


def _mail(mail: SequenceEmail) -> Entry:
    button = (Words(clean(mail.cta_label), label="Button"),) if mail.cta_label else ()
    return Entry(
        clean(f"{mail.day}: {mail.subject}"),
        (Words(clean(mail.goal), "note"), *(Words(clean(text)) for text in mail.body), *button),
        framed=True,
    )


def _distribute(packet: Phase2Packet) -> list[Section]:
    strategy, ads = packet.distribution_strategy, packet.paid_acquisition
    outreach, lifecycle = packet.outreach, packet.lifecycle_email
    channels = tuple(
        (clean(one.channel), clean(one.objective), _money(one.weekly_budget) if one.weekly_budget else "no money")
        for one in strategy.channel_plan
    )
    permitted = f"Permitted, up to {_money(ads.budget_cap_per_day)} a day." if ads.enabled else "Not permitted."
    cap = f"At most {outreach.daily_send_cap} a day." if outreach.daily_send_cap else "None are sent."
    return [
        Section("What counts", (Words(clean(strategy.north_star_metric), "lead"),)),
        Section("Channels", (Grid(("Channel", "What it is for", "A week"), channels, (0.28, 0.54, 0.18)),)),
        Section(
            "Paid ads",
            (
                Words(permitted),
                Words("Audiences", "strong"),
                _points(ads.target_audiences),
                Words("Angles", "strong"),
                _points(ads.creative_angles),
                Words(clean(ads.kill_switch), label="Stops when"),
            ),
        ),
        Section(
            "Outreach",
            (Words(clean(outreach.sequence_type)), Words(cap, label="Messages"), _points(outreach.target_segments)),
        ),
        Section(
            "Lifecycle mail",
            (
                _points(lifecycle.journeys),
                Words(clean(lifecycle.send_window), label="Send window"),
                *map(_mail, lifecycle.emails),
            ),
        ),
        Section("Experiments", (_points(packet.weekly_experiments, "numbers"),)),
        Section("Guardrails", (_points(packet.guardrails),)),
    ]


def _go_live(packet: Phase3Packet) -> list[Section]:
    review, policy = packet.architecture_review, packet.merge_policy
    needed = ("a review and " if policy.review_required else "") + (
        "1 approval" if policy.approvals_required == 1 else f"{policy.approvals_required} approvals"
    )
    milestones = tuple(
        (clean(one.name), clean(one.exit_criteria), clean(one.owner)) for one in packet.build_plan.milestones
    )
    return [
        Section(
            "Architecture",
            (
                Words(_RUNTIMES[review.runtime_mode], label="Runtime"),
                Words("Components", "strong"),
                _points(review.system_components),
                Words("Depends on", "strong"),
                _points(review.critical_dependencies),
            ),
        ),
        Section("Milestones", (Grid(("Milestone", "Reached when", "Owner"), milestones, (0.28, 0.52, 0.2)),)),
        Section(
            "Quality",
            (
                Words("Tests", "strong"),
                _points(packet.qa_plan.test_suites),
                Words("What must hold before a launch", "strong"),
                _points(packet.qa_plan.acceptance_gates, "checks"),
            ),
        ),
        Section("Launch checklist", (_points(packet.launch_checklist, "checks"),)),
        Section(
            "Going back",
            (
                Words("When", "strong"),
                _points(packet.rollback_plan.triggers),
                Words("In this order", "strong"),
                _points(packet.rollback_plan.steps, "numbers"),
            ),
        ),
        Section(
            "Changes",
            (Words(clean(f"The branch {policy.protected_branch} is protected. A change needs {needed}.")),),
        ),
        Section("Ready to be run", (_points(packet.operational_readiness, "checks"),)),
    ]


def _end(reasoning: ReasoningSynopsis) -> list[Section]:
    claims = tuple(Claim(clean(one.claim), tuple(one.sources) if one.sourced else ()) for one in reasoning.evidence)
    proposed = reasoning.proposed_actions if isinstance(reasoning, PhaseReasoning) else []
    return [
        Section("Evidence", (Claims(claims),) if claims else ()),
        Section(
            "Risks", (_points(reasoning.risks),) if reasoning.risks else (Words("The packet names none.", "note"),)
        ),
        Section("What is next", (_points(reasoning.next_actions, "numbers"),) if reasoning.next_actions else ()),
        Section(
            "After an approval",
            tuple(
                Entry(_ACTIONS[one.action_type], (Words(clean(one.description)), Words(clean(one.reason), "note")))
                for one in proposed
            ),
        ),
    ]


def _foreign(packet: dict[str, Any]) -> Iterable[Section]:
    yield Section("About this packet", (Words("Another client wrote it. It is printed as it is stored.", "note"),))
    for key, value in list(packet.items())[:_FOREIGN_ITEMS]:
        yield Section(clip(_title(key), 60), tuple(_stored(value, _DEPTH))[:_FOREIGN_ITEMS])


def _stored(value: Any, depth: int) -> Iterable[Block]:
    if isinstance(value, dict) and depth > 0:
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield Words(clip(_title(key), 120), "strong")
                yield from _stored(item, depth - 1)
            else:
                yield Words(_foreign_text(item), label=clip(_title(key), 120))
    elif isinstance(value, list) and depth > 0:
        if all(not isinstance(item, dict | list) for item in value):
            yield from (_points(map(_foreign_text, value[:_FOREIGN_ITEMS])),) if value else ()
        else:
            for item in value:
                yield from _stored(item, depth - 1)
    else:
        yield Words(_foreign_text(value))


def _foreign_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else clip(clean(str(value)), _FOREIGN_CHARS)


def _title(key: str) -> str:
    words = clean(key.replace("_", " "))
    return words[:1].upper() + words[1:]


def _points(items: Iterable[str], marks: Any = "points") -> Listed:
    return Listed(tuple(text for item in items if (text := clean(item))), marks)


def _words(text: str, style: Any) -> tuple[Words, ...]:
    return (Words(clean(text), style),) if clean(text) else ()


def _money(amount: Decimal) -> str:
    return f"${amount:,.2f}".removesuffix(".00")
