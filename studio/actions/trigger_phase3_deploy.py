"""`trigger_phase3_deploy`: post to the deploy hook of the finished product.

A hook cannot be asked what it did: where nobody knows, a person looks at the host's deployments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.actions.context import ActionContext, Outcome
from studio.database.connection import Connection
from studio.delivery import Courier, Receipt
from studio.integrations import require_hook_address
from studio.providers import deploy_hook


def perform(context: ActionContext) -> Outcome:
    """Trigger the deployment, once."""
    receipt = context.deliver(_Deployment(context))
    job = f" as {receipt.provider_id}" if receipt.provider_id else ""
    return Outcome(f"The deployment is triggered{job}", {"deployment_id": receipt.provider_id, **receipt.response})


class _Deployment(Courier):
    effect = "trigger_deploy"
    provider = "vercel"

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self._url = ""

    def open(self) -> None:
        self._url = require_hook_address(self._context.credentials("vercel")["deploy_hook_url"])

    def request(self, conn: Connection) -> dict[str, Any]:
        self._context.require_permission(conn)
        self._context.pinned(3)
        return {
            "hook": deploy_hook.shown_address(self._url),
            "payload": {"projectId": str(self._context.project_id), "action": "trigger_phase3_deploy", "phase": 3},
        }

    def send(self, request: Mapping[str, Any], idempotency_key: str) -> Receipt:
        reply = deploy_hook.trigger(
            self._context.outbound(), self._context.settings, self._url, request["payload"], idempotency_key
        )
        said = reply.json()
        job = said.get("job") if isinstance(said, dict) else None
        job = job if isinstance(job, dict) else {}
        # Of what else a hook may answer nothing is kept: nobody knows what it holds.
        return Receipt(
            str(job["id"])[:200] if job.get("id") else None,
            {"status": reply.status, "hook": request["hook"], "state": str(job.get("state") or "")[:40]},
        )
