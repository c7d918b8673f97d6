"""Plain text with its web addresses as links, and nothing else of it as HTML."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from web.packet_view import web_address

_ADDRESS = re.compile(r"https?://[^\s<>\"'`]+", re.IGNORECASE)
# They end a sentence more often than an address.
_TRAILING = ".,;:!?…»”’*_"
_PAIRS = {")": "(", "]": "[", "}": "{"}


def linked(text: str) -> Markup:
    """Return `text` escaped, with each http or https address in it as a link."""
    parts: list[Markup] = []
    end = 0
    for found in _ADDRESS.finditer(text):
        address = _trimmed(found.group())
        if web_address(address) is None:
            continue
        parts.append(escape(text[end : found.start()]))
        parts.append(Markup('<a href="{0}" rel="noopener noreferrer nofollow">{0}</a>').format(address))
        end = found.start() + len(address)
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def _trimmed(address: str) -> str:
    while address and (
        address[-1] in _TRAILING or address.count(address[-1]) > address.count(_PAIRS.get(address[-1], address[-1]))
    ):
        address = address[:-1]
    return address
