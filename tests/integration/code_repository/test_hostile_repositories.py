"""What an agent plants in a workspace, or somebody in a repository, is content: git on the host never acts on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.code.git import Access, Git
from studio.code.manifest import look
from studio.code.remote import github_remote, named
from studio.code.repository import open_repository
from studio.code.workplace import workplace
from studio.code.workspace import WorkspaceFile
from studio.errors import InvalidInput, RepositoryRefused, SettingsError
from studio.settings import Settings
from tests.integration.code_repository.conftest import RemoteOf
from tests.support.commits import WHEN, paths
from tests.support.github import GitHub


def planted(mark: Path) -> list[WorkspaceFile]:
    """What would run `touch mark` if git took it for anything but content."""
    script = f"#!/bin/sh\ntouch {mark}\n".encode()
    config = f'[core]\n\tfsmonitor = touch {mark}\n\thooksPath = hooks\n[filter "x"]\n\tclean = touch {mark}\n'.encode()
    hook_names = ("pre-commit", "post-checkout", "pre-push", "reference-transaction", "fsmonitor-watchman")
    return [
        *(WorkspaceFile(f"{folder}/{name}", script, True) for folder in (".git/hooks", "hooks") for name in hook_names),
        WorkspaceFile(".git/config", config),
        WorkspaceFile(".GIT/config", config),
        WorkspaceFile("git~1/config", config),
        WorkspaceFile(".g\u200cit/config", config),
        WorkspaceFile("sub/.git/config", config),
        WorkspaceFile("sub/.git", b"gitdir: ../hooks"),
        WorkspaceFile(
            ".gitattributes", b"* filter=x diff=x merge=x text eol=crlf ident working-tree-encoding=UTF-16\n"
        ),
        WorkspaceFile(".gitmodules", f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch {mark}"\n'.encode()),
        WorkspaceFile(".gitconfig", config),
        WorkspaceFile("text", b"$Id$\r\n"),
        WorkspaceFile("HEAD", b"ref: refs/heads/x"),
        WorkspaceFile("config", config),
    ]


def test_nothing_that_was_planted_runs(hub: GitHub, remote_of: RemoteOf, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with open_repository(remote_of()) as repository:
        base = repository.base()
        manifest = look([*base.files, *planted(mark)], base)
        branch = repository.push(repository.commit(base, manifest, "Add", WHEN), "new")
    assert not mark.exists()
    hooks = {f"hooks/{name}" for name in ("post-checkout", "pre-commit", "pre-push", "reference-transaction")}
    content = {".gitattributes", ".gitconfig", "HEAD", "config", "text", "hooks/fsmonitor-watchman"}
    assert set(paths(manifest.written)) == content | hooks
    # As it was written: no filter, no line ends, no keywords.
    assert hub.git("acme/shop", "cat-file", "blob", f"{branch}:text") == "$Id$\r\n"


@pytest.mark.parametrize(
    "url", ["--upload-pack=touch mark", "ext::sh -c 'touch mark'", "-u./mark", "https://x/\nfoo"], ids=repr
)
def test_a_submodule_with_a_hostile_address_is_not_fetched(hub: GitHub, remote_of: RemoteOf, url: str) -> None:
    quoted = url.replace("\n", "%0a")
    hub.commit("acme/shop", {".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = "{quoted}"\n', "a": "1"})
    if url.startswith("ext"):
        # Git itself finds nothing wrong with it; it is content like all else, and no submodule is ever looked at.
        with open_repository(remote_of()) as repository:
            assert paths(repository.base().files) == [".gitmodules", "a"]
    else:
        with pytest.raises(RepositoryRefused), open_repository(remote_of()) as repository:
            repository.base()


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c 'touch /tmp/x'",
        "--upload-pack=touch",
        "-oProxyCommand=touch",
        "file:///etc",
        "/etc",
        "https://github.com.evil.test/acme/shop",
        "https://token@github.com/acme/shop",
        "https://169.254.169.254/acme/shop",
        "http://127.0.0.1/acme/shop",
        "https://github.com/acme/--upload-pack=x/y",
        "https://github.com/acme/shop\n",
    ],
)
def test_an_address_that_names_no_repository_on_github(settings: Settings, address: str) -> None:
    with pytest.raises(InvalidInput):
        named(settings, address)


def test_the_host_is_that_of_the_settings() -> None:
    def url(api: str, address: str) -> str:
        settings = Settings(GREENLIGHT_GITHUB_URL=api)
        return github_remote(settings, named(settings, address), None).url

    assert url("https://api.github.com", "git@github.com:acme/shop.git") == "https://github.com/acme/shop.git"
    enterprise = "https://git.acme.test/api/v3"
    assert url(enterprise, "https://git.acme.test/acme/shop") == "https://git.acme.test/acme/shop.git"
    assert url(enterprise, "https://github.com/acme/shop") == "https://git.acme.test/acme/shop.git"
    assert url("https://git.acme.test:8443/", "https://github.com/a/b") == "https://git.acme.test:8443/a/b.git"
    with pytest.raises(InvalidInput):
        url(enterprise, "https://git.acme.test.evil.test/acme/shop")
    for api in (
        "http://git.acme.test",
        "http://10.0.0.1",
        "ftp://x",
        "https://user:pw@x",
        "https://",
        "https://x:port",
    ):
        with pytest.raises(SettingsError):
            url(api, "https://github.com/acme/shop")


@pytest.mark.parametrize("protocol", ["ext::echo", "file://", "ssh://git@", "git://"])
def test_no_protocol_but_the_repositorys_own(hub: GitHub, places: Path, protocol: str) -> None:
    with workplace() as folder:
        git = Git(folder, Access("https", "github.com"))
        git.create()
        ended = git.run("ls-remote", "--", f"{protocol}{hub.folder}/acme/shop.git", network=True, seconds=10)
        assert not ended.ok
        assert "not allowed" in ended.said


def test_the_configuration_of_the_machine_has_no_say(
    hub: GitHub, remote_of: RemoteOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    elsewhere = f'[url "file:///nowhere"]\n\tinsteadOf = {hub.url}\n[core]\n\tfsmonitor = touch {home}/mark\n'
    (home / ".gitconfig").write_text(elsewhere)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {home}/mark")
    monkeypatch.setenv("GIT_TRACE_CURL", str(home / "mark"))
    with open_repository(remote_of()) as repository:
        assert repository.base().branch == "main"
    assert [path.name for path in home.iterdir()] == [".gitconfig"]
