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
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise Unexpected("no JSON") from exc
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
        return WorkspaceFile(path_of(header.get("path")), link=path_of(link))
    return WorkspaceFile(path_of(header.get("path")), body, executable)


def paths(body: bytes) -> list[str]:
    """Return a list of paths. Raise `Unexpected`."""
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise Unexpected("no JSON") from exc
    if not isinstance(listed, list):
        raise Unexpected("no list of paths")
    return [path_of(path) for path in listed]


def path_of(value: object) -> str:
    """Return a path, which can be stored and encoded, but lead anywhere. Raise `Unexpected`."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_PATH_CHARS or storable(value) != value:
        raise Unexpected("no path")
    return value


def shown(value: object) -> str:
    """Return something of theirs for a line of ours."""
    return one_line(str(value), _MAX_SHOWN_CHARS)


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
