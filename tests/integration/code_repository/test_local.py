"""A project that names no repository has one in the data folder: made once, clonable, and never losing anything."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from studio.code import local_repository
from studio.code.pull_request import open_pull_request
from studio.code.remote import find_remote, local_remote
from studio.code.workplace import PREFIX, workplace
from studio.database.connection import Database
from studio.errors import InvalidInput, RepositoryError, SettingsError, StudioError
from studio.settings import Settings
from tests.support.commits import pushed
from tests.support.github import run_git


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    # Nothing about a folder's name may matter.
    return Settings(GREENLIGHT_DATA_DIR=tmp_path / "data 100%41 \u00fc'")


def test_a_person_clones_what_was_pushed(local: Settings, tmp_path: Path) -> None:
    project = uuid4()
    remote = local_remote(local, project, "Shop\n\x07<of> *Ada*")
    base, sha, branch = pushed(remote)
    assert base.branch == "main"
    assert [file.path for file in base.files] == ["README.md"]
    assert pushed(local_remote(local, project, "Another name"))[1:] == (sha, branch)
    command = local_repository.describe(local, project)
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
    log = run_git("log", "--format=%s", f"origin/{branch}", cwd=tmp_path / f"{project}.git".removesuffix(".git"))
    assert log.split("\n")[:2] == ["Add the page", "Begin"]
    assert open_pull_request(
        local, remote, branch=branch, sha=sha, base=base.branch, title="T", body="B", draft=False
    ) is None  # fmt: skip


def test_nothing_is_rewritten_or_deleted_there(local: Settings, tmp_path: Path) -> None:
    project = uuid4()
    _, _, branch = pushed(local_remote(local, project, "Shop"))
    run_git("clone", "--quiet", str(local_repository.path(local, project)), "clone", cwd=tmp_path)
    clone = tmp_path / "clone"
    run_git("commit", "--quiet", "--amend", "--allow-empty", "-m", "Other", cwd=clone)
    for arguments in (["--force", "origin", "main"], ["origin", f":{branch}"]):
        with pytest.raises(AssertionError, match=r"denied|denying|prohibited"):
            run_git("push", *arguments, cwd=clone)


def test_two_that_make_it_at_the_same_time_get_the_same(local: Settings) -> None:
    project = uuid4()
    begin, made, wrong = threading.Barrier(3), [], []

    def make() -> None:
        begin.wait()
        try:
            made.append(local_remote(local, project, "Shop").url)
        except StudioError as exc:
            wrong.append(exc)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(made) == 3
    folder = local_repository.path(local, project)
    assert run_git("rev-list", "--count", "--all", cwd=folder).strip() == "1"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_what_a_kill_has_left_is_no_repository(local: Settings) -> None:
    project = uuid4()
    final = local_repository.path(local, project)
    for name, age in ((".new-old", 7200), (".new-young", 0)):
        left = final.parent / name / "repository.git"
        left.mkdir(parents=True)
        os.utime(left.parent, (time.time() - age,) * 2)
    local_remote(local, project, "Shop")
    assert sorted(path.name for path in final.parent.iterdir()) == [".new-young", final.name]


def test_what_a_kill_has_left_of_a_private_folder_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name, age in ((".greenlight-new-old", 7200), (".greenlight-new-young", 0), (f"{PREFIX}unlocked", 0)):
        (folder / name).mkdir(parents=True)
        (folder / name / "lock").touch()
        os.utime(folder / name, (time.time() - age,) * 2)
    with workplace():
        pass
    assert [path.name for path in folder.iterdir()] == [".greenlight-new-young"]


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RepositoryError, match="cannot be made"):
        local_remote(Settings(GREENLIGHT_DATA_DIR=tmp_path / "file"), uuid4(), "Shop")


def test_which_repository_a_project_has(database: Database, local: Settings) -> None:
    row = database.fetch_one(
        "insert into public.projects (owner_clerk_id, name, idea_description)"
        " values ('ada', 'Shop', 'A shop for good things') returning id"
    )
    assert row is not None
    project: UUID = row["id"]
    assert find_remote(database, local, project, "Shop", None).protocol == "file"
    assert find_remote(database, local, project, "Shop", "  ").protocol == "file"
    with pytest.raises(SettingsError):
        find_remote(database, local, project, "Shop", "https://github.com/acme/shop")
    with pytest.raises(InvalidInput):
        find_remote(database, local, project, "Shop", "https://gitlab.com/acme/shop")
    with_token = local.model_copy(update={"github_token": "ghp_installation"})
    settings = Settings.model_validate(with_token.model_dump())
    found = find_remote(database, settings, project, "Shop", "https://github.com/acme/shop")
    assert (found.url, found.token) == ("https://github.com/acme/shop.git", "ghp_installation")
