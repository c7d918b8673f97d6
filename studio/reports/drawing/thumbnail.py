"""A small picture of a report's first page, drawn without a browser: shapes and lines of text as the page has them."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import uharfbuzz as hb

from studio.brand import Brand
from studio.brand.colors import channels, mix
from studio.decks import metrics, setting
from studio.decks.mirror import leftwards
from studio.decks.scene import HEIGHT, WIDTH, Box, Drawing, Page, Paint, Para, Shape, Text
from studio.decks.theme import hex_of
from studio.packets.export.typefaces import Face, faces_for

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# In pixels. It is drawn three times as large, and made smaller for smooth edges.
_WIDE = 480
_SCALE = 3 * _WIDE / WIDTH
_BASELINE = 0.92
# Scripts whose letters change with their neighbours, or run from right to left.
_JOINED = re.compile("[\u0590-\u0dff\u0f00-\u109f\u1780-\u17ff]")


def png(page: Page, brand: Brand) -> bytes | None:
    """Return the picture, 480 by 270 pixels; None where its letters join and the machine cannot join them.

    The same page and brand give the same bytes.
    """
    # Here, because most processes that import this module never draw.
    from PIL import Image, ImageDraw, features

    joined = any(_JOINED.search(para.text) for text in page.texts() for para in text.paras)
    if joined and not features.check("raqm"):
        return None
    picture = Image.new("RGB", (round(WIDTH * _SCALE), round(HEIGHT * _SCALE)), hex_of(page.ground, brand))
    pen = _Pen(picture, ImageDraw.Draw(picture), page, brand)
    for element in page.elements:
        match element:
            case Drawing():
                for shape in element.shapes:
                    pen.shape(shape)
            case Text():
                pen.text(element)
            case _:
                # Covers have neither tables nor charts.
                pass
    small = picture.resize((_WIDE, round(_WIDE * HEIGHT / WIDTH)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


class _Pen:
    def __init__(self, picture: Image, draw: ImageDraw, page: Page, brand: Brand) -> None:
        self._picture, self._draw, self._page, self._brand = picture, draw, page, brand
        self._faces = faces_for((para.text for text in page.texts() for para in text.paras), serif_text=True)
        self._letters = {face: frozenset(hb.Face(face.data).unicodes) for face in self._faces.faces}
        self._fonts: dict[tuple[Face, float], FreeTypeFont] = {}

    def _color(self, paint: Paint, ground: Paint) -> tuple[int, int, int]:
        value = hex_of(paint, self._brand)
        solid = value if paint.alpha >= 1 else mix(hex_of(ground, self._brand), value, paint.alpha)
        red, green, blue = channels(solid)
        return red, green, blue

    def shape(self, shape: Shape) -> None:
        """Draw a shape; what is laid on thinly is mixed with what lies below it."""
        from PIL import Image, ImageDraw

        mask = Image.new("L", self._picture.size, 0)
        pen = ImageDraw.Draw(mask)
        points = [(x * _SCALE, y * _SCALE) for x, y in shape.points]
        at = [edge * _SCALE for edge in (shape.box.x, shape.box.y, shape.box.right, shape.box.bottom)]
        for paint, filled in ((shape.fill, True), (shape.line, False)):
            if paint is None:
                continue
            tone = round(255 * paint.alpha)
            weight = max(1, round(shape.weight * _SCALE))
            style = {"fill": tone} if filled else {"outline": tone, "width": weight}
            if shape.kind == "polygon":
                pen.polygon(points, fill=tone)
            elif shape.kind == "ellipse":
                pen.ellipse(at, **style)
            else:
                pen.rectangle(at, **style)
            color = self._color(Paint(paint.role, paint.hex), paint)
            self._picture.paste(color, (0, 0), mask)
            mask.paste(0, (0, 0, *mask.size))

    def text(self, text: Text) -> None:
        """Draw a box of text, line by line."""
        if text.fill:
            self.shape(Shape("rect", text.box, fill=text.fill, line=text.line, weight=0.75))
        room = Box(text.box.x, text.box.y, text.box.w, text.box.h).inset(*text.inset)
        tall = setting.height(self._brand, text.paras, room.w)
        y = room.y + {"top": 0.0, "middle": (room.h - tall) / 2, "bottom": room.h - tall}[text.anchor]
        for index, para in enumerate(text.paras):
            y += para.before if index else 0
            y = self._para(para, room, y, text.ground)

    def _para(self, para: Para, room: Box, y: float, ground: Paint) -> float:
        face = setting.face_of(self._brand, para.font)
        bold = any(run.bold for run in para.runs)
        step = metrics.line_height(para.text, para.size, face) * max(1.0, para.spacing)
        shown = self._faces.drawable(para.text)
        for line in metrics.wrapped(shown, room.w, para.size, face, bold=bold):
            family = "serif" if face.kind == "serif" else "sans"
            pieces = self._pieces(line, family, "B" if bold else "", para.size)
            width = sum(font.getlength(piece) for piece, font in pieces)
            own = leftwards(line)
            x = room.right * _SCALE - width if own or self._page.leftwards else room.x * _SCALE
            for piece, font in reversed(pieces) if own else pieces:
                self._draw.text(
                    (x, (y + para.size * _BASELINE) * _SCALE), piece, fill=self._color(para.color, ground), font=font,
                    anchor="ls", direction="rtl" if own else None,
                )  # fmt: skip
                x += font.getlength(piece)
            y += step
        return y

    def _pieces(self, line: str, family: str, style: str, size: float) -> list[tuple[str, FreeTypeFont]]:
        """Return the line cut where another font has to be taken."""
        pieces: list[tuple[str, FreeTypeFont]] = []
        for char in line:
            font = self._font_of(char, family, style, size)
            if pieces and (pieces[-1][1] is font or char == " "):
                pieces[-1] = (pieces[-1][0] + char, pieces[-1][1])
            else:
                pieces.append((char, font))
        return pieces

    def _font_of(self, char: str, family: str, style: str, size: float) -> FreeTypeFont:
        from PIL import ImageFont

        own = [face for face in self._faces.faces if face.family == family and face.style == style]
        others = [face for face in self._faces.faces if face.family not in ("sans", "serif") and face.style == style]
        face = next((face for face in (*own, *others) if ord(char) in self._letters[face]), own[0])
        if (face, size) not in self._fonts:
            self._fonts[face, size] = ImageFont.truetype(io.BytesIO(face.data), round(size * _SCALE))
        return self._fonts[face, size]
