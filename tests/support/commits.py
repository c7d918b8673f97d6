"""What an agent may have left in a workspace, and what becomes of it in a repository."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import psutil

from studio.code.manifest import look
from studio.code.remote import Remote
from studio.code.repository import Base, Pin, Repository, open_repository
from studio.code.workplace import PREFIX
from studio.code.workspace import WorkspaceFile

WHEN = datetime(2026, 3, 7, 12, tzinfo=UTC)
PAGE = WorkspaceFile("src/page.py", b"TITLE = 'Shop'\n")


def committed(repository: Repository, *new: WorkspaceFile, pin: Pin | None = None) -> tuple[Base, str]:
    """Commit the base's files with `new` ones; return the base and the commit."""
    base = repository.base(pin)
    files = {file.path: file for file in (*base.files, *(new or (PAGE,)))}
    return base, repository.commit(base, look(files.values(), base), "Add the page\n\nAs asked.", WHEN)


def pushed(remote: Remote, wanted: str = "greenlight/mvp-v1", *new: WorkspaceFile) -> tuple[Base, str, str]:
    """Do it all; return the base, the commit and the branch."""
    with open_repository(remote) as repository:
        base, sha = committed(repository, *new)
        return base, sha, repository.push(sha, wanted)


def git_processes() -> list[psutil.Process]:
    """The processes that live and work in a private folder of git."""
    found = []
    for process in psutil.process_iter():
        try:
            if PREFIX in process.cwd() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def gone(seconds: float = 2.0) -> bool:
    """Whether no such process is left after so many seconds at most."""
    until = time.monotonic() + seconds
    while git_processes():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def paths(files: Sequence[WorkspaceFile]) -> list[str]:
    """The paths of files, in order."""
    return sorted(file.path for file in files)
