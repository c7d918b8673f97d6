"""Whatever a packet says, its pages hold it: nothing overflows, nothing leaves the page, nothing is lost."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.brand import Brand, brand_of
from studio.brand.fonts import TYPEFACES
from studio.decks import layouts, metrics, setting
from studio.decks.content import brief, phase0, phase1, phase2, phase3
from studio.decks.model import Outline, Slide, clean
from studio.decks.scene import HEIGHT, WIDTH, Chart, Drawing, Grid, Page, Text
from studio.packets.phase0 import Phase0Packet
from studio.packets.phase1 import Phase1Packet
from studio.packets.phase2 import Phase2Packet
from studio.packets.phase3 import Phase3Packet
from tests.support import deck_samples as samples

# Half a point is less than any renderer's rounding.
TOLERANCE = 0.5
# Seeds that between them have every cover, frame, kind of card and mark.
SEEDS = [f"idea {number}" for number in range(13)]

WORDS = st.sampled_from(
    [
        *samples.JAPANESE, *samples.ARABIC, *samples.LONG_WORDS, samples.HOSTILE, "Größenverhältnisse", "a", "", "🚜🌾",
        "नमस्ते दुनिया", "ภาษาไทยไม่มีช่องว่างระหว่างคำ", "Ω≈ç√∫˜µ≤≥÷", "W" * 90, "i" * 300, "ﷺ" * 40,
    ]
)  # fmt: skip
TEXTS = st.lists(WORDS | st.text(max_size=500), min_size=4, max_size=12)


def pages_of(slides: list[Slide], brand: Brand) -> list[Page]:
    return layouts.pages(Outline("A name", "A subject", tuple(slides)), brand)


def pitch_pages(packet: dict[str, Any], brand: Brand) -> list[Page]:
    project, version = samples.project(brand.name, "An idea"), samples.version(0, packet)
    return pages_of(phase0.slides(project, version, Phase0Packet.model_validate(packet)), brand)


def assert_fits(page: Page, brand: Brand) -> None:
    for element in page.elements:
        if isinstance(element, Text):
            need, where = setting.text_height(brand, element), (page.title, element.name, element.paras[0].text[:60])
            assert need <= element.box.h + TOLERANCE, where
            assert element.box.x >= 0, where
            assert element.box.right <= WIDTH + TOLERANCE, where
            assert element.box.bottom <= HEIGHT + TOLERANCE, where
        elif isinstance(element, Grid):
            for row in (element.header, *element.rows):
                for paras, wide in zip(row.cells, element.widths, strict=True):
                    need = setting.height(brand, paras, wide - 2 * element.padding[0]) + 2 * element.padding[1]
                    assert need <= row.height + TOLERANCE, (page.title, paras[0].text[:60])
            assert element.box.bottom <= HEIGHT - 34, page.title
            assert sum(element.widths) == pytest.approx(element.box.w)
        elif isinstance(element, Chart):
            assert element.box.bottom <= HEIGHT - 34
        elif isinstance(element, Drawing):
            for shape in element.shapes:
                assert shape.box.x >= -TOLERANCE
                assert shape.box.y >= -TOLERANCE
                assert shape.box.right <= WIDTH + TOLERANCE
                assert shape.box.bottom <= HEIGHT + TOLERANCE


def assert_apart(page: Page) -> None:
    """Texts that are no cards with something on them stand clear of each other."""
    boxes = [
        t for t in page.texts() if t.role in ("title", "body", "subtitle") or t.name in ("Kicker", "Remark", "Source")
    ]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            clear = (
                one.box.right <= other.box.x + 1 or other.box.right <= one.box.x + 1
                or one.box.bottom <= other.box.y + 1 or other.box.bottom <= one.box.y + 1
            )  # fmt: skip
            assert clear, (page.title, one.name, other.name)


@given(TEXTS, st.sampled_from(SEEDS), st.sampled_from(["Name", "", "W" * 70, *samples.ARABIC[:1], *samples.LONG_WORDS]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_overflows_whatever_the_texts_are(texts: list[str], seed: str, name: str) -> None:
    brand = brand_of(None, seed, name)
    for page in pitch_pages(samples.foreign_pitch(texts), brand):
        assert_fits(page, brand)
        assert_apart(page)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_overflows_in_any_phase_and_any_look(seed: str) -> None:
    brand = brand_of(None, seed, "Hallway")
    project = samples.project("Hallway", seed)
    v1, v2, v3 = (
        samples.version(n, p()) for n, p in ((1, samples.validation), (2, samples.distribution), (3, samples.launch))
    )
    slides = [
        *phase1.slides(project, v1, Phase1Packet.model_validate(v1.packet), brand),
        *phase2.slides(project, v2, Phase2Packet.model_validate(v2.packet)),
        *phase3.slides(project, v3, Phase3Packet.model_validate(v3.packet)),
    ]
    pages = [
        *pitch_pages(samples.pitch(), brand),
        *pitch_pages(samples.sparse_pitch(), brand),
        *pages_of(slides, brand),
    ]
    spec = samples.brief()
    branded = brand_of(samples.kit(), seed, "Hallway")
    for page in pages:
        assert_fits(page, brand)
        assert_apart(page)
    for page in pages_of(brief.slides(spec, branded), branded):
        assert_fits(page, branded)
        assert_apart(page)


def test_the_seeds_of_these_tests_have_every_look() -> None:
    looks = [brand_of(None, seed).look for seed in SEEDS]
    assert {look.cover for look in looks} == {"split", "full", "poster", "frame", "band"}
    assert {look.frame for look in looks} == {"top", "rail", "ruled"}
    assert {look.cards for look in looks} == {"filled", "ruled", "outlined", "edged"}


@given(st.lists(WORDS | st.text(max_size=3000), min_size=3, max_size=8), st.sampled_from(SEEDS))
@settings(max_examples=25, deadline=None)
def test_a_list_that_is_too_long_for_a_page_goes_on_and_loses_nothing(reasons: list[str], seed: str) -> None:
    packet = samples.pitch()
    packet["reasoning_synopsis"]["rationale"] = reasons
    brand = brand_of(None, seed, "Hallway")
    shown = "".join(
        para.text
        for page in pitch_pages(packet, brand)
        for text in page.texts()
        if text.name in ("List", "Reasons")
        for para in text.paras
    )
    squeezed = "".join(shown.split())
    for reason in reasons:
        assert "".join(clean(reason).split()) in squeezed


def test_a_slide_of_several_pages_numbers_them() -> None:
    packet = samples.pitch()
    packet["reasoning_synopsis"]["rationale"] = ["A reason that goes on and on. " * 60] * 3
    titles = [page.title for page in pitch_pages(packet, brand_of(None, "idea", "Hallway"))]
    verdicts = [title for title in titles if title.startswith("The recommendation")]
    assert len(verdicts) > 1
    assert verdicts[0].replace("\N{NO-BREAK SPACE}", " ").endswith(f"(1 of {len(verdicts)})")
    assert len(set(titles)) == len(titles)


def test_a_deck_in_arabic_is_read_from_right_to_left() -> None:
    pages = pitch_pages(samples.foreign_pitch(samples.ARABIC), brand_of(None, "idea", samples.ARABIC[0]))
    assert all(page.leftwards for page in pages)
    number = next(text for text in pages[2].texts() if text.role == "number")
    assert number.box.x > WIDTH / 2
    assert not any(page.leftwards for page in pitch_pages(samples.pitch(), brand_of(None, "idea", "Hallway")))


@pytest.mark.parametrize("face", TYPEFACES, ids=lambda face: face.name)
def test_widths_are_known_for_every_typeface(face: Any) -> None:
    wide, narrow = (metrics.width(text, 100, face) for text in ("MMMM", "iiii"))
    assert wide == pytest.approx(narrow) if face.kind == "mono" else wide > narrow
    assert metrics.width("Überlänge", 10, face, bold=True) > 0


@given(st.text(st.characters(exclude_categories=())))
@settings(deadline=None)
def test_a_cleaned_text_can_stand_in_any_document(text: str) -> None:
    cleaned = clean(text)
    ElementTree.fromstring(f"<a>{escape(cleaned)}</a>".encode())
    assert clean(cleaned) == cleaned == cleaned.strip()
    assert not any(char in cleaned for char in "\n\t\x00\x1b\x85\u2028\u202e\ud800\ufffe")


def test_lines_are_counted_as_renderers_break_them() -> None:
    word = metrics.width("word", 10)
    assert metrics.lines("word word word", word * 3, 10) == 2
    assert metrics.lines("w" * 100, word, 10) > 10
    assert metrics.lines("漢字" * 20, 100, 10) >= 4
    assert metrics.lines("", 100, 10) == 1
    assert metrics.lines("https://a.test/" + "b" * 200, 200, 10) >= metrics.lines("https://a.test/", 200, 10) + 5
    assert "".join(metrics.wrapped("one two three", word, 10)).replace(" ", "") == "onetwothree"
