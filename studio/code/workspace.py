"""The files of a workspace as data: what came out of a sandbox is somebody else's word until it has been looked at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class WorkspaceFile:
    """A file, or a symbolic link where `link` is its target. `path` is relative, with `/`, and not yet checked."""

    path: str
    content: bytes = b""
    executable: bool = False
    link: str | None = None


@dataclass(frozen=True)
class Changes:
    """What has changed in a workspace since the last look. `removed` are paths.

    `lost` says why the workspace was put back to what the last look left, and is so still; else it is empty.
    """

    written: tuple[WorkspaceFile, ...] = ()
    removed: tuple[str, ...] = ()
    lost: str = ""

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


@dataclass
class Workspace:
    """All files of a workspace by path, as the last look left them."""

    files: dict[str, WorkspaceFile] = field(default_factory=dict)

    def apply(self, changes: Changes) -> None:
        """Take changes over."""
        for path in changes.removed:
            self.files.pop(path, None)
        self.files.update({file.path: file for file in changes.written})
