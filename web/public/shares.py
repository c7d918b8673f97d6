"""Packets that were shared by link: `GET /packet/share/{token}`.

A link shows one version, for a while, to whoever has it, and tells nobody else of it: it is kept by no cache and found
by no search engine, and the page may load nothing and run nothing.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from studio import shares
from web import headers
from web.answers import page
from web.packet_view import PacketView
from web.site import site

router = APIRouter()

_STYLE = Path(__file__).resolve().parent.parent / "static" / "packet.css"
_PRIVATE = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow, noarchive"}


@router.api_route("/packet/share/{token}", methods=["GET", "HEAD"])
def shared_packet(token: str, request: Request) -> Response:
    """Show the version that a link names."""
    here = site(request)
    shared = shares.opened(here.db, token)
    view = PacketView(shared.phase, shared.packet, readable=shared.readable, sources=shared.sources)
    answer = page("shared_packet.html", shared=shared, view=view, style=_style())
    answer.headers.update(_PRIVATE)
    answer.headers["Content-Security-Policy"] = headers.file(here)
    return answer


@cache
def _style() -> Markup:
    # Our own file; the page's policy lets it load none.
    return Markup(_STYLE.read_text("utf-8"))  # noqa: S704
