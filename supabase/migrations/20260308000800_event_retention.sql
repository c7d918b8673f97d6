-- Whole event streams of jobs that ended long ago go, where the installation wants that: job by job, in small batches.
-- Only text that was streamed went before.

alter table public.agent_jobs add column events_pruned_at timestamptz;
comment on column public.agent_jobs.events_pruned_at is
  'When the job''s events were deleted for their age; null while they are there.';

-- A job that is revived has events again; and no client writes a payload of version 0.
create or replace function public.agent_jobs_prepare() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_known database_identity;
  c_first constant timestamptz := '2000-01-01 00:00:00+00';
  c_last constant timestamptz := '9999-12-31 00:00:00+00';
begin
  new.payload_version := greatest(1, coalesce(new.payload_version, 1));
  -- Clients know no year beyond these; 'infinity' on a job that shall wait is kept as the last of them.
  if new.run_after not between c_first and c_last then
    new.run_after := greatest(c_first, least(c_last, new.run_after));
  end if;
  if tg_op = 'INSERT' then
    new.lane := coalesce(
      new.lane, (select t.lane from agent_job_types t where t.job_type = new.job_type), 'standard');
    new.max_attempts := greatest(1, least(8, new.max_attempts));
    new.waits_until := case when new.run_after > now() then new.run_after end;
    -- A row may come as it will never be claimed here: running elsewhere, or over. It needs what a transition gives.
    if new.status = 'running' then
      new.claim_no := greatest(new.claim_no, 1);
      new.locked_at := coalesce(new.locked_at, now());
    elsif new.status <> 'queued' then
      new.completed_at := coalesce(new.completed_at, now());
    end if;
    return new;
  end if;
  -- The functions below raise the flag around their own statement. A function's SET clause would be tidier,
  -- but only a superuser may name a parameter there that the server does not know.
  if old.status = 'running' and old.leased_until is not null
     and coalesce(current_setting('greenlight.transition', true), '') <> 'on'
     and (new.status, new.claim_no, new.leased_until, new.attempts)
         is distinct from (old.status, old.claim_no, old.leased_until, old.attempts) then
    raise exception 'Job % is leased by claim %: change it through complete_agent_job or cancel_agent_job.',
      old.id, old.claim_no using errcode = 'GL001';
  end if;
  if new.run_after is distinct from old.run_after then
    new.waits_until := case when new.run_after > now() then new.run_after end;
  end if;
  -- Whoever lets a job run, by whatever statement, ends what earlier claims may write.
  new.claim_no := greatest(
    new.claim_no, old.claim_no + case when new.status = 'running' and old.status <> 'running' then 1 else 0 end);
  if new.claim_no > old.claim_no then
    select * into v_known from database_identity where name = 'studio';
    if v_known.identity <> database_identity_now() then
      raise exception 'The database was restored or promoted since it was last used.'
        using errcode = 'GL070', hint = 'Stop everything, and run `greenlight db after-restore`.';
    end if;
    -- Of what was claimed in a lost piece of history, no number comes again: runs are told apart by them.
    new.claim_no := greatest(new.claim_no, coalesce(v_known.claim_floor, 0));
  end if;
  if new.status = old.status then
    return new;
  end if;
  if new.status = 'running' then
    -- Without it a foreign claim could never be told from a fresh one, and would hold its slot for ever.
    new.locked_at := coalesce(new.locked_at, now());
  else
    new.locked_at := null;
    new.locked_by := null;
    new.leased_until := null;
    new.cancel_requested_at := null;
  end if;
  if new.status in ('completed', 'failed', 'canceled') then
    new.completed_at := coalesce(new.completed_at, now());
  elsif new.status = 'queued' then
    new.completed_at := null;
    -- What comes now is not pruned yet.
    new.events_pruned_at := null;
  end if;
  return new;
end $$;

-- By default a fifth of the table would have to be dead before it is vacuumed: at a hundred million rows, twenty million.
alter table public.agent_job_events set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

create function public.prune_agent_job_events(p_older_than interval, p_limit integer default 5000)
returns table (jobs integer, events integer)
language plpgsql
set search_path = public, pg_temp
-- By keys whatever a plan thinks of them: it is the same for a small table and for a hundred million rows.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  -- A job whose stream is longer than the batch takes several: it is noted when nothing of it is left.
  c_jobs constant integer := 100;
  v_jobs uuid[];
  v_events integer;
