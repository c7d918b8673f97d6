"""The presentation's theme, master and layouts: the brand as PowerPoint and LibreOffice know it.

Slides name colours and fonts of the theme, so that who changes the theme changes the deck. A dark brand maps its
ground to the theme's dark colour, as those programs do.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from pptx.opc.oxml import serialize_part_xml
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.presentation import Presentation
from pptx.util import Emu

from studio.brand import Brand
from studio.brand.colors import GRAPHICS_CONTRAST, from_oklch, legible, oklch
from studio.decks.model import clean
from studio.decks.scene import HEIGHT, WIDTH, Box, Paint

EMU = 12700

# Fonts for scripts that the brand's own do not have, by the theme's script codes.
_SCRIPTS = {
    "Jpan": "Yu Gothic", "Hang": "Malgun Gothic", "Hans": "Microsoft YaHei", "Hant": "Microsoft JhengHei",
    "Arab": "Arial", "Hebr": "Arial", "Thai": "Leelawadee UI", "Deva": "Nirmala UI", "Beng": "Nirmala UI",
    "Taml": "Nirmala UI", "Telu": "Nirmala UI", "Gujr": "Nirmala UI", "Guru": "Nirmala UI", "Ethi": "Nyala",
    "Khmr": "Leelawadee UI", "Laoo": "Leelawadee UI", "Geor": "Sylfaen", "Armn": "Sylfaen",
}  # fmt: skip

_SCHEME = {
    "background": "bg1",
    "text": "tx1",
    "surface": "bg2",
    "muted_text": "tx2",
    "accent": "accent1",
    "accent_secondary": "accent2",
    "accent_text": "accent3",
    "accent_fill": "accent4",
    "secondary_fill": "accent5",
}

COVER, TITLE_ONLY, TITLE_AND_TEXT, TWO_COLUMNS = range(4)
_LAYOUTS = (("Cover", "title"), ("Title only", "titleOnly"), ("Title and text", "obj"), ("Two columns", "twoObj"))


def emu(points: float) -> int:
    """Return points in the units of the format."""
    return round(points * EMU)


def color_xml(paint: Paint, brand: Brand) -> str:
    """Return a colour as XML: a colour of the theme wherever it is one."""
    alpha = "" if paint.alpha >= 1 else f'<a:alpha val="{round(paint.alpha * 100_000)}"/>'
    name = scheme_name(paint, brand)
    if name:
        return f'<a:schemeClr val="{name}">{alpha}</a:schemeClr>'
    return f'<a:srgbClr val="{hex_of(paint, brand)[1:]}">{alpha}</a:srgbClr>'


def scheme_name(paint: Paint, brand: Brand) -> str:
    """Return the theme's name of a colour, empty where it has none."""
    if paint.role is None:
        return ""
    if paint.role in _SCHEME:
        return _SCHEME[paint.role]
    # Text on an accent is the page's ground or text where those can be read there, else plain black or white.
    value = hex_of(paint, brand)
    return "bg1" if value == brand.background else "tx1" if value == brand.text else ""


def hex_of(paint: Paint, brand: Brand) -> str:
    """Return a colour as `#RRGGBB`, its alpha left out."""
    return paint.hex or str(getattr(brand, paint.role or "text"))


def apply(presentation: Presentation, brand: Brand) -> None:
    """Give an empty presentation the brand's theme, a wide page, and four layouts on one grid."""
    for owner in (presentation.part.package, presentation.part):
        _drop(owner)
    presentation.slide_width, presentation.slide_height = Emu(emu(WIDTH)), Emu(emu(HEIGHT))
    master = presentation.slide_master
    for layout in list(master.slide_layouts)[len(_LAYOUTS) :]:
        master.slide_layouts.remove(layout)
    theme_part = next(rel.target_part for rel in master.part.rels.values() if rel.reltype.endswith("/theme"))
    theme_part._blob = _theme(theme_part.blob, brand)
    _master(master._element, brand)
    for layout, (name, kind) in zip(master.slide_layouts, _LAYOUTS, strict=True):
        _layout(layout._element, name, kind)


