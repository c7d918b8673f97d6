"""The Phase 1 deck (validate): landing page, brand, waitlist, mails, social."""

from __future__ import annotations

from studio.brand import Brand, contrast
from studio.brand.colors import find_hex
from studio.decks.content import common
from studio.decks.content.common import items, plural, texts
from studio.decks.model import (
    Cell,
    Column,
    Columns,
    Fact,
    Hero,
    Item,
    Listing,
    Notes,
    Slide,
    Split,
    Swatch,
    Swatches,
    Table,
    Type,
    clean,
)
from studio.packets.phase1 import (
    Analytics,
    BrandKit,
    LandingCopy,
    Phase1Packet,
    SequenceEmail,
    SocialStrategy,
    Waitlist,
)
from studio.packets.versions import PacketVersion
from studio.projects import Project


def slides(project: Project, version: PacketVersion, packet: Phase1Packet, brand: Brand) -> list[Slide]:
    """Return the deck's slides in their order."""
    synopsis = packet.reasoning_synopsis
    return [
        common.cover(project, version),
        common.summary(packet.summary),
        *_landing(packet.landing_page),
        *_brand(packet.brand_kit, brand),
        _waitlist(packet.waitlist),
        _analytics(packet.analytics),
        mails(packet.email_sequence.emails, "Welcome sequence", "mail", "after the address is confirmed"),
        *_social(packet.social_strategy),
        common.verdict(synopsis),
        common.risks(synopsis),
        *common.next_steps(synopsis.next_actions, synopsis.proposed_actions),
        common.evidence(synopsis.evidence),
        common.closing(project, version, synopsis),
    ]


def _landing(page: LandingCopy) -> list[Slide]:
    sections = tuple(Item(clean(one.body), heading=clean(one.title)) for one in page.section_copy)
    checks = texts(page.launch_notes)
    draft = "this is copy for a draft page; nothing is published before it is approved."
    return [
        Slide(
            title="What the page says first",
            kicker="Landing page",
            body=Hero(clean(page.headline), clean(page.subheadline), clean(page.primary_cta)),
            notes=Notes(
                say=clean(page.headline),
                details=(clean(page.subheadline), f"Button: {clean(page.primary_cta)}"),
                unsourced=(draft,),
            ),
        ),
        Slide(
            title=f"The page in {plural(len(sections), 'section')}",
            kicker="Landing page",
            body=Listing(sections, mark="number", cards=True),
            notes=Notes(
                say="The sections as a visitor reads them.",
                details=tuple(f"{one.heading}: {one.text}" for one in sections),
                unsourced=(draft,),
            ),
        ),
        Slide(
            title="To check before the page goes live",
            kicker="Landing page",
            body=Listing(items(checks), mark="check"),
            notes=Notes(say="None of these has been checked yet.", details=checks, unsourced=(common.PLAN,)),
        ),
    ]


def _brand(kit: BrandKit, brand: Brand) -> list[Slide]:
    swatches = []
    for entry in kit.color_palette:
        color = find_hex(entry)
        if color:
            label = clean(entry.replace(color, "").replace(color.lower(), "")).strip(" ,;:–-()")
            swatches.append(Swatch(color, label[:1].upper() + label[1:] or color, color))
    nameless = [clean(entry) for entry in kit.color_palette if not find_hex(entry)]
    remarks = [f"Without a colour value: {', '.join(nameless)}."] if nameless else []
    remarks += list(brand.repairs)
    heading, body = brand.wanted_heading or brand.heading_font, brand.wanted_body or brand.body_font
    stand_ins = [
        f"{wanted} is shown in {face}, because a deck carries no fonts along."
        for wanted, face in ((heading, brand.heading_font), (body, brand.body_font))
        if wanted.lower() != face.lower()
    ]
    text_contrast = contrast(brand.text, brand.background)
    made = [
        Slide(
            title="The voice",
            kicker="Brand",
            body=Split(
                "How it speaks",
                clean(kit.voice),
                Column("What a logo should show", texts([kit.logo_prompt]), "none"),
            ),
            notes=Notes(
                say=clean(kit.voice), details=(f"Logo: {clean(kit.logo_prompt)}",),
                unsourced=("voice and logo are proposals; no logo has been drawn.",),
            ),
        ),
        Slide(
            title=f"The palette: {plural(len(swatches), 'colour')}",
            kicker="Brand",
            body=Swatches(
                tuple(swatches),
                note=" ".join(
                    [*remarks, f"Text on the page's ground has a contrast of {text_contrast:.1f}:1 (4.5:1 is needed)."]
                ),
            ),
            notes=Notes(
                say="Colours as the brand kit names them. Where one could not be read, decks use it lighter or darker.",
                details=texts(kit.color_palette) + tuple(remarks),
                unsourced=(common.JUDGEMENT,),
            ),
        ),
        Slide(
            title="The typefaces",
            kicker="Brand",
            body=Type(clean(heading), clean(body), brand.name, note=" ".join(dict.fromkeys(stand_ins))),
            notes=Notes(
                say=clean(kit.font_pairing), details=tuple(dict.fromkeys(stand_ins)), unsourced=(common.JUDGEMENT,)
            ),
        ),
    ]  # fmt: skip
    return made if swatches else [made[0], made[2]]


