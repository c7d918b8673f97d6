"""A palette: six colours by their role, in which everything that is drawn can be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

from studio.brand.colors import (
    GRAPHICS_CONTRAST,
    TEXT_CONTRAST,
    contrast,
    find_hex,
    from_oklch,
    legible,
    mix,
    oklch,
    readable,
)
from studio.brand.look import TONES, Lot, Tone

ROLES = ("background", "surface", "text", "muted_text", "accent", "accent_secondary")

# Words by which a palette's entry says what it is for; the first role that matches wins.
_ROLE_WORDS: tuple[tuple[str, str], ...] = (
    ("muted_text", r"muted|secondary text|caption|subtle text|gedämpft"),
    ("background", r"background|canvas|page|paper|backdrop|ground|hintergrund|fond"),
    ("surface", r"surface|card|panel|section|fläche"),
    ("accent_secondary", r"secondary|second accent|support|complement|highlight|zweit|sekundär"),
    ("accent", r"accent|primary|button|cta|call to action|brand|action|akzent|primär"),
    ("text", r"text|ink|body|copy|headings?|schrift"),
)
# Between these a ground carries neither dark nor light text well, and two of them are hard to tell apart.
_DARKEST_LIGHT_GROUND, _LIGHTEST_DARK_GROUND = 0.88, 0.34
# How far a colour's lightness may be moved before it reads as another colour.
_RECOGNISABLE = 0.13
_HARMONIES = (40.0, 70.0, 150.0, 180.0, 210.0, -60.0)


@dataclass(frozen=True)
class Palette:
    """Colours `#RRGGBB` by role. `repairs` says what was moved, and why, in sentences."""

    background: str
    surface: str
    text: str
    muted_text: str
    accent: str
    accent_secondary: str
    # The accent as a text colour, and the text on each accent.
    accent_text: str
    on_accent: str
    on_accent_secondary: str
    # The accents as they were given, for large fills and ornament, where nothing has to be made out; text on the first.
    accent_fill: str
    secondary_fill: str
    on_accent_fill: str
    repairs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def dark(self) -> bool:
        """Whether light text stands on a dark ground."""
        return contrast(self.background, "#FFFFFF") > contrast(self.background, "#000000")

    def colors(self) -> dict[str, str]:
        """Return every colour by its role: what decks, documents and pages are drawn in, and nothing else."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name != "repairs"}


def from_seed(seed: str) -> Palette:
    """Return a palette that follows from the idea alone."""
    lot = Lot(seed)
    tone: Tone = lot.choice("tone", TONES)
    hue = lot.number("hue") * 360
    other = (hue + lot.choice("harmony", _HARMONIES)) % 360
    vivid = 0.11 + 0.07 * lot.number("chroma")
    if tone == "night":
        given = {
            "background": from_oklch(0.20, 0.028, hue),
            "surface": from_oklch(0.265, 0.034, hue),
            "text": from_oklch(0.965, 0.012, hue),
            "muted_text": from_oklch(0.77, 0.025, hue),
            "accent": from_oklch(0.78, vivid, hue),
            "accent_secondary": from_oklch(0.72, 0.13, other),
        }
    else:
        ground = {
            "white": ("#FFFFFF", from_oklch(0.965, 0.008, hue)),
            "paper": (from_oklch(0.975, 0.010, 85), from_oklch(0.938, 0.016, 85)),
            "tint": (from_oklch(0.955, 0.022, hue), from_oklch(0.99, 0.006, hue)),
        }[tone]
        given = {
            "background": ground[0],
            "surface": ground[1],
            "text": from_oklch(0.23, 0.03, hue),
            "muted_text": from_oklch(0.48, 0.03, hue),
            "accent": from_oklch(0.50, vivid, hue),
            "accent_secondary": from_oklch(0.62, 0.14, other),
        }
    # Nobody's colours were moved: these are made here.
    return replace(repaired(given, seed), repairs=())


def from_entries(entries: Iterable[str], seed: str) -> Palette:
    """Return the palette that a brand kit's entries name ("#1F4D3A deep green, text").

    An entry's words give its colour a role; colours without words take the roles that their lightness and chroma
    suit. Roles that nothing fills are derived from the rest. Without a single colour, the palette of the seed.
    """
    given: dict[str, str] = {}
    loose: list[str] = []
    for entry in entries:
        color = find_hex(entry)
        if color is None:
            continue
        roles = [role for role, words in _ROLE_WORDS if re.search(rf"\b(?:{words})", entry, re.IGNORECASE)]
        free = next((role for role in roles if role not in given), None)
        if free:
            given[free] = color
        else:
            loose.append(color)
    if not given and not loose:
        return from_seed(seed)
    _place(loose, given)
    return repaired(given, seed)


def _place(loose: Sequence[str], given: dict[str, str]) -> None:
    """Give colours without a role the one they suit: grounds are light or dark and dull, accents are vivid."""
    rest = list(loose)
    if "background" not in given and rest:
        lightest = max(rest, key=lambda color: oklch(color).lightness)
        if oklch(lightest).lightness >= _DARKEST_LIGHT_GROUND:
            given["background"] = lightest
            rest.remove(lightest)
    if "text" not in given and rest:
        darkest = min(rest, key=lambda color: oklch(color).lightness)
        if oklch(darkest).lightness <= _LIGHTEST_DARK_GROUND:
            given["text"] = darkest
            rest.remove(darkest)
    rest.sort(key=lambda color: oklch(color).chroma, reverse=True)
    for role in ("accent", "accent_secondary", "surface"):
        if role not in given and rest:
            given[role] = rest.pop(0)


