"""How often anybody may ask for a scan: strangers per network address and all together, owners each for himself.

A scan makes this machine ask others, and needs no account; it must not become a tool for looking at the world
(domain specification D12, D39). Counted in the database, so that all web processes count together. What strangers use
up is theirs alone: who has signed in goes on.
"""

from __future__ import annotations

from datetime import timedelta

from studio.database.connection import Database
from studio.errors import RateLimited
from studio.text import storable

# Somebody who tries a handful of names is served; who goes through a list is not.
PER_ADDRESS = (20, timedelta(minutes=10))
# A judgement: two scans run at once, as jobs of one project, for some seconds each.
OVERALL = (300, timedelta(hours=1))
# The ten domains of a form, each corrected twice.
PER_OWNER = (30, timedelta(minutes=10))

Limit = tuple[int, timedelta]


def take_scan(db: Database, address: str, *, per_address: Limit = PER_ADDRESS, overall: Limit = OVERALL) -> None:
    """Count one request for a scan from a network address; raise `RateLimited` where there are too many.

    `address` stands for a household or a machine (see `web.visitors.network_of`); a hash of it is kept for a day.
    """
    # An address that has had its share does not use up what is for all.
    _take(db, "scan/address", address, per_address)
    _take(db, "scan/all", "all", overall)


def take_owners_scan(db: Database, owner_clerk_id: str, *, per_owner: Limit = PER_OWNER) -> None:
    """Count one request for a scan from an owner who has signed in; raise `RateLimited` where there are too many."""
    _take(db, "scan/owner", owner_clerk_id, per_owner)


def _take(db: Database, scope: str, of: str, limit: Limit) -> None:
    # In a transaction of its own: what is refused afterwards has been asked for all the same.
    row = db.fetch_one(
        "select public.take_request_slot(%s, public.visitor_hash(%s), %s, %s) as wait", [scope, storable(of), *limit]
    )
    if row is not None and row["wait"] > 0:
        raise RateLimited("Too many scans at the moment.", "Try again later.", retry_after=row["wait"])
