"""Which programs the stack consists of, how each is started, and how one sees that it works."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from greenlight_dagster.stack import probes
from greenlight_dagster.stack.child import Child
from greenlight_dagster.stack.folders import CODE_LOCATION, Folders
from greenlight_dagster.stack.ports import LOOPBACK, free_port, listen_near
from greenlight_dagster.stack.profile import DEFAULT, Profile
from studio.errors import StackError
from studio.paths import ROOT

POSTGRES = "postgres"
SANDBOX = "sandbox"
CODE_SERVER = "code-server"
DAEMON = "daemon"
UI = "ui"
STUDIO_PART = "studio"
WEB = "web"


@dataclass(frozen=True)
class Application:
    """A web application of the stack. `part` is what it is called there, `option` what sets its port."""

    name: str
    part: str
    what: str
    option: str
    host: str
    port: int


# By another name than the public one's: a cookie goes to all ports of a host name, and must not go there.
STUDIO = Application("studio", STUDIO_PART, "the studio", "--port", "localhost", 3030)
PUBLIC = Application("public", WEB, "the published pages", "--web-port", LOOPBACK, 3080)

# All of them import Dagster first, which takes a slow or busy machine a while.
START_TIMEOUT_SECONDS = 120.0


@dataclass
class Part:
    """One program of the stack.

    `command` is asked at every start, `ready` until it is true. `before_start` clears what an earlier
    process may have left. `retries` is how often a first start is tried again, with a new command.
    `descriptors` are the open files that the program gets from us.
    """

    name: str
    command: Callable[[], list[str]]
    ready: Callable[[Child], bool]
    before_start: Callable[[], None] = lambda: None
    timeout: float = START_TIMEOUT_SECONDS
    retries: int = 0
    descriptors: Callable[[], list[int]] = list


class Sandbox(Part):
    """The local server that stands in for a language model."""

    def __init__(self, folders: Folders) -> None:
        self.port: int | None = None
        self._port_file = folders.sandbox_port
        super().__init__(SANDBOX, self._command, self._ready, self._before_start)

    @property
    def url(self) -> str | None:
        """Where it listens, once it does."""
        return f"http://{LOOPBACK}:{self.port}" if self.port else None

    def _before_start(self) -> None:
        self._port_file.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        # A later start takes the same port again: the other parts know its address.
        port = str(self.port or 0)
        return [sys.executable, "-m", "studio.sandbox", "--port", port, "--port-file", str(self._port_file)]

    def _ready(self, _child: Child) -> bool:
        port = probes.written_port(self._port_file)
        if port is None or not probes.port_answers(port):
            return False
        self.port = port
        return True


class CodeServer(Part):
    """Dagster's code server: holds the definitions, evaluates sensors, starts a process per run."""

    def __init__(self, folders: Folders, definitions_module: str) -> None:
        self._socket = folders.code_socket
        self._definitions_module = definitions_module
        super().__init__(CODE_SERVER, self._command, self._ready, self._before_start)

    def _before_start(self) -> None:
        # What a killed server left would answer nobody.
        self._socket.unlink(missing_ok=True)

    def _ready(self, _child: Child) -> bool:
        return probes.code_server_answers(self._socket)

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "dagster", "api", "grpc"),
            *("--module-name", self._definitions_module),
            *("--working-directory", str(ROOT)),
            # A socket needs no free port, and only this user can reach it.
            *("--socket", str(self._socket)),
            *("--location-name", CODE_LOCATION),
            "--use-python-environment-entry-point",
        ]


class Daemon(Part):
    """Dagster's daemon: ticks sensors and schedules, and submits the runs they ask for."""

    def __init__(self, folders: Folders, dagster_url: Callable[[], str], profile: Profile = DEFAULT) -> None:
        self._folders = folders
        self._dagster_url = dagster_url
        self._profile = profile
        self._before: dict[str, str] = {}
        super().__init__(DAEMON, self._command, self._ready, self._before_start)

    def _before_start(self) -> None:
        self._before = probes.daemon_ids(self._dagster_url())

    def _ready(self, _child: Child) -> bool:
        return probes.daemon_beats(self._dagster_url(), self._before)

    def _command(self) -> list[str]:
        return self._profile.daemon_command(self._folders.workspace)


