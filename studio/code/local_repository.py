"""The repository of a project that names none: a bare one in the data folder, for a person to clone.

It begins with a commit on `main`, so that what an agent writes can be compared with something, and refuses to lose
anything: no branch is rewritten or deleted there.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from studio.code.commit import Commit, stream
from studio.code.git import Access, Git, temporary
from studio.code.workplace import workplace
from studio.code.workspace import WorkspaceFile
from studio.errors import RepositoryError
from studio.settings import Settings
from studio.text import one_line, storable

DEFAULT_BRANCH = "main"
NAME_CHARS = 200
# What a process that was killed in the middle of making one has left; making one takes less than a second.
LEFT_SECONDS = 3600

_SETTINGS = (
    ("receive.denyNonFastForwards", "true"),
    ("receive.denyDeletes", "true"),
    ("receive.fsckObjects", "true"),
    ("core.hooksPath", "/dev/null"),
    ("gc.auto", "0"),
)


def path(settings: Settings, project_id: UUID) -> Path:
    """Return where the project's repository lies, whether it is there or not."""
    return settings.data_dir.expanduser().resolve() / "repositories" / f"{project_id}.git"


def describe(settings: Settings, project_id: UUID) -> str:
    """Return the command with which a person clones the project's repository."""
    return shlex.join(["git", "clone", str(path(settings, project_id))])


def ensure(settings: Settings, project_id: UUID, project_name: str) -> Path:
    """Return the project's repository, made where it is missing.

    It appears whole or not at all: of two that make it at the same time one wins, and a kill leaves none behind that
    is half made. Raises `RepositoryError` where the data folder cannot be written to.
    """
    final = path(settings, project_id)
    if (final / "HEAD").exists():
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with _aside(final) as made, workplace() as folder:
            _make(folder, made, project_name)
            # Over a folder that is not empty this fails: somebody else was faster.
            with contextlib.suppress(OSError):
                made.rename(final)
    except OSError as exc:
        raise RepositoryError(
            f"The project's repository cannot be made ({exc.strerror}).", "See to it that the data folder is writable."
        ) from exc
    if not (final / "HEAD").exists():
        raise RepositoryError("The project's repository cannot be put in place.", f"Look at {final}.")
    return final


def _make(folder: Path, made: Path, project_name: str) -> None:
    git = Git(folder, Access("file"))
    git.create()
    name = one_line(storable(project_name), NAME_CHARS).strip() or "A new project"
    readme = WorkspaceFile("README.md", f"# {name}\n".encode())
    commit = Commit("Begin", datetime.now(UTC), None, (readme,), ())
    with temporary(stream(f"refs/heads/{DEFAULT_BRANCH}", commit)) as stdin:
        git.must("fast-import", "--quiet", "--date-format=raw", "--done", stdin=stdin)
    for key, value in _SETTINGS:
        git.must("config", key, value)
    shutil.copytree(git.repository, made)


@contextlib.contextmanager
def _aside(final: Path) -> Iterator[Path]:
    """Give a path beside `final` for a folder to be made at, and remove what is left there in the end."""
    for left in final.parent.glob(".new-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=final.parent))
    try:
        yield beside / "repository.git"
    finally:
        shutil.rmtree(beside, ignore_errors=True)
