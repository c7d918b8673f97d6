-- Announcing, a part of every transition, for less: what it does is the same.
--
-- PostgreSQL plans a statement of a function anew at every call where it takes the plan for one array to be better
-- than the plan for any; here planning took five times as long as the work. So announcing keeps one plan, which
-- finds all rows by their keys and is right for one job and for ten thousand, whatever the tables held when it was
-- made. And it announces all projects at once instead of one after the other.

create or replace function public.announce_agent_jobs(p_ids uuid[]) returns void
language plpgsql
set search_path = public, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
  insert into project_event_counters (project_id)
  select distinct j.project_id from unnest(p_ids) n join agent_jobs j on j.id = n order by 1
  on conflict do nothing;
  -- The look at the last events below is final: whoever else announces for these projects waits here.
  perform 1 from project_event_counters c
    where c.project_id in (select j.project_id from unnest(p_ids) n join agent_jobs j on j.id = n)
    order by c.project_id for update;

  with said as (
    insert into agent_job_events (project_id, job_id, type, message, data, seq, attempt, claim_no)
    select j.project_id, j.id, 'status', j.status,
           jsonb_strip_nulls(jsonb_build_object(
             'job_type', j.job_type,
             'attempt', j.attempts,
             'max_attempts', j.max_attempts,
             'error', case when j.status in ('failed', 'queued', 'canceled') then j.last_error end,
             'run_after', case when j.status = 'queued' then j.run_after end,
             'dagster_run_id', j.dagster_run_id)),
           c.last_seq + row_number() over (partition by j.project_id order by j.created_at, j.id),
           j.attempts, j.claim_no
    from unnest(p_ids) n
    join agent_jobs j on j.id = n
    join project_event_counters c on c.project_id = j.project_id
    left join lateral (
      select e.message, e.claim_no from agent_job_events e
      where e.job_id = j.id and e.type = 'status' order by e.seq desc limit 1
    ) last on true
    -- What a worker of another client has announced by itself is not said twice.
    where (last.message, last.claim_no) is distinct from (j.status, j.claim_no)
    returning project_id, seq
  )
  update project_event_counters c set last_seq = s.seq
  from (select project_id, max(seq) as seq from said group by project_id) s
  where c.project_id = s.project_id;
end $$;

-- A session keeps its plans, also one that it made while the table was small: looking for ids that are known already,
-- it then walked all events that had come since. By their keys a batch costs the same whatever lies there.
alter function public.append_agent_job_events(uuid, jsonb, bigint) set enable_seqscan = off;
alter function public.append_agent_job_events(uuid, jsonb, bigint) set enable_hashjoin = off;
alter function public.append_agent_job_events(uuid, jsonb, bigint) set enable_mergejoin = off;
