"""What has become slower: pipelines, and the spans in which the time went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from studio.database.connection import Connection
from studio.operations.alert_findings import TITLE_CHARS, Finding
from studio.operations.wording import lasting
from studio.settings import Settings
from studio.text import clip

# Fewer runs in the last hour, or in the two weeks before, say nothing about a 95th percentile.
FEW_SAMPLES = 20
# What has become slower by less is not worth a person's attention, however many times it is.
SLOWER_BY_MS = 1000.0
# Of each of the two weeks' days the newest so many: enough for a percentile, and the same work on any volume.
SAMPLES_PER_DAY = 100
# More at once have one cause. What is open stays in sight, because what a check does not find is closed.
AT_ONCE = 50

_SLOWER_PIPELINES: LiteralString = """
with recent as (
  select pipeline_name as name, count(*)::int as samples,
    percentile_cont(0.95) within group (order by duration_ms - coalesce(queue_ms, 0)) as p95
  from public.pipeline_traces
  where start_time > now() - interval '1 hour' and status = 'ok' and kind = 'job' and duration_ms is not null
  group by 1 having count(*) >= %(few)s
)
select r.name, r.samples, r.p95, b.samples as before_samples, b.p95 as before_p95
from recent r
cross join lateral (
  select count(*)::int as samples, percentile_cont(0.95) within group (order by d.ms) as p95
  from generate_series(1, 14) day
  cross join lateral (
    select t.duration_ms - coalesce(t.queue_ms, 0) as ms from public.pipeline_traces t
    where t.pipeline_name = r.name and t.status = 'ok' and t.kind = 'job' and t.duration_ms is not null
      and t.start_time > now() - interval '1 hour' - day * interval '1 day'
      and t.start_time <= now() - interval '1 hour' - (day - 1) * interval '1 day'
    order by t.start_time desc limit %(per_day)s
  ) d
) b
where r.p95 > %(by)s and b.samples >= %(few)s and r.p95 > %(factor)s * b.p95 and r.p95 - b.p95 > %(by)s
order by exists (
  select from public.alerts a where a.kind = 'slower' and a.subject = 'pipeline:' || r.name and a.state = 'open') desc,
  r.p95 / greatest(b.p95, 1) desc limit %(limit)s
"""
# By a span's own time: else everything around the one that has become slower would be one, too. Waits in the queue
# have a check of their own, and the root's time is the pipeline's.
_SLOWER_SPANS: LiteralString = """
with recent as (
  select span_name as name, count(*)::int as samples,
    percentile_cont(0.95) within group (order by coalesce(self_ms, duration_ms)) as p95
  from public.pipeline_spans
  where start_time > now() - interval '1 hour' and status = 'ok' and duration_ms is not null
    and category not in ('job', 'queue')
  group by 1 having count(*) >= %(few)s
)
select r.name, r.samples, r.p95, b.samples as before_samples, b.p95 as before_p95
from recent r
cross join lateral (
  select count(*)::int as samples, percentile_cont(0.95) within group (order by d.ms) as p95
  from generate_series(1, 14) day
  cross join lateral (
    select coalesce(s.self_ms, s.duration_ms) as ms from public.pipeline_spans s
    where s.span_name = r.name and s.status = 'ok' and s.duration_ms is not null
      and s.start_time > now() - interval '1 hour' - day * interval '1 day'
      and s.start_time <= now() - interval '1 hour' - (day - 1) * interval '1 day'
    order by s.start_time desc limit %(per_day)s
  ) d
) b
where r.p95 > %(by)s and b.samples >= %(few)s and r.p95 > %(factor)s * b.p95 and r.p95 - b.p95 > %(by)s
order by exists (
  select from public.alerts a where a.kind = 'slower' and a.subject = 'span:' || r.name and a.state = 'open') desc,
  r.p95 / greatest(b.p95, 1) desc limit %(limit)s
"""


def slower(conn: Connection, settings: Settings) -> Iterator[Finding]:
    """Yield what has become slower: its p95 of the last hour against that of the 14 days before.

    Both need 20 good runs; it has to have grown by GREENLIGHT_ALERT_SLOWER_FACTOR, and by a second. Pipelines are
    measured without their wait in the queue, spans by their own time.
    """
    params = {
        "few": FEW_SAMPLES,
        "per_day": SAMPLES_PER_DAY,
        "by": SLOWER_BY_MS,
        "limit": AT_ONCE,
        "factor": settings.alert_slower_factor,
    }
    pipelines = [("pipeline", row) for row in conn.execute(_SLOWER_PIPELINES, params).fetchall()]
    spans = [("span", row) for row in conn.execute(_SLOWER_SPANS, params).fetchall()]
    for what, row in [*pipelines, *spans]:
        now, before = row["p95"], row["before_p95"]
        yield Finding(
            "slower",
            f"{what}:{row['name']}",
            "warning",
            clip(f"{row['name']} has become {now / max(before, 1):.1f} × slower", TITLE_CHARS),
            f"Its 95th percentile is {lasting(now)} in the last hour ({row['samples']} runs), and was {lasting(before)}"
            f" in the 14 days before ({row['before_samples']} of them).",
            {
                "name": row["name"],
                "of": what,
                "p95_ms": round(now, 1),
                "before_p95_ms": round(before, 1),
                "samples": row["samples"],
                "before_samples": row["before_samples"],
            },
        )
