"""The token goes to the one server, and is seen nowhere: no argument, environment, file, address, log or error."""

from __future__ import annotations

import logging
from pathlib import Path

import psutil
import pytest

from studio.code.credential_helper import DESCRIPTOR, HOST, PROTOCOL, answer
from studio.code.credentials import helper
from studio.code.pull_request import open_pull_request
from studio.code.repository import open_repository
from studio.errors import RepositoryRefused, SettingsError, StudioError
from studio.settings import Settings
from tests.integration.code_repository.conftest import RemoteOf
from tests.support.commits import git_processes, pushed
from tests.support.github import TOKEN, Asked, GitHub


def test_the_token_is_seen_nowhere(
    hub: GitHub,
    remote_of: RemoteOf,
    settings: Settings,
    places: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    hub.private.add("acme/shop")
    seen: list[str] = []

    def look(asked: Asked) -> None:
        # Once while it fetches, once while it pushes.
        if asked.method != "POST" or "Authorization" not in asked.headers:
            return
        for process in git_processes():
            # Of a process that has just begun, or is about to end, nothing can be read.
            try:
                seen.extend((" ".join(process.cmdline()), repr(process.environ())))
            except psutil.Error:
                continue
        seen.extend(file.read_text(errors="replace") for file in places.rglob("*") if file.is_file())

    hub.looks.append(look)
    remote = remote_of()
    base, sha, branch = pushed(remote)
    pull = open_pull_request(
        settings, remote, branch=branch, sha=sha, base=base.branch, title="Add", body="It", draft=False
    )
    assert pull is not None
    assert any("remote-http" in text for text in seen)
    assert any("GIT_DIR" in text for text in seen)
    assert any("remote.origin" in text or '[remote "origin"]' in text for text in seen)
    shown = [*seen, repr(remote), remote.url, caplog.text, *capfd.readouterr()]
    assert not [text for text in shown if TOKEN in text]
    # It arrived all the same, in a header.
    assert any("Authorization" in asked.headers for asked in hub.asked("POST", "/git-receive-pack"))


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_no_error_repeats_it(hub: GitHub, remote_of: RemoteOf, settings: Settings, status: int) -> None:
    hub.private.add("acme/shop")
    said = f"fatal: https://x-access-token:{TOKEN}@127.0.0.1 {TOKEN}"
    # Git asks without the token first, and then with it.
    hub.fault("status", "GET", "/info/refs", status=status, body=said)
    hub.fault("status", "GET", "/info/refs", status=status, body=said)
    hub.fault("status", "GET", "/pulls", status=status, body={"message": said})
    remote = remote_of()
    with pytest.raises(StudioError) as of_git, open_repository(remote) as repository:
        repository.base()
    with pytest.raises(StudioError) as of_api:
        open_pull_request(settings, remote, branch="b", sha="1" * 40, base="main", title="T", body="B", draft=False)
    for error in (of_git.value, of_api.value):
        assert TOKEN not in f"{error}{error.__cause__!r}"


def test_what_a_hook_of_the_server_says_is_redacted(hub: GitHub, remote_of: RemoteOf) -> None:
    hook = hub.folder / "acme/shop.git/hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho 'declined {TOKEN}' >&2\nyes x | head -c 300000 >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RepositoryRefused, match="declined") as refused:
        pushed(remote_of())
    assert TOKEN not in str(refused.value)
    assert len(refused.value.message) < 1000


def test_a_private_repository_without_a_token_says_what_to_do(hub: GitHub, remote_of: RemoteOf) -> None:
    hub.private.add("acme/shop")
    with (
        pytest.raises(RepositoryRefused, match="there is no token for it") as refused,
        open_repository(remote_of(token=None)) as repository,
    ):
        repository.base()
    assert refused.value.remedy == "Save a GitHub token in the project's settings."
    with (
        open_repository(remote_of(token="ghp_" + "wrong1" * 6)) as repository,
        pytest.raises(RepositoryRefused, match="GitHub refuses the token"),
    ):
        repository.base()


def test_a_public_repository_is_read_without_one(hub: GitHub, remote_of: RemoteOf) -> None:
    with open_repository(remote_of(token=None)) as repository:
        assert repository.base().branch == "main"
    with pytest.raises(RepositoryRefused, match="no token"):
        pushed(remote_of(token=None))


def test_the_helper_answers_for_one_server_alone() -> None:
    with helper(TOKEN, "https", "github.com:8443") as asked:
        environment = dict(asked.environment)

        def said(action: str, **fields: str) -> str:
            return answer(action, "".join(f"{key}={value}\n" for key, value in fields.items()), environment)

        expected = f"username=x-access-token\npassword={TOKEN}\n"
        assert said("get", protocol="https", host="github.com:8443", path="acme/shop") == expected
        assert said("get", protocol="https", host="github.com:8443") == expected
        assert not said("get", protocol="http", host="github.com:8443")
        assert not said("get", protocol="https", host="github.com")
        assert not said("get", protocol="https", host="github.com:8443.evil.test")
        assert not said("store", protocol="https", host="github.com:8443")
        assert not said("get")
        assert sorted(environment) == sorted([DESCRIPTOR, HOST, PROTOCOL])
        assert TOKEN not in repr(asked)
    with pytest.raises(SettingsError), helper("ghp_x\nusername=root", "https", "github.com"):
        pass
