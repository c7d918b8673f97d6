-- A task belongs to the job that does it, and cannot outlive it.
--
-- A job may end outside its own run: canceled while it was queued, given up after a lost worker. What it had
-- left open is closed in the same transaction, whoever ends the job and by whatever statement.

alter table public.tasks add column job_id uuid references public.agent_jobs on delete set null;
comment on column public.tasks.job_id is 'The job that does it; null for tasks that another client wrote.';

-- One row per piece of work of a job, so that an attempt that repeats a step does not list it twice.
create unique index tasks_once_per_job on public.tasks (job_id, agent, description) where job_id is not null;

create function public.agent_jobs_settle_tasks() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  with ended as (
    select n.id, n.last_error,
           case n.status when 'queued' then 'queued' when 'completed' then 'completed' else 'failed' end as status,
           case n.status when 'completed' then null else coalesce(nullif(n.last_error, ''), n.status) end as error
    from after_update n join before_update o using (id)
    where n.status <> o.status and n.status <> 'running'
  ), settled as (
    update tasks t set
      status = e.status,
      error = case when e.status = 'failed' then left(e.error, 1000) end,
      completed_at = case when e.status <> 'queued' then now() end
    from ended e
    where t.job_id = e.id and t.status in ('queued', 'running') and t.status <> e.status
    returning t.project_id, t.agent, t.description, t.status, t.error
  ), echoed as (
    insert into task_log (project_id, step, status, detail)
    select project_id, description, status, error from settled
  )
  insert into project_events (project_id, event_type, message, data)
  select project_id, 'task.' || status, left(description, 500), jsonb_build_object('agent', agent, 'detail', error)
  from settled;
  return null;
end $$;

create trigger agent_jobs_settle_tasks after update on public.agent_jobs
  referencing old table as before_update new table as after_update
  for each statement execute function public.agent_jobs_settle_tasks();
