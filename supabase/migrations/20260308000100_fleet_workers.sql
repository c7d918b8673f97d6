-- Workers on several machines: what each offers, and which of them has taken which run.
--
-- A worker of the fleet serves one lane with so many processes. That it lives is a row of worker_heartbeats, by the
-- database's clock; pickup claims no more jobs of a lane than its living workers have processes for, so that no claim
-- waits in the broker for somebody who is not there.
--
-- A run is handed out by a broker, and brokers deliver more than once: after a lost connection, a restart, a slow
-- acknowledgement. Whoever inserts the run's row here carries it out; everybody else finds it taken.

create table public.run_takes (
  run_id text primary key,
  worker_id text not null,
  host text not null,
  pid integer,
  process_start text,
  taken_at timestamptz not null default now(),
  ended_at timestamptz,
  ending text
);
comment on table public.run_takes is
  'Which process has taken a Dagster run off the broker. A run is taken once, whatever the broker delivers.';
comment on column public.run_takes.process_start is
  'When the process began, in the words of its kernel: another one may come to have its host and its number.';
comment on column public.run_takes.ending is 'What became of it: done, or how its process was lost.';
create index run_takes_open on public.run_takes (worker_id) where ended_at is null;
create index run_takes_by_age on public.run_takes (taken_at);

alter table public.run_takes enable row level security;
revoke all on public.run_takes from public, anon, authenticated;
grant all on public.run_takes to service_role;

-- What a run's ops print, where every node reads it. In the database, because it is what all nodes have in common.
create table public.run_outputs (
  log_key text collate "C" primary key,
  stdout bytea not null default '',
  stderr bytea not null default '',
  complete boolean not null default false,
  stored_at timestamptz not null default now()
);
comment on table public.run_outputs is
  'Captured output of Dagster runs that were carried out on another machine than the one that shows it.';

alter table public.run_outputs enable row level security;
revoke all on public.run_outputs from public, anon, authenticated;
grant all on public.run_outputs to service_role;

create function public.take_run(
  p_run_id text, p_worker_id text, p_host text, p_pid integer default null, p_process_start text default null)
returns boolean
language plpgsql set search_path = public, pg_temp as $$
begin
  insert into run_takes (run_id, worker_id, host, pid, process_start)
    values (p_run_id, p_worker_id, p_host, p_pid, p_process_start)
    on conflict (run_id) do nothing;
  -- The answer to the insert may have been lost on the way: the same process asks again, and has it.
  return exists (
    select from run_takes where run_id = p_run_id and worker_id = p_worker_id and host = p_host
      and pid is not distinct from p_pid and process_start is not distinct from p_process_start and ended_at is null);
end $$;
comment on function public.take_run is
  'Take a run off the broker; true where it is the caller''s, false where somebody has taken it before.';

create function public.end_run_take(p_run_id text, p_worker_id text, p_ending text) returns boolean
language plpgsql set search_path = public, pg_temp as $$
begin
  update run_takes set ended_at = now(), ending = p_ending
    where run_id = p_run_id and worker_id = p_worker_id and ended_at is null;
  return found;
end $$;
comment on function public.end_run_take is 'Note how a taken run ended; false where that is known already.';

create function public.report_worker(
  p_worker_id text, p_service_name text, p_status text, p_details jsonb, p_rss_mb double precision default null)
returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_lane text := p_details ->> 'lane';
  v_before worker_heartbeats;
begin
  select * into v_before from worker_heartbeats where worker_id = p_worker_id for no key update;
  insert into worker_heartbeats (worker_id, service_name, status, details, rss_mb, jobs_processed)
    values (p_worker_id, p_service_name, p_status, p_details, p_rss_mb, coalesce((p_details ->> 'done')::bigint, 0))
    on conflict (worker_id) do update set
      service_name = excluded.service_name, status = excluded.status, details = excluded.details,
      rss_mb = excluded.rss_mb, jobs_processed = excluded.jobs_processed, last_seen_at = now(),
      -- Another process under the name: it has begun now.
      started_at = case when worker_heartbeats.details ->> 'process' is distinct from excluded.details ->> 'process'
                        then now() else worker_heartbeats.started_at end;
  -- Jobs may have waited for it.
  if p_status = 'running' and v_lane is not null and (
      v_before is null or v_before.status <> 'running' or v_before.last_seen_at < now() - interval '10 seconds'
      or v_before.details ->> 'slots' is distinct from p_details ->> 'slots') then
    perform pg_notify('agent_jobs', v_lane);
  end if;
end $$;
comment on function public.report_worker is
  'Say that a worker lives, by the database''s clock. details: lane, slots, host, process, running, done, build.';

create function public.offered_slots(p_service_name text, p_lane text, p_within interval) returns integer
language sql stable set search_path = public, pg_temp as $$
  select coalesce(sum((details ->> 'slots')::integer), 0)::integer from worker_heartbeats
  where service_name = p_service_name and status = 'running' and last_seen_at > now() - p_within
    and details ->> 'lane' = p_lane
$$;
comment on function public.offered_slots is 'How many processes the living workers of a lane have, busy or not.';

create function public.claimable_slots(p_service_name text, p_lane text, p_within interval) returns integer
language sql stable set search_path = public, pg_temp as $$
  with offering as (
    select worker_id, (details ->> 'slots')::integer as slots from worker_heartbeats
    where service_name = p_service_name and status = 'running' and last_seen_at > now() - p_within
      and details ->> 'lane' = p_lane
  )
  select case when exists (select from offering) then
    (select sum(slots) from offering) + (
      select count(*) from agent_jobs j join run_takes t on t.run_id = j.dagster_run_id
      where j.lane = p_lane and j.status = 'running'
        and not exists (select from offering o where o.worker_id = t.worker_id))
  else 0 end::integer
$$;
comment on function public.claimable_slots is
  'How many jobs of a lane may run at once: what its living workers have processes for, beside what goes on at workers '
  'that drain or are lost, whose runs take none of these processes.';

revoke execute on function public.take_run, public.end_run_take, public.report_worker, public.offered_slots,
  public.claimable_slots from public, anon, authenticated;
grant execute on function public.take_run, public.end_run_take, public.report_worker, public.offered_slots,
  public.claimable_slots to service_role;
