-- A writer whose connection breaks at the commit cannot know whether its events were written. It gives each its
-- id, and what is there already is left out when it sends them again.

create or replace function public.append_agent_job_events(p_job_id uuid, p_events jsonb, p_claim_no bigint default null)
returns bigint
language plpgsql set search_path = public, pg_temp as $$
declare
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
    where not exists (select 1 from agent_job_events known where known.id = (e.value ->> 'id')::uuid);
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
comment on function public.append_agent_job_events is
  'Append [{id?, type, message, data}] to a job''s stream in one reserved range, each id once; fenced where p_claim_no is '
  'given. Returns the first seq.';
