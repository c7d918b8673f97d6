"""The one way out of a browser and of a sandbox: a proxy that connects only where the guard lets it.

It is a thread of the process whose business it is. A client says a name; `resolve` turns it into addresses once,
checked, and the connection goes to one of those: there is no second look-up that could say otherwise. Names, answers
and bytes are somebody else's: everything is bounded, and every request is on record.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from studio.addresses import ascii_host
from studio.egress.connection import Connection, Resolve, Rules
from studio.egress.pipe import Allowance
from studio.egress.record import Record, all_silent_for
from studio.errors import InvalidInput, OutboundRefused
from studio.outbound import ALLOWED_PORTS, MAX_ADDRESSES, OutboundClient
from studio.pinned_network import Endpoint

log = logging.getLogger(__name__)

# A browser holds 32 connections to its proxy, a package manager a few dozen.
MAX_CONNECTIONS = 128
# A page may ask for something in a loop; what comes after is counted in `unrecorded`.
MAX_RECORDS = 5_000
# Nothing is heard from a socket that a slow page or a web socket holds, and it is still of use.
IDLE_SECONDS = 60.0
CONNECTION_SECONDS = 600.0
# Accepting fails while this process has no file to spare.
_ACCEPT_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class EgressRequest:
    """One request that was made. `refused` and `failed` say why nothing, or not everything, came of it.

    `here` says that this is a matter of this machine's network or settings, and none of the host.
    """

    host: str
    port: int
    refused: str | None
    failed: str | None
    bytes_received: int
    here: bool = False


class Egress:
    """The proxy: CONNECT, and one http:// request per connection. A context manager; `close` may be called twice."""

    def __init__(
        self,
        resolve: Resolve,
        *,
        socket_path: Path | None = None,
        listener: socket.socket | None = None,
        max_bytes: int,
        max_connection_bytes: int | None = None,
        credentials: tuple[str, str] | None = None,
        idle_seconds: float = IDLE_SECONDS,
        seconds: float = CONNECTION_SECONDS,
    ) -> None:
        """Make a proxy that is not open yet.

        `resolve(host, port)` returns the checked addresses to connect to, or raises `OutboundRefused` or
        `OutboundFailed`; it is called in a thread of its own, once per connection. It listens at `socket_path` (a
        Unix socket, of this user alone), on `listener`, which it closes, or on a free port of 127.0.0.1.
        `max_bytes` bounds what passes in all, `max_connection_bytes` in one connection, both ways counted; `seconds`
        is the longest life of a connection, `idle_seconds` its longest silence. `credentials` (name, password) are
        asked for as a proxy does: loopback is open to every user of the machine.
        """
        self._resolve = resolve
        self._socket_path = socket_path
        self._listener = listener
        self._allowance = Allowance(max_bytes)
        self._connection_bytes = max_bytes if max_connection_bytes is None else max_connection_bytes
        self._closed: Mapping[Endpoint, str] = {}
        self._rules = Rules(self._resolved, credentials, idle_seconds, seconds)
        self._records: list[Record] = []
        self._unrecorded = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._opened = threading.Event()

    def __enter__(self) -> Self:
        listener = self._listener = self._listener or _listening(self._socket_path)
        try:
            listener.setblocking(False)
            self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listener)), name="egress")
            # Whoever forgets to close it must not wait for it at the end of the process.
            self._thread.daemon = True
            self._thread.start()
            self._opened.wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every connection, and return when the thread is gone. A look-up still under way is not waited for."""
        thread = self._thread
        if thread is not None:
            self._opened.wait()
            if self._loop is not None and self._stop is not None:
                # It may have ended by itself.
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
        self._thread = None
        if self._listener is not None:
            self._listener.close()
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:PORT`, or `unix:PATH`."""
        if self._socket_path is not None:
            return f"unix:{self._socket_path}"
        if self._listener is None:
            raise ValueError("the proxy is not open yet")
        host, port = self._listener.getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def unrecorded(self) -> int:
        """How many requests were more than what `requests` holds."""
        return self._unrecorded

    def requests(self) -> tuple[EgressRequest, ...]:
        """Return what was asked for so far, in that order; those under way with what has become of them yet."""
        with self._lock:
            records = tuple(self._records)
        return tuple(
            EgressRequest(record.host, record.port, record.refused, record.failed, record.bytes_received, record.here)
            for record in records
            # A connection made in advance, on which nothing was said, asks for nothing.
            if record.host or record.refused
        )

    def silent_for(self, host: str, port: int, at: float, *, altogether: bool) -> float | None:
        """Return for how many seconds everybody there, at the moment `at` (`time.monotonic`), had owed an answer.

        None where nobody there was connected to. Who counts `all_silent_for` says, and what counts as an answer
        `altogether` (see `Record.silent_for`).
        """
        with self._lock:
            records = [record for record in self._records if (record.host, record.port) == (host, port)]
        return all_silent_for(records, at, altogether=altogether)

    @contextlib.contextmanager
    def without(self, endpoints: Iterable[Endpoint], why: str) -> Iterator[None]:
        """For as long as it is open, refuse what would be connected anew to these hosts and ports, and say `why`."""
        before = self._closed
        self._closed = {**before, **{(host.lower(), port): why for host, port in endpoints}}
        try:
            yield
        finally:
            self._closed = before

    def _resolved(self, host: str, port: int) -> Sequence[Endpoint]:
        if why := self._closed.get((host.lower().removesuffix("."), port)):
            raise OutboundRefused(why)
        return self._resolve(host, port)

    async def _serve(self, listener: socket.socket) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._stop = stop = asyncio.Event()
        self._opened.set()
        tasks: set[asyncio.Task[None]] = set()
        accepting = asyncio.create_task(self._accept(loop, listener, tasks))
        accepting.add_done_callback(lambda _: stop.set())
        await stop.wait()
        for task in (accepting, *tasks):
            task.cancel()
        ended = await asyncio.gather(accepting, *tasks, return_exceptions=True)
        if isinstance(ended[0], Exception):
            raise ended[0]

    async def _accept(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, tasks: set[asyncio.Task[None]]
    ) -> None:
        free = asyncio.Semaphore(MAX_CONNECTIONS)
        while True:
            await free.acquire()
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as exc:
                free.release()
                if exc.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED):
                    raise
                await asyncio.sleep(_ACCEPT_PAUSE_SECONDS)
                continue
            task = loop.create_task(self._serve_client(client))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: free.release())
            task.add_done_callback(_complain)

    async def _serve_client(self, client: socket.socket) -> None:
        with client:
            client.setblocking(False)
            record = Record()
            with self._lock:
                if len(self._records) < MAX_RECORDS:
                    self._records.append(record)
                else:
                    self._unrecorded += 1
            allowance = Allowance(self._connection_bytes, self._allowance)
            await Connection(client, self._rules, allowance, record).run()


