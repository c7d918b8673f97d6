"""`trigger_phase3_repo_workflow`: start the launch workflow of the project's repository on GitHub.

GitHub neither knows idempotency keys here nor can it be asked for an event: where nobody knows whether it was sent,
a person looks into the repository's Actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from studio import projects
from studio.actions.context import ActionContext, Outcome, outward
from studio.database.connection import Connection
from studio.delivery import Courier, Receipt
from studio.errors import InvalidInput
from studio.packets.fields import Line, PacketModel
from studio.packets.phase3 import MergePolicy
from studio.providers import github
from studio.text import one_line

EVENT_TYPE = "greenlight_phase3_launch"
NAME_CHARS = 80
LINE_CHARS = 400
# More would be beyond what GitHub takes.
CHECKLIST_LINES = 32


def perform(context: ActionContext) -> Outcome:
    """Send the event, once."""
    receipt = context.deliver(_Dispatch(context))
    return Outcome(f"The launch workflow of {receipt.response.get('repository')} is started", dict(receipt.response))


class _Launch(PacketModel):
    launch_checklist: list[Line] = Field(max_length=CHECKLIST_LINES)
    merge_policy: MergePolicy


class _Dispatch(Courier):
    effect = "repository_dispatch"
    provider = "github"

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self._token = ""

    def open(self) -> None:
        self._token = self._context.credentials("github")["token"]

    def request(self, conn: Connection) -> dict[str, Any]:
        self._context.require_permission(conn)
        project = projects.get_in(conn, self._context.project_id)
        where = github.repository(project.repo_url or "")
        _require_approved(self._context, where)
        packet = self._context.packet(_Launch, 3)
        return {
            "repository": str(where),
            "event_type": EVENT_TYPE,
            "client_payload": {
                "project_id": str(project.id),
                "project_name": outward(project.name, NAME_CHARS),
                "phase": 3,
                # A workflow that must not run twice can tell by this.
                "approval_id": str(self._context.approved.id),
                "merge_policy": {
                    "review_required": packet.merge_policy.review_required,
                    "approvals_required": packet.merge_policy.approvals_required,
                    "protected_branch": outward(packet.merge_policy.protected_branch, NAME_CHARS),
                },
                "checklist": [outward(line, LINE_CHARS) for line in packet.launch_checklist],
            },
        }

    def send(self, request: Mapping[str, Any], idempotency_key: str) -> Receipt:
        owner, _, name = request["repository"].partition("/")
        where = github.Repository(owner, name)
        github.dispatch(self._context.settings, self._token, where, request["event_type"], request["client_payload"])
        return Receipt(response={"repository": request["repository"], "event_type": request["event_type"]})


def _require_approved(context: ActionContext, where: github.Repository) -> None:
    """Raise `InvalidInput` where the approval was for another repository than the project has now, or names none."""
    executes = context.approved.payload.get("executes")
    approved = executes.get("repository") if isinstance(executes, dict) else None
    if not isinstance(approved, str) or not approved.strip():
        raise InvalidInput(f"Approval {context.approved.id} names no repository.", "Have it proposed anew.")
    # GitHub tells no owner or name apart by its case.
    if str(github.repository(approved)).lower() != str(where).lower():
        raise InvalidInput(
            f"The approval was for the repository {one_line(approved, LINE_CHARS)}, but the project's is {where} now.",
            "Have it proposed anew.",
        )
