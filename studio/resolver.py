"""Looking a name up within a time limit, and telling "no such name" from "no answer"."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from studio.errors import OutboundFailed

# A resolver takes an ASCII host name and returns its IPv4 and IPv6 addresses as text. Failures are
# `socket.gaierror` with the EAI_* code that says why, as `getaddrinfo` raises it.
Resolver = Callable[[str], Sequence[str]]

# Not every platform has these codes of the GNU and BSD resolvers.
_NO_ADDRESS_CODES = {getattr(socket, name) for name in ("EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)} - {
    socket.EAI_NONAME
}


def system_resolver(host: str) -> Sequence[str]:
    """Return the addresses of `host` from the system's resolver, in its order of preference.

    The name is taken as absolute, so that no search domain of the local network is appended to it.
    """
    found = socket.getaddrinfo(f"{host}.".encode("ascii"), None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def look_up(resolver: Resolver, host: str, seconds: float) -> Sequence[str]:
    """Return the addresses of `host`, at least one, within `seconds`.

    Raise `OutboundFailed` otherwise, with reason no_name (DNS says there is none), no_address (the name
    exists without one) or no_dns (no usable answer). The system's resolver cannot be interrupted: one that
    is too slow goes on in a daemon thread until its own timeouts end it, and its answer is dropped.
    """
    answer: Future[Sequence[str]] = Future()

    def ask() -> None:
        try:
            answer.set_result(resolver(host))
        except (OSError, ValueError) as exc:
            answer.set_exception(exc)

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    try:
        addresses = answer.result(timeout=max(0.0, seconds))
    except TimeoutError as exc:
        raise _failed(host, "could not be looked up in time", "no_dns") from exc
    except socket.gaierror as exc:
        if exc.errno == socket.EAI_NONAME:
            raise _failed(host, "does not exist in DNS", "no_name") from exc
        if exc.errno in _NO_ADDRESS_CODES:
            raise _failed(host, "has no address", "no_address") from exc
        raise _failed(host, f"could not be looked up ({exc.strerror})", "no_dns") from exc
    except (OSError, ValueError) as exc:
        raise _failed(host, f"could not be looked up ({exc})", "no_dns") from exc
    if not addresses:
        raise _failed(host, "has no address", "no_address")
    return addresses


def _failed(host: str, what: str, reason: str) -> OutboundFailed:
    return OutboundFailed(f"{host} {what}.", "Check its spelling, or try again later.", reason=reason)
