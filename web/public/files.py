"""Artifacts of the folder storage, by signed link: `GET /files/{path}?token=…`.

They are made by models and people, so a browser gets to see them under a policy that lets them do nothing; what
it would not show it is told to save.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from studio import links, uploads
from studio.errors import LinkRefused
from web import headers
from web.site import site

router = APIRouter()

_SHOWN = re.compile(r"(image/(png|jpeg|gif|webp|avif|svg\+xml)|text/(html|plain|markdown)|application/pdf)(;|$)")


@router.api_route("/files/{path:path}", methods=["GET", "HEAD"])
def file(path: str, request: Request, token: str = "", save: bool = False) -> Response:
    """Return a file to whoever has a link to it, for looking at it or to `save` it."""
    here = site(request)
    if here.files is None:
        raise HTTPException(404)
    if links.verify(here.settings, links.FILE, token) != path:
        raise LinkRefused("This link is not valid.", "Open it exactly as it was sent.")
    kind = here.files.content_type(path)
    how = "inline" if _SHOWN.match(kind) and not save else "attachment"
    told = {
        "Content-Type": kind,
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(uploads.given_name(path))}",
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": headers.file(here),
    }
    return Response(here.files.read(path), headers=told)
