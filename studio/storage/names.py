"""What a file is, by its name: for storages that do not say how it was stored."""

from __future__ import annotations

from pathlib import PurePosixPath

UNKNOWN_TYPE = "application/octet-stream"
# What the studio makes and people bring. The machine's own list differs from one machine to the next.
_TYPES = {
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "svg": "image/svg+xml",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


def type_of(path: str) -> str:
    """Return the content type that a path's name promises, `UNKNOWN_TYPE` for any that is not known."""
    return _TYPES.get(PurePosixPath(path).suffix.removeprefix(".").lower(), UNKNOWN_TYPE)
