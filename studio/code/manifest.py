"""What of a workspace becomes a commit: everything an agent has left there is looked at, nothing is believed.

What is not taken is listed with its reason. What a repository holds and the agent did not touch, or could not see,
stays as it is.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from studio.code import ci_files
from studio.code.ignored import ignored
from studio.code.safe_paths import LeftOut, fold, link_problem, problem, shown
from studio.code.workspace import WorkspaceFile
from studio.errors import UnsafeOutput

# A person is to read the commit. GitHub warns from 50 MiB a file, and its web pages show no more than a part of one.
MAX_FILES = 5_000
MAX_FILE_BYTES = 10 * 1024**2
MAX_ALL_BYTES = 100 * 1024**2
# Of all paths, each counted once for every folder above it: five thousand of ordinary ones come to two million.
MAX_NAME_CHARS = 32 * 1024**2
# Leaving a link out may change where others lead, and so on; nobody writes such a chain but on purpose.
MAX_LINK_ROUNDS = 20

Status = Literal["added", "modified", "deleted"]


class Before(Protocol):
    """What a manifest has to know of the repository: `studio.code.repository.Base`."""

    @property
    def files(self) -> tuple[WorkspaceFile, ...]:
        """The files that the workspace began with."""
        ...

    @property
    def kept(self) -> tuple[LeftOut, ...]:
        """What the repository holds besides, and nobody may touch."""
        ...


@dataclass(frozen=True)
class Change:
    """One path that the commit changes; `size` and `sha256` are of what it holds then, empty for a deleted one."""

    path: str
    size: int
    sha256: str
    status: Status
    executable: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "path": self.path,
            "size": self.size,
            "sha256": self.sha256,
            "status": self.status,
            "executable": self.executable,
        }


@dataclass(frozen=True)
class Manifest:
    """`files` is the whole tree after the commit, but for what was kept; `written` and `removed` are its difference."""

    files: tuple[WorkspaceFile, ...]
    written: tuple[WorkspaceFile, ...]
    removed: tuple[str, ...]
    changes: tuple[Change, ...]
    left_out: tuple[LeftOut, ...]


def look(files: Iterable[WorkspaceFile], base: Before) -> Manifest:
    """Return what of a workspace is committed on top of `base`, and what is not.

    `files` is all that the workspace holds in the end. Raises `UnsafeOutput` where it holds more than a person could
    look through: half a program is of no use to anybody.
    """
    looked = _Look({file.path: file for file in files}, base)
    looked.leave_out_unfit()
    looked.leave_out_ignored()
    # Comparing names and following links takes time with their number and depth.
    _require_bounded(looked.taken)
    looked.leave_out_colliding()
    looked.leave_out_links()
    tree = looked.tree
    return Manifest(
        files=tuple(tree[path] for path in sorted(tree)),
        written=tuple(looked.taken[path] for path in sorted(looked.taken)),
        removed=tuple(sorted(looked.removed)),
        changes=tuple(_changes(looked)),
        left_out=tuple(sorted(looked.left_out)),
    )


class _Look:
    """A manifest in the making: `taken` is what is written, `removed` what goes."""

    def __init__(self, after: Mapping[str, WorkspaceFile], base: Before) -> None:
        self.after = after
        self.before = {file.path: file for file in base.files}
        self.kept = {left.path for left in base.kept}
        self.taken = {path: file for path, file in after.items() if file != self.before.get(path)}
        self.removed = {path for path in self.before if path not in after}
        self.left_out: list[LeftOut] = []

    @property
    def tree(self) -> dict[str, WorkspaceFile]:
        """The files after the commit, but for what was kept."""
        return {path: file for path, file in self.before.items() if path not in self.removed} | self.taken

    def leave_out_unfit(self) -> None:
        """Leave out what no commit may hold, and what is not for an agent to change."""
        for path, file in list(self.taken.items()):
            reason = problem(path) or ci_files.reason(path)
            if reason is None and len(file.content) > MAX_FILE_BYTES:
                reason = f"It is larger than {MAX_FILE_BYTES // 1024**2} MiB."
            if reason is not None:
                self._drop(path, reason)
        for path in list(self.removed):
            reason = ci_files.reason(path)
            if reason is not None:
                self.removed.remove(path)
                self.left_out.append(LeftOut(path, f"It was to be deleted. {reason}"))

    def leave_out_ignored(self) -> None:
        """Leave out what is new and ignored; what the repository holds already is changed all the same, as in git."""
        new = [path for path in self.taken if path not in self.before]
        counts: Counter[str] = Counter()
        for path, whole in ignored(self.tree.values(), new).items():
            del self.taken[path]
            counts[whole] += 1
        for whole, count in counts.items():
            what = f" with {count} {'file' if count == 1 else 'files'}" if whole.endswith("/") else ""
            self.left_out.append(LeftOut(whole, f"The project's own .gitignore leaves it out{what}."))

    def leave_out_colliding(self) -> None:
        """Leave out what some file system could not keep apart from what is there, or git itself could not."""
        names = _Names([path for path in self.tree if path in self.before], self.kept)
        for path in sorted(path for path in self.taken if path not in self.before):
            reason = names.add(path)
            if reason is not None:
                self._drop(path, reason)

    def leave_out_links(self) -> None:
        """Leave out links that lead out of the tree; as one may lead through others, until nothing changes.

        Raises `UnsafeOutput` where that is not soon.
        """
        for _ in range(MAX_LINK_ROUNDS):
            links = {path: file.link for path, file in self.tree.items() if file.link is not None}
            bad = {path: wrong for path in links if (wrong := link_problem(path, links)) is not None}
            if not bad:
                return
            ours = bad.keys() & self.taken.keys()
            if not ours:
                raise UnsafeOutput(
                    f"What was changed makes the repository's link {min(bad)} lead out of it.", "Change it otherwise."
                )
            for path in ours:
                self._drop(path, bad[path])
        raise UnsafeOutput("Its links lead through one another too often.", "Put files in place of the links.")

    def _drop(self, path: str, reason: str) -> None:
        del self.taken[path]
        self.left_out.append(LeftOut(path, reason))


class _Names:
    """The names of a tree as the most forgiving file system sees them, files and the folders above them."""

    def __init__(self, paths: Iterable[str], kept: Collection[str]) -> None:
        self._kept = kept
        self._seen: dict[str, tuple[str, bool]] = {}
        for path in (*paths, *kept):
            self._enter(path)

    def add(self, path: str) -> str | None:
        """Take a path in; return why not, where it means the same as another, or a file is a folder there."""
        if path in self._kept:
            return "The repository holds a file there that was not handed out, and stays."
        for part, is_file in _steps(path):
            there = self._seen.get(fold(part))
            if there is not None and (there != (part, is_file) or is_file):
                return f"On some file systems it cannot be told apart from {shown(there[0])}."
        self._enter(path)
        return None

    def _enter(self, path: str) -> None:
        for part, is_file in _steps(path):
            self._seen.setdefault(fold(part), (part, is_file))


def _steps(path: str) -> Iterator[tuple[str, bool]]:
    """Yield the folders above a path and the path itself, and whether each is the file."""
    for at, sign in enumerate(path):
        if sign == "/":
            yield path[:at], False
    yield path, True


def _changes(looked: _Look) -> Iterator[Change]:
    for path in sorted({*looked.taken, *looked.removed}):
        file = looked.taken.get(path)
        if file is None:
            yield Change(path, 0, "", "deleted", executable=False)
            continue
        content = file.content if file.link is None else file.link.encode()
        status: Status = "modified" if path in looked.before else "added"
        digest = hashlib.sha256(content).hexdigest()
        yield Change(path, len(content), digest, status, executable=file.executable and file.link is None)


def _require_bounded(taken: Mapping[str, WorkspaceFile]) -> None:
    if sum(len(path) * path.count("/") for path in taken) > MAX_NAME_CHARS:
        raise UnsafeOutput("There are too many files, too deep in folders.", "Put them into fewer folders.")
    size = sum(len(file.content) for file in taken.values())
    if len(taken) <= MAX_FILES and size <= MAX_ALL_BYTES:
        return
    weights: Counter[str] = Counter()
    for path, file in taken.items():
        # A file weighs as much as its bytes, and as the attention that it takes.
        weights[path.partition("/")[0]] += len(file.content) + MAX_ALL_BYTES // MAX_FILES
    heaviest = weights.most_common(1)[0][0]
    raise UnsafeOutput(
        f"There are {len(taken):,} new or changed files of {size / 1024**2:,.0f} MiB, the most under {heaviest}; a"
        f" commit takes {MAX_FILES:,} of {MAX_ALL_BYTES // 1024**2} MiB.",
        "Name in .gitignore what can be made again.",
    )
