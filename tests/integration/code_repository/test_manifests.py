"""Everything that an agent leaves is looked at: what is committed, what is not, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest

from studio.code import ignored, manifest
from studio.code.manifest import Manifest, look
from studio.code.repository import Base
from studio.code.safe_paths import LeftOut
from studio.code.workspace import WorkspaceFile
from studio.errors import RepositoryError, UnsafeOutput
from tests.support.commits import paths

SHA = "1" * 40


def looked(
    after: Sequence[WorkspaceFile], before: Sequence[WorkspaceFile] = (), kept: Sequence[LeftOut] = ()
) -> tuple[Manifest, dict[str, str]]:
    made = look(after, Base("main", SHA, tuple(before), tuple(kept)))
    return made, dict(made.left_out)


def file(path: str, content: str = "1") -> WorkspaceFile:
    return WorkspaceFile(path, content.encode())


def test_what_changes_and_how() -> None:
    before = [file("same"), file("changed"), file("gone"), file("mode"), file("link")]
    after = [
        file("same"),
        file("changed", "22"),
        file("new/file"),
        WorkspaceFile("mode", b"1", executable=True),
        WorkspaceFile("link", link="same"),
    ]
    made, left_out = looked(after, before)
    assert not left_out
    told = [change.as_json() for change in made.changes]
    assert [(row["path"], row["size"], row["status"], row["executable"]) for row in told] == [
        ("changed", 2, "modified", False),
        ("gone", 0, "deleted", False),
        ("link", 4, "modified", False),
        ("mode", 1, "modified", True),
        ("new/file", 1, "added", False),
    ]
    content = [b"22", None, b"same", b"1", b"1"]
    assert [row["sha256"] for row in told] == [hashlib.sha256(c).hexdigest() if c else "" for c in content]
    assert (paths(made.written), made.removed) == (["changed", "link", "mode", "new/file"], ("gone",))
    assert made.files == tuple(sorted(after, key=lambda file: file.path))


def test_the_same_workspace_changes_nothing() -> None:
    made, left_out = looked([file("a")], [file("a")])
    assert not made.changes
    assert not left_out


def test_files_that_servers_run_stay_as_the_repository_has_them() -> None:
    before = [file(".github/workflows/ci.yml"), file(".gitlab-ci.yml")]
    made, left_out = looked([file(".gitlab-ci.yml", "evil"), file(".github/workflows/new.yml"), file("a")], before)
    assert paths(made.files) == [".github/workflows/ci.yml", ".gitlab-ci.yml", "a"]
    assert made.files[1].content == b"1"
    assert sorted(left_out) == [".github/workflows/ci.yml", ".github/workflows/new.yml", ".gitlab-ci.yml"]
    assert all("before anybody has looked at it" in reason for reason in left_out.values())


def test_what_the_project_ignores() -> None:
    rules = {
        ".gitignore": "node_modules/\n*.log\n!keep.log\n/dist\nlocal.*\n",
        "web/.gitignore": "!*.log\n/build\n",
        "deep/er/.gitignore": "*\n",
    }
    ignored_files = ["node_modules/a/b.js", "node_modules/c", "x.log", "dist/index.html", "web/build/x", "deep/er/x"]
    kept = ["keep.log", "web/y.log", "sub/dist/x", "src/a.py", "*.log"]
    tracked = [file("local.env", "before"), file("old.log", "before")]
    after = [*(file(path, content) for path, content in rules.items()), *map(file, [*ignored_files, *kept])]
    made, left_out = looked([*after, file("local.env", "after")], tracked)
    assert sorted(left_out) == sorted(
        ["node_modules/", "x.log", "dist/", "web/build/", "deep/er/x", "deep/er/.gitignore", "*.log"]
    )
    assert "2 files" in left_out["node_modules/"]
    # What the repository holds is not ignored, however it is called.
    assert {"local.env", "keep.log", "web/y.log", "sub/dist/x", "src/a.py"} <= set(paths(made.written))
    assert made.removed == ("old.log",)


def test_a_file_of_rules_and_a_folder_of_its_name() -> None:
    made, left_out = looked([file(".gitignore", "*.log\n"), file(".gitignore/.gitignore"), file("a"), file("b.log")])
    assert paths(made.written) == [".gitignore", "a"]
    assert sorted(left_out) == [".gitignore/.gitignore", "b.log"]


def test_too_many_deep_folders_are_not_asked_about() -> None:
    deep = [file(f"{number:04}/" + "a/" * 490 + "x") for number in range(80)]
    for rules in ([], [file(".gitignore", "x")]):
        with pytest.raises(UnsafeOutput, match="too deep"):
            looked([*rules, *deep])


def test_links_that_change_where_others_lead_are_followed_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    links = [WorkspaceFile("d", link="../x"), file("a")]
    assert paths(looked(links)[0].written) == ["a"]
    monkeypatch.setattr(manifest, "MAX_LINK_ROUNDS", 1)
    with pytest.raises(UnsafeOutput, match="too often"):
        looked(links)


def test_rules_that_keep_somebody_busy_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsafeOutput):
        looked([file(".gitignore", "x\n" * 200_000), file("a")])
    monkeypatch.setattr(ignored, "SECONDS", 0.2)
    # Each double star may stand for any number of folders.
    busy = [file(".gitignore", f"{'**/a' * 40}/**/b\n"), file("/".join(["a"] * 200) + "/c")]
    try:
        looked(busy)
    except RepositoryError as exc:
        assert "did not end in time" in exc.message  # noqa: PT017 - a fast git gets through


def test_what_some_file_system_cannot_tell_apart() -> None:
    before = [file("README.md"), file("src/a.py")]
    after = [
        *before,
        file("readme.md"),
        file("SRC/b.py"),
        file("New"),
        file("new"),
        WorkspaceFile("Folder", link="src"),
        file("folder/x"),
        file("caf\u00e9"),
        file("cafe\u0301"),
    ]
    made, left_out = looked(after, before)
    assert sorted(left_out) == sorted(["readme.md", "SRC/b.py", "new", "folder/x", "caf\u00e9"])
    assert paths(made.written) == sorted(["New", "Folder", "cafe\u0301"])


def test_a_name_that_is_written_otherwise_from_now_on() -> None:
    made, left_out = looked([file("readme")], [file("README")])
    assert not left_out
    assert (paths(made.written), made.removed) == (["readme"], ("README",))


def test_what_was_not_handed_out_is_not_touched() -> None:
    kept = [LeftOut("film.bin", "Large."), LeftOut("vendor", "A submodule.")]
    made, left_out = looked([file("film.bin"), file("vendor/x"), file("VENDOR"), file("a")], (), kept)
    assert paths(made.written) == ["a"]
    assert sorted(left_out) == ["VENDOR", "film.bin", "vendor/x"]


def test_links_that_lead_out_go_with_those_that_lead_through_them() -> None:
    after = [
        file("a/b"),
        WorkspaceFile("fine", link="a/b"),
        WorkspaceFile("out", link="../x"),
        WorkspaceFile("through", link="a/up/../../y"),
        WorkspaceFile("a/up", link="../a"),
        WorkspaceFile("etc", link="/etc/passwd"),
    ]
    made, left_out = looked(after)
    assert paths(made.written) == ["a/b", "a/up", "fine"]
    assert sorted(left_out) == ["etc", "out", "through"]


def test_a_link_of_the_repository_must_not_come_to_lead_out() -> None:
    before = [WorkspaceFile("link", link="d/../../x"), WorkspaceFile("d", link="one/two"), file("one/two/y")]
    with pytest.raises(UnsafeOutput, match="link"):
        looked([before[0], file("d/now-a-folder"), before[2]], before)


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MAX_FILE_BYTES", 10)
    made, left_out = looked([file("small"), file("large", "x" * 11)])
    assert paths(made.written) == ["small"]
    assert list(left_out) == ["large"]
    monkeypatch.setattr(manifest, "MAX_FILES", 3)
    monkeypatch.setattr(manifest, "MAX_ALL_BYTES", 30)
    with pytest.raises(UnsafeOutput, match="the most under gen") as refused:
        looked([file("a"), *(file(f"gen/{number}") for number in range(3))])
    assert ".gitignore" in refused.value.remedy
    with pytest.raises(UnsafeOutput):
        looked([file(f"{number}", "x" * 10) for number in range(3)] + [file("y", "y")])
    # Those of the base do not count.
    before = [file(f"b{number}") for number in range(9)]
    assert looked([*before, file("a")], before)[0].changes
