"""What a workspace's own `.gitignore` files leave out, by git's own rules.

Git reads them in a folder that holds copies of these files and nothing else: the workspace itself it never sees.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from studio.code.git import Access, Git, temporary
from studio.code.workplace import workplace
from studio.code.workspace import WorkspaceFile
from studio.errors import RepositoryError, UnsafeOutput

NAME = ".gitignore"
# Longer lists are made to keep somebody busy.
MAX_BYTES = 256 * 1024
SECONDS = 20.0
# All folders above a path are asked for by name; those of a thousand files, each 500 folders deep, fill memory.
MAX_FOLDER_CHARS = 16 * 1024**2
_NONE_IGNORED = 1


def ignored(files: Iterable[WorkspaceFile], paths: Collection[str]) -> dict[str, str]:
    """Return those of `paths` that the `.gitignore` among `files` leave out, each with what of it is left out.

    That is the path itself or the outermost folder above it that is ignored as a whole, with a slash behind it. All
    paths must have been checked. Raises `UnsafeOutput` where there are too many rules or folders to ask git about.
    """
    rules = _rules(files)
    if not rules or not paths:
        return {}
    if sum(len(rule.content) for rule in rules) > MAX_BYTES:
        raise UnsafeOutput(f"The .gitignore files hold more than {MAX_BYTES // 1024} KiB.", "Make them shorter.")
    folders = _folders(paths)
    # Of a folder with a slash behind it git asks the rules inside, too, as if it had no name.
    folders -= {rule.path.removesuffix(NAME) for rule in rules}
    found = _ask(rules, [*sorted(folders), *paths])
    return {path: whole for path in paths if (whole := _outermost(path, found)) is not None}


def _rules(files: Iterable[WorkspaceFile]) -> list[WorkspaceFile]:
    found = {file.path: file for file in files if file.path.rpartition("/")[2] == NAME and file.link is None}
    # Where a file becomes a folder, both names are there for a while, and no file system holds both: the file speaks.
    return [file for path, file in found.items() if not any(above.rstrip("/") in found for above in _above(path))]


def _above(path: str) -> Iterator[str]:
    """Yield the folders above a path, the innermost first, each with a slash behind it."""
    at = path.rfind("/")
    while at > 0:
        yield path[: at + 1]
        at = path.rfind("/", 0, at)


def _folders(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    size = 0
    for path in paths:
        for folder in _above(path):
            if folder in found:
                break
            found.add(folder)
            size += len(folder)
            if size > MAX_FOLDER_CHARS:
                raise UnsafeOutput("There are too many folders, too deep.", "Leave out what can be made again.")
    return found


def _ask(rules: list[WorkspaceFile], paths: list[str]) -> set[str]:
    with workplace() as folder:
        git = Git(folder, Access("file"))
        git.create()
        tree = folder / "tree"
        for rule in rules:
            _put(tree / rule.path, rule.content)
        with temporary(b"".join(path.encode() + b"\0" for path in paths)) as stdin:
            surroundings = {"GIT_WORK_TREE": str(tree)}
            ended = git.run(
                "check-ignore", "--no-index", "--stdin", "-z", stdin=stdin, seconds=SECONDS, environment=surroundings
            )
        if not ended.ok and ended.exit_code != _NONE_IGNORED:
            raise RepositoryError(f"git check-ignore failed: {ended.line}.", "It is tried again.")
    return {os.fsdecode(path) for path in ended.output.split(b"\0") if path}


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _outermost(path: str, found: set[str]) -> str | None:
    for at, sign in enumerate(path):
        if sign == "/" and path[: at + 1] in found:
            return path[: at + 1]
    return path if path in found else None
