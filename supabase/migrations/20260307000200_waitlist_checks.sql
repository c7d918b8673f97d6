-- Sign-ups that a page check made to see whether the form of a published page really works. They are no sign-ups: kept
-- in a table of their own, counted by nobody, written to by nobody, and gone as soon as the check has seen them.

create table public.waitlist_checks (
  job_id uuid primary key references public.agent_jobs on delete cascade,
  project_id uuid not null references public.projects on delete cascade,
  email text not null check (email = lower(email)),
  source text not null,
  consent jsonb not null default '{}' check (jsonb_typeof(consent) = 'object'),
  arrived_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
create index waitlist_checks_by_project on public.waitlist_checks (project_id);
comment on table public.waitlist_checks is
  'Test addresses that a page check has left in the form of a published page, until it has found them here.';

alter table public.waitlist_checks enable row level security;
revoke all on public.waitlist_checks from public, anon, authenticated;
grant all on public.waitlist_checks to service_role;

-- Refuses what join_waitlist refuses, so that a form that takes nobody fails its check as well.
create function public.record_waitlist_check(
  p_job_id uuid, p_project_id uuid, p_email text, p_source text, p_consent jsonb
) returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_status text;
begin
  select status into v_status from projects where id = p_project_id;
  if not found or v_status = 'killed' or not exists (
    select from project_deployments where project_id = p_project_id and status = 'ready') then
    raise exception 'There is no such list.' using errcode = 'GL063';
  end if;
  if v_status <> 'active' then
    raise exception 'This list takes no sign-ups at the moment.' using errcode = 'GL062';
  end if;
  -- An address that outlives its check is worth nothing, and neither is one that was taken to another project's page.
  if not exists (
    select from agent_jobs where id = p_job_id and project_id = p_project_id and job_type = 'browser.check_page'
      and status = 'running') then
    return false;
  end if;
  -- What checks have left that ended before they could look for it.
  delete from waitlist_checks w where not exists (
    select from agent_jobs j where j.id = w.job_id and j.status = 'running');
  insert into waitlist_checks (job_id, project_id, email, source, consent)
    values (p_job_id, p_project_id, p_email, p_source, p_consent)
    on conflict (job_id) do update set email = excluded.email, source = excluded.source,
      consent = excluded.consent, arrived_at = now();
  return true;
end $$;
comment on function public.record_waitlist_check is
  'Notes that the test address of a running page check has arrived; returns whether it was one of this project.';
