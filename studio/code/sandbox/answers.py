"""What a sandbox's server says, taken apart: only what has exactly the expected shape is passed on.

The first command of an agent may have put another server in its place. What it says is content at best.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from studio.code.workspace import WorkspaceFile
from studio.text import clip, one_line, storable

# The largest tool result is a PDF file of 20 MB, in base64; text is a hundred thousand characters, or a file.
MAX_CONTENT_BYTES = 32 * 1024 * 1024
# JSON of many small things takes up to thirty times its bytes once it is read.
_MAX_LIST_BYTES = 2 * 1024 * 1024
# A larger list is that of one file: base64 holds none of the marks that divide JSON.
_DIVIDING = (b"[", b"{", b",")
_MAX_DIVIDED = 1000
_MAX_TEXT_CHARS = 400_000
_MAX_BLOCKS = 20
_MAX_PATH_CHARS = 4096
_MAX_SHOWN_CHARS = 200
_MEDIA_TYPES = {
    "image": frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"}),
    "document": frozenset({"application/pdf"}),
}


class Unexpected(Exception):
    """It is not what was asked for; the text says what is wrong with it."""


@dataclass(frozen=True)
class ToolOutcome:
    """The result of a tool: text, or blocks of text, images and documents as the Messages API takes them."""

    content: str | list[dict[str, Any]]
    is_error: bool


@dataclass(frozen=True)
class Ran:
    """How a command ended. `exit_code` is None where it was ended for its time, and negative for a signal."""

    exit_code: int | None
    output: str
    seconds: float
    timed_out: bool


def tool_outcome(header: dict[str, Any], body: bytes) -> ToolOutcome:
    """Return the result of a tool. Raise `Unexpected`."""
    is_error = header.get("is_error")
    if not isinstance(is_error, bool):
        raise Unexpected("no word on success")
    # Text is one thing, however long.
    if not body.startswith(b'"') and len(body) > _MAX_LIST_BYTES and sum(map(body.count, _DIVIDING)) > _MAX_DIVIDED:
        raise Unexpected("too many things")
    content = _read(body)
    if isinstance(content, str):
        return ToolOutcome(_text(content), is_error)
    if not isinstance(content, list) or len(content) > _MAX_BLOCKS:
        raise Unexpected("neither text nor a few blocks")
    return ToolOutcome([_block(block) for block in content], is_error)


def ran(header: dict[str, Any], body: bytes) -> Ran:
    """Return the result of a command. Raise `Unexpected`."""
    code, seconds, timed_out = header.get("exit_code"), header.get("seconds"), header.get("timed_out")
    if not isinstance(timed_out, bool) or not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise Unexpected("no end of a command")
    if timed_out:
        code = None
    elif not isinstance(code, int) or isinstance(code, bool) or not -128 <= code <= 255:
        raise Unexpected("no exit code")
    # Not a number, or without end, is refused by the comparison.
    if not 0 <= seconds <= 10**6:
        raise Unexpected("no duration")
    return Ran(code, _text(body.decode("utf-8", "replace")), float(seconds), timed_out)


def workspace_file(header: dict[str, Any], body: bytes) -> WorkspaceFile:
    """Return a changed file; its path is somebody else's word. Raise `Unexpected`."""
    executable, link = header.get("executable"), header.get("link")
    if not isinstance(executable, bool):
        raise Unexpected("no mode of a file")
    if link is not None:
        return WorkspaceFile(path_of(header.get("path")), link=_target(link))
    return WorkspaceFile(path_of(header.get("path")), body, executable)


def paths(body: bytes, most: int) -> list[str]:
    """Return a list of `most` paths at the most. Raise `Unexpected`."""
    if len(body) > _MAX_LIST_BYTES:
        raise Unexpected("too many paths")
    listed = _read(body)
    if not isinstance(listed, list):
        raise Unexpected("no list of paths")
    if len(listed) > most:
        raise Unexpected("too many paths")
    return [path_of(path) for path in listed]


def path_of(value: object) -> str:
    """Return a path below the workspace, as far as its words say: links may lead anywhere. Raise `Unexpected`."""
    path = _target(value)
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise Unexpected("no path below the workspace")
    return path


def shown(value: object) -> str:
    """Return something of theirs for a line of ours."""
    return one_line(str(value), _MAX_SHOWN_CHARS)


def _target(value: object) -> str:
    """Return what a link may lead to: anything that can be stored and encoded."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_PATH_CHARS or storable(value) != value:
        raise Unexpected("no path")
    return value


def _read(body: bytes) -> object:
    try:
        # As the server writes it. Other encodings would be guessed, and read with more memory.
        return json.loads(body.decode("ascii"))
    except (ValueError, RecursionError) as exc:
        raise Unexpected("no JSON") from exc


def _text(text: str) -> str:
    return clip(storable(text), _MAX_TEXT_CHARS)


def _block(block: object) -> dict[str, Any]:
    """Return a block made anew: what else a block may say to the API is nothing for a sandbox to say."""
    match block:
        case {"type": "text", "text": str(text)}:
            return {"type": "text", "text": _text(text)}
        case {"type": ("image" | "document") as kind, "source": {"media_type": str(media), "data": str(data)}}:
            if media not in _MEDIA_TYPES[kind] or not data.isascii():
                raise Unexpected("an unknown kind of file")
            return {"type": kind, "source": {"type": "base64", "media_type": media, "data": data}}
        case _:
            raise Unexpected("an unknown block")
