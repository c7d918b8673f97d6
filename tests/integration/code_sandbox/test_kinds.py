"""The kind of sandbox is the one that is asked for and works here; without one nothing runs, and the remedy is said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.code.sandbox import Sandbox, choose, describe, identity, kinds, starting
from studio.errors import NoSandbox
from studio.settings import Settings
from tests.support.sandbox_attack import LIMITS


@pytest.fixture(autouse=True)
def _tried_anew() -> Iterator[None]:
    kinds._tried.cache_clear()
    yield
    kinds._tried.cache_clear()


def asking(monkeypatch: pytest.MonkeyPatch, kind: str) -> Settings:
    monkeypatch.setenv("GREENLIGHT_CODE_SANDBOX", kind)
    return Settings()


def without_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)


def with_a_useless_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/false")


def test_bubblewrap_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = asking(monkeypatch, "auto")
    assert choose(settings) == "bubblewrap"
    assert describe(settings).startswith("bubblewrap (")


def test_namespaces_stand_in_for_a_bubblewrap_that_is_not_there_or_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_bubblewrap(monkeypatch)
    settings = asking(monkeypatch, "auto")
    assert choose(settings) == "namespaces"
    kinds._tried.cache_clear()
    with_a_useless_program(monkeypatch)
    assert choose(settings) == "namespaces"


def test_what_was_asked_for_by_name_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    without_bubblewrap(monkeypatch)
    with pytest.raises(NoSandbox, match="bwrap is not installed"):
        choose(asking(monkeypatch, "bubblewrap"))
    with pytest.raises(NoSandbox, match="bwrap is not installed"):
        Sandbox("bubblewrap", LIMITS).__enter__()


def test_where_neither_works_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    without_bubblewrap(monkeypatch)
    monkeypatch.setattr(
        kinds, "namespaces", lambda *, privileged: kinds.bubblewrap("/bin/false", privileged=privileged)
    )
    settings = asking(monkeypatch, "auto")
    with pytest.raises(NoSandbox) as raised:
        choose(settings)
    for word in ("bubblewrap", "unprivileged_userns_clone", "apparmor_restrict_unprivileged_userns", "seccomp", "none"):
        assert word in raised.value.remedy
    assert raised.value.permanent
    assert describe(settings) == raised.value.message


@pytest.mark.parametrize("wanted", ["auto", "namespaces", "none"])
def test_there_is_none_on_other_systems(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setattr(kinds.sys, "platform", "darwin")
    with pytest.raises(NoSandbox, match="on Linux alone"):
        choose(asking(monkeypatch, wanted))


def test_a_system_that_lets_nobody_mount_after_bubblewrap_leaves_files_uncounted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(kinds, "may_change_identity", lambda: False)
    monkeypatch.setattr(starting, "_RIGHTS", ("CAP_SETPCAP",))
    with Sandbox("bubblewrap", LIMITS, note=notes.append) as sandbox:
        said = sandbox.run(["bash", "-c", "echo kept > file; head -c 40000000 /dev/zero > big"], seconds=60)
        assert said.exit_code != 0
        assert [file.path for file in sandbox.changes().written] == ["big", "file"]
    assert any(note.startswith("/workspace has no limit on the number of its files") for note in notes)


def test_none_is_chosen_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = asking(monkeypatch, "none")
    assert choose(settings) == "none"
    assert "unprotected" in describe(settings)


@pytest.mark.parametrize(
    ("known", "numbers"),
    [
        ("0 0 4294967295\n", range(2**30, 2**31)),
        # A container of an ordinary user, and one of very few numbers.
        ("0 1000 1\n1 100000 65536\n", range(2, 65537)),
        ("0 5000 3\n", range(1, 3)),
    ],
)
def test_a_number_is_taken_from_those_that_there_are(tmp_path: Path, known: str, numbers: range) -> None:
    (tmp_path / "map").write_text(known)
    for offset in (0, 1, 63, 2**22 * 64 - 1):
        assert identity._number(str(tmp_path / "map"), offset) in numbers
