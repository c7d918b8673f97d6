"""Native bar charts of a presentation: their data can be edited, their colours and fonts are the theme's."""

from __future__ import annotations

from typing import Any

from pptx.chart.data import CategoryChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LABEL_POSITION, XL_TICK_LABEL_POSITION, XL_TICK_MARK
from pptx.enum.dml import MSO_THEME_COLOR
from pptx.oxml.ns import qn
from pptx.slide import Slide
from pptx.util import Emu, Pt

from studio.brand import Brand
from studio.brand.colors import channels
from studio.decks.scene import Chart, Paint, paint
from studio.decks.theme import emu, hex_of, scheme_name

_GAP = 55
# The number format of a chart whose figures stand as somebody else wrote them, each in its own way.
AS_SHOWN = "General"


def add_chart(slide: Slide, chart: Chart, brand: Brand) -> None:
    """Add a horizontal bar chart to a slide; the first category is the uppermost."""
    # The library's chart classes carry no types.
    data: Any = CategoryChartData(number_format=chart.number_format)  # type: ignore[no-untyped-call]
    data.categories = list(chart.labels)
    data.add_series(chart.series, chart.values)
    box = chart.box
    frame: Any = slide.shapes.add_chart(
        XL_CHART_TYPE.BAR_CLUSTERED, Emu(emu(box.x)), Emu(emu(box.y)), Emu(emu(box.w)), Emu(emu(box.h)), data
    )
    frame.name = "Chart"
    frame._element.nvGraphicFramePr.cNvPr.set("descr", chart.alt)
    native = frame.chart
    native.has_legend = False
    native.has_title = False
    native.font.size = Pt(chart.size)
    _ink(native.font.color, paint("text"), brand)
    plot = native.plots[0]
    plot.gap_width = _GAP
    plot.vary_by_categories = False
    plot.has_data_labels = True
    labels = plot.data_labels
    labels.number_format, labels.number_format_is_linked = chart.number_format, False
    labels.position = XL_LABEL_POSITION.OUTSIDE_END
    labels.font.size, labels.font.bold = Pt(chart.size), True
    _ink(labels.font.color, paint("text"), brand)
    series = plot.series[0]
    if chart.number_format == AS_SHOWN:
        for index, shown in enumerate(chart.shown):
            _label(series.points[index].data_label, shown, chart, brand)
    series.format.fill.solid()
    _ink(series.format.fill.fore_color, paint("accent"), brand)
    values = native.value_axis
    values.minimum_scale, values.maximum_scale = 0, chart.maximum / (1 - chart.figure_share)
    values.visible = False
    values.has_major_gridlines = False
    categories = native.category_axis
    categories.reverse_order = True
    categories.major_tick_mark = XL_TICK_MARK.NONE
    categories.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    categories.tick_labels.font.size = Pt(chart.size)
    _ink(categories.tick_labels.font.color, paint("text"), brand)
    categories.format.line.fill.solid()
    _ink(categories.format.line.fill.fore_color, paint("muted_text"), brand)
    _plot_area(native, chart)


def _label(label: Any, shown: str, chart: Chart, brand: Brand) -> None:
    label.position = XL_LABEL_POSITION.OUTSIDE_END
    label.text_frame.text = shown
    font = label.text_frame.paragraphs[0].runs[0].font
    font.size, font.bold = Pt(chart.size), True
    _ink(font.color, paint("text"), brand)


def _ink(color: Any, wanted: Paint, brand: Brand) -> None:
    name = scheme_name(wanted, brand)
    theme_color = {
        "tx1": MSO_THEME_COLOR.TEXT_1, "tx2": MSO_THEME_COLOR.TEXT_2, "bg1": MSO_THEME_COLOR.BACKGROUND_1,
        "accent1": MSO_THEME_COLOR.ACCENT_1, "accent2": MSO_THEME_COLOR.ACCENT_2,
    }.get(name)  # fmt: skip
    if theme_color is None:
        color.rgb = RGBColor(*channels(hex_of(wanted, brand)))  # type: ignore[no-untyped-call]
    else:
        color.theme_color = theme_color


def _plot_area(native: Any, chart: Chart) -> None:
    """Fix the inner plot area, so that long labels take their measured room and not a renderer's guess."""
    area = native._chartSpace.find(f".//{qn('c:plotArea')}")
    layout = area.find(qn("c:layout"))
    if layout is None:
        layout = area.makeelement(qn("c:layout"), {})
        area.insert(0, layout)
    for child in list(layout):
        layout.remove(child)
    manual = layout.makeelement(qn("c:manualLayout"), {})
    layout.append(manual)
    for name, value in (
        ("layoutTarget", "inner"), ("xMode", "edge"), ("yMode", "edge"), ("x", f"{chart.label_share:.4f}"),
        ("y", "0.01"), ("w", f"{1 - chart.label_share - 0.01:.4f}"), ("h", "0.98"),
    ):  # fmt: skip
        child = manual.makeelement(qn(f"c:{name}"), {"val": value})
        manual.append(child)
