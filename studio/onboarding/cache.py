"""Scans of domains, kept for a day: the key is spelled as the scan spells its domain (domain specification §11)."""

from __future__ import annotations

import logging
from datetime import timedelta

from pydantic import ValidationError

from studio.database.connection import Connection
from studio.onboarding.scan import Scan
from studio.presence import normalise_domain

log = logging.getLogger(__name__)

KEPT_FOR = timedelta(hours=24)


def cached(conn: Connection, domain: str) -> Scan | None:
    """Return the scan of `domain` that is less than a day old by the database's clock, None where there is none.

    Raise `InvalidInput` where `domain` contains no domain.
    """
    name = normalise_domain(domain)
    row = conn.execute(
        "select result from public.domain_scan_cache where domain = %s and expires_at > now()", [name]
    ).fetchone()
    if row is None:
        return None
    try:
        scan = Scan.model_validate(row["result"])
    except ValidationError as exc:
        # Kept by another version, which knew other fields: it is looked at anew.
        log.info("a kept scan of %s does not fit any more: %s", name, exc.error_count())
        return None
    return scan if scan.domain == name and scan.worth_keeping else None


def store(conn: Connection, scan: Scan) -> bool:
    """Keep the scan of a domain for a day, in the caller's transaction; return whether it is worth that.

    A look that failed is not kept, nor one at a site that says neither what it is called nor what it is.
    """
    if not scan.worth_keeping:
        return False
    conn.execute(
        "insert into public.domain_scan_cache (domain, result, expires_at) values (%s, %s::jsonb, now() + %s)"
        " on conflict (domain) do update set result = excluded.result, expires_at = excluded.expires_at",
        [scan.domain, scan.model_dump_json(exclude={"repo_url", "repo_summary"}), KEPT_FOR],
    )
    return True
