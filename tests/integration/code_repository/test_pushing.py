"""A commit arrives once, on a branch of its own, whatever happens on the way; nothing that was there is touched."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from studio.code import repository as module
from studio.code.manifest import look
from studio.code.repository import Pin, open_repository
from studio.code.workspace import WorkspaceFile
from studio.errors import InvalidInput, RepositoryError, RepositoryRefused, RepositoryUnavailable
from tests.integration.code_repository.conftest import RemoteOf
from tests.support.commits import PAGE, WHEN, committed, gone, pushed
from tests.support.github import Asked, GitHub, run_git

BRANCH = "greenlight/mvp-v1"
RECEIVE = "/git-receive-pack"
UPLOAD = "/git-upload-pack"


def test_what_was_committed_is_what_arrives(hub: GitHub, remote_of: RemoteOf, tmp_path: Path) -> None:
    files = [
        WorkspaceFile("README.md", b"# Shop\n"),
        WorkspaceFile("src/page.py", b"\r\n\x00\xff"),
        WorkspaceFile("bin/start", b"#!/bin/sh\n", executable=True),
        WorkspaceFile("latest", link="src/page.py"),
        WorkspaceFile('a "quoted" \u00fc name.txt', b""),
    ]
    with open_repository(remote_of()) as repository:
        base = repository.base()
        sha = repository.commit(base, look(files, base), "Add the page", WHEN)
        branch = repository.push(sha, BRANCH)

    assert branch == BRANCH
    assert hub.branches() == {"main": base.sha, BRANCH: sha}
    told = hub.git("acme/shop", "log", "-1", "--format=%an %ae %ai %cn %ci %P %s", BRANCH).strip()
    assert told == (
        f"Greenlight noreply@greenlight.invalid 2026-03-07 12:00:00 +0000 Greenlight 2026-03-07 12:00:00 +0000"
        f" {base.sha} Add the page"
    )
    hub.git("acme/shop", "fsck", "--strict")
    clone = tmp_path / "clone"
    run_git("clone", "--quiet", "--branch", BRANCH, str(hub.folder / "acme/shop.git"), str(clone), cwd=tmp_path)
    assert (clone / "src/page.py").read_bytes() == b"\r\n\x00\xff"
    assert (clone / "bin/start").stat().st_mode & 0o111
    assert (clone / "latest").is_symlink()
    assert (clone / 'a "quoted" \u00fc name.txt').exists()
    assert not (clone / "src/shop.py").exists()


def test_a_second_attempt_finds_what_the_first_has_pushed(hub: GitHub, remote_of: RemoteOf) -> None:
    base, sha, branch = pushed(remote_of())
    hub.commit("acme/shop", {"README.md": "Meanwhile"}, onto="main")
    with open_repository(remote_of()) as repository:
        again, same = committed(repository, pin=Pin(*base.pin))
        assert (again, same) == (base, sha)
        assert repository.push(same, BRANCH) == branch
    assert len(hub.branches()) == 2
    assert len(hub.asked("POST", RECEIVE)) == 1


def test_a_name_that_is_taken_gets_a_number(hub: GitHub, remote_of: RemoteOf) -> None:
    theirs = hub.commit("acme/shop", {"other": "1"}, branch=BRANCH)
    hub.commit("acme/shop", {"other": "2"}, branch=f"{BRANCH}-2")
    _, sha, branch = pushed(remote_of())
    assert branch == f"{BRANCH}-3"
    assert hub.branches()[BRANCH] == theirs
    assert hub.branches()[branch] == sha
    # Its own, under whatever number, is found before another is made.
    assert pushed(remote_of())[2] == branch


@pytest.mark.parametrize(
    ("there", "wanted", "branch"),
    [
        ("greenlight", "greenlight/mvp-v1", "greenlight-mvp-v1"),
        ("greenlight/mvp-v1/x", "greenlight/mvp-v1", "greenlight/mvp-v1-2"),
        ("other", "main", "main-2"),
    ],
)
def test_neither_the_default_branch_nor_a_name_in_the_way(
    hub: GitHub, remote_of: RemoteOf, there: str, wanted: str, branch: str
) -> None:
    hub.commit("acme/shop", {"other": "1"}, branch=there)
    before = hub.branches()
    _, sha, found = pushed(remote_of(), wanted)
    assert found == branch
    assert hub.branches() == {**before, branch: sha}


def test_a_branch_that_comes_into_being_meanwhile_is_not_moved(hub: GitHub, remote_of: RemoteOf) -> None:
    # It stands where ours begins, so that an ordinary push would just move it forward.
    def interfere(asked: Asked) -> None:
        if asked.query.get("service") == "git-receive-pack" and BRANCH not in hub.branches():
            hub.git("acme/shop", "branch", BRANCH, "main")

    hub.looks.append(interfere)
    base, sha, branch = pushed(remote_of())
    assert branch == f"{BRANCH}-2"
    assert hub.branches() == {"main": base.sha, BRANCH: base.sha, branch: sha}


def test_an_answer_that_was_lost_is_asked_for(hub: GitHub, remote_of: RemoteOf) -> None:
    hub.fault("drop", "POST", RECEIVE, done=True)
    _, sha, branch = pushed(remote_of())
    assert (branch, hub.branches()[branch]) == (BRANCH, sha)
    assert len(hub.asked("POST", RECEIVE)) == 1


def test_a_push_that_broke_off_can_be_tried_again(hub: GitHub, remote_of: RemoteOf) -> None:
    hub.fault("status", "POST", RECEIVE, status=503)
    with pytest.raises(RepositoryUnavailable):
        pushed(remote_of())
    assert BRANCH not in hub.branches()
    assert pushed(remote_of())[2] == BRANCH


def test_what_the_repository_declines_is_told_in_its_words(hub: GitHub, remote_of: RemoteOf) -> None:
    hook = hub.folder / "acme/shop.git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'GH013: only signed commits here' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RepositoryRefused, match="GH013: only signed commits here"):
        pushed(remote_of())


def test_what_is_no_name_is_refused_before_anything_is_asked(hub: GitHub, remote_of: RemoteOf) -> None:
    names = ["-d", "--mirror", "a..b", "a b", "HEAD", "a.lock", "a//b", "@{-1}", "refs/", "a*", "\u00e4\x07", ""]
    with open_repository(remote_of()) as repository:
        for name in names:
            with pytest.raises(InvalidInput):
                repository.push("1" * 40, name)
    assert not hub.requests


@pytest.mark.parametrize(
    ("status", "error"), [(500, RepositoryUnavailable), (429, RepositoryUnavailable), (403, RepositoryRefused)]
)
def test_a_server_that_answers_with_an_error(
    hub: GitHub, remote_of: RemoteOf, status: int, error: type[RepositoryError]
) -> None:
    hub.fault("status", "GET", "/info/refs", status=status)
    with pytest.raises(error), open_repository(remote_of()) as repository:
        repository.base()


def test_a_redirect_is_not_followed(hub: GitHub, remote_of: RemoteOf) -> None:
    hub.repository("acme/elsewhere", {"a": "1"})
    hub.fault("redirect", "GET", "/info/refs", body=f"{hub.url}/acme/elsewhere.git/info/refs?service=git-upload-pack")
    with pytest.raises(RepositoryRefused, match="redirect"), open_repository(remote_of()) as repository:
        repository.base()
    assert len(hub.requests) == 1


def test_a_repository_that_is_not_there(hub: GitHub, remote_of: RemoteOf) -> None:
    with (
        pytest.raises(RepositoryRefused, match="acme/none"),
        open_repository(remote_of("https://github.com/acme/none")) as repository,
    ):
        repository.base()


def test_a_server_that_hangs_is_given_up(
    hub: GitHub, remote_of: RemoteOf, monkeypatch: pytest.MonkeyPatch, places: Path
) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.3)
    hub.fault("hang", "GET", "/info/refs")
    with pytest.raises(RepositoryUnavailable, match="did not end in time"), open_repository(remote_of()) as repository:
        repository.base()
    assert gone()
    assert not list(places.iterdir())


@pytest.mark.parametrize("path", [UPLOAD, RECEIVE])
def test_a_cancel_ends_git_at_once(hub: GitHub, remote_of: RemoteOf, places: Path, path: str) -> None:
    hub.fault("hang", "POST", path)

    def interrupt() -> None:
        assert hub.hanging.wait(30)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        begun.append(time.monotonic())

    begun: list[float] = []
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        pushed(remote_of())
    assert time.monotonic() - begun[0] < 2
    assert gone()
    assert not list(places.iterdir())
    thread.join()
    hub.closing.set()
    # What was cancelled is done by the next attempt.
    assert pushed(remote_of())[2] == BRANCH


def test_nothing_to_commit(remote_of: RemoteOf) -> None:
    with open_repository(remote_of()) as repository:
        base = repository.base()
        with pytest.raises(InvalidInput):
            repository.commit(base, look(base.files, base), "Nothing", WHEN)


def test_an_empty_repository_gets_its_first_commit(hub: GitHub, remote_of: RemoteOf) -> None:
    hub.repository("acme/new")
    address = "https://github.com/acme/new"
    base, sha, branch = pushed(remote_of(address))
    assert (base.branch, base.sha, base.files) == (None, None, ())
    assert hub.branches("acme/new") == {BRANCH: sha}
    assert hub.git("acme/new", "log", "--format=%P", BRANCH).strip() == ""
    # GitHub makes what comes first its default branch; a second attempt still finds its own.
    hub.git("acme/new", "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")
    with open_repository(remote_of(address)) as repository:
        again = repository.base(base.pin)
        assert again == base
        assert repository.push(repository.commit(again, look([PAGE], again), "Add the page\n\nAs asked.", WHEN), BRANCH)
    assert hub.branches("acme/new") == {branch: sha}
