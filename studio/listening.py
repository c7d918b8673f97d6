"""What every small server of ours begins with: a port from the command line, a socket, a file that says the port."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

# Connections that wait to be taken: a burst, or the second that a restarted server needs.
BACKLOG = 128


def port_number(text: str) -> int:
    """Return a port from the command line; raise argparse's error where it is none."""
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a bound TCP socket; port 0 takes a free one. Raise `OSError` where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Its connections inherit it. asyncio sets it by itself only on sockets that were made with the protocol's number;
    # without it, each answer on a kept connection waits 40 ms for an acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def write_port(path: Path, port: int) -> None:
    """Write `port` so that a reader sees either nothing or all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(f"{port}\n", encoding="ascii")
    partial.replace(path)
