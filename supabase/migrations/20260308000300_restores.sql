-- What the studio knows after its database was set back to an earlier moment, or to a copy that lost the last commits.
--
-- The world has moved on meanwhile: mails left, campaigns were created, runs were launched, and the restored database
-- knows nothing of it. Three things follow. A database that is not the one last used gives out no work until a person
-- has said what happened (after_restore). Claim numbers go on above all that may have been given out before, because
-- run keys, run tags and traces are made of them. And whatever may have left between the moment the database was set
-- back to and the restore is in doubt: it is asked for under the same key while the provider remembers keys, else held.
--
-- SQLSTATE GL070 = the database is another than was last used; GL071 = what is said of the restore cannot be.

create table public.database_restores (
  id bigint generated always as identity primary key,
  restored_to timestamptz not null,
  restored_at timestamptz not null default now(),
  restored_by text not null,
  identity_before text,
  did jsonb not null default '{}' check (jsonb_typeof(did) = 'object'),
  check (restored_to <= restored_at)
);
comment on table public.database_restores is
  'One row per restore: what happened between restored_to and restored_at is unknown to this database.';
comment on column public.database_restores.did is 'What after_restore changed, by counts.';

create table public.database_identity (
  name text primary key,
  identity text not null,
  claim_floor bigint not null default 0,
  noted_at timestamptz not null default now()
);
comment on table public.database_identity is
  'Which server, timeline and tables this database had when it was last known to be complete: the row `studio`.';
comment on column public.database_identity.claim_floor is
  'Claim numbers are given out from here on: none that a lost piece of history gave out comes again.';

create function public.database_identity_now() returns text
language plpgsql stable set search_path = public, pg_temp as $$
declare
  v_system text := '?';
  v_timeline text := '?';
begin
  -- Another cluster by a dump or an upgrade, another timeline by a recovery or a promotion, other tables by a dump.
  begin
    select system_identifier::text into v_system from pg_control_system();
    v_timeline := substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8);
  exception when insufficient_privilege or undefined_function or feature_not_supported then
    null;  -- a hosted server may not tell; the tables do
  end;
  return format('%s/%s/%s', v_system, v_timeline, 'public.agent_jobs'::regclass::oid);
end $$;
comment on function public.database_identity_now is
  'Server, timeline and tables as one text: another one means that history may be missing.';

insert into public.database_identity (name, identity) values ('studio', public.database_identity_now());

create function public.database_is_known() returns boolean
language sql stable set search_path = public, pg_temp as $$
  select not exists (select from database_identity where name = 'studio' and identity <> database_identity_now())
$$;
comment on function public.database_is_known is 'Whether this is the database that was last used, as far as it can tell.';

-- ------------------------------------------------------------------------------------------- claims

create or replace function public.agent_jobs_prepare() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  c_first constant timestamptz := '2000-01-01 00:00:00+00';
  c_last constant timestamptz := '9999-12-31 00:00:00+00';
  v_known database_identity;