def _waitlist(plan: Waitlist) -> Slide:
    fields = texts(plan.form_fields)
    return Slide(
        title="How interest is captured",
        kicker="Waitlist",
        body=Split(
            "The list",
            clean(plan.capture_stack),
            Column("The form asks for", fields, "point"),
            (Fact("Double opt-in", "Yes" if plan.double_opt_in else "No"),),
        ),
        notes=Notes(
            say=f"Target: {clean(plan.target_conversion_rate)}",
            details=(
                clean(plan.capture_stack),
                f"Fields: {', '.join(fields)}.",
                "An address counts only once it is confirmed."
                if plan.double_opt_in
                else "The plan asks for no confirmation; the studio confirms every address all the same.",
            ),
            unsourced=("no traffic has been measured yet.",),
        ),
    )


def _analytics(plan: Analytics) -> Slide:
    return Slide(
        title=f"What is measured: {plural(len(plan.events), 'event')}",
        kicker="Analytics",
        body=Columns(
            (Column("Events", texts(plan.events)), Column("Views of the dashboard", texts(plan.dashboard_views))),
            note=f"Measured with: {clean(plan.provider)}",
        ),
        notes=Notes(
            say=f"Provider: {clean(plan.provider)}",
            details=(*texts(plan.events), *texts(plan.dashboard_views)),
            unsourced=("nothing has been measured yet.",),
        ),
    )


def mails(listed: list[SequenceEmail], kicker: str, noun: str, when: str, remarks: tuple[str, ...] = ()) -> Slide:
    """Return a sequence of mails by day, with remarks below it; the notes have their words in full."""
    rows = tuple(
        (Cell(clean(mail.day), strong=True), Cell(clean(mail.subject), strong=True), Cell(clean(mail.goal)))
        for mail in listed
    )
    bodies = tuple(
        f"{clean(mail.day)}: {clean(mail.subject)}\n" + "\n".join(texts(mail.body))
        + (f"\n[{clean(mail.cta_label)}]" if mail.cta_label else "")
        for mail in listed
    )  # fmt: skip
    return Slide(
        title=f"{plural(len(listed), noun).capitalize()}, {when}",
        kicker=kicker,
        body=Table(
            ("When", "Subject", "What it is for"), (1.3, 3.6, 5.0), rows,
            note=" ".join((*remarks, "The mails in full stand in the notes.")),
        ),
        notes=Notes(
            say="None of these has been sent. They go out only after an approval.", details=bodies,
            unsourced=(common.PLAN,),
        ),
    )  # fmt: skip


def _social(plan: SocialStrategy) -> list[Slide]:
    pillars, channels = texts(plan.content_pillars), texts(plan.channels)
    return [
        Slide(
            title=f"{plural(len(channels), 'channel')}, {plural(len(pillars), 'theme')}",
            kicker="Social",
            body=Columns(
                (Column("Channels", channels), Column("Themes", pillars)),
                note=f"Rhythm: {clean(plan.posting_cadence)}",
            ),
            notes=Notes(
                say=f"Rhythm: {clean(plan.posting_cadence)}", details=(*channels, *pillars), unsourced=(common.PLAN,)
            ),
        )
    ]
