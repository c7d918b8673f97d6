-- Traces at InsForge: the same two tables as in the studio's own database, for those who read them there.
--
-- Apply it once in the project's SQL editor, or as a migration of its CLI; applied again it changes nothing. It does
-- without `do` blocks, functions and names outside of `public`, because not all of InsForge's editors take those.
--
-- Only rows that have ended arrive here, each once or again and then ignored. There are no projects to refer to, and no
-- key from a span to its trace, because either may arrive first.

create table if not exists public.pipeline_traces (
  trace_id uuid primary key,
  pipeline_name text not null,
  kind text not null default 'job' check (kind in ('job', 'synthetic', 'manual')),
  project_id uuid,
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
);
comment on table public.pipeline_traces is 'One row per attempt at a job: how long it took, what it cost, how it ended.';

create table if not exists public.pipeline_spans (
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
);
comment on table public.pipeline_spans is 'One row per piece of traced work; parent_span_id gives the tree.';

create index if not exists pipeline_traces_by_pipeline on public.pipeline_traces (pipeline_name, created_at desc);
create index if not exists pipeline_traces_by_time on public.pipeline_traces (created_at desc);
create index if not exists pipeline_traces_by_owner on public.pipeline_traces (owner_clerk_id, start_time desc);
create index if not exists pipeline_spans_by_trace on public.pipeline_spans (trace_id);
-- For what the studio's upkeep asks every hour, to clear and delete what is older than its retention.
create index if not exists pipeline_traces_by_project on public.pipeline_traces (project_id);
create index if not exists pipeline_spans_by_time on public.pipeline_spans (created_at);
create index if not exists pipeline_spans_by_project on public.pipeline_spans (project_id, created_at);
create index if not exists pipeline_spans_with_payload on public.pipeline_spans (start_time)
  where input_data is not null or output_data is not null;
create index if not exists pipeline_spans_with_fault on public.pipeline_spans (span_id)
  where fingerprint is not null or status = 'lost';

-- Prompts and answers are the owner's. The subject of the caller's token is read from the setting in which PostgREST
-- hands over its claims: InsForge's own auth.uid() wants a UUID, which Clerk's ids are not, and its auth.jwt() and
-- auth.uid_text() are not there in every version.
--
-- A span shows as soon as its trace is there, which is when the trace has ended.
alter table public.pipeline_traces enable row level security;
alter table public.pipeline_spans enable row level security;

drop policy if exists pipeline_traces_select_own on public.pipeline_traces;
create policy pipeline_traces_select_own on public.pipeline_traces for select to authenticated using (
  owner_clerk_id = (select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'));
drop policy if exists pipeline_spans_select_own on public.pipeline_spans;
create policy pipeline_spans_select_own on public.pipeline_spans for select to authenticated using (
  trace_id in (
    select t.trace_id from public.pipeline_traces t
    where t.owner_clerk_id = (select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')));

-- Whoever comes with the API key is `project_admin`. Newer versions let this role pass by all policies, older ones gave
-- it one of its own on each table.
drop policy if exists pipeline_traces_admin on public.pipeline_traces;
create policy pipeline_traces_admin on public.pipeline_traces for all to project_admin using (true) with check (true);
drop policy if exists pipeline_spans_admin on public.pipeline_spans;
create policy pipeline_spans_admin on public.pipeline_spans for all to project_admin using (true) with check (true);

-- InsForge opens each new table to everybody, and leaves the rest to policies. Nobody writes traces with a user's token.
revoke all on public.pipeline_traces, public.pipeline_spans from public, anon, authenticated;
grant select on public.pipeline_traces, public.pipeline_spans to authenticated;
grant all on public.pipeline_traces, public.pipeline_spans to project_admin;