begin
  -- Clients know no year beyond these; 'infinity' on a job that shall wait is kept as the last of them.
  if new.run_after not between c_first and c_last then
    new.run_after := greatest(c_first, least(c_last, new.run_after));
  end if;
  if tg_op = 'INSERT' then
    new.lane := coalesce(
      new.lane, (select t.lane from agent_job_types t where t.job_type = new.job_type), 'standard');
    new.max_attempts := greatest(1, least(8, new.max_attempts));
    new.waits_until := case when new.run_after > now() then new.run_after end;
    -- A row may come as it will never be claimed here: running elsewhere, or over. It needs what a transition gives.
    if new.status = 'running' then
      new.claim_no := greatest(new.claim_no, 1);
      new.locked_at := coalesce(new.locked_at, now());
    elsif new.status <> 'queued' then
      new.completed_at := coalesce(new.completed_at, now());
    end if;
    return new;
  end if;
  -- The functions below raise the flag around their own statement. A function's SET clause would be tidier,
  -- but only a superuser may name a parameter there that the server does not know.
  if old.status = 'running' and old.leased_until is not null
     and coalesce(current_setting('greenlight.transition', true), '') <> 'on'
     and (new.status, new.claim_no, new.leased_until, new.attempts)
         is distinct from (old.status, old.claim_no, old.leased_until, old.attempts) then
    raise exception 'Job % is leased by claim %: change it through complete_agent_job or cancel_agent_job.',
      old.id, old.claim_no using errcode = 'GL001';
  end if;
  if new.run_after is distinct from old.run_after then
    new.waits_until := case when new.run_after > now() then new.run_after end;
  end if;
  -- Whoever lets a job run, by whatever statement, ends what earlier claims may write.
  new.claim_no := greatest(
    new.claim_no, old.claim_no + case when new.status = 'running' and old.status <> 'running' then 1 else 0 end);
  if new.claim_no > old.claim_no then
    select * into v_known from database_identity where name = 'studio';
    if v_known.identity <> database_identity_now() then
      raise exception 'The database was restored or promoted since it was last used.'
        using errcode = 'GL070', hint = 'Stop everything, and run `greenlight db after-restore`.';
    end if;
    -- Of what was claimed in a lost piece of history, no number comes again: runs are told apart by them.
    new.claim_no := greatest(new.claim_no, coalesce(v_known.claim_floor, 0));
  end if;
  if new.status = old.status then
    return new;
  end if;
  if new.status = 'running' then
    -- Without it a foreign claim could never be told from a fresh one, and would hold its slot for ever.
    new.locked_at := coalesce(new.locked_at, now());
  else
    new.locked_at := null;
    new.locked_by := null;
    new.leased_until := null;
    new.cancel_requested_at := null;
  end if;
  if new.status in ('completed', 'failed', 'canceled') then
    new.completed_at := coalesce(new.completed_at, now());
  elsif new.status = 'queued' then
    new.completed_at := null;
  end if;
  return new;
end $$;

-- -------------------------------------------------------------------------------------------- mails

alter table public.email_jobs add column vouched_at timestamptz;
comment on column public.email_jobs.vouched_at is
  'When a person has said that it was not sent: no restore before that makes it doubtful again.';

create function public.mail_in_doubt_since(p_mail public.email_jobs) returns timestamptz
language sql stable set search_path = public, pg_temp as $$
  select min(x.earliest)
  from database_restores r
  cross join lateral (select case
    -- As it stood when the database was copied, it was sent when it was due.
    when p_mail.created_at <= r.restored_at then greatest(r.restored_to, p_mail.scheduled_for)
    -- Made anew, it may have been made before, at any moment of what was lost.
    else r.restored_to + greatest(interval '0', p_mail.scheduled_for - p_mail.created_at) end as earliest) x
  where x.earliest <= r.restored_at
    and coalesce(p_mail.vouched_at, '-infinity') < r.restored_at
    and (p_mail.created_at <= r.restored_at or (
      -- What has its occasion after the restore is new, whatever its kind.
      exists (select from projects p where p.id = p_mail.project_id and p.created_at <= r.restored_at)
      and case
        -- A row without a key has a name of its own, which nobody has used before.
        when p_mail.outbox_key is null then false
        when p_mail.confirms_signup_id is not null then exists (
          select from waitlist_signups s where s.id = p_mail.confirms_signup_id and s.created_at <= r.restored_at)
        when p_mail.category = 'overview' then p_mail.created_at <= r.restored_at + interval '24 hours'
        when p_mail.approval_id is not null then exists (
          select from approval_queue a where a.id = p_mail.approval_id and a.created_at <= r.restored_at)
          -- Who came onto the list afterwards has heard nothing yet.
          and not exists (
            select from waitlist_signups s
            where s.project_id = p_mail.project_id and s.email = lower(btrim(p_mail.to_email))
              and s.created_at > r.restored_at)
        when p_mail.drip_id is not null then exists (
          select from drip_email_log d where d.id = p_mail.drip_id and case
            when d.digest_week is not null then d.digest_week <= to_char(r.restored_at at time zone 'UTC', 'IYYY"-W"IW')
            else p_mail.created_at <= r.restored_at + interval '8 days' end)
        -- What is made again by a job that was lost is made within the first rounds.
        else p_mail.created_at <= r.restored_at + interval '8 days' end))
