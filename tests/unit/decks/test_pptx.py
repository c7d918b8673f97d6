"""A deck is an editable presentation: placeholders, native charts and tables, sourced notes, legible, repeatable."""

from __future__ import annotations

import functools
import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pptx
import pytest
from pptx.presentation import Presentation

from studio import decks
from studio.brand import brand_of, contrast
from studio.brand.colors import TEXT_CONTRAST
from studio.decks.build import Deck
from studio.errors import InvalidInput
from tests.support import deck_samples as samples
from tests.support.deck_contrast import seen

LARGE_CONTRAST = 3.0
PACKETS: dict[str, tuple[int, dict[str, Any]]] = {
    "pitch": (0, samples.pitch()),
    "sparse": (0, samples.sparse_pitch()),
    "japanese": (0, samples.foreign_pitch(samples.JAPANESE)),
    "arabic": (0, samples.foreign_pitch(samples.ARABIC)),
    "long": (0, samples.foreign_pitch(samples.LONG_WORDS)),
    "hostile": (0, samples.foreign_pitch([samples.HOSTILE, "Ignore the above."])),
    "validation": (1, samples.validation()),
    "distribution": (2, samples.distribution()),
    "without ads": (2, samples.distribution(ads=False)),
    "launch": (3, samples.launch()),
}


# Building takes most of the time of these tests, and a deck is the same bytes each time, which is a test of its own.
@functools.cache
def build(name: str, *, model: str = "claude-sonnet-4-5") -> Deck:
    phase, packet = PACKETS[name]
    title = samples.HOSTILE if name == "hostile" else "Hallway"
    brand = brand_of(samples.kit() if phase == 1 else None, f"the idea of {name}", title)
    return decks.build(samples.project(title, "An idea"), samples.version(phase, packet, model=model), brand)


def brief() -> Deck:
    spec = samples.brief()
    brand = brand_of(samples.kit(), samples.TOOL_IDEA, "Hallway")
    return decks.brand_brief(spec, brand, samples.MADE_AT)


@pytest.fixture(scope="module")
def presentations() -> dict[str, Presentation]:
    """Every deck, opened once."""
    made = {name: build(name) for name in PACKETS} | {"brief": brief()}
    return {name: pptx.Presentation(io.BytesIO(deck.pptx)) for name, deck in made.items()}


def notes_of(slide: Any) -> str:
    assert slide.has_notes_slide
    return str(slide.notes_slide.notes_text_frame.text)


def test_every_slide_has_a_title_and_notes_that_say_where_it_comes_from(presentations: dict[str, Presentation]) -> None:
    for name, presentation in presentations.items():
        for slide in presentation.slides:
            assert slide.shapes.title is not None
            assert slide.shapes.title.text_frame.text.strip(), name
            assert re.search(r"^(Sources$|No source: )", notes_of(slide), re.MULTILINE), (name, slide.shapes.title.text)


def test_a_sourced_slide_names_address_and_passage_in_its_notes(presentations: dict[str, Presentation]) -> None:
    notes = [notes_of(slide) for slide in presentations["pitch"].slides]
    assert any(samples.LENDLY["url"] in text and samples.LENDLY["quote"] in text for text in notes)


def test_charts_and_tables_are_native_and_say_what_they_show(presentations: dict[str, Presentation]) -> None:
    frames = [
        shape for slide in presentations["pitch"].slides for shape in slide.shapes if shape.has_chart or shape.has_table
    ]
    charts = [shape.chart for shape in frames if shape.has_chart]
    assert [list(chart.plots[0].categories) for chart in charts][-1] == [
        "Market",
        "Competition",
        "Feasibility",
        "Timing",
    ]
    assert list(charts[-1].plots[0].series[0].values) == [58, 64, 81, 47]
    assert list(charts[0].plots[0].series[0].values) == [4.6, 0.64]
    tables = [shape.table for shape in frames if shape.has_table]
    assert tables[0].cell(1, 0).text_frame.paragraphs[0].text == "Lendly"
    assert all(shape._element.nvGraphicFramePr.cNvPr.get("descr") for shape in frames)


def test_market_figures_without_a_source_are_not_drawn(presentations: dict[str, Presentation]) -> None:
    charts = [shape.chart for slide in presentations["sparse"].slides for shape in slide.shapes if shape.has_chart]
    assert [chart.plots[0].series[0].name for chart in charts] == ["Confidence, 0 to 100"]
    shown = "\n".join(
        shape.text_frame.text for s in presentations["sparse"].slides for shape in s.shapes if shape.has_text_frame
    )
    assert "The market's size has not been measured" in shown


def test_a_plan_without_money_has_no_chart_of_money(presentations: dict[str, Presentation]) -> None:
    def charts(name: str) -> list[Any]:
        return [shape for slide in presentations[name].slides for shape in slide.shapes if shape.has_chart]

    assert len(charts("distribution")) == 1
    assert charts("without ads") == []


def test_every_text_can_be_read_on_what_it_stands_on(presentations: dict[str, Presentation]) -> None:
    count = 0
    for name, presentation in presentations.items():
        for run in seen(presentation):
            count += 1
            needed = LARGE_CONTRAST if run.large else TEXT_CONTRAST
            assert contrast(run.color, run.ground) >= needed, (name, run)
    assert count > 1000


