"""Nights without Dagster: a cycle is queued, claimed, and each step of `studio.night_shift.cycle` is run in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from studio import claims, fan_out, queue
from studio.claims import Claim, Json
from studio.database.connection import Connection, Database
from studio.job_types import NightShiftPayload
from studio.night_shift.cycle import NightShift
from studio.settings import Settings
from tests.support.approvals import executable
from tests.support.model import Recorder
from tests.support.queue import make_project

LEASE = timedelta(hours=1)
DAY = date(2026, 3, 1)
ALLOWED = {"repo_write": True, "deploy": True, "email_send": True, "ads_enabled": True, "ads_budget_cap": 20}
FORBIDDEN = {"repo_write": False, "deploy": False, "email_send": False, "ads_enabled": False, "ads_budget_cap": 0}

# The steps, what each reads, and whether its work shares a transaction with its checkpoint.
STEPS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("look", (), False),
    ("propose", ("look",), True),
    ("report", ("look", "propose"), True),
    ("write_overview", ("look", "propose"), True),
)


def project(db: Database, *, phase: int = 1, permissions: dict[str, Any] | None = None, **columns: Any) -> UUID:
    """Insert a project that exists since a month ago; every permission is on."""
    owner = f"owner-{uuid4()}"
    db.execute("insert into public.users (clerk_id, email) values (%s, %s)", [owner, f"{owner}@example.org"])
    made = make_project(
        db,
        phase=phase,
        permissions=json.dumps(ALLOWED if permissions is None else permissions),
        **{"owner_clerk_id": owner, "repo_url": "https://github.com/acme/tea", **columns},
    )
    db.execute("update public.projects set created_at = now() - interval '30 days' where id = %s", [made])
    return made


def packet(db: Database, project_id: UUID, phase: int, *actions: Any, words: Any = (), **fields: Any) -> UUID:
    """Give a project a packet of a phase that proposes `actions` and says `words`; return the version's id."""
    synopsis = {"decision": "greenlight", "proposed_actions": list(actions), "next_actions": words or []}
    nonce = str(uuid4())
    body = {"summary": "A tea shop for early birds.", "recommendation": "greenlight", **executable(nonce), **fields}
    with db.connection() as conn:
        conn.execute(
            "insert into public.phase_packets (project_id, phase, packet, confidence, synopsis)"
            " values (%s, %s, %s::jsonb, 71, %s::jsonb) on conflict (project_id, phase) do update set"
            " packet = excluded.packet, synopsis = excluded.synopsis",
            [project_id, phase, json.dumps(body), json.dumps(synopsis)],
        )
        row = conn.execute(
            "select version_id from public.phase_packets where project_id = %s and phase = %s", [project_id, phase]
        ).fetchone()
    assert row is not None
    return UUID(str(row["version_id"]))


def action(action_type: str, description: str = "Do it", reason: str = "The packet says so") -> dict[str, str]:
    return {"action_type": action_type, "description": description, "reason": reason}


def draft(db: Database, project_id: UUID, content_hash: str = "a" * 64) -> UUID:
    """Give a project a landing page that was chosen among its variants."""
    row = db.fetch_one(
        "insert into public.project_assets (project_id, phase, kind, storage_path, filename, mime_type, size_bytes,"
        " status, metadata) values (%s, 1, 'landing_html', %s, 'landing.html', 'text/html', 10, 'uploaded', %s::jsonb)"
        " returning id",
        [
            project_id,
            f"{project_id}/phase-1/v1/landing-{uuid4()}.html",
            json.dumps({"selected_variant": True, "sha256": content_hash}),
        ],
    )
    assert row is not None
    return UUID(str(row["id"]))


def publish(db: Database, project_id: UUID, content_hash: str = "a" * 64) -> None:
    """Let a page be published."""
    db.execute(
        "insert into public.project_deployments (project_id, status, html_content, metadata)"
        " values (%s, 'ready', '<p>Tea</p>', %s::jsonb)",
        [project_id, json.dumps({"content_hash": content_hash})],
    )


def track(db: Database, project_id: UUID, name: str, count: int = 1, *, ago: timedelta = timedelta(hours=1)) -> None:
    """Let something be measured `count` times."""
    db.execute(
        "insert into public.project_analytics_events (project_id, event_name, occurred_at)"
        " select %s, %s, now() - %s from generate_series(1, %s)",
        [project_id, name, ago, count],
    )


def reader(db: Database, project_id: UUID, status: str = "confirmed") -> None:
    """Put somebody on the waitlist."""
    db.execute(
        "insert into public.waitlist_signups (project_id, email, status) values (%s, %s, %s)",
        [project_id, f"{uuid4()}@example.org", status],
    )


@dataclass
class Nights:
    """What a night works with."""

    db: Database
    settings: Settings

    def queued(self, project_id: UUID, day: date = DAY) -> UUID:
        """Queue a cycle and return its job."""
        with self.db.transaction() as conn:
            return fan_out.cycle_project(conn, project_id, day).job_id

    def claimed(self, job_id: UUID) -> Claim:
        """Claim the job, as a first or a further attempt."""
        with self.db.transaction() as conn:
            return claims.claim_by_id(conn, self.db, job_id, "worker", f"run-{uuid4()}", LEASE)

    def reclaimed(self, lost: Claim) -> Claim:
        """Let the worker of `lost` be gone, and claim its job for the next attempt."""
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute(
                "update public.agent_jobs set leased_until = now() - interval '1 second' where id = %s", [lost.job_id]
            )
        queue.reclaim_stale(self.db)
        return self.claimed(lost.job_id)

    def night(self, claim: Claim, told: Recorder | None = None) -> NightShift:
        """Return one attempt under `claim`."""
        payload = NightShiftPayload.model_validate(claim.job.payload)
        return NightShift(claim, payload, self.settings, told or Recorder())

    def run(self, project_id: UUID, day: date = DAY) -> dict[str, Any]:
        """Run a cycle to its end; return what its steps gave."""
        claim = self.claimed(self.queued(project_id, day))
        outputs = run_steps(self.night(claim))
        claim.complete()
        return outputs

    def outcomes(self, project_id: UUID, day: date = DAY) -> dict[str, tuple[str, str]]:
        """Run a cycle; return ending and reason by action type, or by description where there is none."""
        found = self.run(project_id, day)["propose"]["outcomes"]
        return {o["action_type"] or o["description"]: (o["ending"], o["why"]) for o in found}


def run_steps(night: NightShift, *, until: str | None = None) -> dict[str, Json]:
    """Run the steps of an attempt, all or those before `until`, and return what they gave."""
    outputs: dict[str, Json] = {}
    for name, needs, transactional in STEPS:
        if name == until:
            break
        _once(night, name, [outputs[need] for need in needs], transactional)
        found, outputs[name] = night.claim.saved_step(name)
        assert found
    return outputs


def _once(night: NightShift, name: str, inputs: list[Json], transactional: bool) -> None:
    work: Callable[..., Json] = getattr(night, name)
    if not transactional:
        night.claim.once(name, lambda: work(*inputs))
        return

    def in_transaction(conn: Connection) -> Json:
        return work(conn, *inputs)

    night.claim.once_in_transaction(name, in_transaction)


def rows(db: Database, table: str, project_id: UUID) -> list[dict[str, Any]]:
    with db.connection() as conn:
        query = f"select * from public.{table} where project_id = %s order by created_at, id"
        return conn.execute(query.encode(), [project_id]).fetchall()
