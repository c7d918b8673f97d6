"""The server inside a sandbox: it does what the studio asks on its standard input, one request after the other.

It shares its user with the code that an agent runs, so from the first command on the studio takes nothing for granted
that it says. It starts without the SDK: a build needs only `put` and `run`, and loading the tools takes seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from typing import Any

from . import commands
from .files import Files, Found, Refused
from .forwarding import forward
from .frames import LENGTHS, encode
from .plan import Plan
from .tools import Tools

_PATHS_PER_FRAME = 500
_MAX_REASON_CHARS = 2_000


def serve(plan: Plan) -> int:
    """Serve until the studio ends it; return the exit code."""
    # At the end: nothing of it may stand in the way of the standard library.
    sys.path.extend(plan["libraries"])
    try:
        asyncio.run(_serve(plan))
    except (EOFError, asyncio.IncompleteReadError, BrokenPipeError):
        return 0
    except BaseException as exc:  # noqa: BLE001 - the boundary of a process: the studio hears why it ended
        reason = "".join(traceback.format_exception(exc))[-_MAX_REASON_CHARS:]
        _send({"broken": reason})
        return 1
    return 0


async def _serve(plan: Plan) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    forwarding = await forward(plan["forwarding"]) if plan["forwarding"] is not None else None
    tools = Tools(plan["workspace"], isolated=plan["isolated"])
    files = Files(plan["workspace"])
    _send({"id": 0})
    try:
        while True:
            request, body = await _receive(reader)
            await _answer(request, body, reader, plan, tools, files)
    finally:
        await tools.close()
        if forwarding is not None:
            forwarding.close()


async def _answer(
    request: dict[str, Any], body: bytes, reader: asyncio.StreamReader, plan: Plan, tools: Tools, files: Files
) -> None:
    number, what = request["id"], request["op"]
    if what == "prepare":
        tools.prepare()
        _send({"id": number})
    elif what == "call":
        content, is_error = await tools.call(request["name"], json.loads(body), request["seconds"])
        _send({"id": number, "is_error": is_error}, json.dumps(content).encode("ascii"))
    elif what == "run":
        outcome = await commands.run(request["argv"], plan["workspace"], request["seconds"], isolated=plan["isolated"])
        answer = {"exit_code": outcome.exit_code, "seconds": outcome.seconds, "timed_out": outcome.timed_out}
        _send({"id": number, **answer}, outcome.output)
    elif what == "put":
        await _put(request, reader, files)
    elif what == "changes":
        _changes(request, files)


async def _put(request: dict[str, Any], reader: asyncio.StreamReader, files: Files) -> None:
    refused = None
    # All of them are read, whatever becomes of one: the next request begins behind the last.
    for _ in range(request["files"]):
        file, content = await _receive(reader)
        if refused is None:
            try:
                files.put(file["path"], content, executable=file["executable"], link=file["link"])
            except Refused as exc:
                refused = str(exc)
    _send({"id": request["id"], "refused": refused})


def _changes(request: dict[str, Any], files: Files) -> None:
    number = request["id"]
    refused = None
    left_out: list[tuple[str, str]] = []
    try:
        for found in files.changes(most_files=request["most_files"], most_bytes=request["most_bytes"]):
            if isinstance(found, Found):
                head = {"path": found.path, "executable": found.executable, "link": found.link}
                _send({"id": number, **head}, found.content)
            elif len(left_out) < request["most_left_out"]:
                left_out.append(found)
    except Refused as exc:
        refused = str(exc)
    else:
        removed = files.removed()
        for start in range(0, len(removed), _PATHS_PER_FRAME):
            _send({"id": number}, json.dumps(removed[start : start + _PATHS_PER_FRAME]).encode("ascii"))
    for path, reason in left_out:
        _send({"id": number, "left_out": path, "reason": reason})
    _send({"id": number, "refused": refused})


async def _receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    head, size = LENGTHS.unpack(await reader.readexactly(LENGTHS.size))
    message: dict[str, Any] = json.loads(await reader.readexactly(head))
    return message, await reader.readexactly(size)


def _send(message: dict[str, Any], body: bytes = b"") -> None:
    """Write a frame; wait for the studio where it is slower."""
    left = memoryview(encode(message, body))
    while left:
        left = left[os.write(1, left) :]
