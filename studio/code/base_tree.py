"""The files of a commit as data, as far as they can be handed to a sandbox; everything else stays as it is.

Nothing is checked out: names and contents are read from git's objects.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

from studio.code.git import Git, temporary
from studio.code.manifest import MAX_ALL_BYTES, MAX_FILE_BYTES, MAX_FILES
from studio.code.safe_paths import LeftOut, link_problem, problem, shown
from studio.code.workspace import WorkspaceFile
from studio.errors import RepositoryError

_ENTRY = re.compile(rb"(?P<mode>[0-7]{6}) (?P<kind>[a-z]+) (?P<name>[0-9a-f]{40,64})\t(?P<path>.+)", re.DOTALL)
# Names and modes alone; a repository of a hundred thousand files has less.
LISTING_BYTES = 32 * 1024**2
_LINK, _EXECUTABLE, _SUBMODULE = "120000", "100755", "160000"


class _Entry(NamedTuple):
    path: str
    mode: str
    name: str


def read(git: Git, commit: str) -> tuple[tuple[WorkspaceFile, ...], tuple[LeftOut, ...]]:
    """Return the files of `commit`, and what is not among them, with the reason.

    Raises `TooLarge` where even the list of names is too long.
    """
    kept: list[LeftOut] = []
    entries = list(_entries(git, commit, kept))
    sizes = _sizes(git, entries, _absent(git, commit))
    wanted: list[_Entry] = []
    left = MAX_ALL_BYTES
    for entry in entries:
        # What is absent was left out for its size.
        size = sizes.get(entry.name, MAX_FILE_BYTES + 1)
        if size > MAX_FILE_BYTES:
            kept.append(LeftOut(entry.path, f"It is larger than {MAX_FILE_BYTES // 1024**2} MiB, and stays as it is."))
        elif size > left or len(wanted) >= MAX_FILES:
            kept.append(LeftOut(entry.path, "The repository is too large to be worked on as a whole: it stays."))
        else:
            left -= size
            wanted.append(entry)
    files = _files(wanted, _contents(git, [entry.name for entry in wanted]), kept)
    return tuple(files), tuple(sorted(kept))


def _entries(git: Git, commit: str, kept: list[LeftOut]) -> Iterator[_Entry]:
    listing = git.must("ls-tree", "-r", "-z", "--full-tree", commit, output_bytes=LISTING_BYTES)
    for line in filter(None, listing.split(b"\0")):
        found = _ENTRY.fullmatch(line)
        if found is None:
            raise RepositoryError("Git lists the repository in a way that cannot be read.", "Update git.")
        path = found["path"].decode("utf-8", errors="surrogateescape")
        mode = found["mode"].decode()
        if mode == _SUBMODULE:
            kept.append(LeftOut(shown(path), "It is another repository (a submodule), and stays as it is."))
        elif (wrong := problem(path)) is not None:
            # Written so that it can be stored; nobody may make a file of such a name.
            kept.append(LeftOut(shown(path), f"{wrong} It stays as it is."))
        else:
            yield _Entry(path, mode, found["name"].decode())


def _absent(git: Git, commit: str) -> set[str]:
    """Return the objects that a partial fetch has left at the server: to ask for one is an error, or a transfer."""
    listing = git.must(
        "rev-list", "--objects", "--no-object-names", "--missing=print", commit, output_bytes=LISTING_BYTES
    )
    return {line[1:] for line in listing.decode().splitlines() if line.startswith("?")}


def _sizes(git: Git, entries: list[_Entry], absent: Container[str]) -> dict[str, int]:
    names = dict.fromkeys(entry.name for entry in entries if entry.name not in absent)
    with temporary("".join(f"{name}\n" for name in names).encode()) as stdin:
        said = git.must(
            "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=stdin, output_bytes=LISTING_BYTES
        )
    pairs = (line.split() for line in said.decode().splitlines())
    return {name: int(size) for name, size in pairs if size.isdecimal()}


def _contents(git: Git, names: list[str]) -> Iterator[bytes]:
    """Yield the contents of the named blobs, which are all there, in their order."""
    with temporary("".join(f"{name}\n" for name in names).encode()) as stdin:
        said = git.must("cat-file", "--batch=%(objectsize)", stdin=stdin, output_bytes=2 * MAX_ALL_BYTES)
    at = 0
    for _ in names:
        end = said.index(b"\n", at)
        begin = end + 1
        at = begin + int(said[at:end])
        yield said[begin:at]
        at += 1


def _files(wanted: list[_Entry], contents: Iterator[bytes], kept: list[LeftOut]) -> Iterator[WorkspaceFile]:
    read = list(zip(wanted, contents, strict=True))
    links = {
        entry.path: content.decode("utf-8", errors="surrogateescape") for entry, content in read if entry.mode == _LINK
    }
    for entry, content in read:
        if entry.mode != _LINK:
            yield WorkspaceFile(entry.path, content, executable=entry.mode == _EXECUTABLE)
        elif (wrong := link_problem(entry.path, links)) is not None:
            kept.append(LeftOut(entry.path, f"{wrong} It stays as it is."))
        else:
            yield WorkspaceFile(entry.path, link=links[entry.path])