class Ui(Part):
    """Dagster's web interface, on `preferred_port` of `bind` or the next free one (0: any)."""

    def __init__(self, folders: Folders, preferred_port: int, bind: str = LOOPBACK) -> None:
        self.port: int | None = None
        self._bind = bind
        self._folders = folders
        self._preferred_port = preferred_port
        self._tried = 0
        # Somebody may take the port between our look and the server's.
        super().__init__(UI, self._command, self._ready, retries=2)

    @property
    def url(self) -> str | None:
        """Where it answers, once it does."""
        return f"http://{LOOPBACK}:{self.port}" if self.port else None

    def _ready(self, child: Child) -> bool:
        # Another stack that starts at the same moment may have won the port, and answers just as well.
        if not probes.http_answers(self._tried, "/server_info") or not probes.listens(child.pid, self._tried):
            return False
        self.port = self._tried
        return True

    def _command(self) -> list[str]:
        # Once it has answered, people have its address: a later start keeps it.
        self._tried = self.port or free_port(self._preferred_port)
        return [
            *(sys.executable, "-m", "dagster_webserver"),
            *("--host", self._bind, "--port", str(self._tried)),
            *("--workspace", str(self._folders.workspace)),
        ]


class Web(Part):
    """A web application: the studio for its owners, or what is public of it.

    The stack itself holds the socket. So the address is known before anything that mentions it in a mail starts, it
    stays the same when the program dies, and who comes meanwhile waits for the next one. `preferred_port` is that of
    the folder's last stack where it is None, and any where it is 0. It listens on `bind`.
    """

    def __init__(
        self, application: Application, port_file: Path, preferred_port: int | None, bind: str = LOOPBACK
    ) -> None:
        self._application = application
        self._bind = bind
        self._port_file = port_file
        self._preferred_port = preferred_port
        self._socket: socket.socket | None = None
        last = probes.written_port(self._port_file)
        self.last_url = web_address(application, last) if last else None
        super().__init__(application.part, self._command, self._ready, descriptors=self._descriptors)

    def listen(self) -> None:
        """Take a port, and keep it until `close`; what arrives waits for the program."""
        preferred = self._preferred_port
        if preferred is None:
            preferred = probes.written_port(self._port_file) or self._application.port
        self._socket = listen_near(preferred, self._bind)
        if self._preferred_port and self.port != self._preferred_port:
            self.close()
            # Links that were mailed lead to the port that was asked for.
            raise StackError(
                f"Port {self._preferred_port} is taken, so {self._application.what} cannot be served there.",
                f"End what listens there, or choose another with {self._application.option}.",
            )
        self._port_file.write_text(f"{self.port}\n")

    def close(self) -> None:
        """Give the port back."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def port(self) -> int | None:
        """On which port it listens, once it does."""
        # Whoever asks may do so while another thread closes it.
        with contextlib.suppress(OSError):
            return int(self._socket.getsockname()[1]) if self._socket else None
        return None

    @property
    def url(self) -> str | None:
        """Where it listens, once it does."""
        return web_address(self._application, self.port) if self.port else None

    def _descriptors(self) -> list[int]:
        return [self._socket.fileno()] if self._socket else []

    def _ready(self, _child: Child) -> bool:
        return self.port is not None and probes.http_answers(self.port, "/healthz")

    def _command(self) -> list[str]:
        descriptors = map(str, self._descriptors())
        return [sys.executable, "-m", "web", self._application.name, "--descriptor", *descriptors]


def web_address(application: Application, port: int) -> str:
    """Return where a web application of a stack listens."""
    return f"http://{application.host}:{port}"
