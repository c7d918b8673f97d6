"""The steps of `approval.execute`: begin, perform, record, each under a claim and safe to be tried again.

The one row of `action_executions` per approval is the guard: it is taken up under the claim's number, and what it
has done is noted in it and in the outbox, so that no attempt, and no other job for the same approval, does it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from studio import memory
from studio.actions.context import ActionContext, Approved
from studio.actions.registry import Action, action
from studio.claims import Claim, Json
from studio.database.connection import Connection
from studio.errors import InvalidPayload
from studio.job_types import ApprovalPayload
from studio.outbound import OutboundClient
from studio.progress import Progress
from studio.queue import transiently
from studio.settings import Settings
from studio.storage import Storage
from studio.tasks import forget_task, log_task
from studio.text import clip, storable_json
from studio.tracing import names, span

# The task that says that an execution has failed for good.
FAILED_TASK = ("system", "approval_execution_failed")
DETAIL_CHARS = 500


@dataclass(frozen=True)
class Taken:
    """The execution as this claim took it up; `outcome` completed means that nothing is left to do."""

    execution_id: UUID
    outcome: Literal["begun", "resumed", "completed"]
    detail: str | None
    response: dict[str, Any]


@dataclass(frozen=True)
class Execution:
    """One attempt at an approved action: the claim it works under, and what it works with."""

    claim: Claim
    payload: ApprovalPayload
    settings: Settings
    outbound: Callable[[], OutboundClient]
    storage: Callable[[], Storage]
    progress: Progress

    def begin(self, conn: Connection) -> Json:
        """Take the execution up and list its task; return what is carried out. Raises where it cannot be."""
        taken, approved, kind = self._take_up(conn)
        if taken.outcome == "completed":
            self.progress.log(f"Approval {approved.id} is executed already: {taken.detail}")
        else:
            self.progress.log(f"{approved.title} ({approved.action_type})")
        return {
            "execution_id": str(taken.execution_id),
            "action_type": approved.action_type,
            "title": approved.title,
            "agent": kind.agent,
            "already": taken.outcome == "completed",
        }

    def perform(self, _begun: Json) -> Json:
        """Carry the action out; return what it did, as a sentence and as the provider said it."""
        # Taken up again, because an earlier attempt's `begin` stands, but its claim does not.
        taken, approved, kind = transiently(lambda: self.claim.write(self._take_up))
        if taken.outcome == "completed":
            return {"detail": taken.detail, "response": taken.response}
        context = ActionContext(
            claim=self.claim,
            execution_id=taken.execution_id,
            approved=approved,
            settings=self.settings,
            progress=self.progress,
            outbound=self.outbound,
            storage=self.storage,
        )
        with span(names.named(names.ACTION, approved.action_type)) as traced:
            traced.set_input({"approval": approved.id, "title": approved.title, "payload": approved.payload})
            outcome = kind.perform(context)
            traced.set_output({"detail": outcome.detail, "response": outcome.response})
        return {"detail": clip(outcome.detail, DETAIL_CHARS), "response": storable_json(outcome.response)}

    def record(self, conn: Connection, done: Json) -> Json:
        """End execution and approval as completed, close the task, and remember it; return what stands."""
        taken, approved, kind = self._take_up(conn)
        if taken.outcome != "completed":
            conn.execute(
                "select public.finish_action_execution(%s, %s, %s, %s, %s::jsonb)",
                [
                    self.claim.job_id,
                    self.claim.claim_no,
                    taken.execution_id,
                    done["detail"],
                    json.dumps(done["response"]),
                ],
            )
            memory.remember(
                conn,
                approved.project_id,
                "learning",
                f"action_{approved.action_type}",
                done["detail"],
                agent_key=self.claim.job.agent_key,
                job_id=self.claim.job_id,
            )
        self._list(conn, approved, kind, "completed", done["detail"])
        # A job that failed for good and was queued again has not failed after all.
        forget_task(conn, self.claim.job_id, *FAILED_TASK)
        return {
            "execution_id": str(taken.execution_id),
            "approval_id": str(approved.id),
            "action_type": approved.action_type,
            "detail": done["detail"],
            "response": done["response"],
        }

    def _take_up(self, conn: Connection) -> tuple[Taken, Approved, Action]:
        row = conn.execute(
            "select * from public.begin_action_execution(%s, %s, %s)",
            [self.claim.job_id, self.claim.claim_no, self.payload.approval_id],
        ).fetchone()
        assert row is not None  # noqa: S101 - the function returns a row or raises
        taken = Taken(row["execution_id"], row["outcome"], row["detail"], row["provider_response"] or {})
        approved = _approved(conn, self.payload.approval_id)
        if approved.action_type != self.payload.action_type:
            raise InvalidPayload(
                f"The job says {self.payload.action_type!r}, but what was approved is {approved.action_type!r}.",
                "Only what was approved is carried out.",
            )
        kind = action(approved.action_type)
        if taken.outcome != "completed":
            self._list(conn, approved, kind, "running")
        return taken, approved, kind

    def _list(
        self,
        conn: Connection,
        approved: Approved,
        kind: Action,
        status: Literal["running", "completed"],
        detail: str | None = None,
    ) -> None:
        log_task(
            conn, approved.project_id, self.claim.job_id, kind.agent, f"execute_{approved.action_type}", status, detail
        )


def list_failure(conn: Connection, project_id: UUID, job_id: UUID, error: str) -> None:
    """List that an execution has failed for good, and why, in the transaction in which it does."""
    # A second failure is news, also where it says what the first one did.
    forget_task(conn, job_id, *FAILED_TASK)
    log_task(conn, project_id, job_id, *FAILED_TASK, "failed", error)


def _approved(conn: Connection, approval_id: UUID) -> Approved:
    row = conn.execute(
        "select id, project_id, phase, title, action_type, packet_version_id, asset_id, content_hash, payload"
        " from public.approval_queue where id = %s",
        [approval_id],
    ).fetchone()
    assert row is not None  # noqa: S101 - taken up in this transaction
    payload = row.pop("payload")
    return Approved(**row, payload=payload if isinstance(payload, dict) else {})