$$;
comment on function public.mail_in_doubt_since is
  'Since when a mail that has not begun may have left, in a piece of history that a restore has lost; null where it '
  'certainly has not.';

create or replace function public.begin_email(
  p_id uuid, p_claim_no bigint, p_with text, p_again interval, p_lease interval, p_run text)
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_mail email_jobs;
  v_project projects;
  v_reason text;
  v_hold text;
  v_lost text := 'Its sender was lost';
begin
  select * into v_mail from email_jobs where id = p_id and claim_no = p_claim_no and status = 'sending' for update;
  if not found then
    return 'lost';
  end if;
  select * into v_project from projects where id = v_mail.project_id;
  v_reason := email_suppression(v_mail.to_email, v_mail.project_id, v_mail.sender, v_mail.category);
  v_hold := email_hold(v_project, v_mail.category);
  if v_mail.begun_at is null then
    if v_reason is not null then
      update email_jobs set status = 'suppressed', error = v_reason, locked_by = null, leased_until = null,
        counted_on = null where id = p_id;
      return 'suppressed';
    elsif v_hold is not null then
      update email_jobs set status = 'queued', error = v_hold, locked_by = null, leased_until = null,
        counted_on = null where id = p_id;
      return 'held';
    end if;
    -- Perhaps another sender had it, in a piece of history that was lost: the same account is asked, as far as known.
    v_mail.begun_at := mail_in_doubt_since(v_mail);
    v_mail.begun_with := p_with;
    v_lost := 'It may have left before the database was restored';
  end if;
  if v_mail.begun_at is not null and (
       v_reason is not null or v_hold is not null or v_mail.begun_with is distinct from p_with
       or now() >= v_mail.begun_at + p_again) then
    v_reason := v_lost || case
      when v_reason is not null then ', and its address may not be written to any more.'
      when v_hold is not null then ', and it may not be sent any more: ' || v_hold
      when v_mail.begun_with is distinct from p_with then ', and mail goes out another way since.'
      else ', and the provider does not remember its key any more.' end;
    update email_jobs set status = 'unknown', error = v_reason, locked_by = null, leased_until = null,
      begun_at = v_mail.begun_at, begun_with = v_mail.begun_with where id = p_id;
    perform account_for_email(v_mail.project_id, 'unknown', p_run, v_reason);
    return 'unknown';
  end if;
  update email_jobs set begun_at = coalesce(v_mail.begun_at, now()), begun_with = p_with, attempts = attempts + 1,
    leased_until = now() + p_lease where id = p_id;
  return case when v_mail.begun_at is null then 'go' else 'again' end;
end $$;
comment on function public.begin_email(uuid, bigint, text, interval, interval, text) is
  'The last look before the provider is asked. go: for the first time; again: it may have left before, and is asked '
  'for under the same key, which the provider remembers for p_again (null: for ever); or why it is not sent.';

create or replace function public.resolve_email(
  p_id uuid, p_sent boolean, p_by text, p_provider_message_id text default null, p_note text default null)
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_mail email_jobs;
  v_life text;
  v_status text;
begin
  select p.status into v_life from projects p join email_jobs m on m.project_id = p.id where m.id = p_id for share of p;
  select * into v_mail from email_jobs where id = p_id for update;
  if not found then
    raise exception 'There is no mail %.', p_id using errcode = 'GL051';
  elsif v_mail.status <> 'unknown' then
    raise exception 'Mail % is %, and nothing about it is unknown.', p_id, v_mail.status using errcode = 'GL052';
  end if;
  v_status := case when p_sent then 'sent' when v_life = 'killed' then 'failed' else 'queued' end;
  -- The claim number rises, so that its old sender, should it live, has no say any more.
  update email_jobs set claim_no = claim_no + 1,
    error = case v_status when 'failed' then 'The project is killed.' end,
    status = v_status,
    provider_message_id = case when p_sent then coalesce(p_provider_message_id, provider_message_id) end,
    sent_at = case when p_sent then coalesce(begun_at, now()) end,
    begun_at = case when p_sent then begun_at end, begun_with = case when p_sent then begun_with end,
    counted_on = case when p_sent then counted_on end,
    scheduled_for = case when p_sent then scheduled_for else greatest(scheduled_for, now()) end,
    vouched_at = case when p_sent then vouched_at else now() end
  where id = p_id;
  insert into project_events (project_id, event_type, message, data)
  values (v_mail.project_id, 'email.outbound.resolved',
          case v_status when 'sent' then 'A held mail was sent after all' when 'queued' then 'A held mail is sent anew'
            else 'A held mail was not sent' end,
          jsonb_strip_nulls(jsonb_build_object('email_id', p_id, 'approval_id', v_mail.approval_id, 'sent', p_sent, 'by', p_by,
            'provider_message_id', p_provider_message_id, 'note', p_note)));
  return v_status;
