"""How many alerts are open, and which of them came last: enough to know whether to look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from studio.database.connection import Database
from studio.operations.alert_findings import Severity

_OPEN: LiteralString = """
select (count(*) over ())::int as count,
  case when bool_or(severity = 'critical') over () then 'critical' else 'warning' end as worst,
  title as newest, first_at as newest_at
from public.alerts where state = 'open' order by first_at desc, id limit 1
"""


@dataclass(frozen=True)
class OpenAlerts:
    """What is open, whether or not somebody knows of it. `newest` is the title of the spell that began last.

    Where nothing is open, `count` is 0 and the rest None.
    """

    count: int
    worst: Severity | None
    newest: str | None
    newest_at: datetime | None


def look(db: Database) -> OpenAlerts:
    """Return how many alerts are open now, of all projects."""
    row = db.fetch_one(_OPEN)
    return OpenAlerts(0, None, None, None) if row is None else OpenAlerts(**row)
