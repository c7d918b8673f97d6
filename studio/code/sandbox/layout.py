"""What is seen inside a sandbox: the system's programs, Python, and three places to write, all of them in memory.

Both kinds of sandbox are made from this, so that they cannot differ in it.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from studio.code.sandbox.inside.plan import Bind, Filesystem, Identity
from studio.code.sandbox.limits import MEBIBYTE, Limits

WORKSPACE = "/workspace"
HOME = "/tmp/home"  # noqa: S108 - inside
EGRESS_SOCKET = "/opt/greenlight/egress"
# Where the modules of `inside` are seen, as a package of that name.
PROGRAM = "/opt/greenlight/program"
_LIBRARIES = "/opt/greenlight/libraries"
_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# What programs look up; nothing that says anything about this machine or its users.
_SYSTEM_FILES = (
    "/etc/alternatives",
    "/etc/ca-certificates.conf",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/mime.types",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_TEMPORARY_BYTES = 256 * MEBIBYTE
_SHARED_MEMORY_BYTES = 64 * MEBIBYTE
# A file costs the kernel a kilobyte whatever it holds, and installed packages are many small ones.
_BYTES_PER_FILE = 8192
_FEWEST_FILES = 4096
_MOST_FILES = 262_144


@dataclass(frozen=True)
class Layout:
    """What to show. `made` are files by path, `links` symbolic links by path, `folders` empty ones."""

    binds: tuple[Bind, ...]
    folders: tuple[str, ...]
    made: dict[str, str]
    links: dict[str, str]
    filesystems: tuple[Filesystem, ...]
    libraries: tuple[str, ...]
    python: str
    environment: dict[str, str] = field(default_factory=dict)


def layout(identity: Identity, limits: Limits, egress: Path | None) -> Layout:
    """Return what is seen by `identity`; `egress` is the socket of the proxy to the registries, if there is one."""
    libraries = library_folders()
    shown = [*_system(), *_own(libraries), *_devices()]
    if egress is not None:
        shown.append(_bind(str(egress), EGRESS_SOCKET))
    return Layout(
        binds=tuple(shown),
        folders=("/tmp", "/dev/shm", WORKSPACE),  # noqa: S108 - inside
        made=_made(identity),
        links={**_system_links(), **_device_links()},
        filesystems=_filesystems(limits),
        libraries=tuple(f"{_LIBRARIES}/{index}" for index in range(len(libraries))),
        python=interpreter(),
        environment=environment(HOME, WORKSPACE),
    )


def environment(home: str, workspace: str) -> dict[str, str]:
    """Return all variables that generated code sees. Nothing comes from the environment of this process."""
    cache = f"{workspace}/.cache"
    return {
        # Python last: where the system has none, generated code may have ours.
        "PATH": ":".join([*_SYSTEM_PATH, str(Path(interpreter()).parent)]),
        "HOME": home,
        "USER": "agent",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "XDG_CACHE_HOME": cache,
        "npm_config_cache": f"{cache}/npm",
        "npm_config_update_notifier": "false",
        "PIP_CACHE_DIR": f"{cache}/pip",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@functools.cache
def interpreter() -> str:
    """Return the Python that runs this, not the environment's link to it, which may lie where nobody else may look."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@functools.cache
def library_folders() -> tuple[str, ...]:
    """Return the folders of installed packages, the one of the SDK first."""
    found = importlib.util.find_spec("anthropic")
    own = [str(Path(str(found.origin)).parents[1])] if found is not None and found.origin else []
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return tuple(dict.fromkeys(os.path.realpath(path) for path in [*own, *others] if Path(path).is_dir()))


def _bind(source: str, target: str, *, device: bool = False) -> Bind:
    return Bind(source=os.path.realpath(source), target=target, device=device)


def _system() -> Iterator[Bind]:
    yield _bind("/usr", "/usr")
    for name in _SYSTEM_FOLDERS:
        path = Path("/", name)
        if path.is_dir() and not path.is_symlink():
            yield _bind(str(path), str(path))
    for name in _SYSTEM_FILES:
        if os.access(name, os.R_OK):
            yield _bind(name, name)


def _system_links() -> dict[str, str]:
    paths = [Path("/", name) for name in _SYSTEM_FOLDERS]
    return {str(path): os.readlink(path) for path in paths if path.is_symlink()}


def _own(libraries: tuple[str, ...]) -> Iterator[Bind]:
    yield _bind(str(Path(__file__).parent / "inside"), f"{PROGRAM}/inside")
    prefix = os.path.realpath(sys.base_prefix)
    if not Path(prefix).is_relative_to("/usr"):
        yield _bind(prefix, prefix)
    for index, folder in enumerate(libraries):
        yield _bind(folder, f"{_LIBRARIES}/{index}")


def _devices() -> Iterator[Bind]:
    for name in _DEVICES:
        yield _bind(f"/dev/{name}", f"/dev/{name}", device=True)


def _device_links() -> dict[str, str]:
    return {
        "/dev/fd": "/proc/self/fd",
        "/dev/stdin": "/proc/self/fd/0",
        "/dev/stdout": "/proc/self/fd/1",
        "/dev/stderr": "/proc/self/fd/2",
    }


def _made(identity: Identity) -> dict[str, str]:
    uid, gid = identity["uid"], identity["gid"]
    return {
        "/etc/passwd": f"root:x:0:0:root:/:/usr/sbin/nologin\nagent:x:{uid}:{gid}:agent:{HOME}:/bin/bash\n",
        "/etc/group": f"root:x:0:\nagent:x:{gid}:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "/etc/gitconfig": "[user]\n\tname = agent\n\temail = agent@localhost\n[init]\n\tdefaultBranch = main\n",
    }


def _filesystems(limits: Limits) -> tuple[Filesystem, ...]:
    sizes = {
        WORKSPACE: limits.disk_bytes,
        "/tmp": min(limits.disk_bytes, _TEMPORARY_BYTES),  # noqa: S108 - inside
        "/dev/shm": min(limits.disk_bytes, _SHARED_MEMORY_BYTES),  # noqa: S108 - inside
    }
    return tuple(
        Filesystem(target=target, bytes=size, inodes=min(max(size // _BYTES_PER_FILE, _FEWEST_FILES), _MOST_FILES))
        for target, size in sizes.items()
    )
