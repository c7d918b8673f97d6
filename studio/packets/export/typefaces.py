"""The typefaces of printed packets: two open families, and one for each script that those lack.

They come with packages, so that a packet looks the same on every machine. Of a font only the characters that a paper
has are taken, at the weights that it needs, before the PDF library sees it: that takes it milliseconds instead of
seconds, and makes every PDF small.
"""

from __future__ import annotations

import functools
import importlib.util
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import uharfbuzz as hb

# What is shown in the place of a character that no font here has.
REPLACEMENT = "�"
_SERIF = ("fontpkg_source_serif_4", "files/SourceSerif4[opsz,wght].ttf")
_SANS = ("fontpkg_source_sans_3", "files/SourceSans3[wght].ttf")
_SANS_ITALIC = ("fontpkg_source_sans_3", "files/SourceSans3-Italic[wght].ttf")
# In the order in which they are asked for a character.
_SCRIPTS = (
    "NotoSans", "NotoSansArabic", "NotoSansHebrew", "NotoSansDevanagari", "NotoSansBengali", "NotoSansThai",
    "NotoSansGeorgian", "NotoSansArmenian", "NotoSansTamil", "NotoSansTelugu", "NotoSansKannada", "NotoSansMalayalam",
    "NotoSansGujarati", "NotoSansGurmukhi", "NotoSansOriya", "NotoSansSinhala", "NotoSansKhmer", "NotoSansLao",
    "NotoSansMyanmar", "NotoSansEthiopic", "NotoSansSymbols", "NotoEmoji",
)  # fmt: skip
_CJK = ("manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc")
# The faces of that collection: the same characters, drawn as each country writes them.
_JAPANESE, _KOREAN, _CHINESE = 0, 1, 2
REGULAR, SEMIBOLD = 400, 600
_HEADLINE_OPTICAL_SIZE, _TEXT_OPTICAL_SIZE = 32, 18
# Characters that only steer how others are drawn: without a font for them nothing is missing.
_STEERING = frozenset({"Cf", "Mn"})
_VARIATIONS = frozenset({*map(chr, range(0xFE00, 0xFE10)), "\u200b", "\u00ad"})


@dataclass(frozen=True)
class Face:
    """A font for one paper: the style of a family, as the bytes of a font with just the paper's characters."""

    family: str
    style: str
    data: bytes

    @property
    def suffix(self) -> str:
        """The file name's ending, by which its format is known."""
        return ".otf" if self.data[:4] == b"OTTO" else ".ttf"


@dataclass(frozen=True)
class Faces:
    """Everything that a paper is set in. `shown` are the characters that some font has."""

    faces: tuple[Face, ...]
    fallbacks: tuple[str, ...]
    shown: frozenset[str]

    def drawable(self, text: str) -> str:
        """Return `text` with a mark in the place of each character that cannot be shown."""
        if all(char in self.shown for char in text):
            return text
        return "".join(char if char in self.shown else "" if _only_steers(char) else REPLACEMENT for char in text)


def faces_for(texts: Iterable[str], *, serif_text: bool = False) -> Faces:
    """Return the fonts that show these texts, as far as any can; `serif_text` adds the serif at a text's weight."""
    wanted = {char for text in texts for char in text} | {REPLACEMENT}
    latin = wanted | set(map(chr, range(0x20, 0x7F))) | set("–—…“”‘’·•×→−©§[]()")
    faces = [
        _subset("sans", "", _SANS, latin, {"wght": REGULAR}),
        _subset("sans", "B", _SANS, latin, {"wght": SEMIBOLD}),
        _subset("sans", "I", _SANS_ITALIC, latin, {"wght": REGULAR}),
        _subset("serif", "B", _SERIF, latin, {"wght": SEMIBOLD, "opsz": _HEADLINE_OPTICAL_SIZE}),
    ]
    if serif_text:
        faces.append(_subset("serif", "", _SERIF, latin, {"wght": REGULAR, "opsz": _TEXT_OPTICAL_SIZE}))
    # What one of them lacks is asked of the others, so that a title is not poorer than its text.
    common = frozenset.intersection(*(_codes(*font, 0) for font in (_SERIF, _SANS, _SANS_ITALIC)))
    shown = {char for char in latin if ord(char) in common}
    lacking = {char for char in wanted - shown if not char.isspace() and char not in _VARIATIONS}
    fallbacks = []
    for package, file, index in _others(lacking):
        if not lacking:
            break
        had = {char for char in lacking if ord(char) in _codes(package, file, index)}
        if not had:
            continue
        name = Path(file).name.partition("[")[0].partition("-VF")[0].lower()
        # A mark can only stand on a letter of its own font.
        others = wanted if any(map(unicodedata.combining, had)) else set()
        for style, weight in (("", REGULAR), ("B", SEMIBOLD)):
            faces.append(_subset(name, style, (package, file), had | others | {" "}, {"wght": weight}, index))
        fallbacks.append(name)
        shown |= had
        lacking -= had
    return Faces(tuple(faces), tuple(fallbacks), frozenset(shown | {" "}))


def _only_steers(char: str) -> bool:
    return char in _VARIATIONS or unicodedata.category(char) in _STEERING


def _others(lacking: set[str]) -> Iterable[tuple[str, str, int]]:
    for name in _SCRIPTS:
        yield "manimgx_fonts", f"{name}[wght].ttf", 0
    if importlib.util.find_spec(_CJK[0]) is not None:
        yield (*_CJK, _country(lacking))


def _country(chars: Iterable[str]) -> int:
    codes = [ord(char) for char in chars]
    if any(0x3040 <= code <= 0x30FF for code in codes):
        return _JAPANESE
    return _KOREAN if any(0xAC00 <= code <= 0xD7A3 for code in codes) else _CHINESE


@functools.cache
def _face(package: str, file: str, index: int) -> hb.Face:
    """Return a font from a package; it is mapped into memory, and stays so."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"The package {package} with the font {file} is not installed.")
    return hb.Face(hb.Blob.from_file_path(str(Path(spec.submodule_search_locations[0], file))), index)


@functools.cache
def _codes(package: str, file: str, index: int) -> frozenset[int]:
    return frozenset(_face(package, file, index).unicodes)


def _subset(
    family: str, style: str, font: tuple[str, str], chars: Iterable[str], axes: dict[str, float], index: int = 0
) -> Face:
    face = _face(*font, index)
    wanted = hb.SubsetInput()
    # A shaper takes some characters apart, such as Thai's sara am, and needs the parts as well.
    parts = {part for char in chars for part in unicodedata.normalize("NFKD", char)} | set(chars)
    wanted.unicode_set.update(ord(char) for char in parts)
    wanted.flags = hb.SubsetFlags.DOWNGRADE_CFF2 | hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NOTDEF_OUTLINE
    for axis, value in axes.items():
        wanted.pin_axis_location(face, axis, value)
    return Face(family, style, bytes(hb.subset(face, wanted).blob.data))
