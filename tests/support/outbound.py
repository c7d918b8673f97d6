"""A guarded client on an internet of the test's own.

The internet is a `Nat`: the client looks names up with the test's resolver and connects to public
addresses, which lead to servers of this machine. Nothing else can be reached on it.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Sequence

from studio.outbound import OutboundClient
from tests.support.local_web import LocalWeb, Nat, authority

SITE = "93.184.216.34"
OTHER = "93.184.216.35"


class Names:
    """A resolver over a table; a list of lists is answered in turn, so that a name can change."""

    def __init__(self, table: dict[str, list[list[str]]]) -> None:
        self._answers = {
            name: itertools.chain(answers, itertools.repeat(answers[-1])) for name, answers in table.items()
        }
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return next(self._answers[host])


def client_for(web: LocalWeb, *, port: int = 80, names: Names | None = None) -> tuple[OutboundClient, Nat]:
    nat = Nat({(SITE, port): web.address, (OTHER, port): web.address})
    names = names or Names({"site.test": [[SITE]], "other.test": [[OTHER]], "local.test": [["127.0.0.1"]]})
    return OutboundClient(resolver=names, network=nat, tls=authority()), nat
