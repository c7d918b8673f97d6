"""The text of an HTML mail, for rows whose writer gave none."""

from __future__ import annotations

import re

from studio.webpage import Tag, tokens

_PARAGRAPHS = frozenset({"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "hr", "pre"}) | {
    "blockquote", "section", "article", "header", "footer",
}  # fmt: skip
_LINES = frozenset(("br", "li", "tr", "dt", "dd"))
_UNSEEN = frozenset(("head", "script", "style", "title", "template"))
_BLANK_LINES = re.compile(r"\n{3,}")


def text_of(markup: str) -> str:
    """Return what a mail in HTML says: paragraphs apart, list items with a dash, links with their address behind."""
    out: list[str] = []
    unseen = ""
    link: tuple[str, int] | None = None
    for token in tokens(markup):
        if isinstance(token, str):
            if not unseen:
                out.append(re.sub(r"[ \t\r\n\f]+", " ", token))
            continue
        if unseen:
            unseen = "" if token.end and token.name == unseen else unseen
        elif token.name in _UNSEEN and not token.end:
            unseen = token.name
        elif token.name == "a":
            if not token.end:
                link = (_address(token), len(out))
            elif link is not None:
                out.append(_behind(link[0], "".join(out[link[1] :]).strip()))
                link = None
        elif token.name in _PARAGRAPHS:
            out.append("\n\n")
        elif token.name in _LINES and not (token.end and token.name != "tr"):
            out.append("\n- " if token.name == "li" else "\n")
        elif token.name in ("td", "th") and token.end:
            out.append("  ")
    lines = (" ".join(line.split()) for line in "".join(out).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


def _address(tag: Tag) -> str:
    address = tag.attributes.get("href", "").strip()
    return address if address.startswith(("https://", "http://", "mailto:")) else ""


def _behind(address: str, said: str) -> str:
    return f" ({address})" if address and address.removeprefix("mailto:") != said else ""
