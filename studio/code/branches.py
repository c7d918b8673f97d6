"""Which branch of a repository generated code is pushed to: always one that is not there yet, or is our own already.

A name that is taken gets a number behind it. Git keeps branches as paths, so `a` and `a/b` cannot both be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from studio.code.git import Git
from studio.errors import InvalidInput, RepositoryError, RepositoryRefused

HEADS = "refs/heads/"
# Who asks for the same branch more often wants a name of their own.
MAX_TRIES = 99


class Heads(NamedTuple):
    """What a repository says of itself: its default branch, and commits by the name of their branch."""

    default: str | None
    commits: Mapping[str, str]

    @classmethod
    def read(cls, listing: bytes) -> Heads:
        """Read what `git ls-remote --symref` writes. Raise `RepositoryError` for anything else."""
        default, commits, at_head = None, {}, None
        for line in listing.decode("utf-8", errors="replace").splitlines():
            value, tab, ref = line.partition("\t")
            if not tab:
                raise RepositoryError("The repository lists its branches in a way that cannot be read.", "Look at it.")
            if ref == "HEAD" and value.startswith(f"ref: {HEADS}"):
                default = value.removeprefix(f"ref: {HEADS}")
            elif ref == "HEAD":
                at_head = value
            elif ref.startswith(HEADS):
                commits[ref.removeprefix(HEADS)] = value
        if default is not None and at_head is not None:
            commits[default] = at_head
        return cls(default, commits)


def require_name(git: Git, branch: str) -> None:
    """Raise `InvalidInput` where git would not take `branch` for a branch's name, or for an option."""
    if branch.startswith("-") or not git.run("check-ref-format", "--branch", branch).ok:
        raise InvalidInput(f"{branch!r} cannot be the name of a branch.", "Use letters, digits, dashes and slashes.")


def patterns(wanted: str) -> list[str]:
    """Return the patterns for `git ls-remote` under which everything is found that `choose` has to know."""
    parts = wanted.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts))]
    return ["HEAD", *(f"{HEADS}{name}" for name in above), f"{HEADS}{wanted}*", f"{HEADS}{_flat(wanted)}*"]


def choose(wanted: str, commit: str, heads: Heads) -> tuple[str, bool]:
    """Return the branch for `commit`, and whether it is there already with exactly that.

    Raises `RepositoryRefused` where all names are taken.
    """
    names = list(_names(wanted, heads))
    for name in names:
        if heads.commits.get(name) == commit:
            return name, True
    for name in names:
        if name != heads.default and not _in_the_way(name, heads):
            return name, False
    raise RepositoryRefused(f"The repository has {MAX_TRIES} branches {wanted} already.", "Name another branch.")


def _names(wanted: str, heads: Heads) -> Iterator[str]:
    parts = wanted.split("/")
    above = {"/".join(parts[:count]) for count in range(1, len(parts))}
    first = _flat(wanted) if above & set(heads.commits) else wanted
    yield first
    for number in range(2, MAX_TRIES + 1):
        yield f"{first}-{number}"


def _in_the_way(name: str, heads: Heads) -> bool:
    return any(other == name or other.startswith(f"{name}/") for other in heads.commits)


def _flat(wanted: str) -> str:
    """Return another name for where a branch is called like a folder of this one."""
    return wanted.replace("/", "-")
