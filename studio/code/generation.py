"""The steps of `code.generate_mvp`: look, write, inspect, check, push, offer, record; each a checkpoint of the job.

What the agent leaves is inspected outside the sandbox, checked in a fresh one on exactly the tree that is committed,
and pushed as a new branch; only a person merges it. An agent that a limit has stopped has its work offered as
unfinished.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import SecretStr

from studio import projects
from studio.agents.coder import PROFILE, Coder
from studio.claims import Claim, Json
from studio.code import archive, checking, kept_tree, manifest, offering, secret_scan
from studio.code.checkpoints import STEP, Checkpoints
from studio.code.discreet import DiscreetProgress
from studio.code.facts import facts
from studio.code.pull_request import open_pull_request
from studio.code.recording import AGENT, Generated
from studio.code.remote import Remote, chosen, find_remote
from studio.code.repository import Base, Pin, open_repository
from studio.code.safe_paths import LeftOut
from studio.code.sandbox import Limits, choose
from studio.code.workbench import Workbench, registry_hosts
from studio.code.workspace import Changes
from studio.database.connection import Connection
from studio.errors import InvalidInput, NotFound, PermissionRefused
from studio.job_types import CodePayload
from studio.model import spend
from studio.model.prices import MICROS
from studio.model.spend import Spender
from studio.progress import Progress
from studio.projects import Project
from studio.settings import SANDBOX_KEY, Settings
from studio.storage import Storage
from studio.tasks import forget_task, log_task
from studio.text import clip
from studio.tracing.redaction import Redactor

if TYPE_CHECKING:
    from studio.model.client import Model

TASK = "code_generation"
FAILED_TASK = (AGENT, "code_generation_failed")
PERMISSION = "repo_write"
# Of what an agent says at the end.
SUMMARY_CHARS = 4_000


@dataclass(frozen=True)
class Generation:
    """One attempt at a code base: the claim it works under, and what it works with."""

    claim: Claim
    payload: CodePayload
    settings: Settings
    model: Callable[[], Model]
    progress: Progress
    storage: Callable[[], Storage]

    @property
    def project_id(self) -> UUID:
        """The project the job belongs to."""
        return self.claim.job.project_id

    # --- look

    def prepare(self) -> Json:
        """Look at the repository and at what can be used here, before anything is paid for.

        Raises `PermissionRefused`, `NoSandbox`, `SettingsError`, `InvalidInput` and what `Repository.base` raises.
        """
        project = self._project()
        kind = choose(self.settings)
        address = chosen(self.settings, self.payload.repo_url, project.repo_url)
        remote = self._remote(address)
        message = offering.commit_message(project, self.payload.description, self.claim.job_id)
        # It becomes a part of the commit and of the pull request.
        secret_scan.require_none(secret_scan.scan_text("the request", message, self._secrets(remote)))
        self.progress.log(f"The sandbox is made with {kind}; the code goes to {remote.name}.")
        with open_repository(remote) as repository:
            base = repository.base()
        if base.kept:
            self.progress.log(f"{len(base.kept)} entries of the repository stay as they are.")
        kept = self._checkpoints(Changes).store("base", Changes(base.files))
        paths = [file.path for file in base.files]
        detail = clip(self.payload.description, SUMMARY_CHARS)
        self.claim.write(
            lambda conn: log_task(conn, self.project_id, self.claim.job_id, AGENT, TASK, "running", detail)
        )
        return {
            "sandbox": kind,
            "repository": remote.name,
            "local": remote.github is None,
            "branch": base.branch,
            "sha": base.sha,
            "base": kept,
            "address": address,
            "message": message,
            "title": offering.title(project, self.payload.description),
            "kept": [list(left) for left in base.kept],
            "files": len(paths),
            "facts": facts(self.claim.db, project, self.payload.description, paths),
        }

    # --- write

    def write(self, prepared: Json) -> Json:
        """Let the agent write, from where an earlier attempt was; return how it ended and where its work is kept."""
        kept = self._checkpoints(Changes)
        if not kept.readable(prepared["base"]):
            self.progress.log("What an earlier attempt had kept is gone; the agent begins anew.")
            kept.forget()
            with open_repository(self._remote(prepared["address"])) as repository:
                base = repository.base(Pin(prepared["branch"], prepared["sha"]))
            # Under the same names: what they hold makes them.
            kept.store("base", Changes(base.files))
        redactor = Redactor.from_settings(self.settings)
        bench = Workbench(
            prepared["sandbox"],
            Limits.of(self.settings),
            workspace=lambda: kept.workspace(prepared["base"]),
            seconds=self.settings.code_command_seconds,
            registry_hosts=registry_hosts(self.settings),
            note=lambda line: self.progress.log(line, step=STEP),
        )
        told = DiscreetProgress(self.progress, redactor)
        with closing(bench), closing(told):
            written = Coder(
                self.model(),
                Spender(self.project_id, self.claim.job_id, self.claim.claim_no),
                told,
                seconds=PROFILE.timeout_seconds,
                affordable=self._affordable,
            ).run(prepared["facts"], bench, self._checkpoints(bench.changes))
        if written.reason is not None:
            self.progress.log(f"The work is unfinished after {written.turns} turns. {written.reason}")
        return {**asdict(written), "summary": clip(redactor.text(written.summary), SUMMARY_CHARS)}

    def _affordable(self) -> str | None:
        spent = spend.spent_by_job(self.claim.db, self.claim.job_id).cost_micros
        if spent < self.settings.code_budget_usd * MICROS:
            return None
        return f"It has spent ${spend.usd(spent)}, of at most ${self.settings.code_budget_usd} for one code base."

    # --- inspect

    def inspect(self, prepared: Json, written: Json) -> Json:
        """Take what may be committed out of what the agent left, look it through for secrets, and keep it.

        Raises `InvalidInput` where nothing was changed, `UnsafeOutput` where secrets are in it or it is too much,
        `NotFound` where what the agent left is gone from the storage.
        """
        try:
            base = self._kept_base(prepared)
            workspace = self._checkpoints(Changes).workspace(prepared["base"])
        except NotFound as exc:
            raise NotFound(
                f"What the agent wrote is gone from the storage. {exc.message}",
                f"It was removed there, or swept long after the job had ended. Re-execute the job's run from the step"
                f" `{STEP}` on: the agent begins anew.",
            ) from exc
        found = manifest.look(workspace.files.values(), base)
        if not found.changes:
            why = written["reason"] or written["summary"] or "It said nothing."
            raise InvalidInput(f"The agent has changed nothing. {clip(why, 400)}", "Say more exactly what is wanted.")
        known = self._secrets(self._remote(prepared["address"]))
        findings = secret_scan.scan(found.written, base=base.files, known=known)
        findings += secret_scan.scan_text("what the agent says", written["summary"], known)
        for finding in findings:
            self.progress.log(f"{finding.path}:{finding.line} may hold a secret: {finding.kind}", **finding.as_json())
        secret_scan.require_none(findings)
        for left in found.left_out:
            self.progress.log(f"{left.as_json()['path']} is left out. {left.reason}")
        self.progress.log(f"{len(found.changes)} files are new or changed, {len(found.left_out)} entries left out.")
        return {
            "changes": [change.as_json() for change in found.changes],
            "left_out": [left.as_json() for left in found.left_out],
            "findings": [finding.as_json() for finding in findings],
            "archives": kept_tree.keep(
                self.claim.write, self.storage(), self.project_id, self.claim.job_id, found.files
            ),
            "stack": offering.stack(found.files),
        }

    # --- check

    def check(self, prepared: Json, inspected: Json) -> Json:
        """Run the build and the tests that the project declares, each in a fresh sandbox, and return what they said."""
        files = kept_tree.read(self.storage(), inspected["archives"])
        return checking.run(self.claim, self.settings, self.progress, prepared["sandbox"], files)

    # --- push and offer

    def push(self, prepared: Json, inspected: Json, _checks: Json) -> Json:
        """Commit on top of what was looked at, and push it as a new branch. Asked again it finds what is there."""
        self._project()
        remote = self._remote(prepared["address"])
        with open_repository(remote) as repository:
            base = repository.base(Pin(prepared["branch"], prepared["sha"]))
            tree = manifest.look(kept_tree.read(self.storage(), inspected["archives"]), base)
            sha = repository.commit(base, tree, prepared["message"], self.claim.job.created_at)
            branch = repository.push(sha, self.payload.branch)
        self.progress.log(f"Pushed {sha[:12]} to the branch {branch} of {remote.name}.")
        return {"sha": sha, "branch": branch}

    def offer(self, prepared: Json, written: Json, inspected: Json, checks: Json, pushed: Json) -> Json:
        """Open a pull request where there is somewhere to open one; return its address. Nobody merges it but a person.

        Asked again it finds the one that is there.
        """
        self._project()
        opened = open_pull_request(
            self.settings,
            self._remote(prepared["address"]),
            branch=pushed["branch"],
            sha=pushed["sha"],
            base=prepared["branch"],
            title=prepared["title"],
            body=offering.body(self.payload.description, written, inspected, checks, prepared["sandbox"]),
            draft=written["reason"] is not None,
        )
        if opened is None:
            return None
        self.progress.log(f"Pull request {opened.number}: {opened.url}", url=opened.url)
        return {"number": opened.number, "url": opened.url, "draft": opened.draft}

    # --- record

    def record(
        self,
        conn: Connection,
        prepared: Json,
        written: Json,
        inspected: Json,
        checks: Json,
        pushed: Json,
        pull_request: Json,
    ) -> Json:
        """Write the generation down, remember it, and ask for the deployment, in the caller's transaction."""
        found = Generated(self.claim, self.payload, prepared, written, inspected, checks, pushed, pull_request)
        recorded = found.record(conn)
        log_task(conn, self.project_id, self.claim.job_id, AGENT, TASK, "completed", recorded["told"])
        forget_task(conn, self.claim.job_id, *FAILED_TASK)
        return recorded

    # --- parts

    def _project(self) -> Project:
        project = projects.get(self.claim.db, self.project_id)
        if project.status != "active":
            raise PermissionRefused(f"Project {project.id} is {project.status}.", "Make it active first.")
        return project

    def _remote(self, address: str | None) -> Remote:
        """Return where the code goes; raise `PermissionRefused` where the project may not write there now."""
        project = self._project()
        remote = find_remote(self.claim.db, self.settings, project.id, project.name, address)
        if remote.github is not None and project.permissions.get(PERMISSION) is not True:
            raise PermissionRefused(
                f"The project does not permit {PERMISSION}, so nothing is pushed to {remote.name}.",
                "Allow it with `greenlight projects permissions --repo-write`.",
            )
        return remote

    def _secrets(self, remote: Remote) -> list[str]:
        """Return the secrets that no code may hold: the installation's, and the token that pushes it."""
        found = (getattr(self.settings, name) for name in type(self.settings).model_fields)
        values = [value.get_secret_value() for value in found if isinstance(value, SecretStr)]
        # The key that opens the sandbox model is its name.
        return [*(value for value in values if value != SANDBOX_KEY), *([remote.token] if remote.token else [])]

    def _kept_base(self, prepared: Json) -> Base:
        """Return the base as it was fetched, from what was kept of it."""
        files = [file for path in prepared["base"] for file in archive.unpack(self.storage().read(path)).written]
        left = tuple(LeftOut(*entry) for entry in prepared["kept"])
        return Base(prepared["branch"], prepared["sha"], tuple(files), left)

    def _checkpoints(self, changes: Callable[[], Changes]) -> Checkpoints:
        return Checkpoints(self.claim, self.storage(), changes)


def list_failure(conn: Connection, project_id: UUID, job_id: UUID, error: str) -> None:
    """List that no code came of it, and why, in the transaction in which the job fails for good."""
    forget_task(conn, job_id, *FAILED_TASK)
    log_task(conn, project_id, job_id, *FAILED_TASK, "failed", error)
