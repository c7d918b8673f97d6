"""The PDF of a packet version is stored once, and made anew only where it would say something else."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from studio import assets
from studio.database.connection import Database
from studio.errors import NotFound
from studio.packets import export
from studio.storage.folder import FolderStorage
from tests.integration.test_shares import save
from tests.support.rows import make_owner


def test_a_version_is_stored_once(database: Database, tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path, lambda path, seconds: path)
    with database.transaction() as conn:
        project = make_owner(conn, "ada").project_id
    with pytest.raises(NotFound):
        export.exported(database, storage, project, 0)
    save(database, project)
    database.execute("update projects set name = 'Hallway & Söhne'")
    first = export.exported(database, storage, project, 0)
    assert first.storage_path == f"{project}/phase-0/exports/hallway-s-hne-phase-0-v1.pdf"
    assert (first.kind, first.phase, first.mime_type) == ("packet_export", 0, "application/pdf")
    assert assets.content(storage, first).startswith(b"%PDF")
    assert export.exported(database, storage, project, 0) == first
    save(database, project, tagline="Something else")
    second = export.exported(database, storage, project, 0)
    assert second.storage_path.endswith("-v2.pdf")
    assert export.exported(database, storage, project, 0, 1) == first
    database.execute("update projects set name = 'Hallway  Söhne'")
    renamed = export.exported(database, storage, project, 0, 1)
    assert renamed.storage_path != first.storage_path
    assert assets.content(storage, first) != assets.content(storage, renamed)
    with pytest.raises(NotFound):
        export.exported(database, storage, project, 0, 9)
    with pytest.raises(NotFound):
        export.exported(database, storage, uuid4(), 0)
