"""Artifacts by signed link: `GET /files/{path}?token=…`, out of the folder or of the bucket.

They are made by models and people, so a browser gets to see them under a policy that lets them do nothing; what
it would not show it is told to save.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio import links, uploads
from studio.errors import LinkRefused, StorageRefused, StorageUnavailable
from studio.storage import storage_from_settings
from studio.storage.names import UNKNOWN_TYPE, type_of
from web import headers
from web.site import Site, site

router = APIRouter()

_SHOWN = re.compile(r"(image/(png|jpeg|gif|webp|avif|svg\+xml)|text/(html|plain|markdown)|application/pdf)(;|$)")


@router.api_route("/files/{path:path}", methods=["GET", "HEAD"])
def file(path: str, request: Request, token: str = "", save: bool = False) -> Response:
    """Return a file to whoever has a link to it, for looking at it or to `save` it."""
    here = site(request)
    if links.verify(here.settings, links.FILE, token) != path:
        raise LinkRefused("This link is not valid.", "Open it exactly as it was sent.")
    kind, content = _stored(here, path)
    how = "inline" if _SHOWN.match(kind) and not save else "attachment"
    told = {
        "Content-Type": kind,
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(uploads.given_name(path))}",
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": headers.file(here),
    }
    return Response(content, headers=told)


def _stored(here: Site, path: str) -> tuple[str, bytes]:
    """Return type and content of a file; raise `NotFound`, `StorageError` or `SettingsError`."""
    if here.files is not None:
        return here.files.content_type(path), here.files.read(path)
    # Of uploads browsers say what they are; in the folder, too, they have no type.
    kind = UNKNOWN_TYPE if uploads.is_upload(path) else type_of(path)
    try:
        return kind, storage_from_settings(here.settings).read(path)
    except StorageRefused as exc:
        # The path was signed here, so whatever is refused is nothing that the visitor could do otherwise.
        raise StorageUnavailable(exc.message, exc.remedy) from exc
