"""How often anybody may ask for a scan: per network address, and all together.

A scan makes this machine ask others, and needs no account; it must not become a tool for looking at the world
(domain specification D12, D39). Counted in the database, so that all web processes count together.
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


def take_scan(
    db: Database,
    address: str,
    *,
    per_address: tuple[int, timedelta] = PER_ADDRESS,
    overall: tuple[int, timedelta] = OVERALL,
) -> None:
    """Count one request for a scan from a network address; raise `RateLimited` where there are too many.

    `address` stands for a household or a machine (see `web.visitors.network_of`); a hash of it is kept for a day.
    """
    # In transactions of their own: what is refused afterwards has been asked for all the same. An address that has
    # had its share does not use up what is for all.
    for scope, of, (limit, window) in (
        ("scan/address", storable(address), per_address),
        ("scan/all", "all", overall),
    ):
        row = db.fetch_one(
            "select public.take_request_slot(%s, public.visitor_hash(%s), %s, %s) as wait", [scope, of, limit, window]
        )
        if row is not None and row["wait"] > 0:
            raise RateLimited("Too many scans at the moment.", "Try again later.", retry_after=row["wait"])
