"""TCP connections that can only lead to addresses checked beforehand, within one deadline and allowance.

This is a network backend for httpcore. It is asked to connect to a host name and ignores it: whoever
makes it has resolved and checked the name already.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore

# A host as a URL names it, or an address to connect to; and a port.
Endpoint = tuple[str, int]

# One dead address among several must leave time for the next one.
CONNECT_SECONDS = 5.0


class Limits:
    """How long one hop may still take, and how many bytes it may still send.

    `deadline` is a reading of `time.monotonic`; `wire_bytes` counts everything that arrives, decrypted.
    """

    def __init__(self, deadline: float, wire_bytes: int) -> None:
        self._deadline = deadline
        self._wire_bytes = wire_bytes
        # Whether the request has begun to leave: what breaks before that has certainly not arrived.
        self.written = False

    @property
    def exceeded(self) -> bool:
        """Whether more has arrived than was allowed."""
        return self._wire_bytes < 0

    def seconds_left(self) -> float:
        """Return the seconds until the deadline; raise `httpcore.ReadTimeout` where none are left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time of the whole fetch is used up")
        return left

    def received(self, data: bytes) -> bytes:
        """Count `data` and return it; raise `httpcore.ReadError` where the allowance is used up."""
        self._wire_bytes -= len(data)
        if self.exceeded:
            raise httpcore.ReadError("more than the allowance of the whole fetch")
        return data


class PinnedNetwork(httpcore.NetworkBackend):
    """Connects to the given endpoints only, in their order, whatever host it is asked for."""

    def __init__(self, network: httpcore.NetworkBackend, endpoints: Sequence[Endpoint], limits: Limits) -> None:
        self._network = network
        self._endpoints = endpoints
        self._limits = limits

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Return a connection to the first endpoint that accepts one; raise the last one's failure."""
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address, address_port in self._endpoints:
            try:
                stream = self._network.connect_tcp(
                    address,
                    address_port,
                    timeout=min(CONNECT_SECONDS, self._limits.seconds_left()),
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
            else:
                return _LimitedStream(stream, self._limits)
        raise failure or httpcore.ConnectError("no address to connect to")


class _LimitedStream(httpcore.NetworkStream):
    """A connection on which every operation shares one deadline and one allowance of bytes."""

    def __init__(self, stream: httpcore.NetworkStream, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return up to `max_bytes` bytes; `timeout` gives way to the deadline."""
        return self._limits.received(self._stream.read(max_bytes, self._limits.seconds_left()))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send `buffer`; `timeout` gives way to the deadline."""
        self._limits.written = True
        self._stream.write(buffer, self._limits.seconds_left())

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the same connection encrypted, under the same limits."""
        stream = self._stream.start_tls(ssl_context, server_hostname, self._limits.seconds_left())
        return _LimitedStream(stream, self._limits)

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection itself knows under `info`, or None."""
        return self._stream.get_extra_info(info)
