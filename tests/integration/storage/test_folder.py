"""The folder keeps what it promised when a process dies, a disk is full, or somebody puts links into it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import NotFound, SettingsError, StorageRefused, StorageUnavailable
from studio.paths import ROOT
from studio.settings import Settings
from studio.storage.choice import folder_storage
from studio.storage.folder import FolderStorage

# Writes the same path again and again, each time as a whole: 200,000 times one letter.
_WRITER = """
import itertools, sys
from pathlib import Path
from studio.storage.folder import FolderStorage
storage = FolderStorage(Path(sys.argv[1]), lambda path, seconds: path)
for letter in itertools.cycle("abcdefgh"):
    storage.upload("p/file", letter.encode() * 200_000, content_type=f"text/{letter}", upsert=True)
    print(letter, flush=True)
"""


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "artifacts", lambda path, seconds: f"{path}?{seconds}")


def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new_one(storage: FolderStorage) -> None:
    for lines in range(1, 4):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(storage.root)], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        assert writer.stdout is not None
        for _ in range(lines):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        data = storage.read("p/file")
        assert len(data) == 200_000
        assert len(set(data)) == 1
        assert [file.path for file in storage.list("")] == ["p/file"], "what was being written is no file"
    storage.upload("p/file", b"after", content_type="text/plain", upsert=True)
    assert storage.read("p/file") == b"after"


def test_files_are_their_owners_alone(storage: FolderStorage) -> None:
    storage.upload("p/a", b"x", content_type="text/plain")
    for path in storage.root.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_link_out_of_the_folder_leads_nowhere(storage: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    storage.upload("p/a", b"x", content_type="text/plain")
    (storage.root / "out").symlink_to(tmp_path / "outside")
    (storage.root / "p" / "secret").symlink_to(tmp_path / "outside" / "secret")
    for attempt in (
        lambda: storage.read("out/secret"),
        lambda: storage.upload("out/new", b"x", content_type="text/plain"),
        lambda: storage.delete(["out/secret"]),
    ):
        with pytest.raises(StorageRefused, match="leads out"):
            attempt()
    with pytest.raises(NotFound):
        storage.read("p/secret")
    assert [file.path for file in storage.list("")] == ["p/a"]
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["secret"]


def test_a_file_cannot_be_a_folder_as_well(storage: FolderStorage) -> None:
    storage.upload("p/a", b"x", content_type="text/plain")
    for path in ("p/a/b", "p"):
        with pytest.raises(StorageRefused, match="p"):
            storage.upload(path, b"x", content_type="text/plain", upsert=True)
    assert storage.read("p/a") == b"x"


def test_a_full_disk_is_said_and_leaves_nothing_half(storage: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.upload("p/a", b"old", content_type="text/plain")
    # A real one: the device that is always full takes the place of the file that is being written.
    really_open = os.open

    def open_on_a_full_disk(path: object, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(".partial"):
            really_open(path, flags, mode)  # type: ignore[arg-type]
            return really_open("/dev/full", os.O_WRONLY)
        return really_open(path, flags, mode)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", open_on_a_full_disk)
    with pytest.raises(StorageUnavailable, match="is full"):
        storage.upload("p/a", b"new", content_type="text/plain", upsert=True)
    monkeypatch.undo()
    assert storage.read("p/a") == b"old"
    assert not list(storage.root.rglob("*.partial"))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageRefused, match="name of a file"):
        FolderStorage(tmp_path / "file" / "artifacts", str).upload("p/a", b"x", content_type="text/plain")


def test_a_link_needs_an_address_and_a_secret(tmp_path: Path) -> None:
    for values, lacking in (({}, "GREENLIGHT_PAGES_URL"), ({"app_base_url": "http://x"}, "GREENLIGHT_LINK_SECRET")):
        storage = folder_storage(Settings.model_validate({"data_dir": tmp_path, **values}))
        storage.upload("p/a", b"x", content_type="text/plain", upsert=True)
        with pytest.raises(SettingsError, match=lacking):
            storage.signed_url("p/a", expires_seconds=60)
