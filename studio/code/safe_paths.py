"""Which paths may be committed: those that mean the same file everywhere, and never a part of git's own folder.

A path that is harmless here may be `.git/hooks/…` on a file system that folds case, ignores some characters or keeps
short names; git itself refuses those when it checks out (`verify_path`), and we do when we commit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

# NAME_MAX of every common file system, and a length at which no checkout runs into PATH_MAX or Windows.
COMPONENT_BYTES = 255
PATH_BYTES = 1024
# As Linux: more links in a row are a loop.
MAX_LINKS = 40
# Every folder on the way is looked up. A path of the greatest length has half as many.
MAX_STEPS = 1024

# HFS+ leaves these out when it compares names (git's utf8.c, `next_hfs_char`).
_HFS_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
# NTFS's short names of `.git` (git's path.c, `is_ntfs_dotgit`).
_SHORT_GIT = re.compile(r"git~[0-9]+")
# What steers a terminal, or turns text round: no name needs it.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class LeftOut(NamedTuple):
    """A path that is not committed, or not handed out, and why."""

    path: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """Return it as it is stored."""
        return {"path": shown(self.path), "reason": self.reason}


def problem(path: str) -> str | None:
    """Return why `path` cannot be committed, None where it can."""
    if not path or path.startswith("/"):
        return "Its path is not relative."
    if _CONTROL.search(path):
        return "Its name holds control characters, or is no UTF-8."
    if "\\" in path or ":" in path:
        return "Its name holds a character that some file systems take for a separator."
    if len(path.encode()) > PATH_BYTES:
        return f"Its path is longer than {PATH_BYTES} bytes."
    for part in path.split("/"):
        if part in ("", ".", ".."):
            return "Its path is not in its plain form."
        if len(part.encode()) > COMPONENT_BYTES:
            return f"Its name is longer than {COMPONENT_BYTES} bytes."
        if is_git_folder(part):
            return "It would lie in git's own folder."
        if part.endswith((".", " ")):
            return "Its name ends in a way that Windows drops."
    return None


def is_git_folder(part: str) -> bool:
    """Say whether some file system takes a component for `.git`."""
    name = _plain(part)
    return name == ".git" or _SHORT_GIT.fullmatch(name) is not None


def fold(path: str) -> str:
    """Return what two paths have in common where some file system takes the one for the other."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path.translate(_HFS_IGNORED)).casefold())


def link_problem(path: str, links: Mapping[str, str]) -> str | None:
    """Return why the symbolic link at `path` cannot be committed, None where it stays inside the tree.

    `links` are all links of the tree by path, with their targets: a link may lead through others.
    """
    name = _plain(path.rpartition("/")[2])
    if name.startswith(".git") or "~" in name:
        return "Git reads a file of this name, which must not be a link."
    target = links[path]
    if not target or _CONTROL.search(target) or "\\" in target or ":" in target or len(target.encode()) > PATH_BYTES:
        return "It links to something that is no plain path."
    if target.startswith("/"):
        return "It links out of the repository."
    return _followed(path, target, links)


def shown(path: str) -> str:
    """Return a path as a person may see it, with what steers a terminal or cannot be stored made visible."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", path)


def _followed(path: str, target: str, links: Mapping[str, str]) -> str | None:
    """Walk from the link's folder to its target as a file system would, and return why it may not be walked."""
    # The path of each folder from the root to where we are, so that none is put together again at every step.
    at = [path[:index] for index, sign in enumerate(path) if sign == "/"]
    todo = list(reversed(target.split("/")))
    jumps = steps = 0
    while todo:
        part = todo.pop()
        steps += 1
        if steps > MAX_STEPS:
            return "It leads through too many folders."
        if part in ("", "."):
            continue
        if part == "..":
            if not at:
                return "It links out of the repository."
            at.pop()
            continue
        if is_git_folder(part):
            return "It links into git's own folder."
        at.append(f"{at[-1]}/{part}" if at else part)
        further = links.get(at[-1])
        if further is not None:
            jumps += 1
            if jumps > MAX_LINKS:
                return "It links in a circle."
            if further.startswith("/"):
                return "It links out of the repository."
            if len(further) > PATH_BYTES:
                return "It leads through a link that is no plain path."
            at.pop()
            todo.extend(reversed(further.split("/")))
    return None


def _plain(part: str) -> str:
    """Return a component as the most forgiving file system compares it."""
    # A stream of NTFS (`.git::$INDEX_ALLOCATION`) and trailing dots and spaces name the same file there.
    return fold(part).partition(":")[0].rstrip(". ")
