"""What a thread sleeps on that waits for notifications: the connection they come by, and an alarm to rouse it."""

from __future__ import annotations

import contextlib
import socket

import psycopg
from psycopg import sql

from studio.database.connection import Connection


class Alarm:
    """Rouses a thread that sleeps in a selector."""

    def __init__(self) -> None:
        self._hears, self._rings = socket.socketpair()
        self._hears.setblocking(False)
        self._rings.setblocking(False)

    def fileno(self) -> int:
        """Return what a selector waits on."""
        return self._hears.fileno()

    def ring(self) -> None:
        """Rouse the thread; from any thread, without waiting."""
        # A full buffer rings already; a closed one has nobody to rouse.
        with contextlib.suppress(OSError):
            self._rings.send(b"\0")

    def clear(self) -> None:
        """Forget that it has rung."""
        with contextlib.suppress(BlockingIOError):
            while self._hears.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self._hears.close()
        self._rings.close()


class Ear:
    """A connection that LISTENs, and the notifications that it has received."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._encoding = conn.info.encoding
        self._active: set[str] = set()
        self._heard: set[tuple[str, str]] = set()
        # For those that arrive with the answer to a statement.
        conn.add_notify_handler(lambda notify: self._heard.add((notify.channel, notify.payload)))

    def fileno(self) -> int:
        """Return what a selector waits on; raise `psycopg.OperationalError` where the connection is gone."""
        return self._conn.fileno()

    def listen(self, wanted: set[str]) -> set[str]:
        """LISTEN to exactly the channels `wanted`; return those that have become active by this.

        Raises `psycopg.Error` where the server refuses, or the connection broke.
        """
        begun = wanted - self._active
        for channel in begun:
            self._conn.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        for channel in self._active - wanted:
            self._conn.execute(sql.SQL("unlisten {}").format(sql.Identifier(channel)))
        self._active = set(wanted)
        return begun

    def hear(self) -> set[tuple[str, str]]:
        """Return the notifications since the last call, each once, as channel and payload; never wait for one.

        Raises `psycopg.OperationalError` where the connection broke.
        """
        pgconn = self._conn.pgconn
        pgconn.consume_input()
        while (notify := pgconn.notifies()) is not None:
            self._heard.add((notify.relname.decode(self._encoding), notify.extra.decode(self._encoding)))
        if pgconn.status == psycopg.pq.ConnStatus.BAD:
            raise psycopg.OperationalError("the connection is gone")
        heard, self._heard = self._heard, set()
        return heard
