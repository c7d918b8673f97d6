"""Free ports on the loopback interface."""

from __future__ import annotations

import contextlib
import socket

from studio.listening import listening_socket

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - asked for by name, in a container whose network belongs to its proxy
# Enough to pass a handful of other stacks, few enough to stay near the number one remembers.
_NEIGHBOURS = 50


def free_port(preferred: int = 0) -> int:
    """Return a port of 127.0.0.1 on which nothing listens: `preferred`, the next free one above it, or any.

    Nobody holds the port for the caller, who has to cope with losing it.
    """
    if preferred:
        for port in range(preferred, min(preferred + _NEIGHBOURS, 65_536)):
            if _is_free(port):
                return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listen_near(preferred: int = 0, host: str = LOOPBACK) -> socket.socket:
    """Return a socket that listens on `host`: on `preferred`, the next port above it that can be had, or any."""
    candidates = range(preferred, min(preferred + _NEIGHBOURS, 65_536)) if preferred else range(0)
    for port in candidates:
        if _is_free(port):
            with contextlib.suppress(OSError):
                return listening_socket(host, port)
    return listening_socket(host, 0)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A listener on all interfaces does not stop a second one on 127.0.0.1 everywhere, but it answers.
        probe.settimeout(0.5)
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket() as probe:
        # What a server does too: connections that linger after the last one do not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
