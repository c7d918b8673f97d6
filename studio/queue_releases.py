"""Jobs in the queue that this release leaves to a later one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from studio.database.connection import Database
from studio.job_types import understood


@dataclass(frozen=True)
class Left:
    """Due jobs of one type and payload version, and for how many seconds the oldest of them has been due."""

    job_type: str
    payload_version: int
    count: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.count} × {self.job_type} (payload {self.payload_version}), due for {self.seconds} s"


def left_for_later(db: Database) -> list[Left]:
    """Return what is due and this code does not understand, though a release has registered it; longest due first.

    During a deploy the workers of the later release take it. After a rollback it waits until that release is back.
    """
    rows = db.fetch_all(
        "select j.job_type, j.payload_version, count(*)::int as count,"
        " extract(epoch from now() - min(j.run_after))::int as seconds"
        " from public.agent_jobs j join public.agent_job_types t using (job_type)"
        " where j.status = 'queued' and j.run_after <= now() and t.payload_version >= j.payload_version"
        " and j.payload_version > coalesce((%s::jsonb ->> j.job_type)::int, 0)"
        " group by 1, 2 order by seconds desc",
        [json.dumps(understood())],
    )
    return [Left(**row) for row in rows]
