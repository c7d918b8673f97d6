"""A sandbox as the studio uses it: files in, commands and tools run, changes out, and then nothing of it is left."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from studio.code.sandbox import answers, kinds
from studio.code.sandbox.answers import Ran, ToolOutcome, Unexpected
from studio.code.sandbox.channel import Channel
from studio.code.sandbox.enclosure import RETRY, Enclosure
from studio.code.sandbox.inside.frames import encode
from studio.code.sandbox.kinds import SandboxKind
from studio.code.sandbox.limits import MEBIBYTE, Limits
from studio.code.sandbox.registries import Registries, open_registries
from studio.code.sandbox.starting import unprotected
from studio.code.sandbox.toolset import definitions
from studio.code.workplace import workplace
from studio.code.workspace import Changes, WorkspaceFile
from studio.egress.connection import Resolve
from studio.errors import SandboxBroken, TooLarge, UnsafeOutput

log = logging.getLogger(__name__)

# More than a person could review in one pull request.
MAX_FILES = 5_000
MAX_CHANGED_BYTES = 64 * MEBIBYTE
_MAX_LEFT_OUT = 50
_MAX_OUTPUT_BYTES = 256 * 1024
# Beyond the time of a command: to end it, and what it has started.
_GRACE_SECONDS = 15.0
# Loading the tools, on a machine that has other things to do.
_LOAD_SECONDS = 60.0
# Reading or writing a whole workspace.
_FILES_SECONDS = 120.0


class Sandbox:
    """A context manager; used by one thread at a time. Whatever interrupts a call ends the sandbox with it."""

    def __init__(
        self,
        kind: SandboxKind,
        limits: Limits,
        *,
        registry_hosts: Sequence[str] = (),
        note: Callable[[str], None] | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        """Make a sandbox that is not open yet.

        `kind` is what `choose` returned. `registry_hosts` may be reached over HTTPS, through a proxy; nothing else
        can be. `note` gets a line for each thing that the sandbox ended or refused. `resolve` finds the addresses of
        hosts in place of DNS.
        """
        self._kind = kind
        self._limits = limits
        self._hosts = tuple(registry_hosts)
        self._note = note or log.info
        self._resolve = resolve
        self._closing = ExitStack()
        self._channel: Channel | None = None
        self._registries: Registries | None = None
        self._left_out: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        with ExitStack() as closing:
            egress = None
            if self._hosts:
                self._registries = closing.enter_context(open_registries(self._hosts, self._resolve))
                egress = self._registries.path
            if self._kind == "none":
                self._warn()
                starting = unprotected(closing.enter_context(workplace("greenlight-code-")))
            else:
                starting = kinds.starting(self._kind)
            enclosure = Enclosure(starting, self._limits, egress, confined=self._kind != "none")
            closing.callback(enclosure.close)
            channel = Channel(enclosure, self._note)
            channel.greeted()
            self._channel = channel
            self._closing = closing.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything in it; when this returns, nothing of it is left. It may be called twice."""
        channel, self._channel = self._channel, None
        try:
            if channel is not None:
                channel.hear()
                self._tell_refusals()
        finally:
            self._closing.close()

    def tools(self) -> list[dict[str, Any]]:
        """Return name, description and input schema of the six tools; inside, they begin to be loaded."""
        with self._asking() as channel:
            number, deadline = channel.ask({"op": "prepare"}, seconds=_GRACE_SECONDS)
            channel.answer(number, deadline, max_body=0)
        return definitions()

    def call(self, name: str, arguments: dict[str, Any], *, seconds: float) -> ToolOutcome:
        """Run a tool for `seconds` at the most, and return its result. Raise `SandboxBroken` where none came."""
        with self._asking() as channel:
            message = {"op": "call", "name": name, "seconds": seconds}
            patience = seconds + _GRACE_SECONDS + _LOAD_SECONDS
            number, deadline = channel.ask(message, json.dumps(arguments).encode("ascii"), seconds=patience)
            return answers.tool_outcome(*channel.answer(number, deadline, max_body=answers.MAX_CONTENT_BYTES))

    def run(self, argv: Sequence[str], *, seconds: float) -> Ran:
        """Run a command in the workspace; after `seconds` it is ended, and all else that runs in the sandbox.

        A program that is not there, or cannot be run, ends with code 127 or 126, as in a shell.
        """
        if not argv:
            raise ValueError("a command has at least a program")
        with self._asking() as channel:
            message = {"op": "run", "argv": list(argv), "seconds": seconds}
            number, deadline = channel.ask(message, seconds=seconds + _GRACE_SECONDS)
            return answers.ran(*channel.answer(number, deadline, max_body=_MAX_OUTPUT_BYTES))

    def put(self, files: Iterable[WorkspaceFile]) -> None:
        """Write files into the workspace. Raise `TooLarge` where one of them cannot be written there."""
        listed = list(files)
        with self._asking() as channel:
            frames = (
                encode({"path": file.path, "executable": file.executable, "link": file.link}, file.content)
                for file in listed
            )
            message = {"op": "put", "files": len(listed)}
            number, deadline = channel.ask(message, seconds=_FILES_SECONDS, more=frames)
            header, _ = channel.answer(number, deadline, max_body=0)
            refused = header.get("refused")
        if refused is not None:
            raise TooLarge(
                f"A file cannot be put into the sandbox's workspace: {answers.shown(refused)}.",
                "Give it more room (GREENLIGHT_CODE_DISK_MB, GREENLIGHT_CODE_FILE_MB), or leave the file out.",
            )

    def changes(self) -> Changes:
        """Return what has changed in the workspace since the last look. Raise `UnsafeOutput` where it is too much.

        What tools make again (`node_modules`, caches) is not looked at; pipes, sockets, devices, names that are not
        text and what cannot be read are left out with a note. What was put where nobody can look has not changed.
        Links are reported as links, wherever they lead.
        """
        written: list[WorkspaceFile] = []
        removed: list[str] = []
        with self._asking() as channel:
            message = {
                "op": "changes",
                "most_files": MAX_FILES,
                "most_bytes": MAX_CHANGED_BYTES,
                "most_left_out": _MAX_LEFT_OUT,
            }
            number, deadline = channel.ask(message, seconds=_FILES_SECONDS)
            refused: object = None
            size = frames = 0
            while True:
                header, body = channel.answer(number, deadline, max_body=MAX_CHANGED_BYTES - size)
                size += len(body)
                frames += 1
                if frames > 2 * MAX_FILES:
                    raise Unexpected("no end of changes")
                if "path" in header:
                    written.append(answers.workspace_file(header, body))
                elif "left_out" in header:
                    self._leave_out(answers.shown(header["left_out"]), answers.shown(header.get("reason")))
                elif "refused" in header:
                    refused = header["refused"]
                    break
                else:
                    removed += answers.paths(body, MAX_FILES - len(removed))
        if refused is not None:
            raise UnsafeOutput(
                f"The workspace holds more than is taken over: {answers.shown(refused)}.",
                "Ask for a smaller change, or have what is generated left out of the workspace.",
            )
        return Changes(tuple(written), tuple(removed))

    @contextmanager
    def _asking(self) -> Iterator[Channel]:
        """Give the channel; whatever goes wrong or interrupts ends the sandbox, which answers nobody after it."""
        channel = self._channel
        if channel is None:
            raise SandboxBroken("The sandbox is closed.", RETRY)
        try:
            yield channel
            channel.hear()
            self._tell_refusals()
        except Unexpected as exc:
            broken = channel.broken(f"The server in the sandbox answered with {exc}")
            self.close()
            raise broken from exc
        except BaseException:
            self.close()
            raise

    def _leave_out(self, path: str, reason: str) -> None:
        """Say once that something is not taken over."""
        if (path, reason) not in self._left_out and len(self._left_out) < _MAX_LEFT_OUT:
            self._left_out.add((path, reason))
            self._note(f"{path} is left out: {reason}.")

    def _tell_refusals(self) -> None:
        if self._registries is not None:
            for line in self._registries.refusals():
                self._note(line)

    def _warn(self) -> None:
        text = (
            "Generated code runs without a sandbox, with all that this account may do: GREENLIGHT_CODE_SANDBOX is none."
        )
        log.warning(text)
        self._note(text)
