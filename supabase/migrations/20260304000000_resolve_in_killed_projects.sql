-- What a person knows of a held effect can be said in a killed project, too: that it was not done ends it there, as
-- nothing is done again. Before, only "it was done" was taken, and an effect that had certainly not happened stayed held.

create or replace function public.resolve_outbox_effect(
  p_id uuid, p_resolution text, p_by text, p_provider_id text default null, p_note text default null)
returns table (status text, job_id uuid, job_outcome text)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_row outbox;
  v_job_id uuid;
  v_project_status text;
  v_job_status text;
  v_job_outcome text;
  v_status text;
begin
  if p_resolution not in ('done', 'retry') then
    raise exception 'An effect is resolved as done or to be retried, not as %.', p_resolution using errcode = '22023';
  end if;
  select coalesce(x.job_id, a.execution_job_id) into v_job_id
  from outbox o
    left join action_executions x on x.id = o.execution_id
    left join approval_queue a on a.id = o.approval_id
  where o.id = p_id;
  if not found then
    raise exception 'There is no effect %.', p_id using errcode = 'GL040';
  end if;
  -- Before anything is locked: a job at work may hold its row for a while, and nobody waits for that.
  if exists (select from agent_jobs j where j.id = v_job_id and j.status = 'running') then
    raise exception 'Job % is working on effect % just now.', v_job_id, p_id using errcode = 'GL042';
  end if;
  -- The job before the project, as whoever begins an execution takes them.
  select j.status into v_job_status from agent_jobs j where j.id = v_job_id for no key update;
  if v_job_status = 'running' then
    raise exception 'Job % is working on effect % just now.', v_job_id, p_id using errcode = 'GL042';
  end if;
  select p.status into v_project_status from projects p join outbox o on o.project_id = p.id
    where o.id = p_id for share of p;
  perform 1 from approval_queue a join outbox o on o.approval_id = a.id where o.id = p_id for no key update of a;
  perform 1 from action_executions x join outbox o on o.execution_id = x.id where o.id = p_id for no key update of x;
  select * into v_row from outbox o where o.id = p_id for no key update;
  if v_row.status <> 'unknown' then
    raise exception 'Effect % is %: there is nothing for a person to say about it.', p_id, v_row.status
      using errcode = 'GL043';
  end if;
  if p_resolution = 'retry' and v_project_status = 'paused' then
    raise exception 'The project is paused, so nothing can be done again in it.'
      using errcode = 'GL032', hint = 'Resume it first (`greenlight projects resume`), or say that it was done.';
  end if;
  -- Without a job that could go on, and in a killed project, nothing is done again: that it was not done is the end.
  v_status := case when p_resolution = 'done' then 'done'
                   when v_job_status is null or v_job_status = 'completed' or v_project_status = 'killed' then 'failed'
                   else 'pending' end;
  update outbox o set
    status = v_status, provider_id = coalesce(p_provider_id, o.provider_id),
    error = case v_status when 'failed' then 'A person has seen that it was not done.' end,
    settled_at = case when v_status <> 'pending' then now() end,
    resolved_by = p_by, resolved_at = now(), note = p_note
  where o.id = p_id returning * into v_row;
  insert into project_events (project_id, event_type, message, data)
  values (v_row.project_id, 'outbox.resolved',
          left(v_row.effect || ': ' || case v_row.status when 'done' then 'it was done' when 'failed' then 'it was not done'
            else 'to be done again' end, 500),
          jsonb_strip_nulls(jsonb_build_object(
            'outbox_id', p_id, 'approval_id', v_row.approval_id, 'resolution', p_resolution, 'by', p_by,
            'provider_id', p_provider_id, 'note', p_note)));
  if v_job_status in ('failed', 'canceled') and v_project_status = 'active' then
    -- What is left to do, if only to say that it was done, the job does.
    select r.outcome into v_job_outcome from revive_agent_job(v_job_id) r;
    update approval_queue a set execution_status = 'queued'
      where a.id = v_row.approval_id and a.execution_status = 'unknown';
  elsif v_job_status is distinct from 'queued' then
    -- It is deleted, was ended by another client, or may not go on: nobody else will say it.
    v_job_outcome := case when v_job_status is not null then 'existing' end;
    perform conclude_action_execution(
      v_row.approval_id, v_job_id, coalesce(p_note, 'A person has seen that it was done.'),
      coalesce(p_note, 'A person has seen that it was not done.'));
  else
    v_job_outcome := 'existing';
  end if;
  return query select v_row.status, v_job_id, v_job_outcome;
end $$;
comment on function public.resolve_outbox_effect is
  'A person says what became of an effect that nobody knows of: it was done, or it is to be done again. Its job goes '
  'on; where that cannot be, as in a paused or killed project, execution and approval end here: in a killed one also where '
  'it was not done. Of mails: resolve_email.';
