-- A task belongs to the job that does it, and cannot outlive it.
--
-- A job may end outside its own run: canceled while it was queued, given up after a lost worker. What it had
-- left open is closed in the same transaction, whoever ends the job and by whatever statement. Locks are taken
-- in the order of `agent_jobs`, with the tasks between the job row and the event counter.

alter table public.tasks add column job_id uuid references public.agent_jobs on delete set null;
comment on column public.tasks.job_id is 'The job that does it; null for tasks that another client wrote.';

-- One row per piece of work of a job, so that an attempt that repeats a step does not list it twice.
create unique index tasks_once_per_job on public.tasks (job_id, agent, description) where job_id is not null;

create function public.agent_jobs_settle_tasks() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_status text := 'failed';
  v_error text := 'The job was deleted.';
begin
  if tg_op = 'UPDATE' then
    v_status := case new.status when 'queued' then 'queued' when 'completed' then 'completed' else 'failed' end;
    v_error := case when v_status = 'failed' then left(coalesce(nullif(new.last_error, ''), new.status), 1000) end;
  end if;
  if tg_op = 'DELETE' and not exists (select from projects where id = old.project_id) then
    return old;  -- its tasks go with the project
  end if;
  with settled as (
    update tasks set
      status = v_status, error = v_error, completed_at = case when v_status <> 'queued' then now() end
    where job_id = old.id and status in ('queued', 'running') and status <> v_status
    returning project_id, agent, description
  ), echoed as (
    insert into task_log (project_id, step, status, detail)
    select project_id, description, v_status, v_error from settled
  )
  insert into project_events (project_id, event_type, message, data)
  select project_id, 'task.' || v_status, left(description, 500),
         jsonb_build_object('agent', agent, 'detail', v_error)
  from settled;
  return old;
end $$;

-- By row: a statement's rows would have to be joined with what they were, on every update of whatever column.
create trigger agent_jobs_settle_tasks after update of status on public.agent_jobs
  for each row when (old.status is distinct from new.status and new.status <> 'running')
  execute function public.agent_jobs_settle_tasks();

create trigger agent_jobs_settle_tasks_before_delete before delete on public.agent_jobs
  for each row execute function public.agent_jobs_settle_tasks();

-- What was left open before tasks knew their job. Who still works on it opens it again under that job.
update public.tasks t set status = 'failed', error = 'It was left open.', completed_at = now()
where t.job_id is null and t.status in ('queued', 'running') and t.description like 'phase0\_%';
