"""One brand looks like one: page, deck and brief have the same colours to the letter, and the same fonts."""

from __future__ import annotations

import colorsys
import io
import re
from collections.abc import Callable
from itertools import product

import pptx
import pytest

from studio.brand import Brand, brand_of, contrast, turned
from studio.brand.colors import TEXT_CONTRAST, channels, mix
from studio.landing.document import check
from studio.packets.phase1 import BrandKit
from studio.sandbox.landing.compose import LAYOUTS, page
from studio.sandbox.landing.inks import TINTS, Inks
from tests.support import sandbox_packets as sandbox
from tests.support.landing import IDEAS, branded, landing_facts, sandbox_facts
from tests.support.landing import page as plain_page

# A palette that has to be mended: text too pale, an accent too light for lines, a ground in the middle.
HARD = BrandKit(
    voice="Loud and plain.",
    color_palette=["#8C8C84 text", "#EDE6D0 background", "#FFD23F accent", "#7FB7BE second accent"],
    font_pairing="Playfair Display / Inter",
    logo_prompt="a plain square",
)
NIGHT = BrandKit(
    voice="Quiet.",
    color_palette=["#12161F background", "#F2F4F8 text", "#8FB4FF accent", "#FFC66B second accent", "#1B2230 surface"],
    font_pairing="Georgia / Arial",
    logo_prompt="a plain circle",
)
ROLES = ("background", "text", "accent_fill", "secondary_fill")


def themes(data: bytes) -> tuple[set[str], list[str]]:
    """Return the colours and the two fonts of a presentation's theme."""
    master = pptx.Presentation(io.BytesIO(data)).slide_master
    theme = next(rel.target_part for rel in master.part.rels.values() if rel.reltype.endswith("/theme")).blob.decode()
    fonts = re.findall(r'<a:(?:major|minor)Font>\s*<a:latin typeface="([^"]+)"', theme)
    return {f"#{found}" for found in re.findall(r'srgbClr val="(\w{6})"', theme)}, fonts


def colors_in(source: str) -> set[str]:
    return {found.upper() for found in re.findall(r"#[0-9A-Fa-f]{6}(?![0-9A-Fa-f])", source)}


# Unlike ideas in two languages; each builds two presentations, which takes its time.
@pytest.mark.parametrize("of", ["bakery", "nurses", "vinyl", "drones", "farm"])
def test_page_deck_and_brief_of_an_idea_have_one_brand(of: str) -> None:
    brand = sandbox.brand(of)
    deck, brief, landing = sandbox.deck(of, 1), sandbox.brief(of), sandbox.landing(of)
    wanted = {getattr(brand.palette, role) for role in ROLES}
    for made in (deck, brief):
        colors, fonts = themes(made.pptx)
        assert wanted <= colors
        assert fonts == [brand.heading_font, brand.body_font]
        assert all(
            f"--{role.replace('_', '-')}:{color};" in made.html for role, color in brand.palette.colors().items()
        )
    assert {brand.background, brand.text} <= colors_in(landing)
    for stack in (brand.heading_stack, brand.body_stack):
        # The page is written anew with other quotation marks.
        assert stack.replace("'", '"') in landing
        assert stack in deck.html
        assert stack in brief.html


def allowed(brand: Brand) -> set[str]:
    """Return every colour of a brand on both grounds, and the tints that may be mixed from them."""
    found = {"#000000", "#FFFFFF"}
    for palette in (brand.palette, turned(brand.palette)):
        own = set(palette.colors().values())
        found |= own | {mix(palette.background, color, share) for color, share in product(own, TINTS)}
    return found


@pytest.mark.parametrize("kit", [None, HARD, NIGHT], ids=["own", "hard", "night"])
@pytest.mark.parametrize("direction", LAYOUTS)
def test_a_page_has_the_brand_s_colours_and_fonts_and_no_others(direction: str, kit: BrandKit | None) -> None:
    for of in ("bakery", "drones") if kit is None else ("drones",):
        facts = landing_facts(of) if kit is None else landing_facts(of, brand_kit=kit)
        source = page(sandbox_facts(facts, direction))
        assert colors_in(source) <= allowed(facts.brand), direction
        families = set(re.findall(r"--(?:head|text):([^;]+);", source))
        assert families <= {facts.brand.heading_stack, facts.brand.body_stack}
        # Whatever the kit is, the page can be read, and is recognised as the brand's.
        assert check(source, facts.copy, facts.known, facts.brand) == []


