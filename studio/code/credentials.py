"""The token that git shows a server: it lies in a file without a name, and a helper program hands it over.

So it stands in no address, argument, setting, environment or log. The helper is `studio.code.credential_helper`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.code import credential_helper
from studio.code.credential_helper import DESCRIPTOR, HOST, MAX_TOKEN_BYTES, PROTOCOL
from studio.errors import SettingsError


@dataclass(frozen=True)
class Helper:
    """What a git process is given so that it may ask: settings, environment, and a descriptor to inherit."""

    config: tuple[tuple[str, str], ...]
    environment: Mapping[str, str]
    descriptors: tuple[int, ...]


# The first, empty one puts away every helper that something else has set.
NOBODY = Helper((("credential.helper", ""),), {}, ())


@contextlib.contextmanager
def helper(token: str | None, protocol: str, host: str) -> Iterator[Helper]:
    """Give a helper that answers with `token` for `host` (with its port, if any) over `protocol`, and nothing else.

    Without a token git is told nothing, and asks nobody. Raises `SettingsError` for what is no token.
    """
    if token is None:
        yield NOBODY
        return
    # Git's answers are lines.
    if not token.isprintable() or len(token.encode()) > MAX_TOKEN_BYTES:
        raise SettingsError("The GitHub token holds what no token does.", "Copy it again.")
    with _nameless() as descriptor:
        os.write(descriptor, token.encode())
        command = shlex.join([sys.executable, "-I", "-S", str(Path(credential_helper.__file__).resolve())])
        yield Helper(
            (*NOBODY.config, ("credential.helper", f"!{command}")),
            {DESCRIPTOR: str(descriptor), PROTOCOL: protocol, HOST: host},
            (descriptor,),
        )


@contextlib.contextmanager
def _nameless() -> Iterator[int]:
    """Give the descriptor of a file that no path leads to: in memory where the system can."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("greenlight")
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryFile() as file:
            yield file.fileno()
