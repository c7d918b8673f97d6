"""A packet in print says what the packet says, in any script and within its pages; a version always prints the same."""

from __future__ import annotations

import json
import re
import time
from typing import Any, NamedTuple

import pytest
import uharfbuzz as hb

from studio.packets import export
from studio.packets.export import typefaces
from studio.packets.export.sheet import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, Sheet, Style
from studio.packets.versions import PacketVersion
from tests.support import deck_samples, sandbox_packets
from tests.support.deck_samples import ARABIC, JAPANESE, LONG_WORDS

SAMPLES = {
    0: deck_samples.pitch,
    1: deck_samples.validation,
    2: deck_samples.distribution,
    3: deck_samples.launch,
}
HEBREW = ["ספריית כלים לשכנים: שואלים מקדחה.", "לוקר במסדרון.", "פיקדון קטן.", "השוכר", "ועד הבית"]
RUSSIAN = ["Библиотека инструментов для соседей.", "Шкафчик в подъезде.", "Небольшой залог.", "Съёмщик", "Правила дома"]
GREEK = ["Εργαλειοθήκη για γείτονες.", "Ένα ντουλάπι στον διάδρομο.", "Μικρή εγγύηση.", "Ενοικιαστής", "Κανονισμός"]
HINDI = ["पड़ोसियों के लिए औज़ार पुस्तकालय।", "गलियारे में लॉकर।", "छोटी जमा राशि।", "किरायेदार", "नियम"]
THAI = ["ห้องสมุดเครื่องมือสำหรับเพื่อนบ้าน", "ตู้ล็อกเกอร์ในโถงทางเดิน", "เงินมัดจำเล็กน้อย", "ผู้เช่า", "กฎของอาคาร"]


class Drawn(NamedTuple):
    """A line as it was put on its page, with its left and right edge in millimetres."""

    page: int
    x: float
    end: float
    y: float
    text: str
    link: str


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """Every line that is put on a page, as it is put there."""
    found: list[Drawn] = []
    line = Sheet.line

    def noted(
        self: Sheet, x: float, y: float, text: str, style: Style, width: float = 0.0, *, at_right: bool = False,
        link: str = "", spacing: float = 0.0,
    ) -> None:  # fmt: skip
        line(self, x, y, text, style, width, at_right=at_right, link=link, spacing=spacing)
        shown = self.safe(text)
        size = self.width(shown, style)
        start = x + width - size if at_right else x
        found.append(Drawn(self.pdf.page, start, start + size, y + style.leading, shown, link))

    monkeypatch.setattr(Sheet, "line", noted)
    return found


def words(drawn: list[Drawn]) -> str:
    return " ".join(" ".join(line.text for line in drawn).split())


def strings(value: Any) -> list[str]:
    """Return every text in a packet that is there to be read."""
    if isinstance(value, dict):
        return [text for key, item in value.items() if key not in LEFT_OUT for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) and not value.startswith("#") else []


# Machine words that print says in its own, and the titles of sections that stand written out beside them.
LEFT_OUT = {
    "recommendation", "decision", "source", "quote_sha256", "sourced", "status", "scanned_at", "action_type",
    "runtime_mode", "protected_branch", "sections", "tam", "sam", "som", "unsourced_fields",
}  # fmt: skip


@pytest.mark.parametrize("phase", range(4))
def test_everything_that_a_packet_says_is_printed(phase: int, drawn: list[Drawn]) -> None:
    packet = SAMPLES[phase]()
    export.pdf(deck_samples.version(phase, packet), "Hallway")
    said = re.sub(r"\W", "", words(drawn))
    missing = [text for text in strings(packet) if re.sub(r"\W", "", text) not in said]
    assert missing == []


@pytest.mark.parametrize("phase", range(4))
def test_the_same_version_gives_the_same_bytes(phase: int) -> None:
    version = deck_samples.version(phase, SAMPLES[phase]())
    first = export.pdf(version, "Hallway")
    assert first == export.pdf(version, "Hallway")
    assert first != export.pdf(version, "Gangway")
    assert first.startswith(b"%PDF-1.")
    assert b"D:20260303" in first


@pytest.mark.parametrize(
    "script",
    [JAPANESE, ARABIC, HEBREW, RUSSIAN, GREEK, HINDI, THAI, LONG_WORDS],
    ids=["japanese", "arabic", "hebrew", "russian", "greek", "hindi", "thai", "long words"],
)
def test_any_script_is_shown_and_stays_on_its_page(script: list[str], drawn: list[Drawn]) -> None:
    export.pdf(deck_samples.version(0, deck_samples.foreign_pitch(script)), script[0])
    assert typefaces.REPLACEMENT not in words(drawn)
    assert [line for line in drawn if line.x < LEFT - 0.1 or line.end > WIDTH - RIGHT + 0.1] == []
    assert [line for line in drawn if line.y > HEIGHT - BOTTOM + 0.1 and line.y < HEIGHT - 14] == []
    letters = {char for text in script for char in text if char.isalpha()}
    assert letters <= set("".join(line.text for line in drawn))


