"""Files go in and changes come out exactly, nothing goes anywhere else, and commands tell the truth about their end."""

from __future__ import annotations

import pytest

from studio.code.sandbox import Sandbox
from studio.code.sandbox import sandbox as module
from studio.code.workspace import Workspace, WorkspaceFile
from studio.errors import TooLarge, UnsafeOutput
from tests.support.sandbox_attack import LIMITS


@pytest.fixture(params=["bubblewrap"])
def kind(request: pytest.FixtureRequest) -> str:
    """One is enough: it is the same server in each."""
    kind: str = request.param
    return kind


def bash(sandbox: Sandbox, command: str, seconds: float = 60) -> str:
    return sandbox.run(["bash", "-c", command], seconds=seconds).output


def test_changes_are_told_exactly_once(sandbox: Sandbox) -> None:
    start = [
        WorkspaceFile("README.md", b"hello\n"),
        WorkspaceFile("src/app.py", b"print(1)\n"),
        WorkspaceFile("run.sh", b"#!/bin/sh\n", executable=True),
        WorkspaceFile("src/ünïcode ☃.txt", bytes(range(256))),
        WorkspaceFile("latest", link="README.md"),
        WorkspaceFile("gone.txt", b"x"),
    ]
    sandbox.put(start)
    assert not sandbox.changes()
    bash(
        sandbox,
        # The same size, at once, with the old time: it is the content that counts.
        "touch -r README.md stamp; printf 'HELLO\\n' > README.md; touch -r stamp README.md; rm stamp;"
        "rm gone.txt; chmod -x run.sh; mkdir -p a/b; echo new > a/b/new.txt; ln -sfn src latest; touch src/app.py;"
        "mkdir -p node_modules/x .git/hooks src/__pycache__; echo x | tee node_modules/x/y .git/config"
        " .git/hooks/pre-commit src/__pycache__/z",
    )
    changes = sandbox.changes()
    assert {file.path: file for file in changes.written} == {
        "README.md": WorkspaceFile("README.md", b"HELLO\n"),
        "run.sh": WorkspaceFile("run.sh", b"#!/bin/sh\n"),
        "a/b/new.txt": WorkspaceFile("a/b/new.txt", b"new\n"),
        "latest": WorkspaceFile("latest", link="src"),
    }
    assert changes.removed == ("gone.txt",)
    assert not sandbox.changes()
    workspace = Workspace({file.path: file for file in start})
    workspace.apply(changes)
    sandbox.put(workspace.files.values())
    assert not sandbox.changes()


def test_what_cannot_be_looked_at_is_not_called_removed(sandbox: Sandbox, notes: list[str]) -> None:
    deep = "/".join(["d"] * 66)
    there = ["node_modules/left-pad/index.js", "tools/venv/readme", "closed/by/all", "unreadable", f"{deep}/file"]
    gone = ["lib/venv/gone", "other/.cache/gone", "pipe", "plain"]
    start = [WorkspaceFile(path, b"x") for path in (*there, *gone)]
    sandbox.put(start)
    bash(sandbox, "chmod 0 closed unreadable; rm -r lib other plain; rm pipe; mkfifo pipe; touch venv")
    changes = sandbox.changes()
    assert changes.removed == tuple(gone)
    assert [file.path for file in changes.written] == ["venv"]
    told = "\n".join(notes)
    assert all(f"{path} is left out" in told for path in ("closed", "unreadable", "pipe"))
    assert "folders deep" in told
    assert not sandbox.changes()
    # What comes to light again is what it was, or what has become of it meanwhile.
    bash(sandbox, "chmod 700 closed unreadable; rm -r closed/by tools/venv; echo new > unreadable")
    changes = sandbox.changes()
    assert changes.removed == ("closed/by/all", "tools/venv/readme")
    assert [file.path for file in changes.written] == ["unreadable"]