def public_only(outbound: OutboundClient) -> Resolve:
    """Return what resolves to public addresses on the web's own ports alone, as `outbound` finds and checks them."""

    def resolve(host: str, port: int) -> Sequence[Endpoint]:
        try:
            name = ascii_host(host)
        except InvalidInput as exc:
            raise OutboundRefused(exc.message, exc.remedy) from exc
        if port not in ALLOWED_PORTS:
            raise OutboundRefused(
                f"{name} is asked for on port {port}.", "Only the web's ports 80 and 443 are visited."
            )
        return [(str(address), port) for address in outbound.resolve(name)[:MAX_ADDRESSES]]

    return resolve


def with_own_origins(resolve: Resolve, origins: Mapping[Endpoint, Endpoint]) -> Resolve:
    """Return `resolve`, except that exactly the (host, port) of `origins` lead to a (loopback address, port).

    They are the studio's own pages on this machine. Raise `ValueError` for one that leads anywhere else.
    """
    for address, _ in origins.values():
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"an own origin is on loopback, not on {address}")
    known = {(host.lower(), port): endpoint for (host, port), endpoint in origins.items()}

    def resolve_own(host: str, port: int) -> Sequence[Endpoint]:
        own = known.get((host.lower(), port))
        return [own] if own is not None else resolve(host, port)

    return resolve_own


def only_hosts(resolve: Resolve, hosts: Sequence[str], *, ports: Sequence[int] = (443,)) -> Resolve:
    """Return `resolve` for exactly these `hosts` and `ports`; everything else is refused."""
    known = frozenset(host.lower() for host in hosts)

    def resolve_known(host: str, port: int) -> Sequence[Endpoint]:
        if host.lower().removesuffix(".") not in known or port not in ports:
            raise OutboundRefused(f"{host}:{port} is not among the permitted hosts.")
        return resolve(host, port)

    return resolve_known


def no_network(host: str, port: int) -> Sequence[Endpoint]:
    """Refuse everything: what resolves where no network is wanted."""
    raise OutboundRefused(f"There is no network here, so {host}:{port} is not reached.")


def _listening(path: Path | None) -> socket.socket:
    if path is None:
        return socket.create_server(("127.0.0.1", 0), backlog=MAX_CONNECTIONS)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(MAX_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    return listener


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        log.error("a connection of the egress broke", exc_info=exc)
