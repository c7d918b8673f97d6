"""The HTML of decks and documents stands alone, is inert whatever its texts are, and says what the deck says."""

from __future__ import annotations

import io
import re
from typing import Any

import html5lib
import pptx
import pytest
import tinycss2

from studio import decks
from studio.brand import brand_of
from studio.decks import documents, html, layouts
from studio.decks.build import outline
from studio.decks.documents import escape
from studio.errors import InvalidInput
from tests.support import deck_samples as samples

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
FETCHING = {"src", "srcset", "poster", "data", "action", "formaction", "background", "ping", "manifest"}
PHASES = {0: samples.pitch, 1: samples.validation, 2: samples.distribution, 3: samples.launch}


def hostile(value: Any) -> Any:
    """Return a packet whose free texts are all hostile."""
    if isinstance(value, dict):
        fixed = (
            "url",
            "status",
            "runtime_mode",
            "action_type",
            "recommendation",
            "decision",
            "quote_sha256",
            "scanned_at",
        )
        return {key: item if key in fixed else hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [item if item in ("positioning", "pricing") else hostile(item) for item in value]
    if isinstance(value, str) and not re.fullmatch(r"[\d.]+", value):
        return samples.HOSTILE[:118] if len(value) < 118 else samples.HOSTILE
    return value


def short(packet: dict[str, Any]) -> dict[str, Any]:
    """Return a hostile packet within the bounds of its schema's short texts."""
    packet["brand_kit"]["color_palette"] = [
        "#1F4D3A </style><script>",
        '#FFC93C "onload=alert(1)',
        "javascript:alert(1)",
    ]
    packet["landing_page"]["primary_cta"] = "<script>alert(4)</script>"
    packet["waitlist"]["form_fields"] = ["<img src=x onerror=alert(5)>", "<b onclick=alert(6)>"]
    for mail in packet["email_sequence"]["emails"]:
        mail["day"], mail["cta_label"] = "<i onclick=alert(7)>", "<u onclick=alert(8)>"
    return packet


def assert_inert(document: str) -> None:
    tree = html5lib.parse(document, treebuilder="etree")
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.split("}")[-1].lower()
        assert tag not in {
            "script",
            "iframe",
            "object",
            "embed",
            "link",
            "base",
            "img",
            "image",
            "use",
            "form",
            "foreignobject",
        }
        for name, value in element.attrib.items():
            name = name.split("}")[-1].lower()
            assert not name.startswith("on"), (tag, name)
            assert name not in FETCHING, (tag, name)
            if name == "href":
                assert value.startswith(("#", "https://", "http://")), value
            if name == "style":
                assert "url(" not in value
                assert "expression" not in value
    for sheet in tree.iter(f"{HTML}style"):
        assert "url(" not in (sheet.text or "")
        assert "@import" not in (sheet.text or "")
        assert not [rule for rule in tinycss2.parse_stylesheet(sheet.text or "") if rule.type == "error"]
    assert len(list(tree.iter(f"{HTML}style"))) == 1
    policy = next(meta.get("content") for meta in tree.iter(f"{HTML}meta") if meta.get("http-equiv"))
    assert "default-src 'none'" in policy


def twin(phase: int, packet: dict[str, Any], name: str = "Hallway") -> str:
    """Return the document alone, without the presentation."""
    brand = brand_of(samples.kit() if phase == 1 else None, "An idea", name)
    told = outline(samples.project(name, "An idea"), samples.version(phase, packet), brand)
    return html.render(told, layouts.pages(told, brand), brand)


def built(phase: int, packet: dict[str, Any], name: str = "Hallway") -> decks.Deck:
    brand = brand_of(samples.kit() if phase == 1 else None, "An idea", name)
    return decks.build(samples.project(name, "An idea"), samples.version(phase, packet), brand)


@pytest.mark.parametrize("phase", PHASES)
def test_a_deck_is_inert_and_whole(phase: int) -> None:
    packet = hostile(PHASES[phase]())
    if phase == 1:
        packet = short(packet)
    if phase == 3:
        packet["merge_policy"]["protected_branch"] = "</h2><script>"
        for one in packet["build_plan"]["milestones"]:
            one["owner"] = "<script>alert(9)</script>"
    document = twin(phase, packet, samples.HOSTILE)
    assert_inert(document)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in document
    assert "{{7*7}}" in document


@pytest.mark.parametrize("phase", PHASES)
def test_the_twin_has_the_slides_and_titles_of_the_presentation(phase: int) -> None:
    deck = built(phase, PHASES[phase]())
    tree = html5lib.parse(deck.html, treebuilder="etree")
    sections = list(tree.iter(f"{HTML}section"))
    headings = [
        element for section in sections for element in section.iter() if element.tag in (f"{HTML}h1", f"{HTML}h2")
    ]
    titles = ["".join(heading.itertext()) for heading in headings]
    slides = pptx.Presentation(io.BytesIO(deck.pptx)).slides
    assert titles == [slide.shapes.title.text_frame.text for slide in slides]
    assert len(sections) == deck.slides == len(slides)
    assert len(list(tree.iter(f"{HTML}h1"))) == 1
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(next(s.iter(f"{HTML}details"), None) is not None for s in sections)


def test_a_chart_has_its_figures_in_words_and_as_a_table() -> None:
    tree = html5lib.parse(twin(0, samples.pitch()), treebuilder="etree")
    figures = list(tree.iter(f"{HTML}figure"))
    alt = [title.text or "" for figure in figures for title in figure.iter(f"{SVG}title")]
    assert any("Timing 47" in text for text in alt)
    cells = ["".join(cell.itertext()) for figure in figures for cell in figure.iter(f"{HTML}td")]
    assert "81" in cells
    assert "€0.64 bn" in cells


def test_scripts_that_run_leftwards_are_marked() -> None:
    arabic = twin(0, samples.foreign_pitch(samples.ARABIC), samples.ARABIC[0])
    assert arabic.count('dir="rtl"') > 5
    assert 'lang="ar-SA"' in arabic
    assert 'dir="rtl"' not in twin(0, samples.pitch())


def test_unlike_ideas_give_unlike_pages() -> None:
    packet = samples.pitch()
    pages = set()
    for idea in ("A tool library", "Hot sauce by subscription", "Payroll for museums", "A map of city noise"):
        brand = brand_of(None, idea, "Same")
        told = outline(samples.project("Same", idea), samples.version(0, packet), brand)
        cover = html.render(told, layouts.pages(told, brand), brand).split('<section id="slide-2"')[0]
        pages.add(re.sub(r"#[0-9A-F]{6}", "", cover))
    assert len(pages) == 4


def test_the_plan_and_the_checklist_say_what_the_packets_say() -> None:
    brand = brand_of(None, "An idea", "Hallway")
    project = samples.project("Hallway", "An idea")
    plan = documents.phase2_plan(project, samples.version(2, samples.distribution()), brand)
    assert "| Repair cafés | Meet people who repair on the day they do it | $40 |" in plan.markdown
    assert "Permitted, up to $15 a day." in plan.markdown
    closed = documents.phase2_plan(project, samples.version(2, samples.distribution(ads=False)), brand)
    assert "the project does not permit paid ads" in closed.markdown
    checklist = documents.phase3_checklist(project, samples.version(3, samples.launch()), brand)
    assert "- [ ] Backups run and one has been restored" in checklist.markdown
    boxes = list(html5lib.parse(checklist.html, treebuilder="etree").iter(f"{HTML}input"))
    assert len(boxes) == checklist.markdown.count("- [ ] ") > 15
    assert all(box.get("type") == "checkbox" and box.get("checked") is None for box in boxes)
    for document in (plan, checklist):
        assert_inert(document.html)
        assert document.title.startswith("Hallway: ")


def test_the_time_for_mails_is_a_recommendation_and_the_studio_s_own_rule_stands_beside_it() -> None:
    packet = samples.distribution()
    window = packet["lifecycle_email"]["send_window"]
    brand = brand_of(None, "An idea", "Hallway")
    plan = documents.phase2_plan(samples.project("Hallway", "An idea"), samples.version(2, packet), brand)
    plain = re.sub(r"\\\\(.)", r"\\1", plan.markdown)
    for told in (twin(2, packet), plan.html, plain):
        assert f"Recommended times, which nothing enforces: {window}." in told
        assert "quiet hours, and within its daily cap" in told
        assert not re.search(r"[Ss]ent:? Tuesday", told)


def test_documents_of_hostile_packets_are_inert_in_both_forms() -> None:
    brand = brand_of(None, "An idea", samples.HOSTILE)
    project = samples.project(samples.HOSTILE, "An idea")
    document = documents.phase2_plan(project, samples.version(2, hostile(samples.distribution())), brand)
    assert_inert(document.html)
    assert not re.search(r"(?<!\\)<", document.markdown)
    assert not any(char in document.markdown for char in "\x00\x1b\u202e")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# no heading", r"\# no heading"),
        ("1. no list", r"1\. no list"),
        ("- no list", r"\- no list"),
        ("[no](javascript:link)", r"\[no\](javascript:link)"),
        ("a | b", r"a \| b"),
        ("<script>", r"\<script\>"),
        ("2026-03-03 is plain", "2026-03-03 is plain"),
    ],
)
def test_markdown_sees_no_markup_in_texts(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_a_document_of_another_phase_is_refused() -> None:
    brand = brand_of(None, "An idea", "Hallway")
    with pytest.raises(InvalidInput, match="phase 2"):
        documents.phase2_plan(samples.project("Hallway", "x"), samples.version(3, samples.launch()), brand)
