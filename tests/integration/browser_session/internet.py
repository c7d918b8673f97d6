"""An internet of the tests' own for a real browser: public names and addresses that lead to servers of this machine.

Names are looked up and checked as everywhere; only where a public address would be connected to, a server of ours is.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence

from studio.egress import public_only
from studio.pinned_network import Endpoint
from tests.support.local_web import LocalWeb
from tests.support.outbound import SITE, Names, client_for


class Internet:
    """Resolves as the studio does, then leads to `web`."""

    def __init__(self, web: LocalWeb) -> None:
        self.web = web
        self.names = Names(
            {
                "site.test": [[SITE]],
                "inside.test": [["10.0.0.1"]],
                "rebind.test": [[SITE], ["127.0.0.1"]],
            }
        )
        self._checked = public_only(client_for(web, names=self.names)[0])

    def __call__(self, host: str, port: int) -> Sequence[Endpoint]:
        return [self.web.address for address, _ in self._checked(host, port) if address == SITE]


class Canary:
    """Ports of this machine that must hear nothing: TCP and UDP under the same number."""

    def __init__(self, tcp: socket.socket, udp: socket.socket) -> None:
        self._sockets = (tcp, udp)
        self.port = tcp.getsockname()[1]

    def heard(self) -> list[str]:
        """What has arrived; an empty list is the point."""
        heard = []
        tcp, udp = self._sockets
        with contextlib.suppress(BlockingIOError):
            connection, peer = tcp.accept()
            connection.close()
            heard.append(f"TCP from {peer}")
        with contextlib.suppress(BlockingIOError):
            heard.append(f"UDP: {udp.recv(2000)!r}")
        return heard


@contextlib.contextmanager
def canary() -> Iterator[Canary]:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield Canary(tcp, udp)
