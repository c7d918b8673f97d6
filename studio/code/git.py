"""Git, run so that nothing but what is said here has a say: on a private bare repository without a working tree.

No configuration of the machine or of a user, no hooks, filters or submodules, no protocol but the repository's own, no
question on a terminal. Objects come from `fast-import`: what an agent has written is only ever content. Whatever ends
a call (its time, Ctrl-C, a lease that is lost) ends git and all that it has started.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from studio.code.credentials import NOBODY, Helper, helper
from studio.errors import RepositoryError, RepositoryUnavailable, SettingsError, TooLarge
from studio.text import one_line
from studio.tracing.redaction import Redactor

# What git does on this machine alone takes seconds; what goes over the network takes as long as the network does.
LOCAL_SECONDS = 120.0
NETWORK_SECONDS = 300.0
ASK_SECONDS = 60.0
# Slower than this for so long, and a transfer is given up.
LOW_SPEED_BYTES = 1000
LOW_SPEED_SECONDS = 30
# Git says in a few lines what is wrong; servers may say more.
SAID_BYTES = 64 * 1024
SAID_CHARS = 400
OUTPUT_BYTES = 16 * 1024**2
LOOK_SECONDS = 0.2

# What the surroundings may say about the way to a server: a proxy, and whom to trust.
_PASSED_ON = ("PATH", "https_proxy", "HTTPS_PROXY", "http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")
_TRUST = (("SSL_CERT_FILE", "GIT_SSL_CAINFO"), ("SSL_CERT_DIR", "GIT_SSL_CAPATH"))

_CONFIG: tuple[tuple[str, str], ...] = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.askPass", ""),
    # What a checkout on any file system could be harmed by is refused here, too.
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("protocol.allow", "never"),
    ("protocol.version", "2"),
    # A redirect may lead anywhere, also to addresses that only this machine can reach.
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", str(LOW_SPEED_BYTES)),
    ("http.lowSpeedTime", str(LOW_SPEED_SECONDS)),
    ("http.userAgent", "git/Greenlight"),
    ("transfer.fsckObjects", "true"),
    # Old commits of honest repositories have these.
    ("fetch.fsck.zeroPaddedFilemode", "warn"),
    ("fetch.fsck.missingSpaceBeforeDate", "warn"),
    ("fetch.fsck.badTimezone", "warn"),
    ("fetch.recurseSubmodules", "false"),
    ("push.recurseSubmodules", "no"),
    ("submodule.recurse", "false"),
    ("push.gpgSign", "false"),
    ("commit.gpgSign", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
)


@dataclass(frozen=True)
class Access:
    """How git may reach the one repository that it works with."""

    protocol: str
    host: str = ""
    token: str | None = None


@dataclass(frozen=True)
class Ended:
    """How a git process ended. `said` is its standard error: without secrets, not yet on one line."""

    exit_code: int
    output: bytes
    said: str

    @property
    def ok(self) -> bool:
        """Whether git did what it was asked."""
        return self.exit_code == 0

    @property
    def line(self) -> str:
        """What git said, for a message."""
        return one_line(self.said, SAID_CHARS)


class Git:
    """Git on the bare repository `folder / "repository.git"`; `folder` is private, and made by the caller."""

    def __init__(self, folder: Path, access: Access) -> None:
        self.folder = folder
        self.repository = folder / "repository.git"
        self._access = access
        self._redactor = Redactor([access.token] if access.token else ())

    def create(self) -> None:
        """Make the repository, empty and without what a template would bring."""
        (self.folder / "home").mkdir(mode=0o700)
        self.must("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(self.repository))

    def must(
        self,
        *arguments: str,
        stdin: IO[bytes] | None = None,
        output_bytes: int = OUTPUT_BYTES,
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return what git writes; raise `RepositoryError` where it does not do what it is asked."""
        ended = self.run(*arguments, stdin=stdin, output_bytes=output_bytes, environment=environment)
        if not ended.ok:
            raise RepositoryError(f"git {arguments[0]} failed: {ended.line or ended.exit_code}.", "It is tried again.")
        return ended.output

    def run(
        self,
        *arguments: str,
        stdin: IO[bytes] | None = None,
        seconds: float = LOCAL_SECONDS,
        network: bool = False,
        output_bytes: int = OUTPUT_BYTES,
        folder_bytes: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run git and return how it ended.

        `seconds` is all the time it has, `output_bytes` and `folder_bytes` what it may write to its output and into
        the repository. Only with `network` is the repository's protocol allowed, and the token there for the asking.
        Raises `RepositoryUnavailable` where the time is up, `TooLarge`, and `SettingsError` where there is no git.
        """
        token = self._access.token if network else None
        with helper(token, self._access.protocol, self._access.host) as asked:
            started = self._start(arguments, stdin, network, asked, environment or {})
            try:
                deadline = time.monotonic() + seconds
                output, said = self._follow(started, deadline, arguments[0], output_bytes, folder_bytes)
                exit_code = started.wait(max(deadline - time.monotonic(), 1))
            except subprocess.TimeoutExpired as exc:
                raise _late(arguments[0]) from exc
            finally:
                _end(started)
        return Ended(exit_code, output, self._redactor.text(said.decode("utf-8", errors="replace")))

    def _start(
        self,
        arguments: tuple[str, ...],
        stdin: IO[bytes] | None,
        network: bool,
        asked: Helper,
        environment: Mapping[str, str],
    ) -> subprocess.Popen[bytes]:
        program = shutil.which("git")
        if program is None:
            raise SettingsError("There is no git on this machine.", "Install git.")
        allowed = [(f"protocol.{self._access.protocol}.allow", "always")] if network else []
        config = [*_CONFIG, *allowed, *(asked if network else NOBODY).config]
        return subprocess.Popen(  # noqa: S603 - git, with our own arguments
            [program, *arguments],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env={**self._environment(config), **asked.environment, **environment},
            pass_fds=asked.descriptors,
            # Its own group, so that all of it can be ended, and no terminal that it could ask.
            start_new_session=True,
        )

    def _environment(self, config: list[tuple[str, str]]) -> dict[str, str]:
        given = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
        given |= {name: os.environ[source] for source, name in _TRUST if os.environ.get(source)}
        for number, (key, value) in enumerate(config):
            given |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return given | {
            "GIT_CONFIG_COUNT": str(len(config)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_DIR": str(self.repository),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            # What a partial clone has left out is not fetched behind our back.
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder),
            "LC_ALL": "C",
        }

    def _follow(
        self,
        started: subprocess.Popen[bytes],
        deadline: float,
        verb: str,
        output_bytes: int,
        folder_bytes: int | None,
    ) -> tuple[bytes, bytes]:
        """Read both outputs to their end, and watch over time and size meanwhile."""
        output, said = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector, _both(started) as (stdout, stderr):
            selector.register(stdout, selectors.EVENT_READ, output)
            selector.register(stderr, selectors.EVENT_READ, said)
            looked = 0.0
            while selector.get_map():
                now = time.monotonic()
                if now > deadline:
                    raise _late(verb)
                if folder_bytes is not None and now - looked > LOOK_SECONDS:
                    looked = now
                    self._measure(folder_bytes)
                for key, _ in selector.select(min(deadline - now, LOOK_SECONDS)):
                    piece = os.read(key.fd, 64 * 1024)
                    if not piece:
                        selector.unregister(key.fileobj)
                    key.data.extend(piece)
                # Whoever floods the one is cut, and what matters comes first; nothing of the other may be missing.
                del said[SAID_BYTES:]
                if len(output) > output_bytes:
                    raise TooLarge("The repository is larger than can be looked at here.", "Use a smaller one.")
        if folder_bytes is not None:
            self._measure(folder_bytes)
        return bytes(output), bytes(said)

    def _measure(self, limit: int) -> None:
        total = 0
        for folder, _, names in os.walk(self.repository):
            for name in names:
                # It may be gone by now: git renames what is complete.
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        if total > limit:
            raise TooLarge(f"The repository holds more than {limit // 1024**2} MiB.", "Use a smaller one.")


@contextlib.contextmanager
def temporary(content: bytes) -> Iterator[IO[bytes]]:
    """Give a nameless file that holds `content`, at its beginning: what git reads as its input."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


@contextlib.contextmanager
def _both(started: subprocess.Popen[bytes]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    stdout, stderr = started.stdout, started.stderr
    if stdout is None or stderr is None:
        raise RuntimeError("git was started without pipes")
    yield stdout, stderr


def _late(verb: str) -> RepositoryUnavailable:
    return RepositoryUnavailable(f"git {verb} did not end in time.", "It is tried again later.")


def _end(started: subprocess.Popen[bytes]) -> None:
    """End git with all that it has started; nothing where it has ended by itself."""
    if started.returncode is None:
        # Not waited for yet, so its group cannot be anybody else's.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
    for pipe in (started.stdout, started.stderr):
        if pipe is not None:
            pipe.close()
