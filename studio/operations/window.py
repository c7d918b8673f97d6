"""Since when something is looked at: a moment, or so long before the database's now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, LiteralString

Since = datetime | timedelta

# For `time_params`: an expression of type timestamptz.
SINCE: LiteralString = "coalesce(%(since_at)s::timestamptz, now() - %(since_for)s::interval)"
# Whose projects' traces are visible; for `%(owner)s`.
OWN: LiteralString = "(select p.id from public.projects p where p.owner_clerk_id = %(owner)s)"


def since_params(since: Since) -> dict[str, Any]:
    """Return the parameters of `SINCE`."""
    at = since if isinstance(since, datetime) else None
    return {"since_at": at, "since_for": since if isinstance(since, timedelta) else None}
