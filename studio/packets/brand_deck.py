"""The brand brief as the design agent specifies it (domain specification §4, brand deck spec)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from studio.packets.fields import PacketModel, squeeze

SlideKind = Literal[
    "cover", "positioning", "logo_system", "palette", "typography", "imagery", "voice", "guidelines", "closing"
]
Layout = Literal["statement", "split_image_left", "split_image_right", "full_image", "grid", "rules", "spotlight"]

Hex = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
FontName = Annotated[str, squeeze(80), Field(min_length=2, max_length=80)]
Rule = Annotated[str, squeeze(140), Field(min_length=4, max_length=140)]

PALETTE_COLORS = 3
GUIDELINE_RULES = 3


class StyleTokens(PacketModel):
    """The six colours of everything that is drawn."""

    background: Hex
    surface: Hex
    text: Hex
    muted_text: Hex
    accent: Hex
    accent_secondary: Hex


class Typography(PacketModel):
    """Fonts by name; a renderer falls back to what is installed."""

    heading_font: FontName
    body_font: FontName


class BrandSlide(PacketModel):
    """One slide of the brand brief."""

    kind: SlideKind
    layout: Layout
    kicker: Annotated[str, squeeze(80), Field(min_length=2, max_length=80)]
    title: Annotated[str, squeeze(140), Field(min_length=8, max_length=140)]
    subtitle: Annotated[str, squeeze(220), Field(max_length=220)] = ""
    body: Annotated[str, squeeze(700), Field(max_length=700)] = ""
    bullets: list[Annotated[str, squeeze(180), Field(min_length=4, max_length=180)]] = Field(
        default_factory=list, max_length=7
    )
    do: list[Rule] = Field(default_factory=list, max_length=6)
    dont: list[Rule] = Field(default_factory=list, max_length=6)
    palette_focus: list[Hex] = Field(default_factory=list, max_length=6)


class BrandDeckSpec(PacketModel):
    """The brand brief. It must hold a cover, a palette, guidelines and a closing."""

    visual_direction: Annotated[str, squeeze(260), Field(min_length=12, max_length=260)]
    narrative: Annotated[str, squeeze(700), Field(min_length=40, max_length=700)]
    typography: Typography
    style_tokens: StyleTokens
    slides: list[BrandSlide] = Field(min_length=6, max_length=10)

    @model_validator(mode="after")
    def _holds_what_it_must(self) -> BrandDeckSpec:
        kinds = {slide.kind for slide in self.slides}
        if missing := {"cover", "palette", "guidelines", "closing"} - kinds:
            raise ValueError(f"there is no slide of kind {', '.join(sorted(missing))}")
        if not any(s.kind == "palette" and len(s.palette_focus) >= PALETTE_COLORS for s in self.slides):
            raise ValueError("the palette slide needs at least 3 colours in palette_focus")
        if not any(
            s.kind == "guidelines" and len(s.do) >= GUIDELINE_RULES and len(s.dont) >= GUIDELINE_RULES
            for s in self.slides
        ):
            raise ValueError("the guidelines slide needs at least 3 entries each in do and dont")
        return self