def test_a_retry_finds_what_was_left(sandbox: Sandbox) -> None:
    bash(sandbox, "mkdir -p deep/er; echo kept > deep/er/file; chmod +x deep/er/file; ln -s file deep/er/link")
    left = sandbox.changes()
    with Sandbox("namespaces", LIMITS) as again:
        again.put(left.written)
        assert bash(again, "cat deep/er/link; test -x deep/er/file && echo runs") == "kept\nruns\n"


def test_nothing_is_put_outside() -> None:
    # Without a sandbox, where it would count.
    with Sandbox("none", LIMITS, note=lambda _: None) as sandbox:
        for path in ("../out", "/etc/x", "a/../../x", "", ".", "a//b", "a/./b", "nul\0"):
            with pytest.raises(TooLarge, match="no path of a file"):
                sandbox.put([WorkspaceFile(path, b"x"), WorkspaceFile("next", b"x")])
        assert bash(sandbox, "ls -A . ..") == ".:\n\n..:\nhome\nlock\nworkspace\n"


def test_nothing_is_put_through_a_link() -> None:
    with Sandbox("none", LIMITS, note=lambda _: None) as sandbox:
        sandbox.put([WorkspaceFile("up", link=".."), WorkspaceFile("file", link="../outside")])
        with pytest.raises(TooLarge, match="up/x"):
            sandbox.put([WorkspaceFile("up/x", b"x")])
        # A link is replaced, not followed.
        sandbox.put([WorkspaceFile("file", b"x")])
        assert bash(sandbox, "ls -A ..; cat file") == "home\nlock\nworkspace\nx"


def test_what_does_not_fit_is_refused_with_its_name(sandbox: Sandbox) -> None:
    with pytest.raises(TooLarge, match="large: File too large"):
        sandbox.put([WorkspaceFile("large", bytes(17 * 2**20))])
    bash(sandbox, "rm large")
    with pytest.raises(TooLarge, match="second: No space left"):
        sandbox.put([WorkspaceFile(name, bytes(15 * 2**20)) for name in ("first", "again", "second")])
    assert bash(sandbox, "echo still here") == "still here\n"


def test_a_workspace_of_too_much_is_not_taken_over(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 10)
    monkeypatch.setattr(module, "MAX_CHANGED_BYTES", 1_000_000)
    bash(sandbox, "seq 11 | xargs touch")
    with pytest.raises(UnsafeOutput, match="more than 10 files"):
        sandbox.changes()
    # It is the workspace that is wrong, not the sandbox.
    bash(sandbox, "rm *; truncate -s 10M hole")
    with pytest.raises(UnsafeOutput, match="hole: the changed files are larger"):
        sandbox.changes()
    bash(sandbox, "rm *; for i in 1 2 3; do head -c 400000 /dev/zero > $i; done")
    with pytest.raises(UnsafeOutput, match="3: the changed files are larger"):
        sandbox.changes()


def test_a_command_ends_as_it_ended(sandbox: Sandbox) -> None:
    sandbox.put([WorkspaceFile("data", b"x")])
    assert sandbox.run(["sh", "-c", "echo out; echo err >&2; exit 3"], seconds=60).exit_code == 3
    assert sandbox.run(["sh", "-c", "echo out; echo err >&2"], seconds=60).output == "out\nerr\n"
    assert sandbox.run(["no-such-program"], seconds=60).exit_code == 127
    assert sandbox.run(["./data"], seconds=60).exit_code == 126
    killed = sandbox.run(["sh", "-c", "kill -SEGV $$"], seconds=60)
    assert (killed.exit_code, "SIGSEGV" in killed.output) == (-11, True)
    late = sandbox.run(["sh", "-c", "echo begun; sleep 1000"], seconds=0.3)
    assert (late.exit_code, late.timed_out, late.output) == (None, True, "begun\n")
    # What it has left behind holds its output, and is not waited for.
    assert sandbox.run(["sh", "-c", "sleep 1000 & echo done"], seconds=60).output == "done\n"
    long = sandbox.run(["sh", "-c", "echo first; seq 200000; echo last"], seconds=60).output
    assert long.startswith("first\n1\n")
    assert long.endswith("200000\nlast\n")
    assert "bytes left out" in long
    assert len(long) < 120_000
