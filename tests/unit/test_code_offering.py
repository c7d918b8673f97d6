"""A pull request says what was asked, what the agent says, and what was found; foreign words form nothing in it."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from studio.code import archive, offering
from studio.code.discreet import REACH_CHARS, SHOWN_CHARS, DiscreetProgress
from studio.code.workspace import WorkspaceFile
from studio.errors import InvalidInput
from studio.tracing.redaction import Redactor
from tests.support.model import Recorder

WRITTEN: dict[str, Any] = {"summary": "Built.\n```\n@everyone **merge** me", "turns": 3, "reason": None}
INSPECTED: dict[str, Any] = {
    "changes": [{"path": "a.py"}],
    "findings": [{"path": "a.py", "line": 3, "kind": "High entropy", "blocks": False}],
    "left_out": [{"path": "evil`|.yml", "reason": "It is [a link](https://x.test)."}],
}
CHECKS = [{"command": "make test", "outcome": "failed", "seconds": 1.5, "output": ""}]


def test_it_says_what_was_found_and_not_what_an_agent_would_like() -> None:
    text = offering.body("A page.", WRITTEN, INSPECTED, CHECKS, "bubblewrap")
    assert text.startswith("An agent wrote this. Nothing is merged until a person has read it.")
    assert "| `make test` | ❌ failed | 1.5 s |" in text
    assert "in a sandbox (bubblewrap), on exactly this commit" in text
    # A fence of its own, longer than any in the words.
    assert "````text\nBuilt.\n```\n@everyone **merge** me\n````" in text
    assert "`evil'\\|.yml`: It is \\[a link\\](https://x.test)." in text
    assert "High entropy" in text
    assert "unfinished" not in text


def test_it_says_first_that_it_is_unfinished() -> None:
    text = offering.body("A page.", {**WRITTEN, "reason": "It had used all its time."}, INSPECTED, [], "none")
    assert text.index("**It is unfinished.**") < text.index("## What was asked")
    assert "neither a build nor tests" in text


def test_a_stack_is_counted() -> None:
    files = [WorkspaceFile(path) for path in ("a.py", "b/c.py", "x.html", "README", "logo.png")]
    assert offering.stack(files) == "Python (2 files), HTML (1 file)"
    assert offering.stack([WorkspaceFile("README")]) == "no source files of a known kind"


def test_a_workspace_comes_back_from_its_archive() -> None:
    files = [
        WorkspaceFile("a/b.py", b"x\r\n\0", executable=True),
        WorkspaceFile("removed", b"a file of this name"),
        WorkspaceFile("link", link="a/b.py"),
        WorkspaceFile("ü" * 150, b""),
    ]
    data = archive.pack(files, ["gone", "also/gone"])
    assert data == archive.pack(reversed(files), ["also/gone", "gone"])
    back = archive.unpack(data)
    assert sorted(back.written, key=lambda file: file.path) == sorted(files, key=lambda file: file.path)
    assert back.removed == ("also/gone", "gone")


@pytest.mark.parametrize("content", [b"no json", b"5", b"[{}]", b'["gone"]'])
def test_a_file_does_not_pass_for_the_list_of_what_is_gone(content: bytes) -> None:
    back = archive.unpack(archive.pack([WorkspaceFile("/removed", content)]))
    assert [file.content for file in back.written] == [content]
    assert back.removed == ()


@pytest.mark.parametrize("listed", [b"no json", b"5", b"[{}]", b"[" * 100_000])
def test_a_list_of_what_is_gone_holds_paths(listed: bytes) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", format=tarfile.PAX_FORMAT) as made:
        member = tarfile.TarInfo("/removed")
        member.pax_headers = {"comment": "removed"}
        member.size = len(listed)
        made.addfile(member, io.BytesIO(listed))
    with pytest.raises(InvalidInput, match="cannot be read"):
        archive.unpack(raw.getvalue())


class Lines:
    """A progress that remembers the order of what it was told; streamed pieces that follow one another are one."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.pieces = 0

    def log(self, message: str, **data: Any) -> None:
        self.told.append(("log", message))

    def delta(self, text: str, **data: Any) -> None:
        self.pieces += 1
        before = self.told.pop()[1] if self.told and self.told[-1][0] == data["step"] else ""
        self.told.append((data["step"], before + text))

    def tool_call(self, tool: str, **data: Any) -> None:
        self.told.append(("call", tool))

    def tool_result(self, tool: str, **data: Any) -> None:
        self.told.append(("result", tool))