end $$;
comment on function public.resolve_email is
  'A person says of an unknown mail that it was sent, or that it was not and shall be, which in a killed project ends '
  'it as failed. Returns its status. GL051, GL052.';

-- ------------------------------------------------------------------------------------------ effects

create or replace function public.enlist_outbox_effect(
  p_job_id uuid, p_claim_no bigint, p_execution_id uuid, p_effect text, p_provider text, p_idempotency_key text)
returns public.outbox
language plpgsql set search_path = public, pg_temp as $$
declare
  v_execution action_executions := hold_action_execution(p_job_id, p_claim_no, p_execution_id);
  v_row outbox;
  v_new boolean;
  v_restore database_restores;
begin
  insert into outbox (project_id, approval_id, execution_id, effect, provider, idempotency_key)
  values (v_execution.project_id, v_execution.approval_id, v_execution.id, p_effect, p_provider, p_idempotency_key)
  on conflict (project_id, idempotency_key) do nothing;
  v_new := found;
  select * into v_row from outbox
    where project_id = v_execution.project_id and idempotency_key = p_idempotency_key for no key update;
  if v_row.execution_id is distinct from v_execution.id then
    raise exception 'The key % belongs to another execution.', p_idempotency_key using errcode = 'GL004';
  end if;
  if v_row.status not in ('pending', 'failed') then
    return v_row;
  end if;
  -- An approval that was there at the restore may have been carried out in what was lost. Whatever was found out about
  -- the effect afterwards, by a provider or a person, stands.
  select r.* into v_restore from database_restores r join approval_queue a on a.id = v_execution.approval_id
    where a.created_at <= r.restored_at and (v_new or v_row.updated_at <= r.restored_at)
    order by r.restored_to limit 1;
  if found then
    update outbox set status = 'sending', job_id = p_job_id, claim_no = p_claim_no, settled_at = null,
      sent_at = v_restore.restored_to, error = 'It may have been done before the database was restored.'
    where id = v_row.id returning * into v_row;
  end if;
  return v_row;
end $$;
comment on function public.enlist_outbox_effect is
  'The row of an execution''s effect, made where it is not there yet; as sending where it may have been sent before, in '
  'a piece of history that a restore has lost.';

-- ---------------------------------------------------------------------------------- after a restore

create function public.after_restore(p_restored_to timestamptz, p_by text, p_claim_floor bigint default 0)
returns jsonb
language plpgsql set search_path = public, pg_temp as $$
declare
  c_why constant text := 'The database was restored, and with it the job was taken from its run.';
  v_restore database_restores;
  v_known timestamptz;
  v_did jsonb := '{}';
  v_count bigint;
