-- Payloads have versions, so that code of two releases can work on one queue.
--
-- Whoever enqueues says of which version the payload is; a client that says nothing writes version 1, the one it has
-- always written. agent_job_types keeps the newest version that any release has registered: what stands there and a
-- worker does not know, a newer worker will take; what stands nowhere nobody knows.

alter table public.agent_jobs add column payload_version smallint not null default 1;
comment on column public.agent_jobs.payload_version is
  'Of which version the payload is: 1 where a client does not say. Code of that version or a later one understands it.';

alter table public.agent_job_types add column payload_version smallint not null default 1;
comment on column public.agent_job_types.payload_version is
  'The newest version of the type''s payload that a release has registered; 0 where no release can run the type yet.';

create or replace function public.enqueue_agent_jobs(p_jobs jsonb)
returns table (ordinality bigint, job_id uuid, outcome text, status text)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_in record;
  v_job agent_jobs;
  v_changed uuid[];
  v_numbers bigint[];
  v_statuses text[];
begin
  -- Rows before counters: what will be revived is locked first, and what was created and revived is
  -- announced together at the end. What is queued, runs or is done is neither changed nor waited for.
  perform 1 from agent_jobs j
    where (j.project_id, j.idempotency_key) in (
        select (e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key' from jsonb_array_elements(p_jobs) e)
      and j.status in ('failed', 'canceled')
    order by j.id for no key update;
  perform set_config('greenlight.announce', 'later', true);

  with input as (
    select distinct on ((e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key')
           e.value as v, (e.value ->> 'project_id')::uuid as project_id, e.value ->> 'idempotency_key' as key,
           e.ordinality as n
    from jsonb_array_elements(p_jobs) with ordinality e
    order by (e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key', e.ordinality
  ), created as (
    insert into agent_jobs (project_id, job_type, agent_key, payload, idempotency_key, priority, run_after, max_attempts,
                            lane, payload_version)
    select i.project_id, v ->> 'job_type', v ->> 'agent_key', coalesce(nullif(v -> 'payload', 'null'), '{}'),
           i.key, coalesce((v ->> 'priority')::integer, 0),
           coalesce((v ->> 'run_after')::timestamptz, now()), coalesce((v ->> 'max_attempts')::integer, 3), v ->> 'lane',
           coalesce((v ->> 'payload_version')::smallint, 1)
    from input i
    -- The conflict clause alone would wait for whoever is just changing a job that is there.
    where not exists (select 1 from agent_jobs j where j.project_id = i.project_id and j.idempotency_key = i.key)
    -- In one order, so that two batches of the same new keys do not wait for each other.
    order by i.project_id, i.key
    on conflict (project_id, idempotency_key) do nothing
    returning id, project_id, idempotency_key, status
  )
  select coalesce(array_agg(c.id), '{}'), coalesce(array_agg(i.n), '{}'), coalesce(array_agg(c.status), '{}')
  into v_changed, v_numbers, v_statuses
  from created c join input i on i.project_id = c.project_id and i.key = c.idempotency_key;

  return query select c.n, c.id, 'created', c.status from unnest(v_numbers, v_changed, v_statuses) c (n, id, status);
  -- What was there already, or stands in the batch a second time.
  for v_in in
    select e.value as v, e.ordinality as n, coalesce(nullif(e.value -> 'payload', 'null'), '{}') as payload
    from jsonb_array_elements(p_jobs) with ordinality e
    where not exists (select 1 from unnest(v_numbers) n where n = e.ordinality)
    order by (e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key', e.ordinality
  loop
    select * into v_job from agent_jobs j
      where j.project_id = (v_in.v ->> 'project_id')::uuid and j.idempotency_key = v_in.v ->> 'idempotency_key';
    if found and v_job.status in ('failed', 'canceled') then
      select * into v_job from agent_jobs j where j.id = v_job.id for no key update;
    end if;
    if not found then
      raise exception 'The job with key % vanished while it was enqueued.', v_in.v ->> 'idempotency_key'
        using errcode = '40001';
    end if;
    if v_job.job_type <> v_in.v ->> 'job_type' then
      raise exception 'The key % belongs to a job of type %, not %.',
        v_job.idempotency_key, v_job.job_type, v_in.v ->> 'job_type' using errcode = 'GL004';
    end if;
    ordinality := v_in.n;
    job_id := v_job.id;
    if v_job.status in ('failed', 'canceled') then
      if v_job.payload is distinct from v_in.payload then
        delete from agent_job_steps s where s.job_id = v_job.id;
      end if;
      update agent_jobs j set
        status = 'queued', attempts = 0, interruptions = 0, last_error = null, started_at = null,
        payload = v_in.payload, payload_version = coalesce((v_in.v ->> 'payload_version')::smallint, 1),
        priority = coalesce((v_in.v ->> 'priority')::integer, 0),
        run_after = coalesce((v_in.v ->> 'run_after')::timestamptz, now()),
        max_attempts = greatest(1, least(8, coalesce((v_in.v ->> 'max_attempts')::integer, 3))),
        dagster_run_id = null
      where j.id = v_job.id;
      v_changed := v_changed || v_job.id;
      v_job.status := 'queued';
      outcome := 'revived';
    else
      outcome := 'existing';
    end if;
    status := v_job.status;
    return next;
  end loop;

  perform set_config('greenlight.announce', '', true);
  perform announce_agent_jobs(v_changed);
  perform require_queue_room(v_changed);
end $$;
comment on function public.enqueue_agent_jobs is
  'Enqueue [{project_id, job_type, agent_key, payload, payload_version, idempotency_key, priority, run_after, max_attempts, '
  'lane}]. The same key gives the same job; one that failed or was canceled is revived with the new payload.';

drop function public.enqueue_agent_job(uuid, text, text, jsonb, text, integer, timestamptz, integer, text);
create function public.enqueue_agent_job(
  p_project_id uuid, p_job_type text, p_agent_key text, p_payload jsonb, p_idempotency_key text,
  p_priority integer default 0, p_run_after timestamptz default null, p_max_attempts integer default 3,
  p_lane text default null, p_payload_version integer default 1)
returns table (job_id uuid, outcome text, status text)
language sql set search_path = public, pg_temp as $$
  select e.job_id, e.outcome, e.status
  from enqueue_agent_jobs(jsonb_build_array(jsonb_build_object(
    'project_id', p_project_id, 'job_type', p_job_type, 'agent_key', p_agent_key, 'payload', p_payload,
    'idempotency_key', p_idempotency_key, 'priority', p_priority, 'run_after', p_run_after,
    'max_attempts', p_max_attempts, 'lane', p_lane, 'payload_version', p_payload_version))) e
$$;

create function public.hand_back_agent_job(
  p_job_id uuid, p_claim_no bigint, p_reason text, p_delay interval default interval '15 seconds')
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job agent_jobs;
  v_status text;
begin
  select * into v_job from agent_jobs
    where id = p_job_id and claim_no = p_claim_no and status = 'running' for no key update;
  if not found then
    raise exception 'Claim % of job % is no longer current.', p_claim_no, p_job_id using errcode = 'GL001';
  end if;
  if not exists (select from agent_job_types t
                 where t.job_type = v_job.job_type and t.payload_version >= v_job.payload_version) then
    return fail_agent_job(p_job_id, p_claim_no, p_reason, true);
  end if;
  perform set_config('greenlight.transition', 'on', true);
  update agent_jobs set
    status = case when cancel_requested_at is not null then 'canceled' else 'queued' end,
    attempts = greatest(0, attempts - 1), run_after = now() + p_delay,
    last_error = case when cancel_requested_at is null then p_reason else coalesce(last_error, p_reason) end
  where id = p_job_id
  returning status into v_status;
  perform set_config('greenlight.transition', '', true);
  return v_status;
end $$;
comment on function public.hand_back_agent_job is
  'Give back a job that the worker''s code does not understand: for a newer worker, not before p_delay, burning neither an '
  'attempt nor an interruption. Failed at once where no release has registered such a payload.';

revoke execute on function public.enqueue_agent_job, public.hand_back_agent_job from public, anon, authenticated;
grant execute on function public.enqueue_agent_job, public.hand_back_agent_job to service_role;
