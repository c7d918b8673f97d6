-- Traces: where the time and the money of an attempt at a job went, and what went wrong in it.
--
-- One trace per attempt, that is per claim: its id is made of the job's id and the claim's number, so that whoever
-- knows the claim (pickup, the run, the watcher, an event) knows the trace, without asking.
--
-- A span that has begun is written before it ends (`end_time` null, `running`), so that a killed run shows what was in
-- flight; its end replaces that row once. A span does not refer to its trace by a key, because either may be written
-- first. No partitions until the volume asks for them.

create function public.agent_job_trace_id(p_job_id uuid, p_claim_no bigint) returns uuid
language sql immutable parallel safe set search_path = public, pg_temp as $$
  select md5(p_job_id::text || ':' || greatest(p_claim_no, 1)::text)::uuid
$$;
comment on function public.agent_job_trace_id is
  'The trace of a job''s attempt. What happens before the first claim belongs to the first attempt.';

create table public.pipeline_traces (
  trace_id uuid primary key,
  pipeline_name text not null,
  kind text not null default 'job' check (kind in ('job', 'synthetic', 'manual')),
  project_id uuid references public.projects on delete cascade,
  owner_clerk_id text,
  subject text,
  job_id uuid,
  claim_no bigint,
  attempt integer,
  lane text,
  dagster_run_id text,
  start_time timestamptz not null,
  end_time timestamptz,
  duration_ms double precision,
  status text not null default 'running' check (status in ('running', 'ok', 'error', 'cancelled', 'lost')),
  success boolean,
  outcome text,
  error text,
  error_type text,
  error_class text,
  fingerprint text,
  queue_ms double precision,
  launch_ms double precision,
  span_count integer not null default 0,
  dropped_spans integer not null default 0,
  model_calls integer not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost_micros bigint not null default 0,
  attributes jsonb not null default '{}',
  created_at timestamptz not null default now()
) with (fillfactor = 90);
comment on table public.pipeline_traces is 'One row per attempt at a job: how long it took, what it cost, how it ended.';
comment on column public.pipeline_traces.kind is
  'job: an attempt at a job. synthetic: the same in a test project, for comparison. manual: traced outside of a job.';
comment on column public.pipeline_traces.subject is 'What it was about, in words; the project''s name for a job.';
comment on column public.pipeline_traces.start_time is 'When the job was due: time that it was told to wait is not spent.';
comment on column public.pipeline_traces.status is
  'running; ok; error; cancelled; lost: its process ended without a word, and somebody else has closed the trace.';
comment on column public.pipeline_traces.outcome is 'What became of the job: completed, queued (tried again), failed, canceled.';
comment on column public.pipeline_traces.fingerprint is 'Of the error that ended it; the same for every error of the same kind.';
comment on column public.pipeline_traces.queue_ms is 'How long it was due before a worker claimed it.';
comment on column public.pipeline_traces.launch_ms is 'From the claim to the run''s first own line.';
comment on column public.pipeline_traces.dropped_spans is 'Spans that could be written neither to the database nor to the disk.';

