-- Synthetic runs: jobs that are sent through the real queue to see whether all of it works, and how long each step takes.
--
-- They belong to test projects, whose owner nobody is: what lists an owner's work does not show them. A job of the
-- studio's own project (a scan) is known by its row here alone.

create table public.synthetic_jobs (
  job_id uuid primary key references public.agent_jobs on delete cascade,
  run_id uuid not null,
  scenario text not null,
  must_fail boolean not null default false,
  created_at timestamptz not null default now()
);
comment on table public.synthetic_jobs is 'One row per job that was sent to test the installation.';
comment on column public.synthetic_jobs.run_id is 'The test that sent it, with others.';
comment on column public.synthetic_jobs.must_fail is 'It is sent to see that its failure is recorded.';

create index synthetic_jobs_by_run on public.synthetic_jobs (run_id);
create index synthetic_jobs_ordered on public.synthetic_jobs (created_at) where must_fail;

create table public.synthetic_baselines (
  scenario text not null,
  model text not null,
  span_name text not null,
  n integer not null default 0 check (n = cardinality(samples_ms) and n = cardinality(samples_micros)),
  median_ms double precision not null default 0,
  p95_ms double precision not null default 0,
  median_micros bigint not null default 0,
  samples_ms double precision[] not null default '{}',
  samples_micros bigint[] not null default '{}',
  updated_at timestamptz not null default now(),
  primary key (scenario, model, span_name)
);
create trigger synthetic_baselines_updated_at before update on public.synthetic_baselines
  for each row execute function public.set_updated_at();
comment on table public.synthetic_baselines is
  'How long the spans of a name took in the last good synthetic runs of a scenario, in all, and what they cost.';
comment on column public.synthetic_baselines.model is 'The model that was asked; empty where none was.';
comment on column public.synthetic_baselines.samples_ms is 'One per run, the oldest first.';

-- A trace does not know it of itself: its process knows the job, and nothing of who has sent it.
create function public.mark_synthetic_trace() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if new.owner_clerk_id = 'greenlight-synthetic' or exists (select from synthetic_jobs j where j.job_id = new.job_id) then
    new.kind := 'synthetic';
  end if;
  return new;
end $$;

create trigger pipeline_traces_synthetic before insert on public.pipeline_traces
  for each row when (new.kind = 'job') execute function public.mark_synthetic_trace();

-- An error that was ordered is counted, and is nobody's to mend: it neither opens an issue nor reopens one.
create function public.pass_over_ordered_faults() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  -- Whichever attempt it is: one before it may have been lost. No such job lasts for longer than a day.
  if not exists (
    select from synthetic_jobs s join agent_jobs j on j.id = s.job_id,
      generate_series(1, greatest(j.claim_no, 1)) as claim (n)
    where s.must_fail and s.created_at > new.last_seen - interval '1 day'
      and agent_job_trace_id(s.job_id, claim.n) = new.last_trace_id) then
    return new;
  end if;
  if tg_op = 'INSERT' then
    new.status := 'resolved';
    new.resolved_at := new.last_seen;
    new.resolved_by := 'a synthetic run';
  elsif old.status = 'resolved' and new.count > old.count then
    new.status := old.status;
    new.resolved_at := greatest(old.resolved_at, new.last_seen);
    new.reopened_at := old.reopened_at;
    new.reopened_by := old.reopened_by;
    new.reopened_count := old.reopened_count;
  end if;
  return new;
end $$;

create trigger pipeline_issues_ordered before insert or update on public.pipeline_issues
  for each row when (new.status = 'open') execute function public.pass_over_ordered_faults();

alter table public.synthetic_jobs enable row level security;
alter table public.synthetic_baselines enable row level security;
revoke all on public.synthetic_jobs, public.synthetic_baselines from public, anon, authenticated;
grant all on public.synthetic_jobs, public.synthetic_baselines to service_role;
revoke execute on function public.mark_synthetic_trace(), public.pass_over_ordered_faults()
  from public, anon, authenticated;
grant execute on function public.mark_synthetic_trace(), public.pass_over_ordered_faults() to service_role;
