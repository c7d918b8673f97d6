"""A report as a presentation: exactly its slides, native charts and tables, notes on each, the same bytes each time."""

from __future__ import annotations

import functools
import io
import re
import shutil
import subprocess
from pathlib import Path

import pptx
import pytest
from PIL import Image
from pptx.presentation import Presentation

from studio.errors import InvalidInput
from studio.reports import rendering
from studio.reports.rendering import Rendered
from studio.settings import Settings
from tests.support import report_samples as samples
from tests.support.deck_contrast import seen
from tests.support.size import FULL

SETTINGS = Settings(_env_file=None)
SCRIPTS = ("japanese", "chinese", "arabic", "hebrew", "hindi", "odd")


@functools.cache
def rendered(name: str, pages: int) -> Rendered:
    made = {"usual": samples.report, "nothing": samples.nothing, "tiny": samples.tiny, "huge": samples.huge}
    report = made[name]() if name in made else samples.in_script(name)
    return rendering.render(report, format="pptx", pages=pages, brand=samples.brand(), settings=SETTINGS)


def opened(name: str, pages: int) -> Presentation:
    return pptx.Presentation(io.BytesIO(rendered(name, pages).data))


@pytest.mark.parametrize(("name", "asked", "made"), [("usual", 12, 12), ("odd", 6, 6), ("nothing", 30, 3)])
def test_the_file_has_exactly_the_slides_and_each_has_title_and_notes(name: str, asked: int, made: int) -> None:
    presentation = opened(name, asked)
    assert rendered(name, asked).pages == len(presentation.slides) == made
    for slide in presentation.slides:
        assert slide.shapes.title is not None
        assert slide.shapes.title.text_frame.text.strip()
        assert slide.notes_slide.notes_text_frame is not None
        assert re.search(r"^(Sources$|No source: )", slide.notes_slide.notes_text_frame.text, re.MULTILINE)


def test_charts_and_tables_are_native_and_charts_show_figures_as_written() -> None:
    shapes = [shape for slide in opened("usual", 12).slides for shape in slide.shapes]
    charts = [shape.chart for shape in shapes if shape.has_chart]
    assert [list(chart.plots[0].series[0].values) for chart in charts] == [[4.1, 4.6], [5, 40, 50]]
    labels = [
        point.data_label.text_frame.text for point in map(charts[0].plots[0].series[0].points.__getitem__, (0, 1))
    ]
    assert labels == ["€4.1 billion", "€4.6 billion"]
    cells = {cell.text_frame.text for shape in shapes if shape.has_table for cell in shape.table.iter_cells()}
    assert "Lendly takes €5 a month from members" in cells


def test_the_same_report_gives_the_same_bytes_in_its_own_brand() -> None:
    first, again = rendered("usual", 12), rendered.__wrapped__("usual", 12)
    assert first is not again
    assert first == again
    other = rendering.render(
        samples.report(), format="pptx", pages=12, brand=samples.brand("Payroll"), settings=SETTINGS
    )
    assert first.data != other.data


def test_every_text_can_be_read_on_what_it_stands_on() -> None:
    # It raises where a text meets a shape that does not hold it.
    assert len(list(seen(opened("usual", 12)))) > 200
    assert len(list(seen(opened("odd", 6)))) > 30


def test_links_lead_to_the_web_only() -> None:
    targets = {
        rel.target_ref for slide in opened("odd", 6).slides for rel in slide.part.rels.values() if rel.is_external
    }
    assert targets
    assert all(target.startswith(("https://", "http://")) for target in targets)


def test_the_file_is_named_and_typed_for_any_storage() -> None:
    made = rendered("usual", 12)
    assert made.filename == "tools-in-the-hallway-market-prices-and-lockers.pptx"
    assert made.mime_type.endswith("presentationml.presentation")
    assert rendered("odd", 6).filename.startswith("odd-www")
    assert len(rendered("odd", 6).filename) <= 65


def test_there_is_a_small_picture_of_the_first_slide() -> None:
    picture = Image.open(io.BytesIO(rendered("usual", 12).thumbnail_png or b""))
    assert (picture.format, picture.size) == ("PNG", (480, 270))
    assert len(picture.getcolors(480 * 270) or ()) > 50


@pytest.mark.parametrize("pages", [-1, 2, 31])
def test_another_number_of_slides_is_refused(pages: int) -> None:
    with pytest.raises(InvalidInput, match="3 to 30"):
        rendering.render(samples.report(), format="pptx", pages=pages, brand=samples.brand(), settings=SETTINGS)


@pytest.mark.chaos
@pytest.mark.skipif(not FULL or shutil.which("soffice") is None, reason="part of `make chaos`: LibreOffice")
@pytest.mark.parametrize("name", ["usual", "tiny", "huge", *SCRIPTS])
def test_libreoffice_shows_every_slide(name: str, tmp_path: Path) -> None:
    (tmp_path / "report.pptx").write_bytes(rendered(name, 30).data)
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", "pdf", "report.pptx"],
        cwd=tmp_path, check=True, capture_output=True, timeout=150,
    )  # fmt: skip
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes())) == 30
