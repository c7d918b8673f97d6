"""The tree that is committed, kept as assets: what a person downloads, and all that later steps work on.

Checkpoints of the workspace are swept when the job can no longer go on from them; these are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from studio import assets
from studio.assets import Write
from studio.claims import Json
from studio.code import archive
from studio.code.checkpoints import parts
from studio.code.workspace import Changes, WorkspaceFile
from studio.errors import InvalidInput
from studio.storage import Storage

KIND = "code_archive"


def keep(write: Write, storage: Storage, project_id: UUID, job_id: UUID, files: Sequence[WorkspaceFile]) -> Json:
    """Store the files in as many archives as it takes; return asset, path and SHA-256 of each."""
    kept: list[Json] = []
    for number, part in enumerate(parts(Changes(tuple(files))), 1):
        name = "code.tar.gz" if number == 1 else f"code-{number}.tar.gz"
        asset = assets.store(
            write,
            storage,
            project_id,
            phase=None,
            kind=KIND,
            path=f"{project_id}/code/{job_id}/{name}",
            data=archive.pack(part.written),
            filename=name,
            mime_type=archive.MIME_TYPE,
            metadata={"job_id": str(job_id), "files": len(part.written)},
            created_by="engineering_agent",
        )
        kept.append({"asset_id": str(asset.id), "storage_path": asset.storage_path, "sha256": asset.content_hash})
    return kept


def read(storage: Storage, kept: Json) -> list[WorkspaceFile]:
    """Return the files again; raise `InvalidInput` where somebody has changed them in the storage."""
    files: list[WorkspaceFile] = []
    for one in kept:
        data = storage.read(one["storage_path"])
        if hashlib.sha256(data).hexdigest() != one["sha256"]:
            raise InvalidInput("The kept code is not what was inspected.", "Have it generated anew.")
        files += archive.unpack(data).written
    return files
