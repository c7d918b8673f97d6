"""What the first process in a sandbox is told, as JSON on its command line: nothing of it is secret."""

from __future__ import annotations

from typing import TypedDict


class Filesystem(TypedDict):
    """A file system in memory that is mounted at `target`, of hard limits."""

    target: str
    bytes: int
    inodes: int


class Identity(TypedDict):
    """Who everything but the first process runs as."""

    uid: int
    gid: int


class Bounds(TypedDict):
    """The limits of generated code: of all processes together, and of one file."""

    memory_bytes: int
    processes: int
    file_bytes: int


class Forwarding(TypedDict):
    """Where connections to 127.0.0.1:`port` are passed on to."""

    socket: str
    port: int


class Plan(TypedDict):
    """Everything the first process needs.

    `control` is the descriptor whose end of file ends the sandbox, `status` the one for notes to the studio.
    `isolated` says that there are namespaces; without them, the folder that `workspace` lies in is removed at the end.
    `identity` is None where nothing is to be changed. `libraries` are added to Python's path for the tools.
    """

    control: int
    status: int
    isolated: bool
    identity: Identity | None
    bounds: Bounds
    filesystems: list[Filesystem]
    workspace: str
    home: str
    environment: dict[str, str]
    libraries: list[str]
    forwarding: Forwarding | None


class Bind(TypedDict):
    """Something of the host that is seen inside, read-only."""

    source: str
    target: str
    device: bool


class Building(TypedDict):
    """What the set-up program of the namespaces needs. `made` are files by path, `links` symbolic links by path.

    `user` is the identity inside a user namespace of its own; None makes none, which takes root.
    """

    info: int
    user: Identity | None
    binds: list[Bind]
    folders: list[str]
    made: dict[str, str]
    links: dict[str, str]
    plan: Plan
