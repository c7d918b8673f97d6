"""Connections: how long one may wait, how many there may be, and who gives way.

uvicorn has no deadline for a request that never comes, and counts every open connection as one that works. Some
hundred silent ones would then be the end of the site, for everybody. Here a connection has to bring a complete
request in time; and where there are too many, those give way that have been waiting for one the longest.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from web.visitors import network_of

# A sign-up is some kilobytes: so long even the slowest of telephones does not take for it.
REQUEST_SECONDS = 10.0
# The largest artifact, 25 MiB, through a line of 0.7 Mbit/s.
ANSWER_SECONDS = 300.0
# Fewer than the 1,024 open files that a process usually may have.
MAX_CONNECTIONS = 600
# The largest upload, 25 MiB, through a line of 2 Mbit/s.
UPLOAD_SECONDS = 120.0
# 500 event streams with twice their number to spare; `python -m web studio` raises the limit of open files for them.
STUDIO_CONNECTIONS = 1500
# What waits for a stream's reader in this process, and again in the kernel.
STREAM_BUFFER_BYTES = 64 * 1024
# So long a telephone may be without a net. Then it comes back, and resumes.
STREAM_STALL_SECONDS = 10.0
# A house full of people who each have some tabs open.
STUDIO_PER_ADDRESS = 300
# What brings an upload; all other requests have come within seconds, or never.
UPLOAD = re.compile(r"PUT /api/projects/[^/]+/assets/[^/]+/content")
# A browser opens six; this is an office of them behind one address.
MAX_PER_ADDRESS = 60


class _Deadline:
    """A moment at which something happens, unless it is cancelled before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        self._loop = loop
        self._action = action
        self._timer: asyncio.TimerHandle | None = None

    def start(self, seconds: float) -> None:
        """Run; one that runs already goes on."""
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._action)

    def cancel(self) -> None:
        """Stop, until it is started again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class WebConnection(H11Protocol):
    """A connection with deadlines, which knows its neighbours. A trusted proxy's may be as many as there are."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._network = ""
        self._waiting_since: float | None = None
        self._has_longer = False
        self._request_deadline = _Deadline(self.loop, self.drop)
        self._answer_deadline = _Deadline(self.loop, self.drop)

    def brings_much(self) -> bool:
        """Whether the request that is coming is one that takes its time."""
        return False

    def answer_seconds(self) -> float:
        """How long an answer may wait for a reader who takes nothing."""
        return ANSWER_SECONDS

    def most(self) -> int:
        """How many connections there may be."""
        return MAX_CONNECTIONS

    def most_per_address(self) -> int:
        """How many of them one address may have."""
        return MAX_PER_ADDRESS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, in somebody's place where all are taken."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self._network = network_of(host)
        self._settle()
        if not _is_trusted(host, self.config.forwarded_allow_ips):
            crowd = [one for one in self._others() if one._network == self._network]
            self._make_room(crowd, self.most_per_address())
        self._make_room(self._others(), self.most())

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._request_deadline.cancel()
        self._answer_deadline.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give whoever reads slowly a while, and not for ever."""
        super().pause_writing()
        self._answer_deadline.start(self.answer_seconds())

    def resume_writing(self) -> None:
        """Most of the answer has been taken."""
        self._answer_deadline.cancel()
        super().resume_writing()

    def drop(self) -> None:
        """End the connection at once."""
        self.connections.discard(self)
        self._waiting_since = None
        self.transport.abort()

    # --- inside

    def _settle(self) -> None:
        """Run the deadline while no complete request is here; it begins anew with each answer."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            self._request_deadline.cancel()
            self._waiting_since = None
        elif self._waiting_since is None:
            self._request_deadline.start(REQUEST_SECONDS)
            self._waiting_since = self.loop.time()
            self._has_longer = False
        elif not self._has_longer and cycle is not None and cycle.more_body and self.brings_much():
            self._request_deadline.cancel()
            self._request_deadline.start(UPLOAD_SECONDS)
            self._has_longer = True

    def _others(self) -> list[WebConnection]:
        return [one for one in self.connections if isinstance(one, WebConnection) and one is not self]

    def _make_room(self, crowd: list[WebConnection], most: int) -> None:
        """Let the one go that has waited longest; where all others are being answered, this one."""
        if len(crowd) < most or self.transport.is_closing():
            return
        waiting = [(one._waiting_since, id(one), one) for one in crowd if one._waiting_since is not None]
        (min(waiting)[2] if waiting else self).drop()


class StudioConnection(WebConnection):
    """A connection to the studio's own application: it may bring an upload, and last as an event stream.

    What answers a request finds it as `connection` in the request's state.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Each request's state is a copy of it.
        self.app_state = {**self.app_state, "connection": self}
        self._streams = False

    def begin_stream(self) -> None:
        """Hold little back for a client that reads slowly, and not for long: a stream can be resumed."""
        self._streams = True
        self.transport.set_write_buffer_limits(high=STREAM_BUFFER_BYTES)
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BUFFER_BYTES)

    async def write_stream(self, data: bytes) -> None:
        """Send a part of the stream's body, which has neither length nor end yet; wait while its reader is behind.

        It stands there as h11 would write it (RFC 9112 §7.1), without the layers on the way to it: one event is a
        part for each of hundreds of streams.
        """
        if self.flow.write_paused:
            await self.flow.drain()
        if self.transport.is_closing():
            return
        is_chunked = self.scope["http_version"] == "1.1"
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)

    def on_response_complete(self) -> None:
        """Wait for the next request, which is none for a stream until it says so."""
        self._streams = False
        super().on_response_complete()

    def answer_seconds(self) -> float:
        """How long an answer may wait for a reader who takes nothing."""
        return STREAM_STALL_SECONDS if self._streams else super().answer_seconds()

    def brings_much(self) -> bool:
        """Whether the request that is coming is an upload."""
        return UPLOAD.fullmatch(f"{self.scope['method']} {self.scope['path']}") is not None

    def most(self) -> int:
        """How many connections there may be."""
        return STUDIO_CONNECTIONS

    def most_per_address(self) -> int:
        """How many of them one address may have: this machine's own as many as there may be."""
        return STUDIO_CONNECTIONS if _is_loopback(self._network) else STUDIO_PER_ADDRESS


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_trusted(host: str, said: list[str] | str | None) -> bool:
    """Say whether `host` is one of the proxies that `said` names: addresses and networks, or `*` for all."""
    named = said.split(",") if isinstance(said, str) else said or []
    for name in (name.strip() for name in named):
        if name and name in ("*", host):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(name):
                return True
        except ValueError:
            continue
    return False
