"""The databases: how large tables are and how many dead rows lie in them, who is connected, what is queued."""

from __future__ import annotations

from typing import Any, LiteralString

from benchmarks.soak.load import APPLICATION
from studio import queue
from studio.database.connection import Database

# What each job writes to, by database: the studio's first, then Dagster's.
STUDIO = (
    "agent_jobs",
    "agent_job_events",
    "agent_job_steps",
    "project_event_counters",
    "pipeline_spans",
    "pipeline_traces",
    "worker_heartbeats",
    "run_takes",
)
DAGSTER = ("runs", "run_tags", "event_logs", "job_ticks", "instigators", "daemon_heartbeats")

# A partition counts to its table.
_TABLES: LiteralString = """
select coalesce(parent.relname, c.relname) as name,
       sum(pg_total_relation_size(c.oid))::bigint as bytes,
       sum(s.n_live_tup)::bigint as live,
       sum(s.n_dead_tup)::bigint as dead,
       sum(s.n_tup_upd)::bigint as updated,
       sum(s.autovacuum_count)::bigint as vacuums,
       extract(epoch from now() - max(s.last_autovacuum))::float8 as vacuumed_seconds_ago
from pg_stat_user_tables s
join pg_class c on c.oid = s.relid
left join pg_inherits i on i.inhrelid = c.oid
left join pg_class parent on parent.oid = i.inhparent
where coalesce(parent.relname, c.relname) = any (%s)
group by 1
"""
_SESSIONS: LiteralString = """
select coalesce(nullif(application_name, ''), 'unnamed') as name, count(*) as n
from pg_stat_activity where backend_type = 'client backend' and application_name <> %s group by 1
"""
_WAL: LiteralString = """
select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as written, sum(size)::bigint as kept from pg_ls_waldir()
"""


def look(studio: Database, dagster: Database) -> dict[str, Any]:
    """Return `tables`, `sessions` by application, `wal` in bytes (`written` ever, `kept` on disk), `queue` by lane."""
    tables = {
        f"{database}.{row['name']}": {what: value for what, value in row.items() if what != "name"}
        for database, db, names in (("studio", studio, STUDIO), ("dagster", dagster, DAGSTER))
        for row in db.fetch_all(_TABLES, [list(names)])
    }
    return {
        "tables": tables,
        "sessions": {row["name"]: row["n"] for row in studio.fetch_all(_SESSIONS, [APPLICATION])},
        "wal": studio.fetch_one(_WAL),
        "queue": queue.depth(studio),
    }
