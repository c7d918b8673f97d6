-- Enqueuing many at once, for less: what it does is the same.
--
-- The jobs that a batch creates are answered together, from what their insert returns. Each used to be looked up once
-- more by itself, and taken out of an array of all the others. Only what was there already, or stands in the batch a
-- second time, is still gone through one by one.

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
    insert into agent_jobs (project_id, job_type, agent_key, payload, idempotency_key, priority, run_after, max_attempts, lane)
    select i.project_id, v ->> 'job_type', v ->> 'agent_key', coalesce(nullif(v -> 'payload', 'null'), '{}'),
           i.key, coalesce((v ->> 'priority')::integer, 0),
           coalesce((v ->> 'run_after')::timestamptz, now()), coalesce((v ->> 'max_attempts')::integer, 3), v ->> 'lane'
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
        payload = v_in.payload,
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
end $$;
