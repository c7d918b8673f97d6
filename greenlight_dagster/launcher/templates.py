"""The server's side of a template process: start it, ask it for workers, hear which of them have ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Mapping

from greenlight_dagster.launcher import messages
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.messages import Code
from studio.paths import ROOT

log = logging.getLogger("greenlight.launcher")

# As long as Dagster gives a code server to load the same code.
LOAD_SECONDS = 180.0
_MEGABYTE = 1024 * 1024


class Template:
    """A process that has loaded `code` and forks workers from it.

    `loaded` is set when it can, or when `error` says why it cannot. `number` tells its workers from those of
    another server's templates.
    """

    def __init__(self, number: int, code: Code, environment: Mapping[str, str], config: LauncherConfig) -> None:
        self.number = number
        self.code = code
        self.environment = dict(environment)
        # Workers that have ended before they showed up, since somebody looked.
        self.failed_forks = 0
        self.error: str | None = None
        self.loaded = asyncio.Event()
        self.ended = asyncio.Event()
        self.retired = False
        # Workers that were asked for; those that were forked and have not shown up yet; and those that have shown up
        # before the template's word of them, which comes on another socket.
        self._asked = 0
        self._forked: set[int] = set()
        self._early: set[int] = set()
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._memory = 0
        self._endings: dict[int, str] = {}
        self._news = asyncio.Condition()

    @property
    def pid(self) -> int | None:
        """The process id, once it was started."""
        return self._process.pid if self._process else None

    @property
    def ready(self) -> bool:
        """Whether it can fork."""
        return self.loaded.is_set() and self.error is None and not self.process_ended

    @property
    def forking(self) -> int:
        """How many workers are on their way."""
        return max(0, self._asked + len(self._forked) - len(self._early))

    @property
    def process_ended(self) -> bool:
        """Whether the process is gone."""
        return self.ended.is_set()

    async def start(self) -> None:
        """Start the process and return when it has loaded its code, or failed to (`error`)."""
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                self.code.executable,
                *("-m", "greenlight_dagster.launcher.template", str(theirs.fileno()), str(self.number)),
                str(self._config.to_json()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
            )
            theirs.close()
            self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=messages.LIMIT_BYTES)
            self._writer.write(
                messages.encode(
                    {"origin": self.code.origin, "instance": self.code.instance, "location": self.code.location}
                )
            )
            async with asyncio.timeout(LOAD_SECONDS):
                answer = await self._reader.readline()
            said = messages.decode(answer) if answer else {"error": "It ended while it loaded the code; see the log."}
        except TimeoutError:
            said = {"error": f"The code was not loaded within {LOAD_SECONDS:.0f} s."}
            if self._process is not None:
                self._process.kill()
        except (OSError, ValueError) as exc:
            said = {"error": f"The template process cannot be started: {exc}"}
        finally:
            theirs.close()
        self.error = said.get("error")
        self._memory = int(said.get("memory", 0))
        if self.error is not None:
            log.error("the code of %s cannot be loaded: %s", self.code.location, self.error)
        else:
            log.info("template %s has loaded %s in %.1f s", self.pid, self.code.location, said["seconds"])
        self.loaded.set()

    async def listen(self) -> AsyncIterator[bool]:
        """Hear what the template says until it ends; yield whether it has outgrown its memory after each word."""
        try:
            while self._reader is not None and (line := await self._reader.readline()):
                said = messages.decode(line)
                if "forked" in said:
                    self._note_fork(int(said["forked"]))
                if "unforked" in said:
                    self._asked -= 1
                    self.failed_forks += 1
                    log.error("template %s cannot fork: %s", self.pid, said["unforked"])
                if "exited" in said:
                    self.failed_forks += int(said["exited"]) in self._forked
                    self._forked.discard(int(said["exited"]))
                    self._early.discard(int(said["exited"]))
                    await self._note_ending(int(said["exited"]), str(said["status"]))
                yield self._has_grown(int(said.get("memory", 0)))
        except (OSError, ValueError) as exc:
            log.warning("template %s cannot be heard: %s", self.pid, exc)
        if self._process is not None:
            await self._process.wait()
        if self._writer is not None:
            self._writer.close()
        self._asked = 0
        self._forked.clear()
        self._early.clear()
        self.ended.set()

    def fork(self, count: int) -> None:
        """Ask for `count` workers; they connect by themselves."""
        if self._writer is not None and not self.retired:
            self._asked += count
            self._writer.write(messages.encode({"fork": count}))

    def arrived(self, pid: int) -> None:
        """Note that the worker `pid` has shown up."""
        if pid in self._forked:
            self._forked.discard(pid)
        else:
            self._early.add(pid)

    def retire(self) -> None:
        """Let the process end when its last worker has."""
        self.retired = True
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(messages.encode({"retire": True}))

    async def drain(self) -> None:
        """Return when what was said to it is on its way."""
        if self._writer is not None and not self._writer.is_closing():
            with contextlib.suppress(OSError):
                await self._writer.drain()

    def forget(self, pid: int) -> None:
        """Forget how the worker `pid` ended: its number will be somebody else's."""
        self._endings.pop(pid, None)

    async def ending_of(self, pid: int, seconds: float) -> None:
        """Wait for the template's word on how the worker `pid` ended, at most `seconds`."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: pid in self._endings or self.process_ended)
        except TimeoutError:
            log.info("nothing was said of how worker %d ended", pid)

    def ending(self, pid: int) -> str:
        """Say how the worker `pid` ended, as the end of a sentence."""
        return self._endings.pop(pid, "ended without a word")

    def _note_fork(self, pid: int) -> None:
        self._asked -= 1
        self._endings.pop(pid, None)
        if pid in self._early:
            self._early.discard(pid)
        else:
            self._forked.add(pid)

    async def _note_ending(self, pid: int, status: str) -> None:
        async with self._news:
            self._endings[pid] = status
            self._news.notify_all()

    def _has_grown(self, memory: int) -> bool:
        return memory > self._memory + self._config.recycle_after_growth_mb * _MEGABYTE
