"""What a code generation leaves in the studio: its row, what is remembered, an event, and a question to a person."""

from __future__ import annotations

import json
from dataclasses import dataclass

from studio import memory, proposals
from studio.claims import Claim, Json
from studio.code import offering
from studio.database.connection import Connection
from studio.job_types import CodePayload
from studio.memory import Category
from studio.model import spend
from studio.project_events import record
from studio.text import storable, storable_json

DEPLOY = "trigger_phase3_deploy"
AGENT = "engineering_agent"


@dataclass(frozen=True)
class Generated:
    """All that the steps of a generation have found; see `studio.code.generation`."""

    claim: Claim
    payload: CodePayload
    prepared: Json
    written: Json
    inspected: Json
    checks: Json
    pushed: Json
    pull_request: Json

    def record(self, conn: Connection) -> Json:
        """Write it down in the caller's transaction, again where the job is executed again; return what was said."""
        job, project_id = self.claim.job_id, self.claim.job.project_id
        url = self.pull_request["url"] if self.pull_request else None
        sentence = offering.told(self.written, self.inspected, self.checks, self.pushed, self.pull_request)
        cost = spend.spent_by_job_in(conn, job).cost_micros
        conn.execute(
            "insert into public.code_generations (job_id, project_id, description, repository, base_branch,"
            " base_commit, branch, commit_sha, pull_request_url, finished, unfinished_reason, summary, files, left_out,"
            " checks, sandbox, turns, cost_micros) values (%(job)s, %(project)s, %(description)s, %(repository)s,"
            " %(base_branch)s, %(base_commit)s, %(branch)s, %(sha)s, %(url)s, %(reason)s::text is null, %(reason)s,"
            " %(summary)s, %(files)s::jsonb, %(left_out)s::jsonb, %(checks)s::jsonb, %(sandbox)s, %(turns)s, %(cost)s)"
            " on conflict (job_id) do update set branch = excluded.branch, commit_sha = excluded.commit_sha,"
            " pull_request_url = excluded.pull_request_url, finished = excluded.finished,"
            " unfinished_reason = excluded.unfinished_reason, summary = excluded.summary, files = excluded.files,"
            " left_out = excluded.left_out, checks = excluded.checks, sandbox = excluded.sandbox,"
            " turns = excluded.turns, cost_micros = excluded.cost_micros, base_commit = excluded.base_commit",
            {
                "job": job,
                "project": project_id,
                "description": storable(self.payload.description),
                "repository": self.prepared["repository"],
                "base_branch": self.prepared["branch"],
                "base_commit": self.prepared["sha"],
                "branch": self.pushed["branch"],
                "sha": self.pushed["sha"],
                "url": url,
                "reason": self.written["reason"],
                "summary": storable(self.written["summary"]),
                "files": json.dumps(storable_json(self.inspected["changes"])),
                "left_out": json.dumps(storable_json(self.inspected["left_out"])),
                "checks": json.dumps(storable_json(self.checks)),
                "sandbox": self.prepared["sandbox"],
                "turns": self.written["turns"],
                "cost": cost,
            },
        )
        self._remember(conn, sentence)
        record(
            conn,
            project_id,
            "code.generated",
            sentence,
            {"job_id": str(job), "branch": self.pushed["branch"], "commit": self.pushed["sha"], "pull_request": url},
        )
        return {
            "told": sentence,
            "branch": self.pushed["branch"],
            "commit": self.pushed["sha"],
            "pull_request_url": url,
            "cost_micros": cost,
            "deployment": self._ask_for_deployment(conn),
        }

    def _remember(self, conn: Connection, sentence: str) -> None:
        where = self.prepared["repository"]
        lessons: tuple[tuple[Category, str, str], ...] = (
            ("decision", "mvp_tech_stack", f"{self.inspected['stack']} at {where}"),
            ("learning", "mvp_generation_completed", sentence),
        )
        for category, key, value in lessons:
            memory.remember(
                conn,
                self.claim.job.project_id,
                category,
                key,
                value,
                agent_key=self.claim.job.agent_key,
                job_id=self.claim.job_id,
            )

    def _ask_for_deployment(self, conn: Connection) -> str:
        """Ask a person whether to call the deploy hook, where the code is finished and nothing failed; say what came.

        Only a merge brings the code there; so the question says what has to come first.
        """
        if self.pull_request is None:
            return "There is nothing to deploy from: the code lies in the local repository, or has no pull request."
        passed = bool(self.checks) and all(check["outcome"] == "passed" for check in self.checks)
        if self.written["reason"] is not None or not passed:
            return "It is unfinished, or not all of its checks passed, so no deployment is proposed."
        answer = proposals.propose(
            conn,
            self.claim.job.project_id,
            DEPLOY,
            phase=3,
            packet=None,
            title="Trigger the deployment",
            description=f"Calls the deploy hook of the project. Merge {self.pull_request['url']} first.",
            agent_source=AGENT,
            job_id=self.claim.job_id,
        )
        return f"{answer.outcome}: {answer.reason}"