def _drop(owner: Any) -> None:
    """Drop what the library's template brings along: a picture of its own first page, somebody's printer."""
    for name, relation in list(owner._rels.items()):
        if relation.reltype.endswith(("/thumbnail", "/printerSettings")):
            owner._rels.pop(name)


def _theme(blob: bytes, brand: Brand) -> bytes:
    root: Any = parse_xml(blob)
    root.set("name", clean(brand.name) or "Greenlight")
    scheme = root.find(f".//{qn('a:clrScheme')}")
    fonts = root.find(f".//{qn('a:fontScheme')}")
    hue = oklch(brand.accent).hue
    third = legible(from_oklch(0.6, 0.09, hue + 60), (brand.background, brand.surface), GRAPHICS_CONTRAST)
    dark, light = (brand.background, brand.text) if brand.dark else (brand.text, brand.background)
    dark_two, light_two = (brand.surface, brand.muted_text) if brand.dark else (brand.muted_text, brand.surface)
    colors = {
        "dk1": dark, "lt1": light, "dk2": dark_two, "lt2": light_two, "accent1": brand.accent,
        "accent2": brand.accent_secondary, "accent3": brand.accent_text, "accent4": brand.accent_fill,
        "accent5": brand.secondary_fill, "accent6": third, "hlink": brand.accent_text, "folHlink": brand.muted_text,
    }  # fmt: skip
    scheme.set("name", "Brand")
    for name, value in colors.items():
        slot = scheme.find(qn(f"a:{name}"))
        for child in list(slot):
            slot.remove(child)
        _child(slot, "a:srgbClr", val=value[1:])
    fonts.set("name", "Brand")
    for tag, font in (("a:majorFont", brand.heading_font), ("a:minorFont", brand.body_font)):
        family = fonts.find(qn(tag))
        for child in list(family):
            family.remove(child)
        for kind, name in (("latin", font), ("ea", ""), ("cs", "")):
            _child(family, f"a:{kind}", typeface=name)
        for script, name in _SCRIPTS.items():
            _child(family, "a:font", script=script, typeface=name)
    return serialize_part_xml(root)


def _child(parent: Any, tag: str, **attributes: str) -> None:
    parent.append(parent.makeelement(qn(tag), attributes))


def _placeholder(number: int, name: str, kind: str, box: Box, text: str, *, attributes: str = "") -> str:
    field = (
        '<a:fld id="{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}" type="slidenum"><a:rPr lang="en-US"/><a:t>‹#›</a:t></a:fld>'
        if kind == "sldNum"
        else f'<a:r><a:rPr lang="en-US"/><a:t>{escape(text)}</a:t></a:r>' if text else ""
    )  # fmt: skip
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{name}"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>'
        f'<p:nvPr><p:ph type="{kind}"{attributes}/></p:nvPr></p:nvSpPr><p:spPr><a:xfrm>'
        f'<a:off x="{emu(box.x)}" y="{emu(box.y)}"/><a:ext cx="{emu(box.w)}" cy="{emu(box.h)}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody>'
        '<a:bodyPr lIns="0" tIns="0" rIns="0" bIns="0" anchor="t"><a:normAutofit/></a:bodyPr><a:lstStyle/>'
        f"<a:p>{field}<a:endParaRPr lang='en-US'/></a:p>"
        "</p:txBody></p:sp>"
    )


_TITLE, _BODY = Box(56, 56, 848, 72), Box(56, 150, 848, 336)
_LEFT, _RIGHT = Box(56, 150, 404, 336), Box(500, 150, 404, 336)
_NUMBER, _FOOTER = Box(56, 506, 32, 16), Box(90, 506, 466, 16)
_TITLE_TEXT, _BODY_TEXT = "Click to edit the title", "Click to edit the text"


