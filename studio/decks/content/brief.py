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
# An accent is shown as the brand has it; where lines need it darker or lighter, the repairs say so.
_SHOWN = {"accent": "accent_fill", "accent_secondary": "secondary_fill"}


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
            heading, body = _fonts(brand)
            fonts = (Fact("Headings", heading), Fact("Text", body))
            subtitle = clean(one.subtitle) or clean(spec.visual_direction)
            return [
                slide(Cover(subtitle, fonts), extra=texts([spec.visual_direction, spec.narrative])),
                *([slide(Statement(clean(one.body)))] if one.body else []),
            ]
        case "closing":
            return [slide(Closing(clean(one.subtitle) or clean(one.body)))]
        case "palette":
            return [slide(_swatches(one, spec, brand), extra=brand.repairs)]
        case "typography":
            stand_ins = tuple(
                f"{clean(wanted)} is shown in {face}, because a deck carries no fonts along."
                for wanted, face in ((brand.wanted_heading, brand.heading_font), (brand.wanted_body, brand.body_font))
                if wanted and wanted.lower() != face.lower()
            )
            remark = " ".join(dict.fromkeys(texts([one.body or one.subtitle, *stand_ins])))
            made = [slide(Type(*_fonts(brand), clean(brand.name), note=remark), extra=stand_ins)]
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
    return Columns(
        (Column("Do", texts(one.do)), Column("Don't", texts(one.dont))), note=clean(one.body or one.subtitle)
    )


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


def _fonts(brand: Brand) -> tuple[str, str]:
    """Return the brand's fonts by the names that it asks for; what the design agent writes does not change them."""
    return clean(brand.wanted_heading) or brand.heading_font, clean(brand.wanted_body) or brand.body_font


def _swatches(one: BrandSlide, spec: BrandDeckSpec, brand: Brand) -> Swatches:
    """Return the brand's own colours, those first that the slide asks for.

    The agent names colours by its own tokens. What is shown is what the brand has in that role, so that page, decks
    and brief agree to the letter.
    """
    roles = {getattr(spec.style_tokens, role).upper(): role for role in reversed(_NAMES)}
    own = {role: getattr(brand.palette, _SHOWN.get(role, role)) for role in _NAMES}
    wanted = [role for color in one.palette_focus if (role := roles.get(color.upper()))]
    named = [role for color in one.palette_focus for role, mine in own.items() if mine == color.upper()]
    order = dict.fromkeys([*wanted, *named]) or dict.fromkeys(own)
    by_color: dict[str, str] = {}
    for role in order:
        by_color.setdefault(own[role], _NAMES[role])
    remarks = [clean(one.body or one.subtitle)] if one.body or one.subtitle else []
    remarks += list(brand.repairs)
    remarks.append(f"Text on the background: {contrast(brand.text, brand.background):.1f}:1.")
    return Swatches(tuple(Swatch(color, name, color) for color, name in by_color.items()), note=" ".join(remarks))