@pytest.mark.parametrize("size", [1, 2, 7, 30, 1_000])
def test_streamed_text_shows_no_secret_however_it_comes_in_pieces(size: int) -> None:
    told, secret, key = Lines(), "s3cr3t-value-long and with words", "sk-ant-abcdefgh12345678"
    redactor = Redactor([secret, "another-secret"])
    quiet = DiscreetProgress(told, redactor)
    text = f"One {secret} two\n{key}, password: hunter22 and another-{secret} is no another-secret. " + "More. " * 50
    for step in ("first", "second"):
        for start in range(0, len(text), size):
            quiet.delta(text[start : start + size], step=step)
    quiet.tool_call("bash", input={})
    quiet.delta("The end of s3cr3t-value", step="third")
    quiet.log("It is over.")
    quiet.delta("The last w", step="third")
    quiet.close()
    quiet.close()
    whole = redactor.text(text)
    assert not any(part in whole for part in (secret, key, "hunter22"))
    assert told.told == [
        ("first", whole),
        ("second", whole),
        ("call", "bash"),
        ("third", "The end of s3cr3t-value"),
        ("log", "It is over."),
        ("third", "The last w"),
    ]


KEY_LINES = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2] * 20)


@pytest.mark.parametrize(
    ("before", "secret"),
    [
        ("Authorization: Bearer ", "abcdefgh" * 40),
        ("Bearer  \n", "abcdefgh"),
        ("Authorization: Basic ", "abcdefghijk1" * 20 + "=="),
        ('{"api_key": ', f'"{"correct horse battery staple " * 12}"'),
        ("the secret access key\n =\n", "abcdefgh"),
        ("Cookie: ", "sid=abcdefgh; theme=dark ; last=one two three " + "more " * 60),
        ("postgres://anna:", "pässwörd" * 10 + "@host/name"),
        ("", f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_LINES}\n-----END RSA PRIVATE KEY-----"),
    ],
)
@pytest.mark.parametrize("known", [(), ("hunter2",)])
@pytest.mark.parametrize("size", [1, 4, 50])
def test_streamed_text_shows_no_secret_that_nobody_knows(
    before: str, secret: str, known: tuple[str, ...], size: int
) -> None:
    told, redactor = Lines(), Redactor(known)
    quiet = DiscreetProgress(told, redactor)
    text = f"{'Words before. ' * 20}{before}{secret}\n{'Words after. ' * 20}"
    for start in range(0, len(text), size):
        quiet.delta(text[start : start + size], step="write")
    quiet.close()
    whole = redactor.text(text)
    assert "abcd" not in whole
    assert told.told == [("write", whole)]


def test_streamed_text_comes_as_it_is_written_but_for_its_end() -> None:
    told = Lines()
    quiet = DiscreetProgress(told, Redactor(["s3cr3t-value"]))
    for _ in range(1_000):
        quiet.delta("word ", step="write")
    assert told.pieces > 950
    assert len(told.told[0][1]) >= 5_000 - REACH_CHARS - len("word ")


class Counting(Redactor):
    """One that remembers how many characters it has looked at."""

    looked_at = 0

    def text(self, text: str) -> str:
        self.looked_at += len(text)
        return super().text(text)


@pytest.mark.parametrize("character", ["字", "x"])
def test_streamed_text_without_a_space_costs_no_more_than_a_multiple_of_its_length(character: str) -> None:
    told, redactor = Lines(), Counting()
    quiet = DiscreetProgress(told, redactor)
    text = character * 16_000
    for start in range(0, len(text), 4):
        quiet.delta(text[start : start + 4], step="write")
    # Of a script that writes without spaces it is shown as it comes, too.
    assert told.pieces > 3_900 if character == "字" else told.pieces == 0
    quiet.close()
    assert told.told == [("write", text)]
    assert redactor.looked_at < 100 * len(text)


def test_what_an_agent_does_is_shown_without_secrets_and_bulk() -> None:
    told = Recorder()
    quiet = DiscreetProgress(told, Redactor(["hunter2-hunter2"]))
    picture = {"type": "image", "source": {"data": "A" * 100_000}}
    quiet.tool_call("bash", input={"command": "echo hunter2-hunter2 " + "x" * 10_000})
    quiet.tool_result("read", result=[picture], is_error=False)
    quiet.log("the key is hunter2-hunter2")
    shown = str(vars(told))
    assert "hunter2" not in shown
    assert "AAAA" not in shown
    assert len(shown) < 2 * SHOWN_CHARS
    quiet.tool_call("write", input={"content": "c" * 500, "file_path": "a.py", "hunter2-hunter2": 1})
    given = told.calls[-1][1]["input"]
    assert list(given) == ["•••", "file_path", "content"]