create table public.pipeline_spans (
  span_id text primary key check (span_id ~ '^[0-9a-f]{16}$'),
  trace_id uuid not null,
  parent_span_id text,
  project_id uuid,
  pipeline_name text not null default '',
  span_name text not null,
  category text not null generated always as (split_part(split_part(span_name, ':', 1), ' ', 1)) stored,
  start_time timestamptz not null,
  end_time timestamptz,
  duration_ms double precision,
  self_ms double precision,
  status text not null default 'running' check (status in ('running', 'ok', 'error', 'cancelled', 'lost')),
  success boolean,
  error text,
  error_type text,
  error_class text,
  fingerprint text,
  stack text,
  input_data jsonb,
  output_data jsonb,
  input_size bigint,
  output_size bigint,
  input_sha256 text,
  output_sha256 text,
  model text,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  cost_micros bigint,
  first_token_ms double precision,
  retries integer,
  attributes jsonb not null default '{}',
  events jsonb not null default '[]',
  created_at timestamptz not null default now()
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
comment on table public.pipeline_spans is 'One row per piece of traced work; parent_span_id gives the tree.';
comment on column public.pipeline_spans.category is
  'What stands before the colon of the name: agent, llm, chat, tool, step, action, queue, launch, http, db…';
comment on column public.pipeline_spans.self_ms is 'Its duration without the time in which any of its children ran.';
comment on column public.pipeline_spans.fingerprint is
  'Only where the error came up in this very span: an error that passes through its parents is one error.';
comment on column public.pipeline_spans.input_data is
  'What went in, secrets cut out, as JSON of at most 50 KB. Where input_size is larger, a text of its beginning. Null '
  'where nothing went in, and after the retention.';
comment on column public.pipeline_spans.input_size is 'Bytes of the whole of it.';
comment on column public.pipeline_spans.input_sha256 is 'SHA-256 of the whole of it as JSON, secrets cut out.';
comment on column public.pipeline_spans.cost_micros is
  'Micro-dollars of a model call. It stands, as the tokens do, on llm spans alone: sums count each call once.';
comment on column public.pipeline_spans.first_token_ms is 'From the request to the first piece of the answer.';

create index pipeline_traces_by_pipeline on public.pipeline_traces (pipeline_name, created_at desc);
create index pipeline_traces_by_time on public.pipeline_traces (created_at desc);
create index pipeline_traces_by_start on public.pipeline_traces (start_time desc, trace_id);
create index pipeline_traces_by_project on public.pipeline_traces (project_id, start_time desc);
create index pipeline_traces_by_job on public.pipeline_traces (job_id, claim_no) where job_id is not null;
create index pipeline_traces_by_run on public.pipeline_traces (dagster_run_id) where dagster_run_id is not null;
create index pipeline_traces_open on public.pipeline_traces (start_time) where end_time is null;
create index pipeline_traces_failed on public.pipeline_traces (start_time desc) where status not in ('ok', 'running');
create index pipeline_spans_by_trace on public.pipeline_spans (trace_id, start_time, span_id);
create index pipeline_spans_by_name on public.pipeline_spans (span_name, start_time desc);
create index pipeline_spans_by_time on public.pipeline_spans (start_time desc);
create index pipeline_spans_by_fault on public.pipeline_spans (fingerprint, start_time desc) where fingerprint is not null;
create index pipeline_spans_open on public.pipeline_spans (trace_id) where end_time is null;
create index pipeline_spans_with_payload on public.pipeline_spans (start_time)
  where input_data is not null or output_data is not null;

-- Everything that is sent again, because nobody knows whether it arrived, changes nothing the second time; and what
-- somebody has closed as lost is corrected by the one who knows.
create function public.stand_in_span_id(p_trace_id uuid, p_what text) returns text
language sql immutable parallel safe set search_path = public, pg_temp as $$
  select left(encode(sha256(convert_to(p_trace_id::text || ':' || p_what, 'UTF8')), 'hex'), 16)
$$;
comment on function public.stand_in_span_id is
  'A span that whoever closes the trace of a run that has never begun makes for it: its root, wait or launch.';

create function public.store_pipeline_traces(p_traces jsonb) returns integer
language plpgsql
set search_path = public, pg_temp
-- By their keys, whatever the tables held when a session made its plans.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_stored integer;
  v_more integer;
  v_faults jsonb;
begin
  -- What may be taken back from issues below: whoever locks them and traces locks them first.
  if exists (
    select from jsonb_populate_recordset(null::pipeline_traces, p_traces) r
    join pipeline_spans s on s.span_id = stand_in_span_id(r.trace_id, 'root') where r.end_time is not null) then
    perform pg_advisory_xact_lock(hashtext('greenlight.issues'), 0);
  end if;

  insert into pipeline_traces as t (
    trace_id, pipeline_name, kind, project_id, owner_clerk_id, subject, job_id, claim_no, attempt, lane,
    dagster_run_id, start_time, end_time, duration_ms, status, success, outcome, error, error_type, error_class,
    fingerprint, queue_ms, launch_ms, span_count, dropped_spans, model_calls, input_tokens, output_tokens,
    cost_micros, attributes)
  select r.trace_id, r.pipeline_name, coalesce(r.kind, 'job'), r.project_id, coalesce(r.owner_clerk_id, p.owner_clerk_id),
    coalesce(r.subject, p.name), r.job_id, r.claim_no, r.attempt, r.lane, r.dagster_run_id, r.start_time, r.end_time,
    r.duration_ms, r.status, r.success, r.outcome, r.error, r.error_type, r.error_class, r.fingerprint, r.queue_ms,
    r.launch_ms, coalesce(r.span_count, 0), coalesce(r.dropped_spans, 0), coalesce(r.model_calls, 0),
    coalesce(r.input_tokens, 0), coalesce(r.output_tokens, 0), coalesce(r.cost_micros, 0), coalesce(r.attributes, '{}')
  from jsonb_populate_recordset(null::pipeline_traces, p_traces) r
  left join projects p on p.id = r.project_id
  order by r.trace_id
  on conflict (trace_id) do update set
    end_time = excluded.end_time, duration_ms = excluded.duration_ms, status = excluded.status,
    success = excluded.success, outcome = excluded.outcome, error = excluded.error,
    error_type = excluded.error_type, error_class = excluded.error_class, fingerprint = excluded.fingerprint,
    queue_ms = coalesce(excluded.queue_ms, t.queue_ms), launch_ms = coalesce(excluded.launch_ms, t.launch_ms),
    dropped_spans = greatest(t.dropped_spans, excluded.dropped_spans),
    -- Sums only grow, and an older row may arrive later; but those of a lost trace are an estimate.
    (span_count, model_calls, input_tokens, output_tokens, cost_micros) = (
      select excluded.span_count, excluded.model_calls, excluded.input_tokens, excluded.output_tokens,
             excluded.cost_micros
      where t.status = 'lost'
      union all
      select greatest(t.span_count, excluded.span_count), greatest(t.model_calls, excluded.model_calls),
             greatest(t.input_tokens, excluded.input_tokens), greatest(t.output_tokens, excluded.output_tokens),
             greatest(t.cost_micros, excluded.cost_micros)
      where t.status <> 'lost'),
    attributes = t.attributes || excluded.attributes
    where t.end_time is null or t.status = 'lost' and excluded.end_time is not null and excluded.status <> 'lost';
  get diagnostics v_stored = row_count;

  -- What ends after the trace, or is dropped after it was told, is told by a further row of the same end.
  update pipeline_traces t set
    span_count = greatest(t.span_count, r.span_count), dropped_spans = greatest(t.dropped_spans, r.dropped_spans),
    model_calls = greatest(t.model_calls, r.model_calls), input_tokens = greatest(t.input_tokens, r.input_tokens),
    output_tokens = greatest(t.output_tokens, r.output_tokens), cost_micros = greatest(t.cost_micros, r.cost_micros)
  from jsonb_populate_recordset(null::pipeline_traces, p_traces) r
  where t.trace_id = r.trace_id and t.end_time is not null and r.end_time is not null and t.status = r.status
    and (r.span_count > t.span_count or r.dropped_spans > t.dropped_spans or r.model_calls > t.model_calls
         or r.input_tokens > t.input_tokens or r.output_tokens > t.output_tokens or r.cost_micros > t.cost_micros);
  get diagnostics v_more = row_count;

  -- A run that was taken for one that never began has spans of its own: what stood in for them goes.
  with corrected as (
    select t.trace_id
    from jsonb_populate_recordset(null::pipeline_traces, p_traces) r
    join pipeline_traces t on t.trace_id = r.trace_id
    join pipeline_spans root on root.span_id = stand_in_span_id(t.trace_id, 'root') and root.trace_id = t.trace_id
    where t.end_time is not null and t.status <> root.status
  ), gone as (
    delete from pipeline_spans s
    using corrected c, unnest(array['root', 'wait', 'launch']) as what
    where s.span_id = stand_in_span_id(c.trace_id, what) and s.trace_id = c.trace_id
    returning s.fingerprint, coalesce(s.end_time, s.start_time) as at, s.span_id
  )
  select jsonb_agg(jsonb_build_object('fingerprint', fingerprint, 'n', -1, 'at', at, 'span', span_id))
    into v_faults from gone where fingerprint is not null;
  if v_faults is not null then
    perform note_pipeline_faults(v_faults);
  end if;
  return v_stored + v_more;
end $$;
comment on function public.store_pipeline_traces is
  'Store traces, objects with the columns as keys. An open one is replaced; an ended one stays, but for sums that have grown.';

create function public.store_pipeline_spans(p_spans jsonb) returns integer
language sql set search_path = public, pg_temp as $$
  with stored as (
    insert into pipeline_spans as s (
      span_id, trace_id, parent_span_id, project_id, pipeline_name, span_name, start_time, end_time, duration_ms,
      self_ms, status, success, error, error_type, error_class, fingerprint, stack, input_data, output_data, input_size,
      output_size, input_sha256, output_sha256, model, input_tokens, output_tokens, cache_read_tokens,
      cache_write_tokens, cost_micros, first_token_ms, retries, attributes, events)
    select r.span_id, r.trace_id, r.parent_span_id, r.project_id, coalesce(r.pipeline_name, ''), r.span_name,
      r.start_time, r.end_time, r.duration_ms, r.self_ms, r.status, r.success, r.error, r.error_type, r.error_class,
      r.fingerprint, r.stack, r.input_data, r.output_data, r.input_size, r.output_size, r.input_sha256,
      r.output_sha256, r.model, r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens,
      r.cost_micros, r.first_token_ms, r.retries, coalesce(r.attributes, '{}'), coalesce(r.events, '[]')
    from jsonb_populate_recordset(null::pipeline_spans, p_spans) r
    order by r.span_id
    on conflict (span_id) do update set
      end_time = excluded.end_time, duration_ms = excluded.duration_ms, self_ms = excluded.self_ms,
      status = excluded.status, success = excluded.success, error = excluded.error, error_type = excluded.error_type,
      error_class = excluded.error_class, fingerprint = excluded.fingerprint, stack = excluded.stack,
      input_data = coalesce(excluded.input_data, s.input_data), input_size = coalesce(excluded.input_size, s.input_size),
      input_sha256 = coalesce(excluded.input_sha256, s.input_sha256),
      output_data = excluded.output_data, output_size = excluded.output_size, output_sha256 = excluded.output_sha256,
      model = excluded.model, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
      cache_read_tokens = excluded.cache_read_tokens, cache_write_tokens = excluded.cache_write_tokens,
      cost_micros = excluded.cost_micros, first_token_ms = excluded.first_token_ms, retries = excluded.retries,
      attributes = excluded.attributes, events = excluded.events
      where s.trace_id = excluded.trace_id and excluded.end_time is not null
        and (s.end_time is null or s.status = 'lost' and excluded.status <> 'lost')
    returning 1
  )
  select count(*)::integer from stored
$$;
comment on function public.store_pipeline_spans is
  'Store spans, objects with the columns as keys. An open one is replaced by its end, an ended one stays.';

-- Prompts and answers of a project are its owner's, and nobody writes them with a token.
alter table public.pipeline_traces enable row level security;
alter table public.pipeline_spans enable row level security;
revoke all on public.pipeline_traces, public.pipeline_spans from public, anon, authenticated;
grant all on public.pipeline_traces, public.pipeline_spans to service_role;
grant select on public.pipeline_traces, public.pipeline_spans to authenticated;
create policy pipeline_traces_select_own on public.pipeline_traces for select to authenticated using (project_id in (
  select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
create policy pipeline_spans_select_own on public.pipeline_spans for select to authenticated using (project_id in (
  select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
revoke execute on function
  public.agent_job_trace_id(uuid, bigint), public.stand_in_span_id(uuid, text),
  public.store_pipeline_traces(jsonb), public.store_pipeline_spans(jsonb)
  from public, anon, authenticated;
grant execute on function
  public.agent_job_trace_id(uuid, bigint), public.stand_in_span_id(uuid, text),
  public.store_pipeline_traces(jsonb), public.store_pipeline_spans(jsonb)
  to service_role;

-- Every event says to which trace it belongs, what agent_job_trace_id says. A column that is filled when the event is
-- written: a generated one would write the whole table anew while everybody waits.
alter table public.agent_job_events add column trace_id uuid;
comment on column public.agent_job_events.trace_id is
  'The trace of the attempt that the event belongs to; null where it is older than traces.';

create function public.agent_job_events_trace() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  new.trace_id := md5(new.job_id::text || ':' || greatest(new.claim_no, 1)::text)::uuid;
  return new;
end $$;

-- After the trigger that finds the claim: they run in the order of their names.
create trigger agent_job_events_trace before insert on public.agent_job_events
  for each row execute function public.agent_job_events_trace();
revoke execute on function public.agent_job_events_trace() from public, anon, authenticated;
grant execute on function public.agent_job_events_trace() to service_role;