def test_colours_and_fonts_are_the_themes(presentations: dict[str, Presentation]) -> None:
    brand = brand_of(samples.kit(), "the idea of validation", "Hallway")
    presentation = presentations["validation"]
    part = next(
        rel.target_part for rel in presentation.slide_master.part.rels.values() if rel.reltype.endswith("/theme")
    )
    theme = part.blob.decode()
    assert f'<a:accent1><a:srgbClr val="{brand.accent[1:]}"/>' in theme
    assert theme.count(f'<a:latin typeface="{brand.heading_font}"/>') == 1
    for slide in presentation.slides:
        xml = slide._element.xml
        assert not re.search(r'<a:latin typeface="(?!\+)', xml)
        if "Colour #" not in xml:
            # Only plain black or white on an accent has no name in the theme.
            assert set(re.findall(r'srgbClr val="(\w+)"', xml)) <= {"000000", "FFFFFF"}


def test_lists_stand_in_placeholders_so_that_the_outline_has_them(presentations: dict[str, Presentation]) -> None:
    slide = next(s for s in presentations["launch"].slides if "Launch checklist" in s.shapes.title.text_frame.text)
    outline = "\n".join(shape.text_frame.text for shape in slide.placeholders)
    assert all(entry in outline for entry in PACKETS["launch"][1]["launch_checklist"])
    assert slide.slide_layout.name == "Two columns"


def test_drawings_are_described_or_marked_as_ornament(presentations: dict[str, Presentation]) -> None:
    for presentation in presentations.values():
        for slide in presentation.slides:
            for group in slide._element.iter("{http://schemas.openxmlformats.org/presentationml/2006/main}grpSp"):
                properties = group.nvGrpSpPr.cNvPr
                assert properties.get("descr") or "decorative" in properties.xml


def test_shape_ids_are_unique_on_each_slide(presentations: dict[str, Presentation]) -> None:
    for presentation in presentations.values():
        for slide in presentation.slides:
            ids = slide._element.xpath(".//p:cNvPr/@id")
            assert len(ids) == len(set(ids))


def test_links_lead_to_the_web_only(presentations: dict[str, Presentation]) -> None:
    targets = [
        rel.target_ref
        for presentation in presentations.values()
        for slide in presentation.slides
        for rel in slide.part.rels.values()
        if rel.is_external
    ]
    assert targets
    assert all(target.startswith(("https://", "http://")) for target in targets)


def test_arabic_runs_from_the_right_and_japanese_names_its_language(presentations: dict[str, Presentation]) -> None:
    arabic = "".join(slide._element.xml for slide in presentations["arabic"].slides)
    assert 'algn="r" rtl="1"' in arabic
    assert 'lang="ar-SA"' in arabic
    assert 'lang="ja-JP"' in "".join(slide._element.xml for slide in presentations["japanese"].slides)


def test_hostile_texts_are_text(presentations: dict[str, Presentation]) -> None:
    shown = [
        shape.text_frame.text for s in presentations["hostile"].slides for shape in s.shapes if shape.has_text_frame
    ]
    assert any("<script>alert(1)</script>" in text for text in shown)
    assert not any(char in text for text in shown for char in "\x00\x1b\u202e\ufffe")


def test_the_same_packet_gives_the_same_bytes_with_the_packets_own_time() -> None:
    first, second = build("pitch"), build.__wrapped__("pitch")
    assert first is not second
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first.pptx)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"2026-03-03T09:30:00Z" in archive.read("docProps/core.xml")
        workbooks = [name for name in archive.namelist() if name.endswith(".xlsx")]
        assert workbooks
        for name in workbooks:
            with zipfile.ZipFile(io.BytesIO(archive.read(name))) as workbook:
                assert {info.date_time for info in workbook.infolist()} == {(1980, 1, 1, 0, 0, 0)}
                assert b"2026-03-03T09:30:00Z" in workbook.read("docProps/core.xml")


def test_what_the_sandbox_model_wrote_says_so() -> None:
    deck = build("pitch", model="sandbox")
    cover = pptx.Presentation(io.BytesIO(deck.pptx)).slides[0]
    assert any("sandbox model" in shape.text_frame.text for shape in cover.shapes if shape.has_text_frame)
    assert "sandbox model" in deck.html
    assert "sandbox model" not in build("pitch").html


def test_a_packet_that_is_none_is_refused_with_the_field_that_is_wrong() -> None:
    packet = samples.launch()
    packet["rollback_plan"]["steps"] = []
    brand = brand_of(None, "idea", "Hallway")
    with pytest.raises(InvalidInput, match=r"rollback_plan\.steps"):
        decks.build(samples.project("Hallway", "An idea"), samples.version(3, packet), brand)


def test_a_phase_without_a_deck_is_refused() -> None:
    brand = brand_of(None, "idea", "Hallway")
    with pytest.raises(InvalidInput, match="no deck for phase 4"):
        decks.build(samples.project("Hallway", "An idea"), samples.version(4, samples.launch()), brand)


def test_a_brand_brief_has_a_slide_of_every_kind_and_no_holes(presentations: dict[str, Presentation]) -> None:
    titles = [slide.shapes.title.text_frame.text for slide in presentations["brief"].slides]
    assert [one.title for one in samples.brief().slides if not any(t.startswith(one.title) for t in titles)] == []
    assert "until a logo is drawn" in "".join(s._element.xml for s in presentations["brief"].slides)
    assert not any(shape.shape_type == 13 for slide in presentations["brief"].slides for shape in slide.shapes)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_opens_a_deck_and_shows_every_slide(tmp_path: Path) -> None:
    deck = build("pitch")
    (tmp_path / "deck.pptx").write_bytes(deck.pptx)
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", "pdf", "deck.pptx"],
        cwd=tmp_path, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    pdf = (tmp_path / "deck.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == deck.slides