def _common(first: int) -> str:
    return _placeholder(first, "Footer", "ftr", _FOOTER, "", attributes=' sz="quarter" idx="11"') + _placeholder(
        first + 1, "Number", "sldNum", _NUMBER, "", attributes=' sz="quarter" idx="12"'
    )


def _tree(shapes: str) -> Any:
    return parse_xml(
        f"<p:spTree {nsdecls('p', 'a')}>"
        '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
        f"{shapes}</p:spTree>"
    )


def _replace_tree(element: Any, shapes: str) -> None:
    old = element.find(f"{qn('p:cSld')}/{qn('p:spTree')}")
    old.getparent().replace(old, _tree(shapes))


def _master(element: Any, brand: Brand) -> None:
    shapes = _placeholder(2, "Title", "title", _TITLE, _TITLE_TEXT)
    shapes += _placeholder(3, "Text", "body", _BODY, _BODY_TEXT, attributes=' idx="1"')
    _replace_tree(element, shapes + _common(4))
    mapping = element.find(qn("p:clrMap"))
    pairs = (
        {"bg1": "dk1", "tx1": "lt1", "bg2": "dk2", "tx2": "lt2"}
        if brand.dark
        else {"bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2"}
    )
    for name, value in pairs.items():
        mapping.set(name, value)
    styles = element.find(qn("p:txStyles"))
    styles.getparent().replace(styles, parse_xml(_styles(brand)))


def _styles(brand: Brand) -> str:
    def level(number: int, size: int, font: str, bullet: str, indent: int, bold: int = 0) -> str:
        margin = (number - 1) * 228600 + indent
        return (
            f'<a:lvl{number}pPr marL="{margin}" indent="-{indent}" algn="l" defTabSz="914400" rtl="0" eaLnBrk="1"'
            f' latinLnBrk="0" hangingPunct="1"><a:spcBef><a:spcPts val="600"/></a:spcBef>{bullet}'
            f'<a:defRPr sz="{size}" b="{bold}" kern="1200"><a:solidFill><a:schemeClr val="tx1"/></a:solidFill>'
            f'<a:latin typeface="+{font}-lt"/><a:ea typeface="+{font}-ea"/><a:cs typeface="+{font}-cs"/></a:defRPr>'
            f"</a:lvl{number}pPr>"
        )

    bullet = '<a:buClr><a:schemeClr val="accent1"/></a:buClr><a:buFont typeface="Arial"/><a:buChar char="•"/>'
    levels = "".join(level(n, 1800 - 100 * (n - 1), "mn", bullet, 228600) for n in range(1, 6))
    other = "".join(level(n, 1400, "mn", "<a:buNone/>", 0) for n in range(1, 6))
    return (
        f"<p:txStyles {nsdecls('p', 'a')}><p:titleStyle>{level(1, 2800, 'mj', '<a:buNone/>', 0, 1)}</p:titleStyle>"
        f"<p:bodyStyle>{levels}</p:bodyStyle><p:otherStyle>{other}</p:otherStyle></p:txStyles>"
    )


def _layout(element: Any, name: str, kind: str) -> None:
    element.set("type", kind)
    element.find(qn("p:cSld")).set("name", name)
    if kind == "title":
        shapes = _placeholder(2, "Title", "ctrTitle", Box(56, 120, 640, 160), _TITLE_TEXT)
        shapes += _placeholder(3, "Subtitle", "subTitle", Box(56, 296, 560, 90), _BODY_TEXT, attributes=' idx="1"')
    else:
        shapes = _placeholder(2, "Title", "title", _TITLE, _TITLE_TEXT)
    if kind == "obj":
        shapes += _placeholder(3, "Text", "body", _BODY, _BODY_TEXT, attributes=' idx="1"')
    if kind == "twoObj":
        shapes += _placeholder(3, "Left", "body", _LEFT, _BODY_TEXT, attributes=' sz="half" idx="1"')
        shapes += _placeholder(4, "Right", "body", _RIGHT, _BODY_TEXT, attributes=' sz="half" idx="2"')
    _replace_tree(element, shapes + _common(8))
