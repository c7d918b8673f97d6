"""Text in a presentation: paragraphs and runs as XML, for any script and direction."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from pptx.opc.constants import RELATIONSHIP_TYPE
from pptx.slide import Slide

from studio.brand import Brand
from studio.decks.mirror import leftwards as runs_leftwards
from studio.decks.scene import Para, Run, Text
from studio.decks.theme import color_xml, emu

# Languages by script, so that a program picks a font that has it. Others are left to the program.
_SCRIPTS = (
    (re.compile("[぀-ヿ]"), "ja-JP"),
    (re.compile("[가-힯]"), "ko-KR"),
    (re.compile("[一-鿿]"), "zh-CN"),
    (re.compile("[֐-׿]"), "he-IL"),
    (re.compile("[؀-ۿ]"), "ar-SA"),
    (re.compile("[ऀ-ॿ]"), "hi-IN"),
    (re.compile("[฀-๿]"), "th-TH"),
)
_RIGHTWARDS = "\N{LEFT-TO-RIGHT MARK}"
_ANCHORS = {"top": "t", "middle": "ctr", "bottom": "b"}


def language(text: str) -> str:
    """Return the language by which a font is picked."""
    return next((code for letters, code in _SCRIPTS if letters.search(text)), "en-US")


def body_xml(text: Text, brand: Brand, slide: Slide, *, leftwards: bool, tag: str = "p:txBody") -> str:
    """Return a text body with its paragraphs; links become relationships of the slide."""
    x, y = emu(text.inset[0]), emu(text.inset[1])
    paras = "".join(
        para_xml(para, brand, slide, leftwards=leftwards, number=text.role == "number") for para in text.paras
    )
    return (
        f'<{tag}><a:bodyPr wrap="square" lIns="{x}" tIns="{y}" rIns="{x}" bIns="{y}" anchor="{_ANCHORS[text.anchor]}"'
        f' rtlCol="{int(leftwards)}"><a:noAutofit/></a:bodyPr><a:lstStyle/>{paras}</{tag}>'
    )


def para_xml(para: Para, brand: Brand, slide: Slide, *, leftwards: bool, number: bool = False) -> str:
    """Return a paragraph. `leftwards` says how its page is read, its own letters how it is itself."""
    own = runs_leftwards(para.text)
    align = "ctr" if para.align == "center" else "r" if (own or leftwards) != (para.align == "end") else "l"
    rtl = own or (leftwards and bool(para.marker))
    indent = emu(para.indent)
    first = -indent if para.marker else 0
    properties = (
        f'<a:pPr marL="{indent}" indent="{first}" algn="{align}" rtl="{int(rtl)}">'
        f'<a:lnSpc><a:spcPct val="{round(para.spacing * 100_000)}"/></a:lnSpc>'
        f'<a:spcBef><a:spcPts val="{round(para.before * 100)}"/></a:spcBef>{_bullet(para, brand)}</a:pPr>'
    )
    if number:
        style = _style(para, para.runs[0], brand, slide, "a:rPr")
        runs = (
            f'<a:fld id="{{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}}" type="slidenum">{style}'
            f"<a:t>{escape(para.text)}</a:t></a:fld>"
        )
    else:
        # A text that runs the other way than its paragraph keeps its first figure and its full stop by these marks.
        mark = _RIGHTWARDS if rtl and not own else ""
        shown = [run for run in para.runs if run.text]
        texts = [run.text for run in shown]
        if shown and mark:
            texts[0], texts[-1] = mark + texts[0], texts[-1] + mark
        runs = "".join(
            f"<a:r>{_style(para, run, brand, slide, 'a:rPr')}<a:t>{escape(text)}</a:t></a:r>"
            for run, text in zip(shown, texts, strict=True)
        )
    end = f'<a:endParaRPr lang="en-US" sz="{round(para.size * 100)}"/>'
    return f"<a:p>{properties}{runs}{end}</a:p>"


def _bullet(para: Para, brand: Brand) -> str:
    if not para.marker:
        return "<a:buNone/>"
    color = f"<a:buClr>{color_xml(para.marker_color or para.color, brand)}</a:buClr>"
    if para.marker.endswith("."):
        return f'{color}<a:buFont typeface="+mj-lt"/><a:buAutoNum type="arabicPeriod" startAt="{para.marker[:-1]}"/>'
    size = '<a:buSzPct val="70000"/>' if para.marker == "■" else ""
    return f'{color}{size}<a:buFont typeface="Arial"/><a:buChar char={quoteattr(para.marker)}/>'


def _style(para: Para, run: Run, brand: Brand, slide: Slide, tag: str) -> str:
    font = "mj" if para.font == "heading" else "mn"
    link = ""
    if run.url:
        link = f'<a:hlinkClick r:id="{slide.part.relate_to(run.url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)}"/>'
    tracking = f' spc="{round(para.tracking * 100)}"' if para.tracking else ""
    return (
        f'<{tag} lang="{language(run.text)}" sz="{round(para.size * 100)}" b="{int(run.bold)}" i="{int(run.italic)}"'
        f'{tracking} noProof="1"><a:solidFill>{color_xml(run.color or para.color, brand)}</a:solidFill>'
        f'<a:latin typeface="+{font}-lt"/><a:ea typeface="+{font}-ea"/><a:cs typeface="+{font}-cs"/>{link}</{tag}>'
    )