def test_what_the_design_agent_writes_about_colours_does_not_change_the_brand_of_a_brief() -> None:
    spec = sandbox.brief_spec("tools")
    others = spec.style_tokens.model_copy(update={"accent": "#FF00FF", "background": "#00FF00"})
    wild = spec.model_copy(update={"style_tokens": others})
    brand = sandbox.brand("tools")
    html = sandbox.drawn_brief(wild, brand).html
    assert "#FF00FF" not in html
    assert "#00FF00" not in html
    assert brand.accent_fill in html


@pytest.mark.parametrize("kit", [HARD, NIGHT], ids=["hard", "night"])
def test_the_other_ground_has_the_same_colours_and_can_be_read(kit: BrandKit) -> None:
    brand = brand_of(kit, "idea")
    other = turned(brand.palette)
    assert other.dark is not brand.dark
    assert (other.accent_fill, other.secondary_fill) == (brand.accent_fill, brand.secondary_fill)
    for text in (other.text, other.muted_text, other.accent_text):
        assert all(contrast(text, ground) >= TEXT_CONTRAST for ground in (other.background, other.surface))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda css, brand: css.replace(brand.background, "#FEFEFE"), "the brand's ground"),
        (lambda css, brand: css.replace(brand.text, "#101010"), "the brand's colour of text"),
        (lambda css, brand: css.replace(brand.accent_fill, "#123456"), "the brand's accent"),
        (lambda css, brand: css.replace(brand.heading_font, "Papyrus"), "the brand's font for headings"),
        (lambda css, brand: css.replace(brand.body_font, "Papyrus"), "the brand's font for text"),
    ],
)
def test_a_page_in_other_colours_or_fonts_is_told(change: Callable[[str, Brand], str], told: str) -> None:
    facts = landing_facts("bakery")
    assert check(plain_page(style=branded(facts), facts=facts), brand=facts.brand) == []
    broken = plain_page(style=change(branded(facts), facts.brand), facts=facts)
    assert [problem.rule for problem in check(broken, brand=facts.brand)] == ["brand"]
    assert told in check(broken, brand=facts.brand)[0].message


