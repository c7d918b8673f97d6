"""Style sheets and scripts, under addresses that change with their content: kept by browsers for ever.

They are read once and answered from memory, so that a page has its looks also while all threads wait for a database.
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.exceptions import HTTPException

FOLDER = Path(__file__).resolve().parent.parent / "static"
# Scripts import each other by relative addresses, so all of them share one version.
_VERSION_CHARS = 12
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False)


def version() -> str:
    """Return what stands for the content of all static files."""
    digest = hashlib.sha256()
    for name, content in sorted(_FILES.items()):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:_VERSION_CHARS]


def _read() -> dict[str, bytes]:
    files = (file for file in FOLDER.rglob("*") if file.is_file() and not file.name.startswith("."))
    return {file.relative_to(FOLDER).as_posix(): file.read_bytes() for file in files}


_FILES = _read()
_VERSION = version()


@router.head("/static/{asked}/{name:path}")
@router.get("/static/{asked}/{name:path}")
async def static_file(asked: str, name: str) -> Response:
    """Return a file of the current version; another version's are not there any more."""
    content = _FILES.get(name) if asked == _VERSION else None
    if content is None:
        raise HTTPException(404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=_FOR_EVER)
