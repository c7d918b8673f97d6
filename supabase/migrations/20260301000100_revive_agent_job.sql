-- Put an ended job back in the queue as it is. Enqueueing it again would not do: a payload that another client
-- wrote is not letter for letter what the registry makes of it, and another payload drops the finished steps.

create function public.revive_agent_job(p_job_id uuid) returns table (outcome text, status text)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_job agent_jobs;
begin
  select * into v_job from agent_jobs where id = p_job_id for no key update;
  if not found then
    raise exception 'There is no job %.', p_job_id using errcode = 'GL003';
  end if;
  if v_job.status not in ('failed', 'canceled') then
    return query select 'existing', v_job.status;
    return;
  end if;
  update agent_jobs j set
    status = 'queued', attempts = 0, interruptions = 0, last_error = null, started_at = null,
    run_after = now(), dagster_run_id = null
  where j.id = p_job_id;
  return query select 'revived', 'queued';
end $$;
comment on function public.revive_agent_job is
  'Queue a failed or canceled job again with its payload, priority and finished steps; outcome is revived, or '
  'existing where it has not ended so.';
