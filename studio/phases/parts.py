"""Deliverables beside the packet: each is made, stored and listed by itself, and each may fail by itself.

A part that fails is tried again as long as the job has attempts and another one may help; then it is listed as
failed, with the reason, and the phase goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from studio import assets, deliverables, projects
from studio.agents.brand_designer import BrandDesigner
from studio.assets import Asset
from studio.brand import Brand, brand_of
from studio.claims import Json
from studio.database.connection import Connection
from studio.decks import Deck, brand_brief, build
from studio.decks.documents import phase2_plan, phase3_checklist
from studio.deliverables import DEGRADING, Deliverable
from studio.packets import versions
from studio.packets.brand_deck import BrandDeckSpec
from studio.packets.phase1 import BrandKit
from studio.packets.versions import PacketVersion
from studio.phases.common import CEO, Attempt
from studio.project_events import record

HTML = "text/html; charset=utf-8"
MARKDOWN = "text/markdown; charset=utf-8"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

NO_IMAGES = "No image model is part of this installation, so no picture was made."
# The pictures of the domain specification §4. Nothing here can draw them, which the list says.
IMAGES: dict[int, tuple[str, ...]] = {
    1: (
        "Logo",
        "Logo, inverse",
        "Hero picture, 1200×630",
        "Website picture: feature, 1600×900",
        "Website picture: product, 1600×900",
        "Social picture, square, 1080×1080",
        "Social picture, story, 1080×1920",
    ),
    2: ("Ad picture, square, 1080×1080", "Ad picture, story, 1080×1920", "Ad picture, landscape, 1920×1080"),
}


@dataclass(frozen=True)
class File:
    """A file to store, and the deliverable that it is. `marks` are the keys by which front ends find it."""

    kind: str
    label: str
    filename: str
    mime_type: str
    data: bytes
    marks: dict[str, Any]
    asset_kind: str = "packet_export"


@dataclass(frozen=True)
class Part:
    """An optional part: what it promises (kind and label of each deliverable), and the task that lists it."""

    promises: Sequence[tuple[str, str]]
    agent: str
    task: str


# What a phase's deck is called in the list of files, where the decks of all phases stand together.
DECK_NAMES = {0: "Pitch deck", 1: "Validation deck", 2: "Distribution deck", 3: "Go-live deck"}
BRIEF = Part(
    [("brand_brief", "Brand brief"), ("brand_brief_pptx", "Brand brief, PowerPoint")], "brand_agent", "brand_brief"
)
DOCUMENTS = {
    2: Part(
        [("phase2_marketing_plan", "Distribution plan"), ("phase2_marketing_plan_md", "Distribution plan, Markdown")],
        "growth_agent",
        "plan_document",
    ),
    3: Part(
        [
            ("phase3_launch_checklist", "Launch checklist"),
            ("phase3_launch_checklist_md", "Launch checklist, Markdown"),
        ],
        "engineering_agent",
        "launch_checklist",
    ),
}


def missing_images(phase: int) -> list[Deliverable]:
    """Return the entries of the pictures that belong to a phase and cannot be made here."""
    return [deliverables.lacking("brand_asset", label, "missing", NO_IMAGES) for label in IMAGES.get(phase, ())]


def optional(attempt: Attempt, saved: Json, part: Part, work: Callable[[PacketVersion], Iterable[Deliverable]]) -> Json:
    """Make a part by `work`, which gives one deliverable after the other; return them as JSON.

    What it has given before it failed stands; the rest of the part's promises are listed as failed, with the reason.
    Raises what concerns the whole job, and what another attempt may mend while there is one.
    """
    if attempt.overtaken(saved):
        return []
    version = attempt.saved_version(saved)
    task = (part.agent, f"phase{attempt.phase}_{part.task}")
    attempt.task(*task, "running")
    made: list[Deliverable] = []
    error = None
    try:
        for entry in work(version):
            made.append(entry)
    except DEGRADING as exc:
        job = attempt.claim.job
        if not exc.permanent and job.attempts < job.max_attempts:
            raise
        error = str(exc)
        given = {entry.identity for entry in made}
        for kind, label in part.promises:
            if (kind, label) not in given:
                attempt.progress.log(f"{label} could not be made: {error}", deliverable=kind)
                made.append(deliverables.lacking(kind, label, "failed", exc.message))

    def enlist(conn: Connection) -> None:
        for entry in deliverables.enlist(conn, version, made):
            if entry.status == "failed":
                record(
                    conn,
                    attempt.project_id,
                    "deliverable.failed",
                    f"{entry.label}: {entry.error}",
                    {"phase": version.phase, "version": version.version, "kind": entry.kind, "label": entry.label},
                )
        attempt.task_in(conn, *task, "failed" if error else "completed", error)

    attempt.claim.write(enlist)
    return [entry.model_dump(mode="json") for entry in made]


def store(attempt: Attempt, version: PacketVersion, file: File) -> Deliverable:
    """Store a file of a packet version under a path of that version, and return the deliverable."""
    return deliverables.stored(file.kind, file.label, store_asset(attempt, version, file))


def store_asset(attempt: Attempt, version: PacketVersion, file: File) -> Asset:
    """Store a file of a packet version and return its asset."""
    return assets.store(
        attempt.claim.write,
        attempt.storage(),
        attempt.project_id,
        phase=version.phase,
        kind=file.asset_kind,
        path=f"{attempt.project_id}/phase-{version.phase}/v{version.version}/{file.filename}",
        data=file.data,
        filename=file.filename,
        mime_type=file.mime_type,
        metadata={
            **file.marks,
            file.kind: True,
            "packet_version_id": str(version.id),
            "packet_version": version.version,
            "job_id": str(attempt.claim.job_id),
        },
        created_by="agent",
    )


def taken_over(
    attempt: Attempt, version: PacketVersion, saved: Json, part: Part, made_from: frozenset[str]
) -> list[Deliverable] | None:
    """Return a revision's deliverables where the prior version's still hold: the same bytes, kept for this version.

    None where there is no prior version, the revision touches something of `made_from`, or a file is missing.
    """
    if saved["changed"] is None or made_from & set(saved["changed"]):
        return None
    prior = versions.get(attempt.db, UUID(saved["prior_version_id"]))
    of_prior = [
        asset
        for asset in assets.find(attempt.db, attempt.project_id, phase=version.phase)
        if asset.metadata.get("packet_version") == prior.version
    ]
    kept: list[Deliverable] = []
    for kind, label in part.promises:
        found = next((asset for asset in of_prior if asset.kind == kind or asset.metadata.get(kind) is True), None)
        if found is None:
            return None
        file = File(
            kind=kind,
            label=label,
            filename=found.filename,
            mime_type=found.mime_type or "application/octet-stream",
            data=assets.content(attempt.storage(), found),
            marks={**found.metadata, "taken_over_from": str(found.id)},
            asset_kind=found.kind,
        )
        asset = store_asset(attempt, version, file)
        kept.append(deliverables.stored(kind, label, asset, score=found.metadata.get("design_score")))
    attempt.progress.log(
        f"{part.promises[0][1]} is kept from version {prior.version}: the guidance does not concern it."
    )
    return kept


def deck(attempt: Attempt, saved: Json) -> Json:
    """Make the phase's deck: an editable file and its twin for a browser."""
    name = DECK_NAMES[attempt.phase]
    part = Part([("phase_packet_embed", name), ("phase_packet_pptx", f"{name}, PowerPoint")], CEO, "deck")

    def work(version: PacketVersion) -> Iterable[Deliverable]:
        made = build(projects.get(attempt.db, attempt.project_id), version, brand_in_force(attempt, version))
        attempt.progress.log(f"The deck has {made.slides} slides.")
        return _deck_files(attempt, version, part, made, f"phase-{version.phase}-packet")

    return optional(attempt, saved, part, work)


