"""Asking for a scan, and what has become of it. The look itself is a job, because no request does long work.

A scan is a job of the studio's own project, so that it belongs to nobody. Whoever knows its id may read it: the id
cannot be guessed, and what a scan shows is public anyway.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from studio import queue
from studio.database.connection import Connection, Database
from studio.errors import InvalidInput, NotFound
from studio.job_types import ADDRESS_LIMIT, DOMAIN_LIMIT, SYSTEM_PROJECT_ID, ScanPayload, scan_key
from studio.onboarding import cache
from studio.onboarding.hosts import hosted
from studio.onboarding.scan import Scan, with_repository, without_site
from studio.onboarding.work import LAST_OP, Scanning
from studio.outbound import OutboundClient
from studio.presence import normalise_domain
from studio.projects import repository_address
from studio.queue import Enqueued, JobStatus, NewJob
from studio.settings import Settings
from studio.text import clip, require_storable

log = logging.getLogger(__name__)

JOB_TYPE = "onboarding.scan"
ASKER_CHARS = 200
# Domain specification §8.
IDEA_CHARS = 2000
STEPS_PAGE = 200
# A second click comes within seconds; a minute that ends in between must not make another job of it.
JUST_NOW = timedelta(seconds=15)
_ENDS = {
    "completed": "The scan can no longer be read. Ask for a new one.",
    "failed": "The scan did not come to an end. Ask for a new one.",
    "canceled": "The scan was stopped.",
}


class Requested(NamedTuple):
    """Either the scan, which was there already or needs no look, or the job that makes it."""

    job: Enqueued | None
    scan: Scan | None
    cache_hit: bool


class ScanResult(BaseModel):
    """What has become of a scan. `error` says why a job that ended has none."""

    model_config = ConfigDict(frozen=True)

    job_id: UUID
    status: JobStatus
    scan: Scan | None = None
    error: str | None = None


class ScanStep(BaseModel):
    """A step that a scan has taken, as it was recorded. `seq` orders them and is where to go on from."""

    model_config = ConfigDict(frozen=True)

    seq: int
    message: str
    at: AwareDatetime


def request_scan(
    conn: Connection,
    settings: Settings,
    *,
    domain: str | None = None,
    repo_url: str | None = None,
    idea: str | None = None,
    requested_by: str | None = None,
) -> Requested:
    """Return the day's scan of a domain, or enqueue one in the caller's transaction.

    The same request within a minute is the same job, whoever asks. Raise `InvalidInput` that names the field where one
    cannot be used, or none is given.
    """
    found = known(conn, settings, domain=domain, repo_url=repo_url, idea=idea)
    if found is not None:
        return found
    domain, repo_url = _checked(domain, repo_url, idea)
    payload = ScanPayload(domain=domain, repo_url=repo_url, requested_by=clip(requested_by or "", ASKER_CHARS) or None)
    running = _asked_just_now(conn, domain, repo_url)
    if running is not None:
        return Requested(running, None, False)
    key = scan_key(domain, repo_url, _now(conn))
    job = NewJob(JOB_TYPE, SYSTEM_PROJECT_ID, payload.model_dump(by_alias=True, exclude_none=True), key=key)
    return Requested(queue.enqueue(conn, job), None, False)


def known(
    conn: Connection,
    settings: Settings,
    *,
    domain: str | None = None,
    repo_url: str | None = None,
    idea: str | None = None,
) -> Requested | None:
    """Return what can be said without a look: the day's scan of a domain, or that there is nothing to look at.

    None where it takes a look. Raise `InvalidInput` as `request_scan` does.
    """
    domain, repo_url = _checked(domain, repo_url, idea)
    if domain is None and repo_url is None:
        return Requested(None, without_site(), False)
    if domain is not None and repo_url is None:
        found = cache.cached(conn, domain)
        if found is not None:
            return Requested(None, found, True)
    if not settings.outbound_enabled:
        return Requested(None, _unmeasured(settings, domain, repo_url), False)
    return None


def result(db: Database, job_id: UUID) -> ScanResult:
    """Return what has become of a scan; raise `NotFound` for any other job as for none."""
    with db.connection() as conn:
        return result_in(conn, job_id)


def result_in(conn: Connection, job_id: UUID) -> ScanResult:
    """Do what `result` does, as the caller's transaction sees it."""
    row = conn.execute(
        "select j.status, s.output from public.agent_jobs j"
        " left join public.agent_job_steps s on s.job_id = j.id and s.step = %s"
        " where j.id = %s and j.project_id = %s and j.job_type = %s",
        [LAST_OP, job_id, SYSTEM_PROJECT_ID, JOB_TYPE],
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no scan {job_id}.", "Ask for a new one.")
    # The last op's output stands a moment before its job has ended: it is the scan all the same.
    scan = _scan_in(row["output"])
    # Anybody may ask, so that what went wrong inside is for operators: it stands in the job.
    error = _ENDS.get(row["status"]) if scan is None else None
    return ScanResult(job_id=job_id, status=row["status"], scan=scan, error=error)


def _scan_in(output: Any) -> Scan | None:
    try:
        return None if output is None else Scan.model_validate(output)
    except ValidationError as exc:
        # Made by another version, which knew other fields.
        log.info("a scan does not fit any more: %s problems", exc.error_count())
        return None


def scan_events(db: Database, job_id: UUID, after: int = 0) -> list[ScanStep]:
    """Return the steps that a scan has recorded after seq `after`, in order, at most 200.

    The event stream of a project does not show them, because nobody owns the studio's own project. Raise `NotFound`
    for any other job as for none.
    """
    rows = db.fetch_all(
        "select j.id, e.seq, e.message, e.created_at from public.agent_jobs j left join public.agent_job_events e"
        " on e.job_id = j.id and e.project_id = j.project_id and e.type = 'log' and e.seq > %s"
        # What the run says of its own working is for operators, as are its errors.
        " and e.data ->> 'step_event' is null and e.data ->> 'level' = 'INFO'"
        " where j.id = %s and j.project_id = %s and j.job_type = %s order by e.seq limit %s",
        [after, job_id, SYSTEM_PROJECT_ID, JOB_TYPE, STEPS_PAGE],
    )
    if not rows:
        raise NotFound(f"There is no scan {job_id}.", "Ask for a new one.")
    return [
        ScanStep(seq=row["seq"], message=row["message"] or "", at=row["created_at"])
        for row in rows
        if row["seq"] is not None
    ]


def _checked(domain: str | None, repo_url: str | None, idea: str | None) -> tuple[str | None, str | None]:
    idea = require_storable(idea, "The idea").strip() if idea else ""
    if len(idea) > IDEA_CHARS:
        raise InvalidInput(f"The idea has {len(idea):,} characters; at most {IDEA_CHARS:,} are allowed.", "Shorten it.")
    domain = _bounded(domain, "The domain", DOMAIN_LIMIT)
    repo_url = _bounded(repo_url, "The repository", ADDRESS_LIMIT)
    if not (domain or repo_url or idea):
        raise InvalidInput("There is nothing to start with.", "Give an idea, a domain or a repository.")
    return (normalise_domain(domain) if domain else None, one_address(repo_url) if repo_url else None)


def one_address(repo_url: str) -> str | None:
    """Return a repository's address in one spelling where its host is known, as it stands elsewhere.

    Raise `InvalidInput` where it names no repository.
    """
    known = hosted(require_storable(repo_url, "The repository"))
    return known.url if known is not None else repository_address(repo_url)


def _bounded(text: str | None, what: str, limit: int) -> str | None:
    if text is None or not text.strip():
        return None
    if len(text) > limit:
        raise InvalidInput(f"{what} has {len(text):,} characters; at most {limit} are allowed.", "Shorten it.")
    return require_storable(text, what).strip()


def _unmeasured(settings: Settings, domain: str | None, repo_url: str | None) -> Scan:
    """Say that nothing may be looked at here; nothing is asked for it, so that it needs no job."""
    payload = ScanPayload(domain=domain, repo_url=repo_url)
    scanning = Scanning(payload, settings, lambda: OutboundClient.from_settings(settings), lambda _line: None)
    site = Scan.model_validate(scanning.look_at_site())
    return site if repo_url is None else with_repository(site, repo_url, scanning.look_at_repository())


def _now(conn: Connection) -> datetime:
    row = conn.execute("select now() as now").fetchone()
    assert row is not None  # noqa: S101 - a select without a table returns a row
    now: datetime = row["now"]
    return now


def _asked_just_now(conn: Connection, domain: str | None, repo_url: str | None) -> Enqueued | None:
    """Return the job of the same request a few seconds ago, in the minute that has just ended."""
    before = scan_key(domain, repo_url, _now(conn) - JUST_NOW)
    row = conn.execute(
        "select id, status from public.agent_jobs where project_id = %s and idempotency_key = %s and job_type = %s"
        " and created_at > now() - %s and status not in ('failed', 'canceled')",
        [SYSTEM_PROJECT_ID, before, JOB_TYPE, JUST_NOW],
    ).fetchone()
    return None if row is None else Enqueued(row["id"], "existing", row["status"])
