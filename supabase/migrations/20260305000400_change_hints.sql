-- Whoever shows a project is told when something of it changes that is no event of a job.
--
-- A notification is a hint to read again, with the project and what of it: `<project id>:<what>`. Equal ones of one
-- transaction are one. By statement, so that a thousand rows cost what one does; none on agent_jobs and
-- agent_job_events, whose changes are in the event stream. What writes a row of the ledger in its own transaction
-- (integrations, shares, night shift, quiet hours, waitlists, pages) needs no trigger of its own.

create function public.tell_project_changes() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  perform pg_notify('project_changes', c.project_id || ':' || tg_argv[0])
  from (select distinct project_id from changed where project_id is not null) c;
  return null;
end $$;
comment on function public.tell_project_changes is
  'Notifies project_changes of the projects whose rows a statement has changed; the argument says what they show.';

create function public.tell_project_spend() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  -- What a model call reserves is given back within seconds, and no page shows it.
  perform pg_notify('project_changes', n.project_id || ':' || tg_argv[0])
  from changed n join before_change o using (project_id)
  where (n.cap_micros, n.cap_tokens, n.cap_calls, n.spent_micros, n.spent_tokens)
    is distinct from (o.cap_micros, o.cap_tokens, o.cap_calls, o.spent_micros, o.spent_tokens);
  return null;
end $$;
comment on function public.tell_project_spend is 'Notifies project_changes where what was spent, or its limits, changed.';

create function public.tell_project_mail() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  -- A sender's claims and leases are nobody's business.
  perform pg_notify('project_changes', c.project_id || ':' || tg_argv[0])
  from (select distinct n.project_id from changed n join before_change o using (id)
        where (n.status, n.error, n.scheduled_for) is distinct from (o.status, o.error, o.scheduled_for)) c;
  return null;
end $$;
comment on function public.tell_project_mail is 'Notifies project_changes where a mail has got on.';

create function public.tell_project_itself() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  perform pg_notify('project_changes', n.id || ':' || tg_argv[0])
  from changed n join before_change o using (id)
  where to_jsonb(n) - 'updated_at' is distinct from to_jsonb(o) - 'updated_at';
  return null;
end $$;
comment on function public.tell_project_itself is 'Notifies project_changes where a project''s own row says something else.';

do $$
declare
  v_table text;
  v_what text;
begin
  for v_table, v_what in values
    ('approval_queue', 'approvals'),
    ('outbox', 'outbox'),
    ('phase_packets', 'packets'),
    ('project_assets', 'assets'),
    ('project_chat_messages', 'chat')
  loop
    execute format(
      'create trigger %1$I after insert on public.%2$I referencing new table as changed
         for each statement execute function public.tell_project_changes(%3$L)',
      v_table || '_tell_insert', v_table, v_what);
    execute format(
      'create trigger %1$I after update on public.%2$I referencing new table as changed
         for each statement execute function public.tell_project_changes(%3$L)',
      v_table || '_tell_update', v_table, v_what);
  end loop;
end $$;

create trigger project_assets_tell_delete after delete on public.project_assets
  referencing old table as changed
  for each statement execute function public.tell_project_changes('assets');

create trigger project_events_tell_insert after insert on public.project_events
  referencing new table as changed
  for each statement execute function public.tell_project_changes('ledger');

create trigger email_jobs_tell_insert after insert on public.email_jobs
  referencing new table as changed
  for each statement execute function public.tell_project_changes('mail');
create trigger email_jobs_tell_update after update on public.email_jobs
  referencing old table as before_change new table as changed
  for each statement execute function public.tell_project_mail('mail');

create trigger project_budgets_tell_update after update on public.project_budgets
  referencing old table as before_change new table as changed
  for each statement execute function public.tell_project_spend('spend');

create trigger projects_tell_update after update on public.projects
  referencing old table as before_change new table as changed
  for each statement execute function public.tell_project_itself('project');

revoke execute on function public.tell_project_changes, public.tell_project_spend, public.tell_project_mail,
  public.tell_project_itself from public, anon, authenticated;
grant execute on function public.tell_project_changes, public.tell_project_spend, public.tell_project_mail,
  public.tell_project_itself to service_role;
