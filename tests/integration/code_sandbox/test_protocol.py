"""Whatever a sandbox's server says, the studio takes what fits, breaks off otherwise, and waits no longer than told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from studio.code.sandbox import Limits, answers, enclosure
from studio.code.sandbox.answers import Unexpected
from studio.code.sandbox.channel import Channel
from studio.code.sandbox.enclosure import Enclosure
from studio.code.sandbox.starting import Command, Pipes
from studio.errors import SandboxBroken
from tests.support.sandbox_attack import LIMITS

PREAMBLE = """
import os, struct, sys, time, json
def frame(message, body=b"", head=None, size=None):
    header = message if isinstance(message, bytes) else json.dumps(message).encode()
    lengths = struct.pack(">II", len(header) if head is None else head, len(body) if size is None else size)
    try:
        os.write(1, lengths + header + body)
    except BrokenPipeError:
        pass
"""


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    # None of the programs here listens for its end.
    monkeypatch.setattr(enclosure, "_END_SECONDS", 0.1)


@contextmanager
def channel(program: str, note: Callable[[str], None] = lambda _: None) -> Iterator[Channel]:
    """A channel to a program that plays the server; `STATUS` in it is the descriptor of the first process's notes."""

    def starting(limits: Limits, egress: Path | None, pipes: Pipes, _: ExitStack) -> Command:
        code = PREAMBLE + program.replace("STATUS", str(pipes.status))
        return Command([sys.executable, "-I", "-S", "-c", code], (pipes.control, pipes.status))

    with closing(Enclosure(starting, LIMITS, None, confined=False)) as running:
        yield Channel(running, note)


def ask(asked: Channel, seconds: float) -> None:
    number, deadline = asked.ask({"op": "run"}, seconds=seconds)
    asked.answer(number, deadline, max_body=100)


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ("", "ended"),
        ("os.write(1, b'HTTP/1.1 200 OK')", "too much"),
        ("frame({'id': 1}, size=2**32 - 1)", "too much"),
        ("frame(b'{', head=2**31)", "too much"),
        ("frame({'id': 1}, b'x' * 101)", "too much"),
        ("frame(b'[' * 60000)", "no JSON"),
        ("frame(b'\\xff\\xfe')", "no JSON"),
        ("frame([1])", "no object"),
        ("frame({'id': 2})", "not asked"),
        ("frame({})", "not asked"),
        ("frame({'broken': '\\x1b[31m it \\n broke'})", "it broke"),
        ("frame({'id': 1}, b'half', size=50)", "ended"),
        ("time.sleep(1000)", "in time"),
        ("os.close(0); os.write(1, b'\\0'); time.sleep(1000)", "in time"),
    ],
)
def test_what_does_not_fit_breaks_the_sandbox_and_nothing_else(program: str, complaint: str) -> None:
    with channel(program) as asked:
        with pytest.raises(SandboxBroken, match=complaint) as raised:
            ask(asked, 0.5 if complaint == "in time" else 60)
        assert "\x1b" not in str(raised.value)


def test_a_server_that_does_not_listen_is_given_up() -> None:
    with channel("time.sleep(1000)") as asked:
        with pytest.raises(SandboxBroken, match="in time"):
            asked.ask({"op": "put"}, bytes(1024 * 1024), seconds=0.5)


def test_notes_are_bounded_and_harmless() -> None:
    notes: list[str] = []
    program = """
lines = [b'{"note": "fine"}', b'{"note": "' + b"long" * 1000 + b'"}', b'{"note": "\\\\u001b[2Jsteers"}']
lines += [b"no json", b"[]"]
os.write(STATUS, b"\\n".join(lines) + b"\\n" + b"x" * 20000 + b"\\n")
for _ in range(1000):
    os.write(STATUS, b'{"note": "again"}\\n')
frame({"id": 1})
"""
    with channel(program, notes.append) as asked:
        number, deadline = asked.ask({"op": "run"}, seconds=60)
        asked.answer(number, deadline, max_body=0)
        asked.hear()
    assert notes[0] == "fine"
    assert max(map(len, notes)) <= 300
    assert not any("\x1b" in note for note in notes)
    assert len(notes) == 200


@pytest.mark.parametrize(
    "content",
    [
        None,
        5,
        {"type": "text"},
        [{"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}],
        [{"type": "image", "source": {"type": "base64", "media_type": "text/html", "data": "aaaa"}}],
        [{"type": "tool_use", "id": "x", "name": "bash", "input": {}}],
        [{"type": "text", "text": "x"}] * 21,
        [["text"]],
    ],
)
def test_content_of_another_shape_is_refused(content: object) -> None:
    with pytest.raises(Unexpected):
        answers.tool_outcome({"is_error": False}, json.dumps(content).encode())


def test_content_is_made_anew_and_storable() -> None:
    block = {"type": "text", "text": "a\0b\ud800", "cache_control": {"type": "ephemeral"}}
    outcome = answers.tool_outcome({"is_error": True}, json.dumps([block]).encode())
    assert outcome.content == [{"type": "text", "text": "a\ufffdb\ufffd"}]
    assert outcome.is_error


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"exit_code": True, "seconds": 1, "timed_out": False},
        {"exit_code": None, "seconds": 1, "timed_out": False},
        {"exit_code": 10**9, "seconds": 1, "timed_out": False},
        {"exit_code": 0, "seconds": float("nan"), "timed_out": False},
        {"exit_code": 0, "seconds": 1, "timed_out": "no"},
    ],
)
def test_an_end_of_another_shape_is_refused(header: dict[str, object]) -> None:
    with pytest.raises(Unexpected):
        answers.ran(header, b"")


@pytest.mark.parametrize(
    "path",
    [None, 3, "", "x" * 5000, "nul\0", "\ud800", "/removed", "..", "../x", "a/../b", "a/..", "a//b", "a/", "./a"],
)
def test_a_path_that_is_none_is_refused(path: object) -> None:
    with pytest.raises(Unexpected):
        answers.workspace_file({"path": path, "executable": False, "link": None}, b"")
    with pytest.raises(Unexpected):
        answers.paths(json.dumps([path]).encode(), 1)


def test_a_link_may_say_that_it_leads_anywhere() -> None:
    link = answers.workspace_file({"path": "a/link", "executable": False, "link": "/../etc"}, b"")
    assert (link.path, link.link) == ("a/link", "/../etc")


@pytest.mark.parametrize(
    "many", [b"[" + b"{}," * 1_000_000 + b"{}]", b"[" * 3_000_000, b"[" + b"0," * 2_000_000 + b"0]"]
)
def test_many_things_are_not_even_read(many: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(json, "loads", read)
    with pytest.raises(Unexpected, match="too many"):
        answers.tool_outcome({"is_error": False}, many)
    with pytest.raises(Unexpected, match="too many"):
        answers.paths(many, 5_000)


def test_one_large_thing_is_taken() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "A" * (28 * 2**20)}
    block = {"type": "document", "source": source}
    assert answers.tool_outcome({"is_error": False}, json.dumps([block]).encode()).content == [block]
    text = answers.tool_outcome({"is_error": False}, json.dumps("[{,}]" * 2**20).encode())
    assert str(text.content).startswith("[{,}]")


def test_paths_are_counted() -> None:
    body = json.dumps([f"file-{number}" for number in range(11)]).encode()
    assert len(answers.paths(body, 11)) == 11
    with pytest.raises(Unexpected, match="too many"):
        answers.paths(body, 10)
