"""What a repository holds is handed out as data, as far as a sandbox can take it; the rest stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.code import base_tree
from studio.code import repository as module
from studio.code.git import Access, Git
from studio.code.manifest import look
from studio.code.repository import Pin, open_repository
from studio.code.workplace import workplace
from studio.code.workspace import WorkspaceFile
from studio.errors import RepositoryRefused, TooLarge
from tests.integration.code_repository.conftest import RemoteOf
from tests.support.commits import PAGE, WHEN, committed, paths
from tests.support.github import GitHub, run_git

LARGE = 10_000


@pytest.mark.parametrize("filters", ["true", "false"])
def test_what_is_too_large_stays_untouched(
    hub: GitHub, remote_of: RemoteOf, filters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", LARGE - 1)
    monkeypatch.setattr(base_tree, "MAX_FILE_BYTES", LARGE - 1)
    hub.git("acme/shop", "config", "uploadpack.allowFilter", filters)
    hub.commit(
        "acme/shop", {"README.md": "# Shop\n", "film.bin": bytes(LARGE), "small.bin": bytes(LARGE - 1)}, onto="main"
    )
    with open_repository(remote_of()) as repository:
        base, sha = committed(repository)
        repository.push(sha, "new")
    assert paths(base.files) == ["README.md", "small.bin"]
    assert [left.path for left in base.kept] == ["film.bin"]
    changed = hub.git("acme/shop", "diff", "--name-status", "main", "new").split()
    assert changed == ["A", "src/page.py"]


def test_a_repository_that_grows_beyond_all_bounds_is_given_up(
    hub: GitHub, remote_of: RemoteOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FETCH_BYTES", 1000)
    with pytest.raises(TooLarge), open_repository(remote_of()) as repository:
        repository.base()


def test_a_tree_that_is_too_large_as_a_whole(hub: GitHub, remote_of: RemoteOf, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.commit("acme/shop", {"a": "1" * 60, "b": "2" * 60, "c": "3" * 30})
    monkeypatch.setattr(base_tree, "MAX_ALL_BYTES", 100)
    with open_repository(remote_of()) as repository:
        base = repository.base()
    assert paths(base.files) == ["a", "c"]
    assert [(left.path, "too large" in left.reason) for left in base.kept] == [("b", True)]


def test_names_links_and_submodules_of_every_kind(hub: GitHub, remote_of: RemoteOf) -> None:
    blob = hub.git("acme/shop", "rev-parse", "main:README.md").strip()
    with_dots = hub.git("acme/shop", "rev-parse", "main").strip()
    target = run_git(
        "hash-object", "-w", "--stdin", cwd=hub.folder / "acme/shop.git", stdin=b"../../etc/passwd"
    ).strip()
    inside = run_git("hash-object", "-w", "--stdin", cwd=hub.folder / "acme/shop.git", stdin=b"README.md").strip()
    entries = [
        f"100644 blob {blob}\tREADME.md".encode(),
        f"100755 blob {blob}\trun".encode(),
        f"100644 blob {blob}\tcaf\u00e9".encode(),
        f"100644 blob {blob}\t".encode() + b"latin-\xe9",
        f"100644 blob {blob}\ta\\b".encode(),
        f"120000 blob {target}\tescape".encode(),
        f"120000 blob {inside}\tread".encode(),
        f"160000 commit {with_dots}\tvendor".encode(),
    ]
    bare = hub.folder / "acme/shop.git"
    tree = run_git("mktree", "-z", cwd=bare, stdin=b"".join(entry + b"\0" for entry in entries)).strip()
    run_git("update-ref", "refs/heads/main", run_git("commit-tree", tree, "-m", "Odd", cwd=bare).strip(), cwd=bare)

    with open_repository(remote_of()) as repository:
        base = repository.base()
        files = {file.path: file for file in base.files}
        assert sorted(files) == ["README.md", "caf\u00e9", "read", "run"]
        assert files["run"].executable
        assert files["read"].link == "README.md"
        kept = {left.path: left.reason for left in base.kept}
        assert sorted(kept) == ["a\\b", "escape", "latin-\\udce9", "vendor"]
        assert "submodule" in kept["vendor"]
        # An agent that writes there, or below, changes nothing of it.
        written = [PAGE, WorkspaceFile("vendor/x", b"1"), WorkspaceFile("vendor", b"1"), WorkspaceFile("escape", b"1")]
        manifest = look([*base.files, *written], base)
        assert paths(manifest.written) == ["src/page.py"]
        assert {left.path for left in manifest.left_out} == {"vendor", "vendor/x", "escape"}
        repository.push(repository.commit(base, manifest, "Add", WHEN), "new")
    before, after = (set(hub.git("acme/shop", "ls-tree", "-r", "-z", ref).split("\0")) for ref in ("main", "new"))
    assert before < after


def test_a_default_branch_that_is_not_there(hub: GitHub, remote_of: RemoteOf) -> None:
    hub.git("acme/shop", "symbolic-ref", "HEAD", "refs/heads/gone")
    with pytest.raises(RepositoryRefused, match="no default branch"), open_repository(remote_of()) as repository:
        repository.base()


def test_a_base_that_was_rewritten_away(hub: GitHub, remote_of: RemoteOf) -> None:
    with pytest.raises(RepositoryRefused, match="not there any more"), open_repository(remote_of()) as repository:
        repository.base(Pin("main", "1" * 40))


def test_what_a_killed_process_has_left_is_swept_and_what_lives_is_not(places: Path) -> None:
    left = places / "greenlight-git-dead"
    left.mkdir()
    (left / "lock").touch()
    (left / "file").touch()
    others = places / "greenlight-other"
    others.mkdir()
    with workplace() as first, workplace() as second:
        assert first.exists()
        assert second.exists()
        assert not left.exists()
    assert list(places.iterdir()) == [others]


def test_output_without_end_is_cut(places: Path) -> None:
    with workplace() as folder:
        git = Git(folder, Access("file"))
        git.create()
        with pytest.raises(TooLarge):
            git.must("help", "--all", output_bytes=100)
