"""Projects with packets, gates and actions to decide on, made by the studio's own functions, without any agent."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from studio import approvals, permissions, proposals
from studio.approvals import Approval
from studio.database.connection import Database
from studio.model.spend import Spent
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.proposals import Proposal
from studio.text import sha256_hex
from tests.support.queue import make_project

FOUNDER = "founder"
EMAIL = "send_welcome_email_sequence"
DEPLOY = "deploy_landing_page"
ADS = "activate_meta_ads_campaign"
REPOSITORY = "trigger_phase3_repo_workflow"
HOOK = "trigger_phase3_deploy"
REFINE = "refine_phase_assets"
GUIDANCE = "Aim it at schools, and be brief."

ALL_ON: dict[str, Any] = {
    "email_send": True,
    "deploy": True,
    "repo_write": True,
    "ads_enabled": True,
    "ads_budget_cap": 20,
}
_numbers = itertools.count(1)


def executable(number: object) -> dict[str, Any]:
    """Return the parts of a packet that actions carry out, unlike for each number."""
    mails = [{"day": "Day 0", "subject": f"Letter {number}", "body": ["Hello."]}]
    return {
        "email_sequence": {"emails": mails},
        "lifecycle_email": {"emails": mails},
        "paid_acquisition": {"enabled": True, "budget_cap_per_day": 20, "target_audiences": [f"Audience {number}"]},
        "launch_checklist": [f"Check {number}"],
    }


@dataclass
class Company:
    """A project in one of its phases, and what can be asked in it."""

    db: Database
    phase: int = 1
    permitted: dict[str, Any] = field(default_factory=lambda: dict(ALL_ON))
    columns: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {"phase": self.phase, "repo_url": "https://github.com/acme/shop", "owner_clerk_id": FOUNDER}
        self.id = make_project(self.db, **(columns | self.columns))
        if self.permitted:
            permissions.change_limits(self.db, self.id, "test", permissions=self.permitted)

    # --- what is asked

    def job(self, job_type: str = "phase.generate_packet", status: str = "completed", **payload: Any) -> UUID:
        """Insert a job of the project in a status, as it is left behind."""
        row = self.db.fetch_one(
            "insert into public.agent_jobs (project_id, job_type, agent_key, status, payload, idempotency_key, lane)"
            " values (%s, %s, 'ceo', %s, %s::jsonb, gen_random_uuid()::text, 'heavy') returning id",
            [self.id, job_type, status, json.dumps(payload)],
        )
        assert row is not None
        return UUID(str(row["id"]))

    def packet(
        self, phase: int | None = None, *, job_id: UUID | None = None, confidence: int = 60, **content: Any
    ) -> PacketVersion:
        """Save a new version of the phase's packet, by default as the work of a job of its own.

        All that an action could carry out is unlike in each, but for what `content` says.
        """
        phase = self.phase if phase is None else phase
        number = next(_numbers)
        with self.db.transaction() as conn:
            return versions.save(
                conn,
                self.id,
                phase,
                {"summary": f"Packet {number}", "recommendation": "greenlight", **executable(number), **content},
                synopsis={"confidence": confidence},
                job_id=job_id or self.job(),
                claim_no=1,
                model="sandbox",
                prompt_version="p",
                spent=Spent(1, 1500, 10, 10, 0),
                provenance={},
            )

    def gate(self, packet: PacketVersion | None = None, *, supersede: bool = False) -> Approval:
        """Open the gate of a packet, by default of a new one of the current phase."""
        packet = packet or self.packet()
        with self.db.transaction() as conn:
            opened = approvals.open_gate(
                conn,
                packet,
                title=f"Review the Phase {packet.phase} packet",
                description="What the phase has found, and what it leaves open.",
                supersede=supersede,
                job_id=packet.source_job_id or UUID(int=0),
            )
        assert opened.approval_id is not None
        return approvals.get(self.db, opened.approval_id)

    def page(self, html: str = "<!doctype html><title>T</title>", *, selected: bool = True) -> tuple[UUID, str]:
        """List a drafted landing page; return its id and hash."""
        number, digest = next(_numbers), sha256_hex(html)
        row = self.db.fetch_one(
            "insert into public.project_assets (project_id, phase, kind, storage_path, filename, mime_type, size_bytes,"
            " status, metadata) values (%s, 1, 'landing_html', %s, 'landing.html', 'text/html', %s, 'uploaded',"
            " jsonb_build_object('sha256', %s::text, 'selected_variant', %s::boolean)) returning id",
            [self.id, f"{self.id}/phase-1/v{number}/landing.html", len(html), digest, selected],
        )
        assert row is not None
        return UUID(str(row["id"])), digest

    def propose(self, action: str, packet: PacketVersion | None = None, **more: Any) -> Proposal:
        """Ask for an action as the night shift does; see `proposals.propose`."""
        wish = {"phase": self.phase, "title": f"Do {action}", "description": "d", "agent_source": "night_shift"}
        with self.db.transaction() as conn:
            return proposals.propose(conn, self.id, action, packet=packet, **(wish | more))

    def asked(self, action: str = EMAIL, **more: Any) -> Approval:
        """Ask for an action, which must be possible, and return its pending approval."""
        made = self.propose(action, **more)
        assert made.outcome == "created", made
        assert made.approval_id is not None
        return approvals.get(self.db, made.approval_id)

    def foreign(self, action: str) -> Approval:
        """Let another client ask for an action in the project's phase, as one that knows no versions does."""
        row = self.db.fetch_one(
            "insert into public.approval_queue (project_id, phase, title, description, risk, action_type)"
            " values (%s, %s, 'T', 'd', 'low', %s) returning id",
            [self.id, self.phase, action],
        )
        assert row is not None
        return approvals.get(self.db, row["id"])

    # --- what became of it

    def row(self, columns: str = "*") -> dict[str, Any]:
        with self.db.connection() as conn:
            row = conn.execute(f"select {columns} from public.projects where id = %s".encode(), [self.id]).fetchone()
        assert row is not None
        return row

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.db.connection() as conn:
            query = f"select * from public.{table} where project_id = %s order by created_at, id"
            return conn.execute(query.encode(), [self.id]).fetchall()

    def jobs(self, job_type: str) -> list[dict[str, Any]]:
        """The project's jobs of a type that are not what `job` left behind."""
        return [row for row in self.rows("agent_jobs") if row["job_type"] == job_type and row["status"] != "completed"]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.rows("project_events") if row["event_type"] == kind]

    def snapshot(self) -> dict[str, Any]:
        """All that a decision may write: equal before and after is nothing done."""
        tables = ("approval_queue", "agent_jobs", "tasks", "task_log", "project_events", "agent_memory",
                  "agent_job_events", "project_audit_log", "email_jobs")  # fmt: skip
        return {"project": self.row(), **{table: self.rows(table) for table in tables}}
