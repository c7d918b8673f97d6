"""Jobs whose lease ran out before anybody had looked after them: back in the queue, and who had them."""

from __future__ import annotations

from typing import NamedTuple

from studio.database.connection import Database
from studio.queue import Job, job_from_row

# The lock that `reclaim_stale_jobs` takes, in its order: what is locked here is what it finds. `now()` is the
# transaction's, so that nothing runs out in between.
_LAPSED = """
select * from public.agent_jobs where status = 'running' and leased_until < now()
order by project_id, id for no key update skip locked
"""


class Reclaimed(NamedTuple):
    """How many jobs were brought back, and those of them that held a lease, as they were before."""

    jobs: int
    lapsed: list[Job]


def reclaim(db: Database) -> Reclaimed:
    """Bring back the jobs whose worker is lost, and settle what those workers had reserved.

    Of each job that held a lease, the caller learns which run had it: nobody else will ever end that run.
    """
    with db.transaction() as conn:
        lapsed = conn.execute(_LAPSED).fetchall()
        row = conn.execute("select public.reclaim_stale_jobs() as n").fetchone()
        # It takes them in batches, and leaves the rest to the next round.
        kept = {
            kept["id"]
            for kept in conn.execute(
                "select id from public.agent_jobs where id = any (%s) and status = 'running'",
                [[job["id"] for job in lapsed]],
            )
        }
    with db.connection() as conn:
        conn.execute("select public.settle_abandoned_model_calls()")
    return Reclaimed(int(row["n"]) if row else 0, [job_from_row(job) for job in lapsed if job["id"] not in kept])