def whole_hsl(color: str) -> str:
    """Return a colour as `hsl()` in the whole numbers in which models write it."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in channels(color)))
    return f"{round(hue * 360)} {round(saturation * 100)}% {round(lightness * 100)}%"


def spelled(color: str) -> str:
    red, green, blue = channels(color)
    return f"rgb({red}, {green} ,{blue})"


def without_accent(brand: Brand) -> str:
    return branded(landing_facts("bakery")).replace(brand.accent_fill, "currentcolor")


DRAWING = '<svg aria-hidden="true"><path d="M0 0h9" {}/></svg>'


@pytest.mark.parametrize(
    "written",
    [
        lambda brand: ("", f"h2 {{ border-color: {spelled(brand.accent_fill)} }}"),
        lambda brand: ("", f"h2 {{ border-image: linear-gradient(hsl({whole_hsl(brand.accent_fill)}), #fff) }}"),
        lambda brand: ("", f":root {{ --a: {whole_hsl(brand.accent_fill)} }} h2 {{ border: 1px solid hsl(var(--a)) }}"),
        lambda brand: ("", f"@media (width > 9px) {{ h2 {{ border-color: {brand.accent_fill} }} }}"),
        lambda brand: (f'<p style="border: 1px solid {spelled(brand.accent_fill)}">x</p>', ""),
        lambda brand: (DRAWING.format(f'fill="{brand.accent_fill}"'), ""),
        lambda brand: (DRAWING.format(f'stroke="{spelled(brand.accent_fill)}"'), ""),
        lambda brand: (DRAWING.format(f'style="fill: {spelled(brand.accent_fill)}"'), ""),
    ],
    ids=["rgb", "hsl in a gradient", "hsl of a property", "media", "style attribute", "fill", "stroke", "svg style"],
)
def test_an_accent_counts_however_it_is_written(written: Callable[[Brand], tuple[str, str]]) -> None:
    facts = landing_facts("bakery")
    body, style = written(facts.brand)
    bare = without_accent(facts.brand)
    assert ["accent" in p.message for p in check(plain_page(style=bare, facts=facts), brand=facts.brand)] == [True]
    assert check(plain_page(body, style=bare + style, facts=facts), brand=facts.brand) == []


@pytest.mark.parametrize(
    "style",
    ["/* {} */", 'h2::before {{ content: "{}" }}', "h2 {{ border-color: {}40 }}"],
    ids=["a comment", "a text", "a tint"],
)
def test_what_only_looks_like_the_accent_does_not_count(style: str) -> None:
    facts = landing_facts("bakery")
    source = plain_page(style=without_accent(facts.brand) + style.format(facts.brand.accent_fill), facts=facts)
    assert ["accent" in problem.message for problem in check(source, brand=facts.brand)] == [True]


@pytest.mark.parametrize("of", IDEAS)
def test_ground_and_text_count_in_whole_numbers_of_hsl(of: str) -> None:
    facts = landing_facts(of)
    style = branded(facts)
    for color in facts.brand.palette.colors().values():
        style = style.replace(color, f"hsl({whole_hsl(color)})")
    assert [p for p in check(plain_page(style=style, facts=facts), brand=facts.brand) if p.rule == "brand"] == []


@pytest.mark.parametrize(
    ("style", "told"),
    [
        ("h1 { font-family: Papyrus, serif }", "headings are set in papyrus"),
        ("h1 { font: bold 3rem/1 'Papyrus', serif }", "headings are set in papyrus"),
        ("main > h1 { font-family: Papyrus } h1 { font-family: inherit }", "headings are set in papyrus"),
        (":root { --display: Papyrus, serif } h1 { font-family: var(--display) }", "headings are set in papyrus"),
        ("main { font-family: Papyrus }", "text are set in papyrus"),
        ("p, li { font-family: Papyrus }", "text are set in papyrus"),
        ("h1 { font: initial }", "headings are set in initial"),
    ],
)
def test_a_font_that_is_named_and_not_used_does_not_count(style: str, told: str) -> None:
    facts = landing_facts("bakery")
    found = check(plain_page(style=branded(facts) + style, facts=facts), brand=facts.brand)
    assert [told in problem.message.replace("text is", "text are") for problem in found] == [True]


@pytest.mark.parametrize(
    "style",
    [
        ":root { --d: STACK } h1 { font-family: var(--d) }",
        ":root { --d: STACK } h1 { font: 700 clamp(2rem, 5vw, 4rem)/1.05 var(--d) }",
        ":root { --d: 2rem/1 STACK } h1 { font: italic var(--d) }",
        "h1 { font-family: STACK; font: bold Papyrus }",
        "h1 { font: 2rem Papyrus; font-family: STACK }",
        "h1 { font-family: STACK !important; font: 2rem Papyrus }",
        "@media print { h1 { font-family: Papyrus } }",
        "h2, button, code { font-family: Papyrus }",
        "form p { font-family: Papyrus }",
    ],
)
def test_a_font_counts_wherever_it_comes_from(style: str) -> None:
    facts = landing_facts("bakery")
    for stack in (facts.brand.heading_stack, facts.brand.heading_stack.replace("'", "").upper()):
        source = plain_page(style=branded(facts) + style.replace("STACK", stack), facts=facts)
        assert check(source, brand=facts.brand) == []


def test_a_tint_has_one_of_few_shares() -> None:
    inks = Inks.of(sandbox.brand("bakery").palette)
    assert inks.tint(inks.first, 0.3) == mix(inks.paper, inks.first, 0.3)
    with pytest.raises(ValueError, match="A tint has one of the shares"):
        inks.tint(inks.first, 0.31)
