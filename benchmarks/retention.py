"""What the event table costs when it is large: `python -m benchmarks.retention --rows 1000000 10000000`.

On a server and in a folder of its own. Rows are spread as a fleet's are: over projects and jobs, in the order of time,
three quarters of them streamed text. For each size: how large table and indexes are, what the hot statements take,
what deleting in batches takes, and what vacuum takes after it. A million rows take about half a gigabyte.

With `--partitioned` the table is moved to monthly partitions after that, and measured again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import LiteralString
from uuid import UUID

from benchmarks.fixtures import make_project
from benchmarks.retention_traces import DAYS, ROUNDS, fill_traces, of_traces, timed
from benchmarks.server import Server
from studio.database.connection import Database
from studio.operations import event_partitions

EVENTS_PER_JOB = 200
PROJECTS = 500
# What is deleted to see what that takes.
PRUNED = 200_000
BATCHES = (1_000, 5_000, 20_000)


def fill(db: Database, projects: list[UUID], before: int, rows: int) -> None:
    """Bring the table from `before` to `rows` rows, without triggers and foreign keys: the filling is not measured."""
    jobs = rows // EVENTS_PER_JOB
    with db.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into public.agent_jobs (id, project_id, job_type, agent_key, status, idempotency_key, lane,"
            " created_at, completed_at)"
            " select md5('job' || n)::uuid, (%(projects)s::uuid[])[1 + n %% %(many)s], 'chat.reply', 'ceo',"
            " 'completed', 'key' || n, 'realtime', t, t from ("
            "  select n, now() - %(days)s * interval '1 day' * (1 - n::float8 / %(jobs)s) as t"
            "  from generate_series(%(from)s, %(jobs)s - 1) n) j on conflict do nothing",
            {
                "projects": projects,
                "many": len(projects),
                "days": DAYS,
                "jobs": jobs,
                "from": before // EVENTS_PER_JOB,
            },
        )
    step = 500_000
    for first in range(before, rows, step):
        with db.transaction() as conn:
            conn.execute("set local session_replication_role = replica")
            conn.execute(
                "insert into public.agent_job_events"
                " (project_id, job_id, type, message, data, created_at, seq, attempt, claim_no)"
                " select (%(projects)s::uuid[])[1 + (n / %(each)s) %% %(many)s], md5('job' || n / %(each)s)::uuid,"
                "  case when n %% 4 > 0 then 'delta' when n %% 20 = 0 then 'status' else 'log' end,"
                "  'About as much text as a tenth of a second of it has ' || n,"
                "  jsonb_build_object('op', 'answer', 'n', n),"
                "  now() - %(days)s * interval '1 day' * (1 - n::float8 / %(rows)s), 1000000 + n, 1, 1"
                " from generate_series(%(first)s, %(last)s - 1) n",
                {
                    "projects": projects,
                    "many": len(projects),
                    "each": EVENTS_PER_JOB,
                    "days": DAYS,
                    "rows": rows,
                    "first": first,
                    "last": min(rows, first + step),
                },
            )
        print(f"  {min(rows, first + step):,} rows", file=sys.stderr, flush=True)
    db.execute(
        "insert into public.project_event_counters as c (project_id, last_seq) select unnest(%s::uuid[]), %s"
        " on conflict (project_id) do update set last_seq = greatest(c.last_seq, excluded.last_seq)",
        [projects, 2_000_000_000],
    )
    db.execute("vacuum analyze public.agent_job_events")
    db.execute("vacuum analyze public.agent_jobs")


def sizes(db: Database) -> Iterator[tuple[str, float, str]]:
    """Yield megabytes of the table and of its indexes, those of partitions together."""
    rows = db.fetch_all(
        "with parts as (select 'public.agent_job_events'::regclass as oid union"
        " select relid from pg_partition_tree('public.agent_job_events'))"
        " select 'table' as name, sum(pg_table_size(p.oid)) as bytes from parts p join pg_class c using (oid)"
        "  where c.relkind = 'r'"
        " union all select regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING btree ', 'index '),"
        " sum(pg_relation_size(i.indexrelid)) from pg_index i join parts p on p.oid = i.indrelid"
        " group by 1 order by 2 desc"
    )
    for row in rows:
        yield row["name"], float(row["bytes"]) / 1e6, "MB"


FOLLOW: LiteralString = (
    "select id, job_id, type, message, data, seq from public.agent_job_events"
    " where project_id = %s and seq > %s order by seq limit 500"
)
STREAM: LiteralString = (
    "select seq, type, message from public.agent_job_events where job_id = %s order by seq limit 1000"
)


def blocks(db: Database, query: LiteralString, params: list[object]) -> float:
    """Return how many blocks of 8 kB a statement looks at, which no other work on the machine changes."""
    # The first time the server reads what it knows of tables and functions as well.
    db.execute(query, params)
    row = db.fetch_one("explain (analyze, buffers, format json) " + query, params)
    assert row is not None
    plan = next(iter(row.values()))[0]["Plan"]
    return float(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def statements(db: Database, projects: list[UUID], rows: int) -> Iterator[tuple[str, float, str]]:
    """Yield what the hot statements take."""
    chance = random.Random(1)
    running = db.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key)"
        " values (%s, 'chat.reply', 'ceo', gen_random_uuid()::text) returning id",
        [projects[0]],
    )
    assert running is not None
    batch = [{"type": "delta", "message": "ten of these are a second of text", "data": {"op": "answer"}}] * 10

    def append() -> None:
        named = [{**event, "id": str(UUID(int=chance.getrandbits(128)))} for event in batch]
        db.fetch_one("select public.append_agent_job_events(%s, %s::jsonb)", [running["id"], json.dumps(named)])

    def follow(nearby: bool) -> None:
        last = rows - 1 - chance.randrange(2_000 if nearby else rows)
        project = projects[(last // EVENTS_PER_JOB) % len(projects)]
        db.fetch_all(FOLLOW, [project, 1_000_000 + (last if nearby else last - last % EVENTS_PER_JOB) - 1])

    def nothing_new() -> None:
        db.fetch_all(FOLLOW, [projects[chance.randrange(len(projects))], 2_100_000_000])

    def stream() -> None:
        row = db.fetch_one("select md5('job' || %s)::uuid as id", [chance.randrange(rows // EVENTS_PER_JOB)])
        assert row is not None
        db.fetch_all(STREAM, [row["id"]])

    # Without ids, so that it may be repeated; with ids each event is looked for by one more step in an index.
    named = json.dumps(batch)
    last = projects[((rows - 1) // EVENTS_PER_JOB) % len(projects)]
    yield (
        "append 10 events, blocks",
        blocks(db, "select public.append_agent_job_events(%s, %s::jsonb)", [running["id"], named]),
        "",
    )
    yield "follow, nothing new, blocks", blocks(db, FOLLOW, [last, 2_100_000_000]), ""
    yield "follow, 200 behind, blocks", blocks(db, FOLLOW, [last, 1_000_000 + rows - 1 - EVENTS_PER_JOB]), ""

    works: dict[str, Callable[[], None]] = {
        "append 10 events": append,
        "follow, nothing new": nothing_new,
        "follow, some behind": lambda: follow(nearby=True),
        "follow, from any moment": lambda: follow(nearby=False),
        "a job's stream": stream,
    }
    for name, work in works.items():
        p50, p95 = timed(work, ROUNDS)
        yield f"{name}, p50", p50, "ms"
        yield f"{name}, p95", p95, "ms"


def pruning(db: Database) -> Iterator[tuple[str, float, str]]:
    """Yield what deletion in batches and the vacuum after it take."""
    for size in BATCHES:
        gone = batches = 0
        longest = 0.0
        began = time.perf_counter()
        while gone < PRUNED // len(BATCHES):
            started = time.perf_counter()
            row = db.fetch_one("select public.prune_agent_job_deltas(interval '1 day', %s) as n", [size])
            longest = max(longest, time.perf_counter() - started)
            if row is None or row["n"] == 0:
                break
            gone += row["n"]
            batches += 1
        took = time.perf_counter() - began
        yield f"prune deltas by {size:,}", gone / took, "rows/s"
        yield f"prune deltas by {size:,}, longest batch", longest * 1000, "ms"
    began = time.perf_counter()
    gone = 0
    while gone < PRUNED // len(BATCHES):
        row = db.fetch_one("select * from public.prune_agent_job_events(interval '30 days', 5000)")
        if row is None or (row["events"] == 0 and row["jobs"] == 0):
            break
        gone += row["events"]
    yield "prune whole jobs by 5,000", gone / (time.perf_counter() - began), "rows/s"
    began = time.perf_counter()
    db.execute("vacuum public.agent_job_events")
    yield "vacuum after it", time.perf_counter() - began, "s"


def main() -> None:
    """Measure each size after the other, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--partitioned", action="store_true", help="measure the last size once more, partitioned")
    parser.add_argument("--spans", type=int, nargs="*", default=[], help="measure so many spans of traces as well")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder)) as server,
        server.studio("retention") as db,
    ):
        projects = [make_project(db) for _ in range(PROJECTS)]
        before = 0
        for rows in sorted(arguments.rows):
            fill(db, projects, before, rows)
            before = rows
            report(db, projects, rows, f"{rows:,} rows")
        before_spans = 0
        for spans in sorted(arguments.spans):
            fill_traces(db, projects, before_spans, spans)
            before_spans = spans
            show(f"{spans:,} spans", of_traces(db))
        if arguments.partitioned:
            began = time.perf_counter()
            event_partitions.convert(db)
            print(f"partitioned\tconversion\t{time.perf_counter() - began:.1f}\ts", flush=True)
            report(db, projects, before, f"{before:,} rows, partitioned")


def report(db: Database, projects: list[UUID], rows: int, name: str) -> None:
    """Print all figures of a size, tab-separated."""
    for part in (sizes(db), statements(db, projects, rows), pruning(db)):
        show(name, part)


def show(name: str, figures: Iterable[tuple[str, float, str]]) -> None:
    """Print figures as they come."""
    for what, value, unit in figures:
        print(f"{name}\t{what}\t{value:,.2f}\t{unit}", flush=True)


if __name__ == "__main__":
    main()
