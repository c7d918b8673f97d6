"""Code that agents have written for a project: on which branch, what it changes, and what its own checks say."""

from __future__ import annotations

import shlex
import urllib.parse
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from studio.builders import CODE
from studio.code import local_repository, remote
from studio.database.connection import Database
from studio.errors import InvalidInput, SettingsError
from studio.providers import github
from studio.queue import Job
from studio.settings import Settings
from studio.views import builders
from studio.views.builders import objects, said, text, whole


@dataclass(frozen=True)
class ChangedFile:
    """A file that the commit adds, modifies or deletes; `size` in bytes."""

    path: str
    status: str
    size: int | None
    sha256: str | None
    executable: bool


@dataclass(frozen=True)
class LeftOut:
    """A file that was written and not pushed, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class DeclaredCheck:
    """A build or test run that the project declares, as it went on the committed tree."""

    name: str
    command: str
    outcome: str
    exit_code: int | None
    seconds: float | None
    output: str


@dataclass(frozen=True)
class Code:
    """What was pushed. `unfinished_reason` says why the agent was stopped before it said that it was done."""

    repository: str
    base_branch: str | None
    base_commit: str | None
    branch: str
    commit_sha: str
    pull_request_url: str | None
    finished: bool
    unfinished_reason: str | None
    summary: str
    files: list[ChangedFile]
    left_out: list[LeftOut]
    checks: list[DeclaredCheck]
    sandbox: str
    turns: int
    created_at: datetime

    @property
    def failed_checks(self) -> int:
        """How many of the project's own checks did not pass."""
        return sum(check.outcome != "passed" for check in self.checks)


@dataclass(frozen=True)
class Where:
    """Where code was pushed. `web`, `branch` and `commit` are addresses; None where it lies in the data folder.

    `clone` is the command of a shell that gets the branch; None where nobody can say.
    """

    clone: str | None
    web: str | None = None
    branch: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Generation:
    """A wish for code with what came of it; `code` is None until something has been pushed.

    `cost_micros` is in millionths of a dollar, and grows while it works.
    """

    job: Job
    description: str
    code: Code | None
    cost_micros: int

    @property
    def title(self) -> str:
        """The wish in one line."""
        return builders.title(self.description, "Code")


def generations(db: Database, project_id: UUID, limit: int = builders.LISTED) -> list[Generation]:
    """Return a project's generations, the newest first."""
    return _read(db, builders.jobs_of(db, project_id, CODE, limit))


def generation(db: Database, project_id: UUID | None, job_id: UUID) -> Generation:
    """Return one generation by its job's id; raise `NotFound`, also for another project's where one is given."""
    return _read(db, [builders.job_of(db, project_id, CODE, job_id, "code generation")])[0]


def where(settings: Settings, made: Generation) -> Where | None:
    """Return where a generation's code lies; None where none was pushed."""
    code = made.code
    if code is None:
        return None

    def clone(*of: str) -> str:
        return shlex.join(["git", "clone", "--branch", code.branch, "--", *of])

    try:
        # A row says it as owner/name; the server is that of the settings.
        named = github.repository(f"https://github.com/{code.repository}")
        web = remote.web_address(settings, named)
    except InvalidInput:
        project_id = made.job.project_id
        # It goes by the project's id, which makes no name for a folder.
        return Where(clone(str(local_repository.path(settings, project_id)), f"mvp-{str(project_id)[:8]}"))
    except SettingsError:
        return Where(None)
    branch = urllib.parse.quote(code.branch)
    return Where(clone(f"{web}.git"), web, f"{web}/tree/{branch}", f"{web}/commit/{code.commit_sha}")


def _read(db: Database, jobs: list[Job]) -> list[Generation]:
    rows = db.fetch_all("select * from public.code_generations where job_id = any(%s)", [[job.id for job in jobs]])
    found = {row["job_id"]: row for row in rows}
    costs = builders.costs(db, jobs)
    return [_generation(job, found.get(job.id), costs.get(job.id, 0)) for job in jobs]


def _generation(job: Job, row: dict[str, Any] | None, spent: int) -> Generation:
    if row is None:
        return Generation(job, said(job, "description"), None, spent)
    return Generation(job, row["description"], _code(row), max(spent, row["cost_micros"]))


def _code(row: dict[str, Any]) -> Code:
    plain = {name: row[name] for name in Code.__dataclass_fields__ if name not in ("files", "left_out", "checks")}
    return Code(
        **plain,
        files=[_file(entry) for entry in objects(row["files"])],
        left_out=[LeftOut(text(entry.get("path")), text(entry.get("reason"))) for entry in objects(row["left_out"])],
        checks=[_check(entry) for entry in objects(row["checks"])],
    )


def _file(entry: dict[str, Any]) -> ChangedFile:
    return ChangedFile(
        path=text(entry.get("path")),
        status=text(entry.get("status"), "modified"),
        size=whole(entry.get("size")),
        sha256=None if entry.get("sha256") is None else text(entry["sha256"]),
        executable=entry.get("executable") is True,
    )


def _check(entry: dict[str, Any]) -> DeclaredCheck:
    command, seconds = entry.get("command"), entry.get("seconds")
    return DeclaredCheck(
        name=text(entry.get("name")),
        command=shlex.join(map(str, command)) if isinstance(command, list) else text(command),
        outcome=text(entry.get("outcome"), "could not run"),
        exit_code=whole(entry.get("exit_code")),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        output=text(entry.get("output")),
    )
