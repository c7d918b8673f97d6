"""What a fetched HTML page shows: title, description, headings, visible text.

The tokeniser is ours because the one in the standard library takes quadratic time on hostile pages
(25 s for 64 kB of `<a ` under Python 3.11) and raises AssertionError on others. This one follows the
WHATWG standard as far as reading needs it, never goes back, and accepts any input.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from studio.text import storable

MAX_TITLE_LENGTH = 300
MAX_DESCRIPTION_LENGTH = 500

_TAG_NAME = re.compile(r"[a-zA-Z][^\s/>\0]*")
_ATTRIBUTE_GAP = re.compile(r"[\s/]*")
_ATTRIBUTE_NAME = re.compile(r"=?[^\s/>=]*")
_EQUALS = re.compile(r"\s*=\s*")
_BARE_VALUE = re.compile(r"[^\s>]*")
# Browsers show U+FFFD for these, and `html.unescape` raises on very long decimal ones.
_ENDLESS_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
# A person sees none of these characters; left in, they would split phrases.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")

_RAW_TEXT = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
# Raw text in which character references still count.
_ESCAPABLE = {"title", "textarea"}
_HIDDEN = {"noscript", "template", "svg", "select", "object"}
_HEADINGS = {"h1", "h2"}
_INLINE = {"a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "mark", "small"} | {
    "s", "span", "strong", "sub", "sup", "tt", "u", "wbr",
}  # fmt: skip
_EMBEDS = {"script", "iframe", "frame", "img", "link"}
# Elements by which a page shows something although it has no text.
_SUBSTANCE = {"script", "iframe", "frame", "img", "video", "canvas", "svg", "object", "embed", "form", "picture"}

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([a-zA-Z0-9_-]{1,40})", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([a-zA-Z0-9_-]{1,40})", re.IGNORECASE)
# The encodings of the web. Python knows others under which text would become something else entirely.
_ENCODINGS = re.compile(
    r"utf-8|utf-16|utf-16-le|utf-16-be|iso8859-\d+|cp125\d|cp874|koi8-[ru]|mac-(?:roman|cyrillic)"
    r"|shift_jis|cp932|euc_jp|iso2022_jp|gbk|gb2312|gb18030|big5|big5hkscs|euc_kr|cp949"
)
_TEXT_TYPES = re.compile(r"text/.*|application/(?:[\w.-]+\+)?(?:json|xml)|application/javascript|")


class Tag(NamedTuple):
    """A start or end tag; attribute names in lower case, the first of a name wins.

    `closed` is the slash before the end: it closes an element of SVG, and means nothing in HTML.
    """

    name: str
    end: bool
    attributes: dict[str, str]
    closed: bool = False


@dataclass
class Page:
    """What a page shows. All texts are storable and have single spaces."""

    title: str | None = None
    description: str | None = None
    headings: list[str] = field(default_factory=list)
    text: str = ""
    embeds: list[str] = field(default_factory=list)  # URLs of scripts, frames, images, style sheets
    scripts: list[str] = field(default_factory=list)  # texts of scripts written into the page
    loaded: list[str] = field(default_factory=list)  # URLs of scripts and style sheets alone
    metas: dict[str, str] = field(default_factory=dict)  # contents of meta elements by name or property
    refresh: str | None = None  # where a meta refresh leads
    root: dict[str, str] = field(default_factory=dict)  # attributes of the html element
    has_substance: bool = False

    @property
    def blank(self) -> bool:
        """Whether a visitor would see an empty window."""
        return not (self.title or self.text or self.has_substance)


def decode_text(body: bytes, content_type: str) -> str:
    """Return `body` as storable text, or "" where `content_type` (a header value) names no kind of text.

    The encoding is that of the byte order mark, the header, or the page's own meta element; otherwise
    UTF-8. Bytes that do not fit become U+FFFD.
    """
    if not _TEXT_TYPES.fullmatch(content_type.partition(";")[0].strip().lower()):
        return ""
    return storable(body.decode(_encoding(body, content_type), errors="replace"))


def read_page(markup: str) -> Page:
    """Return what the HTML text `markup` shows. Any text is accepted; time is linear in its length."""
    page = Page()
    metas = page.metas
    visible: list[str] = []
    heading: list[str] | None = None
    hidden = _Curtain()
    raw = ""
    for token in tokens(markup):
        if isinstance(token, str):
            if raw == "script":
                page.scripts.append(token)
            elif raw == "title" and page.title is None and not hidden:
                page.title = squeeze(token)[:MAX_TITLE_LENGTH].rstrip() or None
            elif not raw and not hidden:
                visible.append(token)
                if heading is not None:
                    heading.append(token)
            continue
        name = token.name
        raw = name if name in _RAW_TEXT and not token.end else ""
        hidden.see(token)
        if name not in _INLINE:
            visible.append(" ")
            if heading is not None:
                heading.append(" ")
        if name in _HEADINGS and not hidden:
            if heading:
                page.headings.append(squeeze("".join(heading)))
            heading = None if token.end else []
        if not token.end:
            _note_start(page, token)
    if heading:
        page.headings.append(squeeze("".join(heading)))
    page.text = squeeze("".join(visible))
    page.title = page.title or _first(metas, "og:title", "twitter:title", limit=MAX_TITLE_LENGTH)
    page.description = _first(
        metas, "description", "og:description", "twitter:description", limit=MAX_DESCRIPTION_LENGTH
    )
    return page


def tokens(markup: str) -> Iterator[Tag | str]:
    """Yield the tags and the texts of `markup` in order, texts with character references resolved.

    Comments, declarations and a tag that the end of the text cuts off are left out, as browsers do.
    """
    position = 0
    while position < len(markup):
        opening = markup.find("<", position)
        if opening < 0:
            opening = len(markup)
        if opening > position:
            yield _unescape(markup[position:opening])
        if opening == len(markup):
            return
        tag, position = _tag(markup, opening)
        if position < 0:
            return
        if tag is None:
            if position == opening + 1:
                yield "<"
            continue
        yield tag
        if not tag.end and tag.name in _RAW_TEXT:
            closing = _RAW_TEXT[tag.name].search(markup, position)
            end = closing.start() if closing else len(markup)
            content = markup[position:end]
            yield _unescape(content) if tag.name in _ESCAPABLE else content
            position = end


def squeeze(text: str) -> str:
    """Return `text` without invisible characters, every run of white space as one space."""
    return " ".join(storable(_INVISIBLE.sub("", text)).split())


def _tag(markup: str, opening: int) -> tuple[Tag | None, int]:
    """Return the tag that starts at `opening`, None for a comment or a bare `<`, and the position after it.

    The position is -1 where the text ends within the tag.
    """
    if markup.startswith("<!--", opening):
        # "<!-->" and "<!--->" are complete comments.
        found = markup.find("-->", opening + 2)
        return None, found + 3 if found >= 0 else -1
    end = markup.startswith("</", opening)
    name = _TAG_NAME.match(markup, opening + 1 + end)
    if name is None:
        if end or markup[opening + 1 : opening + 2] in ("!", "?"):
            found = markup.find(">", opening + 2)
            return None, found + 1 if found >= 0 else -1
        return None, opening + 1
    attributes: dict[str, str] = {}
    position = name.end()
    while True:
        gap = position
        position = _skip(_ATTRIBUTE_GAP, markup, position)
        if position >= len(markup):
            return None, -1
        closed = position > gap and markup[position - 1] == "/"
        if markup[position] == ">":
            return Tag(name.group().lower(), end, attributes, closed), position + 1
        key = _ATTRIBUTE_NAME.match(markup, position)
        after = _skip(_ATTRIBUTE_NAME, markup, position)
        equals = _EQUALS.match(markup, after)
        value = ""
        if equals is None:
            position = after
        else:
            start = equals.end()
            quote = markup[start : start + 1]
            if quote in ('"', "'") and quote:
                closing = markup.find(quote, start + 1)
                if closing < 0:
                    return None, -1
                value, position = markup[start + 1 : closing], closing + 1
            else:
                position = _skip(_BARE_VALUE, markup, start)
                value = markup[start:position]
        if key is not None:
            attributes.setdefault(key.group().lower(), _unescape(value))


def _skip(pattern: re.Pattern[str], markup: str, position: int) -> int:
    found = pattern.match(markup, position)
    return found.end() if found else position


class _Curtain:
    """Whether the reading is inside an element whose text no visitor sees.

    Only the outermost such element is followed, by counting its own name: that takes the same time for
    every tag, and an inner element left open does not swallow the rest of the page.
    """

    def __init__(self) -> None:
        self._name = ""
        self._depth = 0

    def __bool__(self) -> bool:
        return self._depth > 0

    def see(self, token: Tag) -> None:
        """Take note of a tag."""
        if token.name not in _HIDDEN or (self._depth and token.name != self._name):
            return
        if token.end:
            self._depth = max(0, self._depth - 1)
        elif not (token.closed and token.name == "svg"):
            self._name = token.name
            self._depth += 1


def _note_start(page: Page, token: Tag) -> None:
    attributes = token.attributes
    if token.name in _SUBSTANCE:
        page.has_substance = True
    if token.name == "html" and not page.root:
        page.root = attributes
    elif token.name == "meta":
        key = (attributes.get("name") or attributes.get("property") or "").strip().lower()
        content = attributes.get("content", "")
        if key and content:
            page.metas.setdefault(key, content)
        if attributes.get("http-equiv", "").strip().lower() == "refresh" and page.refresh is None:
            page.refresh = _refresh_url(content)
    elif token.name in _EMBEDS:
        source = attributes.get("src") or attributes.get("href")
        if source:
            page.embeds.append(source.strip())
            if token.name == "script" or "stylesheet" in attributes.get("rel", "").lower().split():
                page.loaded.append(source.strip())


def _refresh_url(content: str) -> str | None:
    _, _, rest = content.partition(";")
    key, _, url = rest.strip().partition("=")
    return (url.strip().strip("'\"") or None) if key.strip().lower() == "url" else None


def _first(metas: dict[str, str], *names: str, limit: int) -> str | None:
    found = (squeeze(metas[name]) for name in names if name in metas)
    return next((text[:limit].rstrip() for text in found if text), None)


def _unescape(text: str) -> str:
    return html.unescape(_ENDLESS_REFERENCE.sub("\ufffd", text)) if "&" in text else text


def _encoding(body: bytes, content_type: str) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if body.startswith(mark):
            return encoding
    named = _CHARSET.search(content_type)
    if named:
        label = named.group(1)
    else:
        # The standard looks for the meta element in the first 1024 bytes.
        meta = _META_CHARSET.search(body[:1024])
        label = meta.group(1).decode("ascii") if meta else "utf-8"
        # A page whose meta element could be read as ASCII is not in UTF-16, whatever it says.
        label = "utf-8" if label.lower().startswith("utf-16") else label
    try:
        encoding = codecs.lookup(label).name
    except LookupError:
        return "utf-8"
    # Pages that say Latin-1 or ASCII mean Windows-1252, and browsers read them so.
    encoding = "cp1252" if encoding in ("iso8859-1", "ascii") else encoding
    return encoding if _ENCODINGS.fullmatch(encoding) else "utf-8"
