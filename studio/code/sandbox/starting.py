"""The command that starts each kind of sandbox."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from studio.code.sandbox.identity import NAMESPACE_IDENTITY, new_identity
from studio.code.sandbox.inside.plan import Building, Forwarding, Identity, Plan
from studio.code.sandbox.layout import (
    EGRESS_SOCKET,
    HOME,
    PROGRAM,
    WORKSPACE,
    Layout,
    environment,
    interpreter,
    layout,
    library_folders,
)
from studio.code.sandbox.limits import Limits

# Inside, where nothing else listens.
_EGRESS_PORT = 3128
_INSIDE = str(Path(__file__).parent)
# To mount the workspace, to become the sandbox's user, and then to watch over it.
_RIGHTS = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL", "CAP_SYS_PTRACE")
# A pipe takes this much without anybody reading.
_PIPE_BYTES = 65_536


@dataclass(frozen=True)
class Pipes:
    """The descriptors that the new processes inherit, beside standard input and output."""

    control: int
    status: int
    info: int


@dataclass(frozen=True)
class Command:
    """What to start, and the descriptors that it inherits."""

    argv: list[str]
    inherited: tuple[int, ...]


# (limits, the proxy's socket or None, pipes, what is closed when it has been started) -> what to start
Starting = Callable[[Limits, Path | None, Pipes, ExitStack], Command]


def bubblewrap(program: str, *, privileged: bool) -> Starting:
    """Return what starts a sandbox with bubblewrap. `privileged`: by root, without a user namespace."""

    def starting(limits: Limits, egress: Path | None, pipes: Pipes, closing: ExitStack) -> Command:
        identity = new_identity() if privileged else NAMESPACE_IDENTITY
        shown = layout(identity, limits, egress)
        argv = [program, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        if not privileged:
            argv += ["--unshare-user", "--uid", str(identity["uid"]), "--gid", str(identity["gid"])]
        argv += ["--hostname", "sandbox", "--new-session", "--as-pid-1", "--info-fd", str(pipes.info)]
        argv += ["--cap-drop", "ALL"]
        for right in _RIGHTS:
            argv += ["--cap-add", right]
        inherited = [pipes.control, pipes.status, pipes.info]
        for folder in _parents(shown):
            # By itself, bubblewrap makes them so that only root may enter.
            argv += ["--perms", "0755", "--dir", folder]
        for bind in shown.binds:
            argv += ["--dev-bind" if bind["device"] else "--ro-bind", bind["source"], bind["target"]]
        for folder in shown.folders:
            argv += ["--dir", folder]
        for filesystem in shown.filesystems:
            # They are covered by the first process, which can limit the number of files too, where it may.
            argv += ["--size", str(filesystem["bytes"]), "--tmpfs", filesystem["target"]]
        for path, target in shown.links.items():
            argv += ["--symlink", target, path]
        for path, content in shown.made.items():
            descriptor = _readable(content, closing)
            inherited.append(descriptor)
            argv += ["--perms", "0644", "--file", str(descriptor), path]
        plan = _plan(shown, limits, pipes, identity if privileged else None, egress)
        argv += ["--proc", "/proc", "--remount-ro", "/", "--chdir", "/", "--"]
        argv += [*_python(shown.python, PROGRAM, "inside.init"), json.dumps(plan)]
        return Command(argv, tuple(inherited))

    return starting


def namespaces(*, privileged: bool) -> Starting:
    """Return what starts a sandbox with our own set-up program. `privileged` as above."""

    def starting(limits: Limits, egress: Path | None, pipes: Pipes, closing: ExitStack) -> Command:
        identity = new_identity() if privileged else NAMESPACE_IDENTITY
        shown = layout(identity, limits, egress)
        building = Building(
            info=pipes.info,
            user=None if privileged else identity,
            binds=list(shown.binds),
            folders=list(shown.folders),
            made=shown.made,
            links=shown.links,
            plan=_plan(shown, limits, pipes, identity if privileged else None, egress),
        )
        argv = [*_python(shown.python, _INSIDE, "inside.build"), json.dumps(building)]
        return Command(argv, (pipes.control, pipes.status, pipes.info))

    return starting


def unprotected(folder: Path) -> Starting:
    """Return what starts the server without any sandbox, on a workspace in `folder`."""

    def starting(limits: Limits, egress: Path | None, pipes: Pipes, closing: ExitStack) -> Command:
        workspace, home = folder / "workspace", folder / "home"
        workspace.mkdir()
        plan = Plan(
            control=pipes.control,
            status=pipes.status,
            isolated=False,
            identity=None,
            bounds=limits.bounds(),
            filesystems=[],
            workspace=str(workspace),
            home=str(home),
            environment=_with_proxy(environment(str(home), str(workspace)), None),
            libraries=list(library_folders()),
            forwarding=None,
        )
        argv = [*_python(interpreter(), _INSIDE, "inside.init"), json.dumps(plan)]
        return Command(argv, (pipes.control, pipes.status))

    return starting


def _plan(shown: Layout, limits: Limits, pipes: Pipes, identity: Identity | None, egress: Path | None) -> Plan:
    forwarding = Forwarding(socket=EGRESS_SOCKET, port=_EGRESS_PORT) if egress is not None else None
    return Plan(
        control=pipes.control,
        status=pipes.status,
        isolated=True,
        identity=identity,
        bounds=limits.bounds(),
        filesystems=list(shown.filesystems),
        workspace=WORKSPACE,
        home=HOME,
        environment=_with_proxy(shown.environment, forwarding),
        libraries=list(shown.libraries),
        forwarding=forwarding,
    )


def _with_proxy(variables: dict[str, str], forwarding: Forwarding | None) -> dict[str, str]:
    if forwarding is None:
        # So that package managers say at once that there is no network, instead of trying for minutes.
        return {**variables, "npm_config_offline": "true", "npm_config_fetch_retries": "0", "PIP_RETRIES": "0"}
    url = f"http://127.0.0.1:{forwarding['port']}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "npm_config_proxy", "npm_config_https_proxy")
    here = "localhost,127.0.0.1,::1"
    return {**variables, **dict.fromkeys(names, url), "NO_PROXY": here, "no_proxy": here}


def _parents(shown: Layout) -> list[str]:
    """Return the folders that everything shown lies in, the outer ones first."""
    targets = [*(bind["target"] for bind in shown.binds), *shown.made, *shown.links, *shown.folders]
    folders = {str(parent) for target in targets for parent in PurePosixPath(target).parents}
    return sorted(folders - {"/"})


def _python(python: str, folder: str, module: str) -> list[str]:
    # Neither the environment, nor the user's own packages, nor start-up hooks of any package have a say.
    code = f"import sys; sys.path.insert(0, {folder!r}); from {module} import main; main()"
    return [python, "-I", "-S", "-X", "utf8", "-c", code]


def _readable(content: str, closing: ExitStack) -> int:
    data = content.encode("utf-8")
    if len(data) > _PIPE_BYTES:
        raise ValueError("a made file is larger than a pipe")
    reader, writer = os.pipe()
    closing.callback(os.close, reader)
    with open(writer, "wb") as file:
        file.write(data)
    return reader
