"""Style sheets and scripts, under addresses that change with their content: kept by browsers for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).resolve().parent.parent / "static"
# Scripts import each other by relative addresses, so all of them share one version.
_VERSION_CHARS = 12


def version() -> str:
    """Return what stands for the content of all static files."""
    digest = hashlib.sha256()
    for file in sorted(FOLDER.rglob("*")):
        if file.is_file():
            digest.update(str(file.relative_to(FOLDER)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:_VERSION_CHARS]


class VersionedFiles(StaticFiles):
    """Serves `/{version}/{file}`; another version's files are not there any more."""

    def __init__(self, current: str) -> None:
        super().__init__(directory=FOLDER)
        self._current = current

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file of the current version."""
        asked, _, file = path.partition("/")
        if asked != self._current:
            raise HTTPException(404)
        return await super().get_response(file, scope)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file that never changes."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer
