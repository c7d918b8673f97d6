"""A repository as generated code meets it: what is there, a commit on top of it, a new branch with that commit.

Each step can be repeated after a kill at any point. What the base is, is remembered by the caller (`Base.pin`), so a
second attempt builds on the same commit; the same files, message and time on it give the same commit; and a branch
that holds that commit has been pushed, whatever became of the answer. Nothing that is there is ever overwritten.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from studio.code import base_tree, branches
from studio.code.branches import HEADS, Heads
from studio.code.commit import Commit, stream
from studio.code.git import ASK_SECONDS, NETWORK_SECONDS, Access, Ended, Git, temporary
from studio.code.git_failures import network_failure, push_refused
from studio.code.manifest import MAX_FILE_BYTES, Manifest
from studio.code.remote import Remote
from studio.code.safe_paths import LeftOut
from studio.code.workplace import workplace
from studio.code.workspace import WorkspaceFile
from studio.errors import InvalidInput, RepositoryRefused, RepositoryUnavailable

# One commit without its largest files; more is no repository that an agent could work on.
MAX_FETCH_BYTES = 512 * 1024**2
# Somebody else may take the name that was free just now; not again and again.
PUSH_ROUNDS = 5

_COMMIT = re.compile(r"[0-9a-f]{40}")
_BASE = "refs/greenlight/base"
# Git's and GitHub's words for a branch that has come into being meanwhile.
_TAKEN = re.compile(r"stale info|already exists|fetch first|non-fast-forward|cannot lock ref|failed to update ref")


class Pin(NamedTuple):
    """Which commit of which branch a generation builds on; neither, where the repository was empty."""

    branch: str | None
    sha: str | None


@dataclass(frozen=True)
class Base:
    """What a repository held. `kept` is what stays as it is, because it cannot be handed to a sandbox."""

    branch: str | None
    sha: str | None
    files: tuple[WorkspaceFile, ...] = ()
    kept: tuple[LeftOut, ...] = ()

    @property
    def pin(self) -> Pin:
        """What has to be remembered so that another attempt builds on the same."""
        return Pin(self.branch, self.sha)


@contextlib.contextmanager
def open_repository(remote: Remote) -> Iterator[Repository]:
    """Give the repository, with a private bare copy that goes away in the end. Nothing is fetched yet."""
    with workplace() as folder:
        git = Git(folder, Access(remote.protocol, remote.host, remote.token))
        git.create()
        git.must("config", "remote.origin.url", remote.url)
        yield Repository(git, remote)


class Repository:
    """Use `open_repository`. Every method may be interrupted; no git process outlives it."""

    def __init__(self, git: Git, remote: Remote) -> None:
        self.remote = remote
        self._git = git
        self._commits = 0

    def base(self, pin: Pin | None = None) -> Base:
        """Fetch and return what the default branch holds, or what `pin` names of an earlier attempt.

        Raises `RepositoryRefused` (no such repository, no right to read it, no default branch), `TooLarge`, and
        `RepositoryUnavailable`.
        """
        pin = self._default() if pin is None else pin
        if pin.sha is None:
            return Base(None, None)
        if not _COMMIT.fullmatch(pin.sha):
            raise RepositoryRefused(f"{self.remote.name} names commits in a way that is not known.", "Use SHA-1.")
        self._fetch(pin.sha)
        files, kept = base_tree.read(self._git, pin.sha)
        return Base(pin.branch, pin.sha, files, kept)

    def commit(self, base: Base, manifest: Manifest, message: str, when: datetime) -> str:
        """Make the commit of a manifest's changes on top of `base` and return its name; nothing is pushed.

        The same arguments give the same name. `base` must have been fetched with this object. Raises
        `InvalidInput` where the manifest changes nothing.
        """
        if not manifest.changes:
            raise InvalidInput("Nothing has been changed, so there is nothing to commit.")
        self._commits += 1
        commit = Commit(message, when, base.sha, manifest.written, manifest.removed)
        with temporary(stream(f"refs/greenlight/made-{self._commits}", commit)) as stdin:
            said = self._git.must("fast-import", "--quiet", "--date-format=raw", "--done", stdin=stdin)
        return said.decode().strip()

    def push(self, sha: str, wanted: str) -> str:
        """Push a commit as a new branch called `wanted`, or `wanted-2`…, and return what it is called.

        Where a branch of such a name holds the commit already, that is it. The default branch and every other that
        is there are left alone. Raises `InvalidInput` for a name that is none, `RepositoryRefused` where the
        repository declines, `RepositoryUnavailable` where it cannot be reached or nobody knows: asking again is safe.
        """
        branches.require_name(self._git, wanted)
        for _ in range(PUSH_ROUNDS):
            branch, done = branches.choose(wanted, sha, self._heads(*branches.patterns(wanted)))
            if done:
                return branch
            ended = self._push(sha, branch)
            if ended.ok:
                return branch
            answer = _answer(ended)
            if answer is None:
                return self._after_lost_answer(ended, sha, wanted, branch)
            if not _TAKEN.search(answer):
                raise push_refused(ended, self.remote, branch)
        raise RepositoryUnavailable(f"Others keep taking the branch {wanted}.", "It is tried again later.")

    def _after_lost_answer(self, ended: Ended, sha: str, wanted: str, branch: str) -> str:
        """Return the branch where the push has been done although nobody said so; raise what went wrong otherwise."""
        failure = network_failure(ended, self.remote)
        if isinstance(failure, RepositoryRefused):
            raise failure
        if self._heads(*branches.patterns(wanted)).commits.get(branch) == sha:
            return branch
        raise failure

    def _push(self, sha: str, branch: str) -> Ended:
        ref = f"{HEADS}{branch}"
        return self._git.run(
            "push",
            "--porcelain",
            "--no-verify",
            # It may hold less of the base than the server, and so must not build on it.
            "--no-thin",
            # Only if there is no such branch. Without it, one that came into being meanwhile might be moved forward.
            f"--force-with-lease={ref}:",
            "--",
            "origin",
            f"{sha}:{ref}",
            seconds=NETWORK_SECONDS,
            network=True,
        )

    def _default(self) -> Pin:
        heads = self._heads("HEAD")
        if heads.default is not None and heads.default in heads.commits:
            return Pin(heads.default, heads.commits[heads.default])
        if self._heads(f"{HEADS}*").commits:
            raise RepositoryRefused(f"{self.remote.name} has no default branch.", "Set one there.")
        return Pin(None, None)

    def _heads(self, *patterns: str) -> Heads:
        ended = self._git.run("ls-remote", "--symref", "--", "origin", *patterns, seconds=ASK_SECONDS, network=True)
        if not ended.ok:
            raise network_failure(ended, self.remote)
        return Heads.read(ended.output)

    def _fetch(self, sha: str) -> None:
        if self._git.run("cat-file", "-e", f"{sha}^{{commit}}").ok:
            return
        ended = self._git.run(
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            # Servers that cannot do this send everything; then the limit on the folder holds.
            f"--filter=blob:limit={MAX_FILE_BYTES + 1}",
            "--",
            "origin",
            f"{sha}:{_BASE}",
            seconds=NETWORK_SECONDS,
            network=True,
            folder_bytes=MAX_FETCH_BYTES,
        )
        if not ended.ok:
            raise network_failure(ended, self.remote)


def _answer(ended: Ended) -> str | None:
    """Return what the repository itself has said about the branch, None where it has said nothing."""
    for line in ended.output.decode("utf-8", errors="replace").splitlines():
        # Where no answer came, git writes `[remote failure]` there.
        if line.startswith("!\t") and ("[rejected]" in line or "[remote rejected]" in line):
            return line
    return None
