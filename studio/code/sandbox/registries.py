"""The way from a sandbox to the package registries that the settings name, and to nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from studio.code.workplace import workplace
from studio.egress import Egress, EgressRequest, only_hosts, public_only
from studio.egress.connection import Resolve
from studio.outbound import OutboundClient

# Some hundreds of packages, a few of them with compilers in them.
_MAX_BYTES = 2 * 1024**3
_PORT = 443


class Registries:
    """An open proxy for one sandbox."""

    def __init__(self, egress: Egress, path: Path) -> None:
        self.path = path
        self._egress = egress
        self._told: set[tuple[str, int]] = set()

    def refusals(self) -> list[str]:
        """Return a line for each address that was refused or failed since the last look, once for each."""
        lines = []
        for request in self._egress.requests():
            if (reason := request.refused or request.failed) and (request.host, request.port) not in self._told:
                self._told.add((request.host, request.port))
                lines.append(_line(request, reason))
        return lines


@contextmanager
def open_registries(hosts: Sequence[str], resolve: Resolve | None = None) -> Iterator[Registries]:
    """Open a proxy that connects to `hosts` on port 443, at public addresses; `resolve` finds them otherwise."""
    found = resolve or public_only(OutboundClient())
    # A folder of its own: whoever may not enter it cannot use the socket, which a sandbox's own user must be able to.
    with workplace("greenlight-registries-") as folder:
        path = folder / "egress"
        with Egress(only_hosts(found, hosts, ports=(_PORT,)), socket_path=path, max_bytes=_MAX_BYTES) as egress:
            path.chmod(0o666)
            yield Registries(egress, path)


def _line(request: EgressRequest, reason: str) -> str:
    address = f"{request.host}:{request.port}" if request.host else "a request"
    verb = "was refused" if request.refused else "failed"
    return f"{address} {verb}: {reason}"
