"""Scans for tests: asked for, ended by hand, and what one of a site looks like."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.onboarding import request
from studio.onboarding.request import Requested
from studio.onboarding.scan import Meta, Scan
from studio.onboarding.work import LAST_OP
from studio.settings import Settings
from tests.support.queue import LEASE


def site(domain: str | None, **changed: Any) -> Scan:
    meta = Meta(title="Acme", description="Anvils since 1949.", description_from="meta")
    found = Scan(domain=domain, dns="live", http_status=200, existing_content="site", meta=meta)
    return found.model_copy(update={"scanned_at": datetime.now(UTC), **changed})


def ask(db: Database, settings: Settings, **wish: Any) -> Requested:
    with db.transaction() as conn:
        return request.request_scan(conn, settings, **wish)


def asked(db: Database, settings: Settings, **wish: Any) -> UUID:
    job = ask(db, settings, **wish).job
    assert job is not None
    return job.job_id


def claimed(db: Database, job_id: UUID) -> Claim:
    jobs = queue.claim(db, "worker", limit=50, lane=None, lease=LEASE, slots=99, project_limit=99)
    return Claim(db, next(job for job in jobs if job.id == job_id))


def finish(db: Database, job_id: UUID, scan: Scan) -> Claim:
    claim = claimed(db, job_id)
    claim.once(LAST_OP, lambda: scan.model_dump(mode="json"))
    return claim
