"""Which paths and links may be committed: none that a file system takes for git's own folder, or for another file."""

from __future__ import annotations

import pytest

from studio.code import ci_files
from studio.code.safe_paths import LeftOut, fold, is_git_folder, link_problem, problem, shown


@pytest.mark.parametrize(
    "path",
    ["a", "a/b.c", ".gitignore", ".github/x", "a b", "caf\u00e9", "git", "x.git/y", "[...slug].tsx", "\u65e5\u672c"],
)
def test_plain_paths(path: str) -> None:
    assert problem(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "./a",
        "a/",
        "a/.",
        "a\\b",
        "C:/x",
        "a\nb",
        "a\x00b",
        "a\x7f",
        "\udce9",
        "a\u202eb",
        "a.",
        "a ",
        "a /b",
        "x" * 256,
        "/".join(["abcdefgh"] * 120),
        ".git",
        ".git/hooks/pre-commit",
        "a/.git/config",
        ".GIT/x",
        ".gIt",
        "GIT~1/x",
        "git~12",
        ".git./x",
        ".git /x",
        ".git . ./x",
        ".g\u200cit/x",
        "\ufeff.git",
        ".git\u206f",
        ".git::$INDEX_ALLOCATION/x",
    ],
)
def test_what_cannot_be_committed(path: str) -> None:
    assert problem(path) is not None


def test_a_folder_of_git_in_every_spelling() -> None:
    assert is_git_folder(".Git::$INDEX_ALLOCATION")
    assert is_git_folder(".git:x")
    assert not is_git_folder(".gitx")
    assert not is_git_folder("git~x")


def test_what_folds_together() -> None:
    assert fold("README") == fold("readme")
    assert fold("caf\u00e9") == fold("cafe\u0301")
    assert fold("a\u200db") == fold("ab")
    assert fold("a") != fold("b")


LINKS = {
    "up": "..",
    "abs": "/etc",
    "loop": "loop",
    "two": "one",
    "one": "two",
    "deep/in": "../x",
    "deep/out": "../../x",
}


@pytest.mark.parametrize(
    ("path", "target", "fits"),
    [
        ("l", "a", True),
        ("l", "./a//b", True),
        ("a/b/l", "../../c", True),
        ("l", "gone", True),
        ("l", "deep/in", True),
        ("l", "..", False),
        ("a/l", "../../c", False),
        ("l", "/etc/passwd", False),
        ("l", "", False),
        ("l", ".git/config", False),
        ("l", "a/.GIT", False),
        ("l", "up", False),
        ("l", "abs/passwd", False),
        ("l", "loop", False),
        ("l", "one", False),
        ("l", "deep/out", False),
        ("a/l", "../deep/in/../../x", False),
        ("l", "a\nb", False),
        ("l", "a\\..\\b", False),
        (".gitmodules", "a", False),
        (".gitignore", "a", False),
        ("GITMOD~1", "a", False),
    ],
)
def test_links_stay_inside(path: str, target: str, fits: bool) -> None:
    assert (link_problem(path, {**LINKS, path: target}) is None) is fits


def test_a_link_through_a_link_is_followed_as_a_file_system_does() -> None:
    # By its words alone it would stay inside.
    assert link_problem("l", {"l": "d/../x", "d": "sub/sub"}) is None
    assert link_problem("l", {"l": "d/../../x", "d": "sub"}) is not None
    assert link_problem("a/l", {"a/l": "d/../../x", "a/d": "b/c"}) is None


def test_a_walk_through_links_has_an_end() -> None:
    assert link_problem("l", {"l": "x", "x": "a/" * 500_000}) is not None
    # Each link leads through as many folders as one may, to the next.
    deep = "/".join(["a"] * 100)
    links = {f"{deep}/{number}": f"{'../' * 100}{deep}/{number + 1}" for number in range(30)}
    assert link_problem(f"{deep}/0", links) is not None
    assert link_problem(f"{deep}/29", links) is None


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".github/workflows",
        ".github",
        ".GitHub/Workflows/x.yml",
        ".github/actions/x/action.yml",
        ".gitlab-ci.yml",
        ".GITLAB-CI.YML",
        ".circleci/config.yml",
        "azure-pipelines.yml",
        "Jenkinsfile",
        ".gitmodules",
    ],
)
def test_what_a_server_would_run_is_left_out(path: str) -> None:
    assert ci_files.reason(path)


@pytest.mark.parametrize(
    "path", [".github/CODEOWNERS", ".github/workflowsx", "src/.gitlab-ci.yml", "Makefile", "ci.yml"]
)
def test_what_it_would_not(path: str) -> None:
    assert ci_files.reason(path) is None


def test_a_path_is_shown_without_what_steers_a_terminal() -> None:
    assert shown("a\x1b[31m\udce9") == "a\\u001b[31m\\udce9"
    assert LeftOut("\udce9", "Why").as_json() == {"path": "\\udce9", "reason": "Why"}
