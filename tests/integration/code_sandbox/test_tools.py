"""The six tools are the SDK's own, and a shell is one for all calls: what it has set stays, until its time is over."""

from __future__ import annotations

import base64
import uuid

import pytest

from studio.code.sandbox import Limits, Sandbox
from studio.code.workspace import WorkspaceFile
from studio.settings import Settings
from tests.support.sandbox_attack import interrupting, living
from tests.support.size import FULL

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
pytestmark = pytest.mark.chaos


@pytest.fixture(params=["bubblewrap", "namespaces"] if FULL else ["bubblewrap"])
def kind(request: pytest.FixtureRequest) -> str:
    """In the short form the hostile agent uses the tools of the other."""
    kind: str = request.param
    return kind


def test_the_tools_are_the_sdks_own(sandbox: Sandbox) -> None:
    # One test, because loading them takes longer than everything else.
    tools = sandbox.tools()
    assert [tool["name"] for tool in tools] == ["bash", "read", "write", "edit", "glob", "grep"]
    assert all(tool["description"] and tool["input_schema"]["type"] == "object" for tool in tools)
    sandbox.put([WorkspaceFile("pixel.png", PIXEL)])

    def call(name: str, **arguments: object) -> tuple[object, bool]:
        outcome = sandbox.call(name, arguments, seconds=60)
        return outcome.content, outcome.is_error

    assert call("bash", command="mkdir here; cd here; NAME=value")[1] is False
    assert call("bash", command="pwd; echo $NAME") == ("/workspace/here\nvalue", False)
    assert call("bash", command="echo wrong; false") == ("wrong", True)
    assert call("write", file_path="a.txt", content="one\ntwo\n")[1] is False
    assert call("edit", file_path="a.txt", old_string="two", new_string="three")[1] is False
    assert call("read", file_path="a.txt") == ("one\nthree\n", False)
    assert call("glob", pattern="*.txt") == ("/workspace/a.txt", False)
    assert call("grep", pattern="thr.e") == ("/workspace/a.txt:2:three", False)
    picture = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()}
    assert call("read", file_path="pixel.png") == ([{"type": "image", "source": picture}], False)
    for name, arguments in (("read", {}), ("bash", {"command": 5}), ("nothing", {}), ("bash", {"timeout_ms": "soon"})):
        assert sandbox.call(name, arguments, seconds=60).is_error
    late = sandbox.call("bash", {"command": "sleep 1000 & echo x > b.txt; while :; do :; done"}, seconds=0.5)
    assert late.is_error
    assert "after 0.5 s" in str(late.content)
    asked = sandbox.call("bash", {"command": "sleep 1000", "timeout_ms": 200}, seconds=60)
    assert "after 0.2 s" in str(asked.content)
    assert call("bash", command="pwd; pgrep -c sleep; exit 0")[0] != ""
    assert call("bash", restart=True)[1] is False
    assert call("bash", command="pwd") == ("/workspace", False)
    assert {file.path for file in sandbox.changes().written} == {"a.txt", "here/b.txt"}
    marker = f"greenlight-command-{uuid.uuid4().hex}"
    with interrupting(marker), pytest.raises(KeyboardInterrupt):
        call("bash", command=f"(exec -a {marker} sleep 1000); echo on")
    assert not living(marker)


def test_limits_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_CODE_MEMORY_MB", "512")
    monkeypatch.setenv("GREENLIGHT_CODE_DISK_MB", "64")
    limits = Limits.of(Settings())
    assert (limits.memory_bytes, limits.disk_bytes) == (512 * 2**20, 64 * 2**20)