def test_what_no_font_has_is_replaced_by_a_mark(drawn: list[Drawn]) -> None:
    name = "A \U00013000 b\x00\ud800\u202e c\ue000 {nb}"
    export.pdf(deck_samples.version(0, deck_samples.pitch()), name)
    assert "A � b c� {nb}" in words(drawn)


def test_emoji_are_shown(drawn: list[Drawn]) -> None:
    export.pdf(deck_samples.version(0, deck_samples.pitch()), "Tools \U0001f527 and \U0001f469\u200d\U0001f680")
    assert "Tools \U0001f527 and \U0001f469" in words(drawn)
    assert typefaces.REPLACEMENT not in words(drawn)


def test_sources_can_be_followed_and_only_on_the_web(drawn: list[Drawn]) -> None:
    packet = deck_samples.pitch()
    made = export.pdf(deck_samples.version(0, packet), "Hallway")
    assert b"/URI (https://www.lendly.test/pricing)" in made
    assert "No source" in words(drawn)
    foreign = export.pdf(deck_samples.version(0, deck_samples.foreign_pitch(JAPANESE)), "x")
    assert "javascript:alert(1)" in words(drawn)
    assert b"/URI (javascript" not in foreign


def test_every_page_has_its_number_and_says_who_made_it(drawn: list[Drawn]) -> None:
    packet = sandbox_packets.packet("tools", 1)
    made = export.pdf(deck_samples.version(1, packet, model="sandbox-1"), "Hallway")
    pages = len(re.findall(rb"/Type /Page\b", made))
    assert pages > 1
    said = [line.text for line in drawn]
    assert [text for text in said if text.startswith("Page ")] == [f"Page {n} of {pages}" for n in range(1, pages + 1)]
    assert said.count("Made by the sandbox model") == pages + 1
    drawn.clear()
    export.pdf(deck_samples.version(1, packet), "Hallway")
    assert "Made by the sandbox model" not in [line.text for line in drawn]


def test_no_heading_ends_a_page(drawn: list[Drawn]) -> None:
    """Wherever on the page it comes: the name pushes it down line by line."""
    for lines in range(1, 30, 7):
        drawn.clear()
        packet = deck_samples.pitch() | {"elevator_pitch": "A drill in every house. " * 6 * lines}
        packet["elevator_pitch"] = packet["elevator_pitch"][:1200]
        export.pdf(deck_samples.version(0, packet), "Hallway")
        headings = [line for line in drawn if line.x == LEFT and line.text in ("Competitors", "Market", "Evidence")]
        assert len(headings) == 3
        for heading in headings:
            below = [one for one in drawn if one.page == heading.page and heading.y < one.y < HEIGHT - BOTTOM]
            assert len(below) >= 2, (lines, heading)


def test_a_packet_of_another_client_is_printed_as_it_is_stored(drawn: list[Drawn]) -> None:
    packet = {
        "tagline": "Ours",
        "weird_part": {"inner": ["one", 2, None, True, {"deep": "down"}]},
        "recommendation": "maybe",
        "reasoning_synopsis": {"confidence": 3},
    }
    export.pdf(deck_samples.version(2, packet), "")
    said = words(drawn)
    assert all(text in said for text in ("Untitled project", "Weird part", "one", "down", "Ours", "maybe"))


def test_a_row_that_is_longer_than_a_page_goes_on(drawn: list[Drawn]) -> None:
    packet: dict[str, Any] = json.loads(json.dumps(deck_samples.pitch()))
    packet["reasoning_synopsis"]["evidence"][0]["claim"] = "word " * 3000 + "end"
    export.pdf(deck_samples.version(0, packet), "Hallway")
    assert words(drawn).count("word") >= 3000
    assert [line for line in drawn if HEIGHT - BOTTOM + 0.1 < line.y < HEIGHT - 14] == []


def test_printing_is_quick() -> None:
    """Half a second is allowed on a calm machine; this catches what is an order slower, like subsetting in Python."""
    version = deck_samples.version(0, deck_samples.pitch())
    export.pdf(version, "Hallway")
    start = time.process_time()
    export.pdf(version, "Hallway")
    assert time.process_time() - start < 1.5


def test_the_parts_of_a_character_come_with_it() -> None:
    """A shaper takes Thai's sara am apart; without its parts the whole word falls out of place."""
    [thai] = [face for face in typefaces.faces_for(["ทำ"]).faces if face.family == "notosansthai" and not face.style]
    assert {0x0E33, 0x0E4D, 0x0E32} <= set(hb.Face(thai.data).unicodes)


def test_without_the_font_of_a_script_its_letters_are_replaced(
    monkeypatch: pytest.MonkeyPatch, drawn: list[Drawn]
) -> None:
    monkeypatch.setattr(typefaces, "_CJK", ("no_such_package", "none.ttc"))
    export.pdf(deck_samples.version(0, deck_samples.foreign_pitch(JAPANESE)), JAPANESE[0])
    assert typefaces.REPLACEMENT in words(drawn)


def test_a_version_without_a_model_is_nobodys_sandbox() -> None:
    version = deck_samples.version(3, deck_samples.launch())
    values = {name: getattr(version, name) for name in PacketVersion.__dataclass_fields__} | {"model": None}
    assert export.pdf(PacketVersion(**values), "Hallway").startswith(b"%PDF")
