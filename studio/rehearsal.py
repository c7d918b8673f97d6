"""What a run asks of the database, done once for nobody and rolled back.

A session of PostgreSQL compiles a function and plans its statements when they are first used, which takes longer
than what they do. A run worker that waits for its run has the time.
"""

from __future__ import annotations

import contextlib
import json
from uuid import uuid4

from studio.database.connection import Connection, Database

_OWNER = "rehearsal"
_RUN = "rehearsal"


class _Over(Exception):
    """Rolls the transaction back."""


def rehearse(db: Database, connections: int) -> None:
    """Let `connections` sessions of the pool take a job from its row to its end, and leave no trace of it.

    Raises what the database raises.
    """
    with contextlib.ExitStack() as held:
        for conn in [held.enter_context(db.connection()) for _ in range(connections)]:
            with contextlib.suppress(_Over), conn.transaction():
                _live_through(conn)
                raise _Over


def _live_through(conn: Connection) -> None:
    # No lock that anybody else waits for, and no notification: nothing of this is ever committed.
    project, job = uuid4(), {"job_type": "bench.standard", "lane": "standard", "agent_key": "bench", "priority": 0}
    conn.execute(
        "insert into public.projects (id, owner_clerk_id, name, idea_description) values (%s, %s, %s, '')",
        [project, _OWNER, _OWNER],
    )
    new = {**job, "project_id": str(project), "payload": {}, "idempotency_key": _RUN, "max_attempts": 1}
    row = conn.execute("select job_id from public.enqueue_agent_jobs(%s::jsonb)", [json.dumps([new])]).fetchone()
    assert row is not None  # noqa: S101 - one job was given
    key = row["job_id"]
    conn.execute("select public.claim_agent_job(%s, %s, interval '1 minute')", [key, _OWNER])
    conn.execute("select * from public.start_agent_job(%s, 1, %s, interval '1 minute')", [key, _RUN])
    conn.execute("select * from public.renew_agent_job(%s, 1, interval '1 minute')", [key])
    conn.execute("select output from public.agent_job_steps where job_id = %s and step = %s", [key, "none"])
    event = {"type": "log", "message": "rehearsal", "data": {}, "id": str(uuid4())}
    conn.execute("select public.append_agent_job_events(%s, %s::jsonb, 1)", [key, json.dumps([event])])
    conn.execute("select public.hold_agent_job(%s, 1)", [key])
    conn.execute("select public.save_agent_job_step(%s, 1, 'none', '{}'::jsonb, 0)", [key])
    conn.execute("select public.complete_agent_job(%s, 'completed', null, 1)", [key])
