"""The brand brief: the slides that the design agent specifies, in the brand's own colours and fonts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from studio.brand import Brand, contrast
from studio.decks.content.common import texts
from studio.decks.model import (
    Body,
    Closing,
    Column,
    Columns,
    Cover,
    Fact,
    GroundName,
    Item,
    Listing,
    Notes,
    Plate,
    Slide,
    Statement,
    Swatch,
    Swatches,
    Type,
    clean,
)
from studio.packets.brand_deck import BrandDeckSpec, BrandSlide

_PROPOSAL = "this is the design agent's proposal."
_STAND_IN = "no logo or picture has been made: the slide shows the brand's pattern and initial instead."
_NAMES = {
    "background": "Background", "surface": "Surface", "text": "Text", "muted_text": "Lesser text",
    "accent": "Accent", "accent_secondary": "Second accent",
}  # fmt: skip


def slides(spec: BrandDeckSpec, brand: Brand) -> list[Slide]:
    """Return the brief's slides in the order of its spec."""
    made: list[Slide] = []
    for one in spec.slides:
        made.extend(_slide(one, spec, brand))
    return made


def _slide(one: BrandSlide, spec: BrandDeckSpec, brand: Brand) -> list[Slide]:
    kicker, title = clean(one.kicker), clean(one.title)
    told = texts(
        [one.subtitle, one.body, *one.bullets, *(f"Do: {r}" for r in one.do), *(f"Don't: {r}" for r in one.dont)]
    )

    def slide(body: Body, *, extra: tuple[str, ...] = (), stand_in: bool = False, ground: GroundName = "page") -> Slide:
        notes = Notes(
            say=title, details=(*told, *extra), unsourced=(_PROPOSAL, _STAND_IN) if stand_in else (_PROPOSAL,)
        )
        return Slide(title, body, notes, kicker, ground)

    match one.kind:
        case "cover":
            fonts = (
                Fact("Headings", clean(spec.typography.heading_font)),
                Fact("Text", clean(spec.typography.body_font)),
            )
            subtitle = clean(one.subtitle) or clean(spec.visual_direction)
            return [
                slide(Cover(subtitle, fonts), extra=texts([spec.visual_direction, spec.narrative])),
                *([slide(Statement(clean(one.body)))] if one.body else []),
            ]
        case "closing":
            return [slide(Closing(clean(one.subtitle) or clean(one.body) or clean(spec.visual_direction)))]
        case "palette":
            return [slide(_swatches(one, spec, brand), extra=brand.repairs)]
        case "typography":
            stand_ins = tuple(
                f"{clean(wanted)} is shown in {face}, because a deck carries no fonts along."
                for wanted, face in ((brand.wanted_heading, brand.heading_font), (brand.wanted_body, brand.body_font))
                if wanted and wanted.lower() != face.lower()
            )
            sample = clean(one.body) or clean(one.subtitle) or clean(spec.visual_direction)
            made = [slide(Type(
                clean(spec.typography.heading_font), clean(spec.typography.body_font), sample,
                " ".join(dict.fromkeys(stand_ins)),
            ), extra=stand_ins)]  # fmt: skip
            return made + ([slide(Listing(tuple(map(Item, texts(one.bullets))), cards=True))] if one.bullets else [])
        case "guidelines":
            return [slide(_rules(one))]
        case "logo_system":
            return [slide(_plate(one, "mark"), stand_in=True)]
        case _:
            return [_free(one, slide)]


def _free(one: BrandSlide, slide: Callable[..., Slide]) -> Slide:
    """Return a slide by its layout, which its kind does not decide."""
    if one.layout == "rules" and one.do and one.dont:
        return slide(_rules(one))
    if one.layout == "grid" and one.bullets:
        return slide(Listing(tuple(map(Item, texts(one.bullets))), cards=True, mark="number"))
    if one.layout == "statement" and not one.bullets and (one.body or one.subtitle):
        return slide(Statement(clean(one.body or one.subtitle)), ground="ink" if one.kind == "positioning" else "page")
    return slide(_plate(one, "pattern"), stand_in=one.kind == "imagery")


def _rules(one: BrandSlide) -> Columns:
    return Columns((Column("Do", texts(one.do)), Column("Don't", texts(one.dont))), clean(one.body or one.subtitle))


def _plate(one: BrandSlide, drawing: Literal["mark", "pattern"]) -> Plate:
    layout: Literal["left", "right", "full", "spotlight"] = "right"
    match one.layout:
        case "split_image_left":
            layout = "left"
        case "full_image" if drawing == "pattern":
            layout = "full"
        case "spotlight" if drawing == "pattern":
            layout = "spotlight"
    return Plate(clean(one.subtitle), clean(one.body), texts(one.bullets), drawing, layout)


def _swatches(one: BrandSlide, spec: BrandDeckSpec, brand: Brand) -> Swatches:
    tokens = {getattr(spec.style_tokens, role).upper(): name for role, name in _NAMES.items()}
    shown = dict.fromkeys(color.upper() for color in one.palette_focus)
    swatches = tuple(Swatch(color, tokens.get(color, color), color) for color in shown)
    remarks = [clean(one.body or one.subtitle)] if one.body or one.subtitle else []
    remarks += list(brand.repairs)
    remarks.append(f"Text on the background: {contrast(brand.text, brand.background):.1f}:1.")
    return Swatches(swatches, " ".join(remarks))
