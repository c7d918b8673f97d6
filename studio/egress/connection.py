"""One connection through the way out: read what is asked for, have it resolved once, connect there, pass bytes.

Plain sockets on the loop rather than asyncio's streams: each is closed where its block ends, whatever happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from studio.egress.head import END_OF_HEAD, MAX_HEAD_BYTES, Asked, Garbage, asked, passed_back
from studio.egress.pipe import PIECE_BYTES, Allowance, HungUp, Pipe, TooMuch, both
from studio.egress.record import Record
from studio.errors import OutboundFailed, OutboundOff, OutboundRefused, StudioError
from studio.pinned_network import CONNECT_SECONDS, Endpoint

log = logging.getLogger(__name__)

Resolve = Callable[[str, int], Sequence[Endpoint]]

# Marks an answer as the proxy's own, and not that of the server that was asked for.
OURS = "X-Greenlight-Egress"
# A client that has connected knows what it wants.
HEAD_SECONDS = 10.0
# For a client to read its refusal and hang up.
FAREWELL_SECONDS = 2.0
# Longer than a look-up may take by itself; it is said to have failed then.
RESOLVE_SECONDS = 20.0

# What a server says that cannot be passed on is its failure, and no refusal.
_BAD_SERVER = 502
# This machine has no way there, to whomever.
_NO_NETWORK = frozenset({errno.ENETUNREACH, errno.ENETDOWN})
_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    407: "Proxy Authentication Required",
    411: "Length Required",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
}


@dataclass(frozen=True)
class Rules:
    """What holds for every connection."""

    resolve: Resolve
    credentials: tuple[str, str] | None
    idle_seconds: float
    seconds: float


class Connection:
    """The client's side, `client`, is the caller's to close."""

    def __init__(self, client: socket.socket, rules: Rules, allowance: Allowance, record: Record) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._rules = rules
        self._allowance = allowance
        self._record = record

    async def run(self) -> None:
        """Serve the connection's one request; what went wrong is in the record, and told to the client."""
        try:
            async with asyncio.timeout(self._rules.seconds):
                await self._serve()
        except Garbage as exc:
            if exc.status == _BAD_SERVER:
                self._record.failed = str(exc)
            elif exc.status != 407:
                # A browser asks once without its credentials, to be told that they are wanted.
                self._record.refused = str(exc)
            await self._say(exc.status, str(exc))
        except OutboundRefused as exc:
            self._record.refused = exc.message
            self._record.here = isinstance(exc, OutboundOff)
            await self._say(403, str(exc))
        except OutboundFailed as exc:
            self._record.failed = exc.message
            self._record.here = self._record.here or exc.reason == "no_dns"
            await self._say(_BAD_SERVER, str(exc))
        except TooMuch:
            self._record.failed = "It sends more than is taken."
            self._break_off()
        except TimeoutError:
            self._record.failed = self._record.failed or "It took too long."
            self._break_off()
        except OSError as exc:
            # One of the two has hung up in the middle.
            self._record.failed = f"The connection broke ({exc.strerror or exc})."
            self._break_off()
        finally:
            self._record.ended_at = time.monotonic()

    async def _serve(self) -> None:
        async with asyncio.timeout(HEAD_SECONDS):
            raw, rest = await self._head(self._client)
        if not raw:
            return
        request = asked(raw, self._rules.credentials)
        self._record.host, self._record.port = request.host, request.port
        self._allowance.take(len(raw))
        with await self._connected(request) as server:
            self._record.connected_at = time.monotonic()
            with contextlib.suppress(HungUp):
                async with asyncio.timeout(self._rules.idle_seconds) as idle:
                    pipe = Pipe(self._loop, idle, self._rules.idle_seconds)
                    if request.tunnel:
                        await self._tunnel(pipe, server, rest)
                    else:
                        await self._one_request(pipe, request, server, rest)

    async def _tunnel(self, pipe: Pipe, server: socket.socket, rest: bytes) -> None:
        await self._loop.sock_sendall(self._client, b"HTTP/1.1 200 Connection established\r\n\r\n")
        await both(
            pipe.passed(self._client, server, self._up, rest),
            pipe.passed(server, self._client, self._down, taken=self._taken),
        )

    async def _one_request(self, pipe: Pipe, request: Asked, server: socket.socket, rest: bytes) -> None:
        await self._loop.sock_sendall(server, request.head)
        self._record.sent_at = time.monotonic()

        async def answer() -> None:
            status = 100
            rest = b""
            while status < 200:
                raw, rest = await self._head(server, rest)
                self._down(len(raw))
                if not raw:
                    raise OutboundFailed(f"{request.host} hung up without an answer.")
                status, head = passed_back(raw)
                await self._loop.sock_sendall(self._client, head)
            await pipe.passed(server, self._client, self._down, rest, taken=self._taken)
            raise HungUp

        async def question() -> None:
            # A server may answer before it has read everything, and hang up on the rest.
            with contextlib.suppress(OSError):
                await pipe.passed(self._client, server, self._up, rest[: request.body], request.body, end=False)
            # Nothing of what follows is a request: the client is told that there is no second one here.
            if not await self._loop.sock_recv(self._client, PIECE_BYTES):
                raise HungUp

        await both(question(), answer())

    def _up(self, count: int) -> None:
        self._record.sent_at = time.monotonic()
        self._record.taking_seconds = 0.0
        self._allowance.take(count)

    def _down(self, count: int) -> None:
        self._record.heard_at = time.monotonic()
        self._record.bytes_received += count
        self._allowance.take(count)

    def _taken(self, done: bool) -> None:
        """Note that the client begins to take a piece, or has taken it."""
        self._record.taken(done, time.monotonic())

    async def _head(self, source: socket.socket, known: bytes = b"") -> tuple[bytes, bytes]:
        """Return a head without its empty line, and what came after it; empty where nothing came at all."""
        data = known
        while (end := data.find(END_OF_HEAD)) < 0:
            if len(data) > MAX_HEAD_BYTES:
                break
            piece = await self._loop.sock_recv(source, PIECE_BYTES)
            if not piece:
                if data:
                    raise Garbage("The head breaks off.", 400 if source is self._client else _BAD_SERVER)
                return b"", b""
            data += piece
        if not 0 <= end <= MAX_HEAD_BYTES:
            raise Garbage("The head is too long.", 431 if source is self._client else _BAD_SERVER)
        return data[:end], data[end + len(END_OF_HEAD) :]

    async def _connected(self, request: Asked) -> socket.socket:
        why, here = "", list[bool]()
        for address, port in await self._resolved(request.host, request.port):
            # Raises for a name: the loop would look it up, and find what nobody has checked.
            version = ipaddress.ip_address(address).version
            server = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6)
            try:
                server.setblocking(False)
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._loop.sock_connect(server, (address, port))
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as exc:
                server.close()
                here.append(exc.errno in _NO_NETWORK)
                why = os.strerror(exc.errno) if exc.errno else "no answer in time"
            except BaseException:
                server.close()
                raise
            else:
                return server
        self._record.here = bool(here) and all(here)
        raise OutboundFailed(f"{request.host} could not be reached ({why or 'it has no address'}).")

    async def _resolved(self, host: str, port: int) -> Sequence[Endpoint]:
        answer: asyncio.Future[Sequence[Endpoint]] = self._loop.create_future()

        def deliver(endpoints: Sequence[Endpoint], failure: StudioError | None) -> None:
            if answer.done():
                return
            if failure is not None:
                answer.set_exception(failure)
            else:
                answer.set_result(endpoints)

        def ask() -> None:
            endpoints: Sequence[Endpoint] = ()
            failure: StudioError | None = None
            try:
                endpoints = self._rules.resolve(host, port)
            except StudioError as exc:
                failure = exc
            # The loop may be closed by then: a look-up cannot be interrupted.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(deliver, endpoints, failure)

        # Not the loop's own threads: Python would wait for them at its end.
        threading.Thread(target=ask, name=f"egress looks up {host[:60]}", daemon=True).start()
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                return await answer
        except TimeoutError as exc:
            raise OutboundFailed(f"{host} could not be looked up in time.", reason="no_dns") from exc
        except (OutboundRefused, OutboundFailed):
            raise
        except StudioError as exc:
            raise OutboundRefused(exc.message, exc.remedy) from exc

    async def _say(self, status: int, text: str) -> None:
        # To be asked for credentials is how every connection begins where there are any.
        level = logging.DEBUG if status == 407 else logging.INFO
        log.log(level, "egress answers %d to %s: %s", status, self._record.host or "a client", text)
        body = text.encode() + b"\n"
        challenge = 'Proxy-Authenticate: Basic realm="Greenlight"\r\n' if status == 407 else ""
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n{challenge}{OURS}: {status}\r\n"
            "Connection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._loop.sock_sendall(self._client, head.encode() + body)
                self._client.shutdown(socket.SHUT_WR)
                # What the client still says is read: closing over it would take the answer away from it.
                for _ in range(MAX_HEAD_BYTES // PIECE_BYTES + 1):
                    if not await self._loop.sock_recv(self._client, PIECE_BYTES):
                        break

    def _break_off(self) -> None:
        """Have the connection end in a reset: an answer of unknown length would seem whole otherwise."""
        with contextlib.suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
