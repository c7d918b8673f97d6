"""The way to the registries: a port on the loopback device inside, whose bytes pass to the studio's proxy outside.

The proxy decides where a connection may go; here nothing is decided.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from .plan import Forwarding

_CHUNK_BYTES = 65_536


async def forward(plan: Forwarding) -> asyncio.Server:
    """Listen; return the server."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_unix_connection(plan["socket"])
                try:
                    await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
                finally:
                    far_writer.close()
        finally:
            writer.close()

    return await asyncio.start_server(take, "127.0.0.1", plan["port"])


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()