def brief(attempt: Attempt, context: Json, saved: Json) -> Json:
    """Let the designer specify the brand brief, and draw it."""

    def work(version: PacketVersion) -> Iterable[Deliverable]:
        if (kept := taken_over(attempt, version, saved, BRIEF, frozenset({"brand_kit"}))) is not None:
            return kept
        kit = BrandKit.model_validate(version.packet["brand_kit"])

        def paid() -> Json:
            designer = BrandDesigner(attempt.model(), attempt.spender, attempt.progress)
            spec, _ = designer.run(
                "brand_brief",
                {
                    **{name: context[name] for name in ("project", "idea", "memory", "guidance")},
                    "brand": kit.model_dump(mode="json"),
                    "parts": {name: version.packet[name] for name in ("summary", "landing_page", "waitlist")},
                },
            )
            return spec.model_dump(mode="json")

        spec = BrandDeckSpec.model_validate(attempt.claim.once("brand_brief/spec", paid))
        # The kit's colours and not those the spec repeats: one brand has one palette.
        made = brand_brief(spec, brand_in_force(attempt, version), version.created_at)
        return _deck_files(attempt, version, BRIEF, made, "brand-brief")

    return optional(attempt, saved, BRIEF, work)


def document(attempt: Attempt, saved: Json) -> Json:
    """Make the plan of phase 2 or the checklist of phase 3 as documents; nothing in Phase 1."""
    part = DOCUMENTS.get(attempt.phase)
    if part is None:
        return []

    def work(version: PacketVersion) -> Iterable[Deliverable]:
        make = {2: phase2_plan, 3: phase3_checklist}[version.phase]
        name = {2: "social-marketing-plan", 3: "launch-checklist"}[version.phase]
        made = make(projects.get(attempt.db, attempt.project_id), version, brand_in_force(attempt, version))
        (kind, label), (md_kind, md_label) = part.promises
        files = (
            File(kind, label, f"{name}.html", HTML, made.html.encode(), {}),
            File(md_kind, md_label, f"{name}.md", MARKDOWN, made.markdown.encode(), {}),
        )
        return (store(attempt, version, file) for file in files)

    return optional(attempt, saved, part, work)


def brand_in_force(attempt: Attempt, version: PacketVersion) -> Brand:
    """Return the brand of the project's latest Phase 1 packet, or of its idea before there is one."""
    project = projects.get(attempt.db, attempt.project_id)
    phase1 = version if version.phase == 1 else versions.latest(attempt.db, attempt.project_id, 1)
    kit = None
    if version.phase >= 1 and phase1 is not None:
        try:
            kit = BrandKit.model_validate(phase1.packet.get("brand_kit"))
        except ValidationError:
            attempt.progress.log("The Phase 1 packet has no usable brand kit; the idea's own colours are taken.")
    return brand_of(kit, project.idea_description, project.name)


def _deck_files(attempt: Attempt, version: PacketVersion, part: Part, made: Deck, name: str) -> Iterable[Deliverable]:
    (kind, label), (pptx_kind, pptx_label) = part.promises
    files = (
        File(kind, label, f"{name}.html", HTML, made.html.encode(), {"slides": made.slides}),
        File(pptx_kind, pptx_label, f"{name}.pptx", PPTX, made.pptx, {"slides": made.slides}),
    )
    return (store(attempt, version, file) for file in files)
