"""Bytes between two sockets, counted, and the moment at which a connection counts as idle."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

PIECE_BYTES = 64 * 1024


class TooMuch(Exception):
    """More bytes than are allowed have passed."""


@dataclass
class Allowance:
    """How many bytes may still pass, both ways, over `parent`'s as well."""

    left: int
    parent: Allowance | None = None

    def take(self, count: int) -> None:
        """Count `count` bytes; raise `TooMuch` where they are more than what was left."""
        self.left -= count
        if self.parent is not None:
            self.parent.take(count)
        if self.left < 0:
            raise TooMuch


class HungUp(Exception):
    """The exchange is over."""


class Pipe:
    """Passes bytes; each piece puts off the moment at which the connection counts as idle."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: asyncio.Timeout, seconds: float) -> None:
        self._loop = loop
        self._idle = idle
        self._seconds = seconds

    async def passed(
        self,
        source: socket.socket,
        target: socket.socket,
        count: Callable[[int], None],
        known: bytes = b"",
        length: int | None = None,
        *,
        end: bool = True,
        taken: Callable[[bool], None] | None = None,
    ) -> None:
        """Pass `known` and what follows it, `length` bytes in all, or until `source` ends: `end` tells `target` so.

        `taken` is told when `target` begins to take a piece (False), and when it has (True).
        """
        left = length
        piece = known
        while True:
            if piece:
                count(len(piece))
                if taken is not None:
                    taken(False)
                await self._loop.sock_sendall(target, piece)
                if taken is not None:
                    taken(True)
                self._idle.reschedule(self._loop.time() + self._seconds)
                left = None if left is None else left - len(piece)
            if left == 0:
                return
            piece = await self._loop.sock_recv(source, PIECE_BYTES if left is None else min(left, PIECE_BYTES))
            if not piece:
                break
        if end:
            target.shutdown(socket.SHUT_WR)


async def both(one: Awaitable[None], other: Awaitable[None]) -> None:
    """Run both until the end of both, or of the first that raises; raise that."""
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