def repaired(given: dict[str, str], seed: str) -> Palette:
    """Return a palette of the given roles in which text has 4.5:1 and graphics 3:1 on every ground they stand on.

    A colour that does not is moved in lightness until it does; a missing one is derived. What was moved is told.
    """
    repairs: list[str] = []
    accent = given.get("accent") or given.get("accent_secondary") or given.get("text") or from_seed(seed).accent
    background = _ground(given.get("background"), given.get("text"), accent, repairs)
    dark = contrast(background, "#FFFFFF") > contrast(background, "#000000")
    ink = from_oklch(0.965 if dark else 0.22, 0.015, oklch(accent).hue)
    surface = _surface(given.get("surface"), background, ink, repairs)
    grounds = (background, surface)

    def fit(role: str, wanted: str, ratio: float) -> str:
        color = legible(wanted, grounds, ratio)
        if color != wanted and role in given:
            worst = min(contrast(wanted, ground) for ground in grounds)
            repairs.append(f"{_words(role)} {wanted} became {color}: {worst:.1f}:1 was below {ratio:g}:1.")
        return color

    text = fit("text", given.get("text", ink), TEXT_CONTRAST)
    muted = fit("muted_text", given.get("muted_text", mix(text, background, 0.32)), TEXT_CONTRAST)
    wanted_second = given.get("accent_secondary") or _companion(accent, Lot(seed))
    second = fit("accent_secondary", wanted_second, GRAPHICS_CONTRAST)
    main = legible(accent, grounds, GRAPHICS_CONTRAST)
    if _recognisable(accent, main):
        main = fit("accent", accent, GRAPHICS_CONTRAST)
    else:
        main = second if _recognisable(wanted_second, second) else text
        worst = min(contrast(accent, ground) for ground in grounds)
        repairs.append(
            f"Accent {accent} ({worst:.1f}:1) is kept for large fills; lines and charts are drawn in {main}."
        )
    accent_text = next(
        (moved for color in (main, second) if _recognisable(color, moved := legible(color, grounds))), text
    )
    return Palette(
        background=background,
        surface=surface,
        text=text,
        muted_text=muted,
        accent=main,
        accent_secondary=second,
        accent_text=accent_text,
        on_accent=readable(main, background, text),
        on_accent_secondary=readable(second, background, text),
        accent_fill=accent,
        secondary_fill=wanted_second,
        on_accent_fill=readable(accent, background, text),
        repairs=tuple(repairs),
    )


def turned(palette: Palette) -> Palette:
    """Return the same colours on their other ground: text and background change places, what cannot be read is moved.

    It is what a page shows to visitors who prefer the other colour scheme.
    """
    given = {
        "background": palette.text,
        "text": palette.background,
        "accent": palette.accent_fill,
        "accent_secondary": palette.secondary_fill,
    }
    # No role is left open, so that no seed is asked for anything.
    return replace(repaired(given, ""), repairs=())


def _ground(wanted: str | None, text: str | None, accent: str, repairs: list[str]) -> str:
    if wanted is None:
        light_text = text is not None and oklch(text).lightness > 0.6
        return from_oklch(0.20, 0.025, oklch(accent).hue) if light_text else from_oklch(0.98, 0.008, oklch(accent).hue)
    lightness, chroma, hue = oklch(wanted)
    if _LIGHTEST_DARK_GROUND < lightness < _DARKEST_LIGHT_GROUND:
        light = lightness > (_LIGHTEST_DARK_GROUND + _DARKEST_LIGHT_GROUND) / 2
        moved = from_oklch(_DARKEST_LIGHT_GROUND if light else _LIGHTEST_DARK_GROUND, chroma, hue)
        repairs.append(f"Background {wanted} became {moved}: text is hard to read on a middle tone.")
        return moved
    return wanted


def _surface(wanted: str | None, background: str, ink: str, repairs: list[str]) -> str:
    lightness, chroma, hue = oklch(background)
    dark = lightness < 0.5
    derived = from_oklch(lightness + 0.06, chroma + 0.006, hue) if dark else mix(background, ink, 0.055)
    if wanted is None:
        return derived
    # A surface on the other side of the text would need text colours of its own.
    if contrast(wanted, background) > 1.6 or contrast(ink, wanted) < TEXT_CONTRAST:
        repairs.append(f"Surface {wanted} became {derived}: it must carry the same text as the background.")
        return derived
    return wanted


def _companion(accent: str, lot: Lot) -> str:
    lightness, chroma, hue = oklch(accent)
    return from_oklch(min(0.8, max(0.5, lightness + 0.08)), max(0.1, chroma), hue + lot.choice("harmony", _HARMONIES))


def _recognisable(color: str, moved: str) -> bool:
    """Whether a colour is still itself after its lightness was moved; a yellow that became brown is not."""
    return abs(oklch(color).lightness - oklch(moved).lightness) <= _RECOGNISABLE


def _words(role: str) -> str:
    return role.replace("_", " ").capitalize()