begin
  -- "Skip locked": a sweep of another host takes other jobs, and nobody's retry waits for this.
  select array_agg(id) into v_jobs from (
    select id from agent_jobs
    where events_pruned_at is null and status in ('completed', 'failed', 'canceled')
      and completed_at < now() - p_older_than
    order by completed_at limit c_jobs for no key update skip locked) old;
  if v_jobs is null then
    return query select 0, 0;
    return;
  end if;
  with gone as (
    delete from agent_job_events e
    using (select d.id, d.created_at from unnest(v_jobs) j
           cross join lateral (select x.id, x.created_at from agent_job_events x where x.job_id = j limit p_limit) d
           limit p_limit) d
    -- The moment leaves one partition to look into, where there are some.
    where e.id = d.id and e.created_at = d.created_at
    returning 1
  )
  select count(*) into v_events from gone;
  return query
  with noted as (
    update agent_jobs j set events_pruned_at = now()
    where j.id = any (v_jobs) and not exists (select from agent_job_events e where e.job_id = j.id)
    returning 1
  )
  select count(*)::integer, v_events from noted;
end $$;
comment on function public.prune_agent_job_events is
  'Delete the events of jobs that ended longer ago than that, oldest first, at most p_limit of them. Returns how many jobs '
  'have none left, and how many events went; nothing is left to do where both are 0.';

create or replace function public.prune_agent_job_deltas(p_older_than interval, p_limit integer default 5000)
returns integer
language sql
set search_path = public, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
  with old as (
    select e.id, e.created_at from agent_job_events e join agent_jobs j on j.id = e.job_id
    where e.type = 'delta' and e.created_at < now() - p_older_than
      and j.status in ('completed', 'failed', 'canceled')
    order by e.created_at limit p_limit
  ), gone as (
    delete from agent_job_events e using old where e.id = old.id and e.created_at = old.created_at returning 1
  )
  select count(*)::integer from gone
$$;

-- A batch that is sent again follows the first sending at once: events of a day ago are not looked for. Where the table
-- is partitioned, that leaves one partition to look into.
create or replace function public.append_agent_job_events(p_job_id uuid, p_events jsonb, p_claim_no bigint default null)
returns bigint
language plpgsql
set search_path = public, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  c_again constant interval := interval '1 day';
  v_job agent_jobs;
  v_events jsonb := p_events;
  v_first bigint;
begin
  if exists (select 1 from jsonb_array_elements(p_events) e where e.value ->> 'type' = 'status') then
    raise exception 'A status event comes from the transition itself.' using errcode = '22023';
  end if;
  if p_claim_no is null then
    select * into v_job from agent_jobs where id = p_job_id for share;
    if not found then
      raise exception 'There is no job %.', p_job_id using errcode = 'GL003';
    end if;
  else
    v_job := hold_agent_job(p_job_id, p_claim_no);
  end if;
  if exists (select 1 from jsonb_array_elements(p_events) e where e.value ? 'id') then
    -- The server may still be committing the first sending: behind the counter's lock it has, or it never will.
    perform 1 from project_event_counters where project_id = v_job.project_id for update;
    select coalesce(jsonb_agg(e.value order by e.ordinality), '[]') into v_events
    from jsonb_array_elements(p_events) with ordinality e
    where not exists (select 1 from agent_job_events known
                      where known.id = (e.value ->> 'id')::uuid and known.created_at > now() - c_again);
  end if;
  v_first := reserve_event_seqs(v_job.project_id, jsonb_array_length(v_events));
  insert into agent_job_events (id, project_id, job_id, type, message, data, seq, attempt, claim_no)
  select coalesce((e.value ->> 'id')::uuid, gen_random_uuid()), v_job.project_id, v_job.id, e.value ->> 'type',
         e.value ->> 'message', coalesce(nullif(e.value -> 'data', 'null'), '{}'), v_first + e.ordinality - 1,
         v_job.attempts, v_job.claim_no
  from jsonb_array_elements(v_events) with ordinality e
  order by e.ordinality;
  return v_first;
end $$;

revoke execute on function public.prune_agent_job_events from public, anon, authenticated;
grant execute on function public.prune_agent_job_events to service_role;
