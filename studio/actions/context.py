"""What an action works with, and the two ways in which it may act.

`once` is for what the studio's own database holds: it is done in one transaction with the note that it was done.
`deliver` is for what somebody else's system holds: it goes through the outbox. Both ask for the project's permission
as it is at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from studio import permissions
from studio.claims import Claim, Json
from studio.database.connection import Connection
from studio.delivery import Courier, Delivery, Receipt
from studio.errors import InvalidInput
from studio.integrations import credentials
from studio.outbound import OutboundClient
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.progress import Progress
from studio.queue import transiently
from studio.settings import Settings
from studio.storage import Storage
from studio.text import canonical_json, one_line

M = TypeVar("M", bound=BaseModel)

# What would be markup, a template or a command wherever a name is pasted without care.
_MARKUP = re.compile(r"[<>`${}\\|]")


@dataclass(frozen=True)
class Approved:
    """An approved action, with all that its approval pins."""

    id: UUID
    project_id: UUID
    phase: int
    title: str
    action_type: str
    packet_version_id: UUID | None
    asset_id: UUID | None
    content_hash: str | None
    payload: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What an action did: a sentence for the founder, and what the provider said, without secrets."""

    detail: str
    response: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActionContext:
    """One attempt at an approved action, under a claim."""

    claim: Claim
    execution_id: UUID
    approved: Approved
    settings: Settings
    progress: Progress
    outbound: Callable[[], OutboundClient]
    storage: Callable[[], Storage]

    @property
    def project_id(self) -> UUID:
        """The project the action is carried out for."""
        return self.approved.project_id

    def pinned(self, phase: int) -> PacketVersion:
        """Return the packet version that was approved, whatever has been generated since.

        Raises `InvalidInput` where the approval names none, or another phase's or project's.
        """
        if self.approved.packet_version_id is None:
            raise InvalidInput(f"Approval {self.approved.id} names no packet.", "Have it proposed anew.")
        version = versions.get(self.claim.db, self.approved.packet_version_id)
        if version.phase != phase or version.project_id != self.project_id:
            raise InvalidInput(
                f"Approval {self.approved.id} names a packet of phase {version.phase}, not the project's of {phase}.",
                "Have it proposed anew.",
            )
        return version

    def packet(self, part: type[M], phase: int) -> M:
        """Return what `part` says of the pinned packet; raise as `pinned`, and where it does not fit."""
        version = self.pinned(phase)
        try:
            return part.model_validate(version.packet)
        except ValidationError as exc:
            raise InvalidInput(
                f"Version {version.version} of the phase {phase} packet was written by another client and cannot be"
                " carried out.",
                "Generate the packet again, and have the action proposed anew.",
            ) from exc

    def credentials(self, provider: str) -> dict[str, str]:
        """Return the credentials at `provider`; see `studio.integrations.credentials`."""
        return dict(credentials(self.claim.db, self.settings, self.project_id, provider))

    def require_permission(self, conn: Connection) -> None:
        """Raise `PermissionRefused` where the project may not do this now."""
        permissions.require(conn, self.project_id, self.approved.action_type)

    def finished(self, step: str) -> Json | None:
        """Return what `step` gave in an earlier attempt, None where it has not been done."""
        row = self.claim.db.fetch_one(
            "select steps -> %s as outcome from public.action_executions where id = %s", [step, self.execution_id]
        )
        return row["outcome"] if row else None

    def once(self, step: str, work: Callable[[Connection], Json]) -> Json:
        """Do `work`, all in the database, once per approval, in one transaction with the note that it was done."""

        def in_transaction(conn: Connection) -> Json:
            held = conn.execute(
                "select steps -> %s as outcome from public.hold_action_execution(%s, %s, %s)",
                [step, self.claim.job_id, self.claim.claim_no, self.execution_id],
            ).fetchone()
            if held is not None and held["outcome"] is not None:
                return held["outcome"]
            self.require_permission(conn)
            outcome = work(conn)
            conn.execute(
                "select public.save_execution_step(%s, %s, %s, %s, %s::jsonb)",
                [self.claim.job_id, self.claim.claim_no, self.execution_id, step, canonical_json(outcome)],
            )
            return outcome

        return transiently(lambda: self.claim.write(in_transaction))

    def deliver(self, courier: Courier) -> Receipt:
        """Have an effect done at a provider, at most once per approval."""
        delivery = Delivery(
            self.claim,
            self.execution_id,
            timeout=self.settings.provider_timeout_seconds,
            progress=self.progress,
        )
        return delivery.deliver(courier, f"{self.approved.id}:{courier.effect}")


def outward(text: str, limit: int) -> str:
    """Return a text as it may leave: one line of at most `limit` characters, without markup and control characters."""
    return one_line(_MARKUP.sub(" ", text), limit)
