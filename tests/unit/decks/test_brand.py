"""A brand can be read, whatever colours it is given; the same idea always looks the same, unlike ones do not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.brand import Brand, brand_of, contrast, readable
from studio.brand.colors import GRAPHICS_CONTRAST, TEXT_CONTRAST, find_hex, from_oklch, legible, oklch
from studio.brand.fonts import pair, typeface
from studio.packets.phase1 import BrandKit
from tests.support import deck_samples

HEX = st.from_regex(r"#[0-9A-F]{6}", fullmatch=True)
ROLE = st.sampled_from(["text", "background", "cards", "primary accent", "secondary", "muted text", "", "Hintergrund"])


def kit(*entries: str, fonts: str = "Arial") -> BrandKit:
    return BrandKit(voice="plain", color_palette=list(entries), font_pairing=fonts, logo_prompt="a plain square")


def assert_readable(brand: Brand) -> None:
    for ground in (brand.background, brand.surface):
        for text in (brand.text, brand.muted_text, brand.accent_text):
            assert contrast(text, ground) >= TEXT_CONTRAST
        for line in (brand.accent, brand.accent_secondary):
            assert contrast(line, ground) >= GRAPHICS_CONTRAST
    assert contrast(brand.on_accent, brand.accent) >= TEXT_CONTRAST
    assert contrast(brand.on_accent_secondary, brand.accent_secondary) >= TEXT_CONTRAST
    assert contrast(brand.on_accent_fill, brand.accent_fill) >= TEXT_CONTRAST


@given(st.lists(st.tuples(HEX, ROLE), min_size=3, max_size=8), st.text(max_size=20))
@settings(max_examples=60, deadline=None)
def test_every_kit_becomes_a_brand_that_can_be_read(entries: list[tuple[str, str]], seed: str) -> None:
    assert_readable(brand_of(kit(*(f"{color} {role}".strip() for color, role in entries)), seed))


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_every_idea_has_a_brand_that_can_be_read(seed: str) -> None:
    assert_readable(brand_of(None, seed))


def test_colours_that_can_be_read_stay_what_they_are_and_nothing_is_repaired() -> None:
    brand = brand_of(kit("#1F4D3A text", "#F5EFE0 background", "#A8402B primary accent", "#2B5F8A secondary"), "idea")
    assert (brand.text, brand.background) == ("#1F4D3A", "#F5EFE0")
    assert (brand.accent, brand.accent_secondary, brand.accent_fill) == ("#A8402B", "#2B5F8A", "#A8402B")
    assert brand.repairs == ()


def test_an_accent_too_light_for_lines_stays_the_colour_of_fills_and_that_is_told() -> None:
    brand = brand_of(deck_samples.kit(), "idea")
    assert brand.accent_fill == "#FFC93C"
    assert brand.accent != brand.accent_fill
    assert any("#FFC93C" in repair for repair in brand.repairs)


def test_a_kit_without_a_single_colour_has_the_palette_of_the_idea() -> None:
    named = brand_of(kit("deep green", "cream", "brick"), "an idea")
    assert named.palette == brand_of(None, "an idea").palette


def test_the_same_idea_looks_the_same_and_unlike_ideas_do_not() -> None:
    offers, people = ("Lockers", "Soup", "Maps", "Payroll"), ("nurses", "choirs", "bees")
    ideas = [f"{offer} for {whom}" for offer in offers for whom in people]
    brands = [brand_of(None, idea) for idea in ideas]
    assert brand_of(None, ideas[0]) == brands[0]
    assert len({brand.accent for brand in brands}) == len(ideas)
    shapes = {(b.look.cover, b.look.frame, b.look.cards, b.look.motif, b.heading_font) for b in brands}
    assert len(shapes) == len(ideas)
    assert len({brand.look.cover for brand in brands}) >= 3
    assert {brand.dark for brand in brands} == {True, False}


@pytest.mark.parametrize(
    ("a", "b", "ratio"), [("#000000", "#FFFFFF", 21.0), ("#777777", "#FFFFFF", 4.48), ("#FF0000", "#FF0000", 1.0)]
)
def test_contrast_is_that_of_wcag(a: str, b: str, ratio: float) -> None:
    assert contrast(a, b) == contrast(b, a) == pytest.approx(ratio, abs=0.005)


@given(HEX)
@settings(deadline=None)
def test_something_is_readable_on_every_ground(ground: str) -> None:
    assert contrast(readable(ground), ground) >= TEXT_CONTRAST
    assert readable(ground, ground) != ground


@given(HEX)
@settings(deadline=None)
def test_a_colour_survives_the_way_through_oklch(color: str) -> None:
    back = from_oklch(*oklch(color))
    assert all(abs(int(color[i : i + 2], 16) - int(back[i : i + 2], 16)) <= 1 for i in (1, 3, 5))


@given(HEX, HEX)
@settings(deadline=None)
def test_a_legible_colour_is_moved_in_lightness_only(color: str, ground: str) -> None:
    moved = legible(color, [ground])
    assert contrast(moved, ground) >= TEXT_CONTRAST
    # Close to black and to grey a step of eight bits turns the hue further than a lightness does.
    if min(oklch(one).chroma for one in (color, moved)) > 0.05 and oklch(moved).lightness > 0.25:
        turned = abs(oklch(color).hue - oklch(moved).hue) % 360
        assert min(turned, 360 - turned) < 8


@pytest.mark.parametrize(
    ("text", "found"), [("#abc", "#AABBCC"), ("sea #12ab9f, text", "#12AB9F"), ("#12345", None), ("none", None)]
)
def test_colours_are_found_in_what_a_model_writes(text: str, found: str | None) -> None:
    assert find_hex(text) == found


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Fraunces headings with Inter body", ("Fraunces", "Inter")),
        ("Georgia / Verdana", ("Georgia", "Verdana")),
        ("IBM Plex Sans", ("IBM Plex Sans", "IBM Plex Sans")),
        ("'; } html { color: red", ("", "")),
    ],
)
def test_fonts_are_found_in_what_a_model_writes(text: str, names: tuple[str, str]) -> None:
    assert pair(text) == names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Georgia", "Georgia"),
        ("Playfair Display", "Times New Roman"),
        ("JetBrains Mono", "Courier New"),
        ("Nobody Sans", "Arial"),
        ("", "Arial"),
    ],
)
def test_a_font_that_cannot_be_counted_on_is_shown_in_a_relative(name: str, shown: str) -> None:
    assert typeface(name).name == shown


def test_a_font_list_holds_only_plain_names() -> None:
    assert typeface("Arial").stack("x'; background: url(//evil)", "Inter").startswith("'Inter', 'Arial'")
