"""What a step of an image's build borrows of this machine, to reach packages as this machine does.

An engine hands proxies on; here it is names, certificates and pip's configuration as well, with the folders that this
names. Nothing of it stays in the image.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_VARIABLES = ("PIP_", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_")
# What a step may write to is a copy: Debian's package of certificates makes its bundle anew, and must not make ours.
_COPIED = ("/etc/ssl/certs", "/etc/resolv.conf", "/etc/pip.conf", "/etc/xdg/pip")


def variables() -> dict[str, str]:
    """Return the variables that a step has of this machine."""
    return {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}


@functools.cache
def _folders_of_pip() -> tuple[str, ...]:
    """Return the folders on this machine that pip's configuration names; of an index, with the files beside it."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    named = {Path(path) for path in re.findall(r"(?:file://|(?<=[\s'=]))(/[^\s']+)", done.stdout)}
    return tuple(sorted(str(path.parent if path.name == "simple" else path) for path in named if path.is_dir()))


def _places() -> list[str]:
    return [path for path in (*_COPIED, *_folders_of_pip()) if Path(path).exists()]


@contextlib.contextmanager
def lent() -> Iterator[str]:
    """Lend all of it, as BINDS of `container.sh`."""
    with tempfile.TemporaryDirectory(prefix="greenlight-borrowed-") as folder:
        yield " ".join(
            f"{_copy(Path(path), Path(folder))}:{path}" if path in _COPIED else f"{path}:{path}:ro"
            for path in _places()
        )


def forget(root: Path) -> None:
    """Remove the places that were made for it in `root`, where the image itself has nothing there."""
    for path in _places():
        place = root / path.lstrip("/")
        if place.is_file() and place.stat().st_size == 0:
            place.unlink()
        elif place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _copy(path: Path, folder: Path) -> Path:
    """Return a copy of `path` below `folder`, with what its links lead to."""
    copy = folder / str(path).strip("/").replace("/", "-")
    if path.is_dir():
        shutil.copytree(path, copy, symlinks=False, ignore_dangling_symlinks=True)
    else:
        shutil.copy(path, copy)
    return copy
