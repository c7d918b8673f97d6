"""Workspaces and their changes as one file: what a later attempt goes on from, and what a person downloads.

A tar archive, compressed; the same files give the same bytes. What was removed stands in a member of its own, whose
name no workspace can hold.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Mapping

from studio.code.workspace import Changes, WorkspaceFile
from studio.errors import InvalidInput

MIME_TYPE = "application/gzip"
_REMOVED = "/removed"
# Only this says that a member is no file: a path is somebody else's word.
_MARK = {"comment": "removed"}
# A fast compression: most of it is text that is read once, if ever.
_LEVEL = 3


def pack(files: Iterable[WorkspaceFile], removed: Iterable[str] = ()) -> bytes:
    """Return the files as an archive, in the order of their paths, and the paths that are gone."""
    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        gone = sorted(removed)
        if gone:
            _add(archive, WorkspaceFile(_REMOVED, json.dumps(gone).encode()), _MARK)
        for file in sorted(files, key=lambda file: file.path):
            _add(archive, file)
    return raw.getvalue()


def unpack(data: bytes) -> Changes:
    """Return what `pack` was given; raise `InvalidInput` where it is no such archive."""
    written: list[WorkspaceFile] = []
    removed: list[str] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                if member.issym():
                    written.append(WorkspaceFile(member.name, link=member.linkname))
                elif (content := archive.extractfile(member)) is None:
                    continue
                elif _MARK.items() <= member.pax_headers.items():
                    removed = _paths(content.read())
                else:
                    written.append(WorkspaceFile(member.name, content.read(), bool(member.mode & 0o100)))
    except (OSError, EOFError, tarfile.TarError, ValueError, RecursionError) as exc:
        raise InvalidInput("A kept workspace cannot be read.", "Have the code generated anew.") from exc
    return Changes(tuple(written), tuple(removed))


def _paths(data: bytes) -> list[str]:
    listed = json.loads(data)
    if not isinstance(listed, list) or not all(isinstance(path, str) for path in listed):
        raise ValueError("no list of paths")
    return listed


def _add(archive: tarfile.TarFile, file: WorkspaceFile, mark: Mapping[str, str] | None = None) -> None:
    entry = tarfile.TarInfo(file.path)
    entry.mode = 0o755 if file.executable else 0o644
    entry.pax_headers = dict(mark or {})
    if file.link is not None:
        entry.type = tarfile.SYMTYPE
        entry.linkname = file.link
        archive.addfile(entry)
        return
    entry.size = len(file.content)
    archive.addfile(entry, io.BytesIO(file.content))