begin
  -- Two at once would be two restores.
  lock table database_identity in exclusive mode;
  select greatest(max(created_at), max(locked_at), max(started_at), max(completed_at)) into v_known from agent_jobs;
  v_known := greatest(v_known, (select max(sent_at) from email_jobs), (select max(last_seen_at) from worker_heartbeats));
  p_restored_to := coalesce(p_restored_to, v_known, now());
  if p_restored_to > now() then
    raise exception '% is still to come.', p_restored_to using errcode = 'GL071';
  elsif v_known > p_restored_to + interval '1 day' then
    -- A dump names the moment before its snapshot; an earlier one only leaves more in doubt. This is a slip.
    raise exception 'The database knows of things at %, so it was not restored to %.', v_known, p_restored_to
      using errcode = 'GL071';
  end if;
  insert into database_restores (restored_to, restored_by, identity_before)
  values (p_restored_to, p_by, (select identity from database_identity where name = 'studio')) returning * into v_restore;

  -- By the clock, because nothing that was restored knows how far the lost numbers went; it passes one a second.
  insert into database_identity as i (name, identity, claim_floor)
  values ('studio', database_identity_now(), greatest(p_claim_floor, extract(epoch from now())::bigint))
  on conflict (name) do update set identity = excluded.identity, noted_at = now(),
    claim_floor = greatest(i.claim_floor + 1, excluded.claim_floor);

  -- Their runs are of another history, whether they still live or not. No attempt is burnt, and no interruption.
  perform set_config('greenlight.transition', 'on', true);
  with taken as (
    update agent_jobs set
      status = case when cancel_requested_at is null then 'queued' else 'canceled' end,
      attempts = greatest(0, attempts - 1), run_after = now(), dagster_run_id = null,
      last_error = case when cancel_requested_at is null then c_why else coalesce(last_error, c_why) end
    where status = 'running'
    returning status
  )
  select jsonb_build_object('jobs_queued_again', count(*) filter (where status = 'queued'),
                            'jobs_canceled', count(*) filter (where status = 'canceled')) into v_did from taken;
  perform set_config('greenlight.transition', '', true);
  v_did := v_did || jsonb_build_object('model_calls_counted_in_full', settle_abandoned_model_calls());

  -- A stranger's form may have been sent by a run that is lost.
  insert into agent_job_steps (job_id, step, output, claim_no, attempt)
  select id, 'look/form', '{"begun": true, "form": null}', claim_no, attempts from agent_jobs
    where job_type = 'browser.check_page' and status = 'queued'
  on conflict (job_id, step) do nothing;
  get diagnostics v_count = row_count;
  v_did := v_did || jsonb_build_object('forms_not_sent_again', v_count);

  -- Nobody knows who has signed out, and which links were used.
  delete from sign_in_sessions;
  get diagnostics v_count = row_count;
  v_did := v_did || jsonb_build_object('sessions_ended', v_count);
  delete from sign_in_links where used_at is null;
  get diagnostics v_count = row_count;
  v_did := v_did || jsonb_build_object('sign_in_links_ended', v_count);

  update database_restores set did = v_did where id = v_restore.id;
  return v_did || jsonb_build_object(
    'restored_to', v_restore.restored_to, 'restored_at', v_restore.restored_at,
    'claim_floor', (select claim_floor from database_identity where name = 'studio'),
    'mails_in_doubt', (select count(*) from email_jobs e
      where e.status in ('queued', 'sending') and e.begun_at is null and mail_in_doubt_since(e) is not null),
    'executions_in_doubt', (select count(*) from approval_queue
      where type = 'execution' and status = 'approved' and execution_status in ('queued', 'running')),
    'approvals_pending', (select count(*) from approval_queue where status = 'pending'),
    'held', (select count(*) from outbox_entries where status = 'unknown'));
end $$;
comment on function public.after_restore is
  'What a person has done once after a restore, before anything is started: claims go on above all lost ones, running '
  'jobs are taken from their runs, what may have left is in doubt. p_restored_to null: the last thing that is known. '
  'Returns what it changed, and how much is in doubt.';

create function public.recognise_database() returns void
language sql set search_path = public, pg_temp as $$
  insert into database_identity (name, identity) values ('studio', database_identity_now())
  on conflict (name) do update set identity = excluded.identity, noted_at = now()
$$;
comment on function public.recognise_database is
  'Say that nothing is lost although the database is another one: a standby that had every commit, an upgrade.';

-- ----------------------------------------------------------------------------------------- access

alter table public.database_restores enable row level security;
alter table public.database_identity enable row level security;
revoke all on public.database_restores, public.database_identity from public, anon, authenticated;
grant all on public.database_restores, public.database_identity to service_role;
revoke execute on function
  public.after_restore(timestamptz, text, bigint), public.recognise_database(), public.database_identity_now(),
  public.database_is_known(), public.mail_in_doubt_since(public.email_jobs)
from public, anon, authenticated;
