-- Mail: who may be written to, when, and how often; how a mail is claimed, sent and accounted for.
--
-- A mail goes queued → sending → sent | failed. Each claim raises claim_no, the token under which alone its sender
-- may go on. begin_email is the last look before the provider is asked; from there on (begun_at) the mail may have
-- left, and is only ever given to the same provider again, under the same key, for as long as that provider
-- remembers keys. After that it is held as `unknown`. A mail that was claimed, but not begun, has not left.
--
-- Lock order: the project, the mail, its drip row, then ledger and tasks. SQLSTATE GL050 = there is no such time zone,
-- GL051 = there is no such mail, GL052 = its outcome is known.

-- ------------------------------------------------------------------------------- projects: when, how much

alter table public.projects
  add column timezone text not null default 'UTC',
  add column quiet_hours_start time,
  add column quiet_hours_end time,
  add column email_daily_cap integer default 1000 check (email_daily_cap >= 0),
  add constraint projects_quiet_hours check (
    (quiet_hours_start is null) = (quiet_hours_end is null) and quiet_hours_start <> quiet_hours_end);
comment on column public.projects.timezone is
  'Name in the IANA time zone database; days of sequences, quiet hours and the daily cap follow its clock.';
comment on column public.projects.quiet_hours_start is
  'From this local time until quiet_hours_end, perhaps past midnight, only mail goes out that somebody waits for.';
comment on column public.projects.email_daily_cap is
  'How many mails may leave in one local day of the project, of whatever category; null: as many as there are.';

-- It carries the mail to founders, of whom there may be any number.
update public.projects set email_daily_cap = null where id = '00000000-0000-0000-0000-000000000000';

create function public.projects_check_timezone() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  -- Not by trying: 'Atlantis5' is a time zone to PostgreSQL, five hours west of somewhere.
  if not exists (select from pg_timezone_names where name = new.timezone) then
    raise exception 'There is no time zone %.', quote_literal(new.timezone)
      using errcode = 'GL050', hint = 'Use a name like Europe/Berlin.';
  end if;
  return new;
end $$;

create trigger projects_check_timezone before insert or update of timezone on public.projects
  for each row when (new.timezone <> 'UTC') execute function public.projects_check_timezone();

grant update (timezone, quiet_hours_start, quiet_hours_end) on public.projects to authenticated;

create function public.in_quiet_hours(p_start time, p_end time, p_timezone text, p_at timestamptz)
returns boolean language sql stable set search_path = public, pg_temp as $$
  -- The wall clock decides, so that a day of 23 or 25 hours needs no thought.
  select coalesce(case when p_start < p_end then local.t >= p_start and local.t < p_end
                       else local.t >= p_start or local.t < p_end end, false)
  from (select (p_at at time zone p_timezone)::time as t) local
$$;

-- ------------------------------------------------------------------------------------- whom not to write to

create table public.email_suppressions (
  id uuid primary key default gen_random_uuid(),
  email text not null check (email = lower(email)),
  project_id uuid references public.projects on delete cascade,
  reason text not null check (reason in ('unsubscribed', 'bounced', 'complained', 'blocked')),
  created_at timestamptz not null default now(),
  unique nulls not distinct (email, project_id)
);
comment on table public.email_suppressions is
  'Addresses that get no mail: from a project, from the studio itself (the system project), from nobody (null).';
comment on column public.email_suppressions.reason is
  'unsubscribed leaves what its receiver has just asked for: transactional mail, and a new confirmation. blocked: who '
  'never asked for anything is not asked again either.';

create index email_suppressions_by_project on public.email_suppressions (project_id);
create trigger email_suppressions_lower_email before insert or update of email on public.email_suppressions
  for each row execute function public.lower_email();

create function public.email_suppression(p_email text, p_project_id uuid, p_sender text, p_category text)
returns text language sql stable set search_path = public, pg_temp as $$
  select s.reason from email_suppressions s
  where s.email = lower(btrim(p_email))
    and (s.project_id is null or s.project_id = case
      when p_sender = 'studio' then '00000000-0000-0000-0000-000000000000' else p_project_id end)
    and (s.reason <> 'unsubscribed' or p_category not in ('transactional', 'waitlist'))
  order by s.reason = 'unsubscribed' limit 1
$$;
comment on function public.email_suppression(text, uuid, text, text) is
  'Why such a mail may not be sent to the address; null where it may.';

-- ------------------------------------------------------------------------------------------- the mails

alter table public.email_jobs
  add column text_body text,
  add column category text
    check (category in ('transactional', 'sequence', 'lifecycle', 'drip', 'overview', 'waitlist')),
  add column sender text not null default 'project' check (sender in ('project', 'studio')),
  add column reply_to text,
  add column link_marker text,
  add column unsubscribe_reason text check (unsubscribe_reason in ('unsubscribed', 'blocked')),
  add column confirms_signup_id uuid,
  add column confirms_until timestamptz,
  add column drip_id uuid references public.drip_email_log on delete set null,
  add column claim_no bigint not null default 0,
  add column begun_at timestamptz,
  add column begun_with text,
  add column counted_on date,
  drop constraint email_jobs_status_check,
  add constraint email_jobs_status_check check (
    status in ('queued', 'sending', 'sent', 'failed', 'unknown', 'suppressed', 'canceled'));
comment on column public.email_jobs.status is
  'sending: claimed by one sender; unknown: it may have left or not, and a person looks before it is sent again; '
  'suppressed: its address gets no mail; canceled: another sequence has taken its place.';
comment on column public.email_jobs.text_body is 'The same for readers without HTML; null: made from the HTML.';
comment on column public.email_jobs.link_marker is
  'Stands in the bodies where its receiver''s own links go: https://unsubscribe.invalid/<marker> and '
  'https://confirm.invalid/<marker>. They are made when it is sent, as only its receiver may have them.';
comment on column public.email_jobs.unsubscribe_reason is
  'What its unsubscribe link records of its receiver; null where it has none, or none yet.';
comment on column public.email_jobs.confirms_signup_id is
  'Whose place on a waitlist its link confirms, until confirms_until; stored, so that it is the same link each time.';
comment on column public.email_jobs.sender is 'In whose name it is sent: the project''s, or the studio''s own.';
comment on column public.email_jobs.claim_no is 'Rises at every claim, never reset; the token of its sender.';
comment on column public.email_jobs.begun_at is
  'Since when it may have left: the provider is asked after this. Null again where it certainly has not.';
comment on column public.email_jobs.begun_with is 'Which account of which provider knows it under its key.';
comment on column public.email_jobs.counted_on is 'On which local day of its project it counts against the cap.';

create function public.email_jobs_complete() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  -- Other clients know no categories. What belongs to an approved campaign is held to its permission.
  new.category := coalesce((
    select case a.action_type when 'send_welcome_email_sequence' then 'sequence'
                              when 'send_phase2_lifecycle_email' then 'lifecycle' end
    from approval_queue a where a.id = new.approval_id), 'transactional');
  return new;
end $$;

create trigger email_jobs_complete before insert on public.email_jobs
  for each row when (new.category is null) execute function public.email_jobs_complete();

update public.email_jobs e set category = coalesce((
  select case a.action_type when 'send_welcome_email_sequence' then 'sequence'
                            when 'send_phase2_lifecycle_email' then 'lifecycle' end
  from public.approval_queue a where a.id = e.approval_id), 'transactional');
alter table public.email_jobs alter column category set not null;

create index email_jobs_waiting on public.email_jobs (project_id, category, scheduled_for, id) where status = 'queued';
create index email_jobs_sending on public.email_jobs (leased_until) where status = 'sending';
create index email_jobs_counted on public.email_jobs (project_id, counted_on) where counted_on is not null;
create index email_jobs_queued_to on public.email_jobs (lower(btrim(to_email))) where status = 'queued';
create index email_jobs_welcomes on public.email_jobs (project_id, lower(btrim(to_email)))
  where category = 'sequence';
create index email_jobs_by_drip on public.email_jobs (drip_id);

-- ------------------------------------------------------------------------------------------- the drips

alter table public.drip_email_log
  add column attempts integer not null default 1,
  drop constraint drip_email_log_email_type_check,
  add constraint drip_email_log_email_type_check check (email_type in (
    'welcome', 'weekly_digest', 'nudge_no_reviews', 'nudge_no_signoffs',
    'phase0_ready', 'phase1_ready', 'phase2_ready', 'phase3_ready'));
comment on column public.drip_email_log.attempts is 'Which attempt this is; a failed one may be followed by another.';

create unique index drip_email_log_phase2_ready on public.drip_email_log (user_id, project_id)
  where email_type = 'phase2_ready';
create unique index drip_email_log_phase3_ready on public.drip_email_log (user_id, project_id)
  where email_type = 'phase3_ready';

-- What was announced before drips were reserved has been announced.
insert into public.drip_email_log (user_id, email_type, project_id, to_email, subject, status, error)
select u.id, 'phase0_ready', e.project_id, e.to_email, e.subject,
       case e.status when 'sent' then 'sent' when 'failed' then 'failed' else 'sending' end, e.error
from public.email_jobs e
join public.projects p on p.id = e.project_id
join public.users u on u.clerk_id = p.owner_clerk_id
where e.outbox_key = 'phase0_ready'
on conflict do nothing;
update public.email_jobs e set sender = 'studio', drip_id = d.id
from public.drip_email_log d
where e.outbox_key = 'phase0_ready' and d.project_id = e.project_id and d.email_type = 'phase0_ready';

create function public.reserve_drip(
  p_user_id uuid, p_email_type text, p_project_id uuid, p_digest_week text, p_to_email text, p_subject text)
returns table (drip_id uuid, attempt integer)
language plpgsql set search_path = public, pg_temp as $$
begin
  return query
    insert into drip_email_log as d (user_id, email_type, project_id, digest_week, to_email, subject, status)
    values (p_user_id, p_email_type, p_project_id, p_digest_week, p_to_email, p_subject, 'sending')
    on conflict do nothing returning d.id, d.attempts;
  if found then
    return;
  end if;
  -- Only what was sent, or is being sent, suppresses; a failure may be made good.
  return query
    update drip_email_log as d set status = 'sending', error = null, attempts = d.attempts + 1,
      to_email = p_to_email, subject = p_subject
    where d.user_id = p_user_id and d.email_type = p_email_type and d.status = 'failed'
      and (p_email_type not like 'phase%' or d.project_id = p_project_id)
      and (p_email_type <> 'weekly_digest' or d.digest_week = p_digest_week)
    returning d.id, d.attempts;
end $$;
comment on function public.reserve_drip(uuid, text, uuid, text, text, text) is
  'Takes the one row under which this drip is sent to this person; nothing where somebody has it already.';

-- The log of the drips follows the mail, whoever moves it.
create function public.email_jobs_settle_drip() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  update drip_email_log set
    status = case when new.status = 'sent' then 'sent'
                  when new.status in ('failed', 'suppressed', 'canceled') then 'failed' else 'sending' end,
    resend_message_id = coalesce(new.provider_message_id, resend_message_id),
    error = case when new.status in ('failed', 'suppressed', 'canceled', 'unknown')
                 then coalesce(new.error, new.status) end
  where id = new.drip_id;
  return null;
end $$;

create trigger email_jobs_settle_drip after insert or update of status on public.email_jobs
  for each row when (new.drip_id is not null and new.status <> 'sending')
  execute function public.email_jobs_settle_drip();

-- --------------------------------------------------------------------------------- accounts of what was sent

-- One ledger entry and one task per project, run and outcome, with the count: a thousand mails are one thing that
-- happened to the project. They are written with each mail, and so are right at every moment.
create unique index project_events_of_mail_run on public.project_events
  (project_id, event_type, (data ->> 'mail_run')) where data ? 'mail_run';
create unique index tasks_of_mail_run on public.tasks
  (project_id, description, (execution_log ->> 'mail_run')) where execution_log ? 'mail_run';

create function public.account_for_email(p_project_id uuid, p_outcome text, p_run text, p_error text) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  c_words constant text := case p_outcome
    when 'sent' then 'sent' when 'failed' then 'could not be sent' else 'may have left or not, and are held' end;
  v_count integer;
  v_task text := case when p_outcome = 'sent' then 'email_job_sent' else 'email_job_failed' end;
begin
  insert into project_events as e (project_id, event_type, message, data)
  values (p_project_id, 'email.outbound.' || p_outcome, '1 mail ' || case p_outcome
            when 'unknown' then 'may have left or not, and is held' else c_words end,
          jsonb_strip_nulls(jsonb_build_object('mail_run', p_run, 'mails', 1, 'error', left(p_error, 300))))
  on conflict (project_id, event_type, (data ->> 'mail_run')) where data ? 'mail_run' do update set
    message = ((e.data ->> 'mails')::integer + 1) || ' mails ' || c_words,
    data = e.data || jsonb_strip_nulls(jsonb_build_object(
      'mails', (e.data ->> 'mails')::integer + 1, 'error', left(p_error, 300)))
  returning (e.data ->> 'mails')::integer into v_count;

  insert into tasks as t (project_id, agent, description, status, detail, error, execution_log, started_at,
                          completed_at)
  values (p_project_id, 'outreach_agent', v_task, case when p_outcome = 'sent' then 'completed' else 'failed' end,
          v_count || case v_count when 1 then ' mail ' else ' mails ' end || p_outcome, left(p_error, 1000),
          jsonb_build_object('mail_run', p_run), now(), now())
  on conflict (project_id, description, (execution_log ->> 'mail_run')) where execution_log ? 'mail_run' do update set
    detail = excluded.detail, error = coalesce(excluded.error, t.error), completed_at = excluded.completed_at;
  if v_count = 1 then
    insert into task_log (project_id, step, status, detail)
    values (p_project_id, v_task, case when p_outcome = 'sent' then 'completed' else 'failed' end, left(p_error, 1000));
  end if;
end $$;

-- ------------------------------------------------------------------------------------------ claim and send

create function public.email_hold(p_project public.projects, p_category text) returns text
language sql stable set search_path = public, pg_temp as $$
  select case
    when p_project.status <> 'active' then 'The project is ' || p_project.status || '.'
    when p_category in ('sequence', 'lifecycle') and p_project.permissions -> 'email_send' is distinct from 'true'
      then 'The project has no permission to send mail.'
  end
$$;
comment on function public.email_hold(public.projects, text) is
  'Why a project''s mail of the category has to wait; null where it may go. Quiet hours and cap are the claim''s.';

create function public.email_wait(p_id uuid, p_now timestamptz default now()) returns text
language sql stable set search_path = public, pg_temp as $$
  select case
    when m.status = 'sending' then 'A sender has it; where that one is lost, another asks for it again.'
    when m.status <> 'queued' then null
    when m.scheduled_for > p_now then 'It is for later.'
    else coalesce(
      email_hold(p, m.category),
      case
        when m.category not in ('transactional', 'waitlist')
             and in_quiet_hours(p.quiet_hours_start, p.quiet_hours_end, p.timezone, p_now)
          then 'It is within the project''s quiet hours.'
        when p.email_daily_cap is not null and p.email_daily_cap <= (
          select count(*) from email_jobs c
          where c.project_id = p.id and c.counted_on = (p_now at time zone p.timezone)::date)
          then format('The project''s cap of %s mails a day is reached.', p.email_daily_cap)
      end,
      'The next round of due mail takes it.')
  end
  from email_jobs m join projects p on p.id = m.project_id where m.id = p_id
$$;
comment on function public.email_wait is
  'Why a mail that has not left yet waits, by the rules of claim_due_emails, in a sentence for a person.';

create function public.claim_due_emails(
  p_worker text, p_limit integer default 25, p_lease interval default interval '60 seconds',
  p_now timestamptz default now())
returns setof public.email_jobs
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_left integer := p_limit;
  v_ids uuid[];
  v_killed uuid[];
  v_claimed integer;
  v_suppressed integer;
begin
  -- Claimers take turns, for a few milliseconds: only so do caps hold, and does each project get its turn.
  perform pg_advisory_xact_lock(hashtextextended('claim_due_emails', 0));

  -- A lost sender's mails that it had not begun have not left.
  update email_jobs set status = 'queued', locked_by = null, leased_until = null, counted_on = null
  where id in (
    select e.id from email_jobs e
    where e.status = 'sending' and e.leased_until < now() and e.begun_at is null for update skip locked);

  -- The others are asked about first: they were due before everything else, and are counted already.
  return query
    update email_jobs e set claim_no = e.claim_no + 1, locked_by = p_worker, leased_until = now() + p_lease
    where e.id in (
      select o.id from email_jobs o where o.status = 'sending' and o.leased_until < now()
      order by o.leased_until limit p_limit for update skip locked)
    returning e.*;
  get diagnostics v_claimed = row_count;
  v_left := v_left - v_claimed;

  while v_left > 0 loop
    -- Where nothing is due, which is nearly always, that is all.
    exit when not exists (select from email_jobs e where e.status = 'queued' and e.scheduled_for <= p_now);
    -- From one project and category that has queued mail to the next, whatever lies between, with each one's first.
    with recursive waiting as (
      (select e.project_id, e.category, e.scheduled_for from email_jobs e where e.status = 'queued'
       order by e.project_id, e.category, e.scheduled_for, e.id limit 1)
      union all
      select following.project_id, following.category, following.scheduled_for from waiting w
      cross join lateral (
        select e.project_id, e.category, e.scheduled_for from email_jobs e
        where e.status = 'queued' and (e.project_id, e.category) > (w.project_id, w.category)
        order by e.project_id, e.category, e.scheduled_for, e.id limit 1) following
    ), due as materialized (
      select w.project_id, w.category, p.status, email_hold(p, w.category) as hold, p.email_daily_cap as cap,
             (p_now at time zone p.timezone)::date as today, w.category in ('transactional', 'waitlist') as urgent,
             in_quiet_hours(p.quiet_hours_start, p.quiet_hours_end, p.timezone, p_now) as quiet
      from waiting w join projects p on p.id = w.project_id where w.scheduled_for <= p_now
    ), open as materialized (
      select d.project_id, d.category, d.urgent, d.cap, d.today, count(*) over () as pairs
      from due d where d.hold is null and (d.urgent or not d.quiet)
    ), turns as (
      -- Each project's first mail before anybody's second, so that a large campaign holds up nobody else.
      select c.id, c.scheduled_for, r.room,
             row_number() over (partition by o.project_id order by o.urgent desc, c.scheduled_for, c.id) as turn
      from open o
      cross join lateral (
        select case when o.cap is not null then greatest(0, o.cap - (
          select count(*) from email_jobs e
          where e.project_id = o.project_id and e.counted_on = o.today)) end::integer as room) r
      cross join lateral (
        select e.id, e.scheduled_for from email_jobs e
        where e.project_id = o.project_id and e.category = o.category and e.status = 'queued'
        -- A fair share, and a little more; what one leaves to another is found in the next round.
        order by e.scheduled_for, e.id
        limit least(v_left, r.room, greatest(5, v_left / o.pairs + 1))) c
      -- Not among the conditions above, for which there is an index of whatever is due, of all projects.
      where c.scheduled_for <= p_now
    ), chosen as (
      select t.id from turns t where t.turn <= coalesce(t.room, v_left)
      order by t.turn, t.scheduled_for, t.id limit v_left
    )
    select (select array_agg(l.id) from (
              select e.id from email_jobs e join chosen c on c.id = e.id where e.status = 'queued'
              order by e.id for update of e skip locked) l),
           (select array_agg(distinct d.project_id) from due d where d.status = 'killed')
      into v_ids, v_killed;

    -- A project's end takes its queued mail along; what was in a sender's hands then comes back, and ends here.
    update email_jobs e set status = 'failed', error = 'The project is killed.'
    where e.id in (
      select m.id from email_jobs m where m.status = 'queued' and m.project_id = any (v_killed)
      for update skip locked);
    exit when v_ids is null;

    update email_jobs e set status = 'suppressed', error = s.reason
    from (select id, email_suppression(to_email, project_id, sender, category) as reason
          from email_jobs where id = any (v_ids)) s
    where s.id = e.id and s.reason is not null;
    get diagnostics v_suppressed = row_count;

    return query
      with taken as (
        update email_jobs e set status = 'sending', claim_no = e.claim_no + 1, locked_by = p_worker,
          leased_until = now() + p_lease, counted_on = (p_now at time zone p.timezone)::date
        from projects p
        where e.id = any (v_ids) and e.status = 'queued' and p.id = e.project_id
        returning e.*)
      select t.* from taken t order by t.category in ('transactional', 'waitlist') desc, t.scheduled_for, t.id;
    get diagnostics v_claimed = row_count;
    v_left := v_left - v_claimed;
    -- What somebody else holds right now is not waited for.
    exit when v_claimed = 0 and v_suppressed = 0;
  end loop;
end $$;
comment on function public.claim_due_emails(text, integer, interval, timestamptz) is
  'Hands out due mails to one sender, at most p_limit: of active projects, outside their quiet hours, within their '
  'caps and permissions, to addresses that may be written to; in turns, each project''s oldest first.';

create function public.begin_email(
  p_id uuid, p_claim_no bigint, p_with text, p_again interval, p_lease interval, p_run text)
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_mail email_jobs;
  v_project projects;
  v_reason text;
  v_hold text;
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
  elsif v_reason is not null or v_hold is not null or v_mail.begun_with is distinct from p_with
        or now() >= v_mail.begun_at + p_again then
    v_reason := case
      when v_reason is not null then 'Its sender was lost, and its address may not be written to any more.'
      when v_hold is not null then 'Its sender was lost, and it may not be sent any more: ' || v_hold
      when v_mail.begun_with is distinct from p_with then 'Its sender was lost, and mail goes out another way since.'
      else 'Its sender was lost, and the provider does not remember its key any more.' end;
    update email_jobs set status = 'unknown', error = v_reason, locked_by = null, leased_until = null where id = p_id;
    perform account_for_email(v_mail.project_id, 'unknown', p_run, v_reason);
    return 'unknown';
  end if;
  update email_jobs set begun_at = coalesce(begun_at, now()), begun_with = p_with, attempts = attempts + 1,
    leased_until = now() + p_lease where id = p_id;
  return case when v_mail.begun_at is null then 'go' else 'again' end;
end $$;
comment on function public.begin_email(uuid, bigint, text, interval, interval, text) is
  'The last look before the provider is asked. go: for the first time; again: it may have left before, and is asked '
  'for under the same key, which the provider remembers for p_again (null: for ever); or why it is not sent.';

create function public.finish_email(
  p_id uuid, p_claim_no bigint, p_outcome text, p_run text, p_provider_message_id text default null,
  p_error text default null, p_retry_in interval default null)
returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_mail email_jobs;
begin
  -- Whoever asked the provider knows best, also when the mail has been given up as unknown meanwhile.
  select * into v_mail from email_jobs
    where id = p_id and claim_no = p_claim_no and status in ('sending', 'unknown') for update;
  if not found or v_mail.status = 'unknown' and p_outcome not in ('sent', 'failed') then
    return false;
  end if;
  if p_outcome in ('sent', 'failed', 'unknown') then
    update email_jobs set status = p_outcome, locked_by = null, leased_until = null, error = p_error,
      provider_message_id = coalesce(p_provider_message_id, provider_message_id),
      sent_at = case when p_outcome = 'sent' then now() end,
      counted_on = case when p_outcome <> 'failed' then counted_on end
    where id = p_id;
    perform account_for_email(v_mail.project_id, p_outcome, p_run, p_error);
  elsif p_outcome = 'later' then
    -- It certainly has not left.
    update email_jobs set status = 'queued', locked_by = null, leased_until = null, error = p_error,
      begun_at = null, begun_with = null, counted_on = null,
      scheduled_for = greatest(scheduled_for, now() + p_retry_in)
    where id = p_id;
  elsif p_outcome = 'unclear' then
    -- It is nobody's until its time has come, and is then asked for under the same key.
    update email_jobs set locked_by = null, leased_until = now() + p_retry_in, error = p_error where id = p_id;
  else
    raise exception 'A mail cannot end as %.', p_outcome using errcode = '22023';
  end if;
  return true;
end $$;
comment on function public.finish_email(uuid, bigint, text, text, text, text, interval) is
  'Records what became of a mail, with its drip, ledger and task: sent, failed, unknown; later: not sent, and due '
  'again after p_retry_in; unclear: to be asked for again by then. False where the claim is no longer current.';

create function public.resolve_email(
  p_id uuid, p_sent boolean, p_by text, p_provider_message_id text default null, p_note text default null)
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_mail email_jobs;
begin
  select * into v_mail from email_jobs where id = p_id for update;
  if not found then
    raise exception 'There is no mail %.', p_id using errcode = 'GL051';
  elsif v_mail.status <> 'unknown' then
    raise exception 'Mail % is %, and nothing about it is unknown.', p_id, v_mail.status using errcode = 'GL052';
  end if;
  -- The claim number rises, so that its old sender, should it live, has no say any more.
  update email_jobs set claim_no = claim_no + 1, error = null,
    status = case when p_sent then 'sent' else 'queued' end,
    provider_message_id = case when p_sent then coalesce(p_provider_message_id, provider_message_id) end,
    sent_at = case when p_sent then coalesce(begun_at, now()) end,
    begun_at = case when p_sent then begun_at end, begun_with = case when p_sent then begun_with end,
    counted_on = case when p_sent then counted_on end,
    scheduled_for = case when p_sent then scheduled_for else greatest(scheduled_for, now()) end
  where id = p_id;
  insert into project_events (project_id, event_type, message, data)
  values (v_mail.project_id, 'email.outbound.resolved',
          case when p_sent then 'A held mail was sent after all' else 'A held mail is sent anew' end,
          jsonb_strip_nulls(jsonb_build_object('email_id', p_id, 'approval_id', v_mail.approval_id, 'sent', p_sent, 'by', p_by,
            'provider_message_id', p_provider_message_id, 'note', p_note)));
  return case when p_sent then 'sent' else 'queued' end;
end $$;
comment on function public.resolve_email is
  'A person says of an unknown mail that it was sent, or that it was not and shall be. GL051, GL052.';

create function public.release_emails(p_worker text) returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  update email_jobs set status = 'queued', locked_by = null, leased_until = null, counted_on = null
  where status = 'sending' and leased_until is not null and locked_by = p_worker and begun_at is null;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.release_emails(text) is 'Gives back what a sender has claimed and not begun.';

-- --------------------------------------------------------------------------------------- ends of mail

create function public.suppress_email(p_email text, p_project_id uuid, p_reason text) returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
  c_system constant uuid := '00000000-0000-0000-0000-000000000000';
  v_email text := lower(btrim(p_email));
  v_count integer;
begin
  insert into email_suppressions as s (email, project_id, reason) values (v_email, p_project_id, p_reason)
  on conflict (email, project_id) do update set reason = excluded.reason
    -- A bounce says more than that somebody had enough.
    where s.reason = 'unsubscribed' and excluded.reason <> 'unsubscribed';
  update waitlist_signups set status = 'unsubscribed', unsubscribed_at = now()
  where email = v_email and (p_project_id is null or project_id = p_project_id) and status <> 'unsubscribed';
  update email_jobs e set status = 'suppressed', error = p_reason
  where e.status = 'queued' and lower(btrim(e.to_email)) = v_email
    and (p_project_id is null or p_project_id = case when e.sender = 'studio' then c_system else e.project_id end)
    and (p_reason <> 'unsubscribed' or e.category not in ('transactional', 'waitlist'));
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.suppress_email(text, uuid, text) is
  'Ends mail to an address: from a project, from the studio itself (the system project), or from everybody (null). '
  'What is queued for it is not sent; returns how many mails that were.';

-- ------------------------------------------------------------------------------------------ sequences

create table public.email_sequences (
  approval_id uuid primary key references public.approval_queue on delete cascade,
  project_id uuid not null references public.projects on delete cascade,
  category text not null check (category in ('sequence', 'lifecycle')),
  emails jsonb not null default '[]' check (jsonb_typeof(emails) = 'array'),
  marker text not null,
  reply_to text,
  ended_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table public.email_sequences is
  'Approved mails as they were rendered. A welcome sequence goes on serving whoever joins, until another replaces it.';
comment on column public.email_sequences.emails is '[{step, day, subject, html, text}], day being the offset in days.';
comment on column public.email_sequences.marker is 'The link_marker of its mails.';

create unique index email_sequences_active on public.email_sequences (project_id, category) where ended_at is null;
create index email_sequences_by_project on public.email_sequences (project_id, created_at desc);

create function public.email_step_missing(
  p_approval_id uuid, p_project_id uuid, p_category text, p_step integer, p_email text)
returns boolean language sql stable set search_path = public, pg_temp as $$
  select not exists (
      select from email_jobs e
      where e.project_id = p_project_id
        and e.outbox_key = p_category || ':' || p_approval_id || ':' || p_step || ':' || p_email)
    and (p_category <> 'sequence' or not exists (
      select from email_jobs e
      where e.project_id = p_project_id and e.category = 'sequence' and lower(btrim(e.to_email)) = lower(p_email)
        and e.status in ('sending', 'sent', 'unknown') and split_part(e.outbox_key, ':', 3) = p_step::text))
$$;
comment on function public.email_step_missing(uuid, uuid, text, integer, text) is
  'Whether an address has neither this mail of a sequence, nor the same step of an earlier welcome: whom a former '
  'version has welcomed, a newer one does not welcome again.';

create function public.queue_email_sequence(p_approval_id uuid, p_emails text[], p_now timestamptz default now())
returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
  v_count integer;
begin
  -- Whoever replaces it waits for us, and then sees our mails; or we have waited, and it has ended.
  perform from email_sequences s
    where s.approval_id = p_approval_id and (s.category <> 'sequence' or s.ended_at is null) for share;
  if not found then
    return 0;
  end if;
  insert into email_jobs (project_id, approval_id, outbox_key, to_email, subject, html_body, text_body, category,
                          reply_to, link_marker, unsubscribe_reason, scheduled_for)
  select s.project_id, s.approval_id, s.category || ':' || s.approval_id || ':' || m.step || ':' || r.email, r.email,
         m.subject, m.html, m.text, s.category, s.reply_to, s.marker, 'unsubscribed',
         -- The same time of day after so many days of the project's own calendar.
         case when m.day = 0 then p_now
              else ((p_now at time zone p.timezone) + make_interval(days => m.day)) at time zone p.timezone end
  from email_sequences s
  join projects p on p.id = s.project_id
  cross join lateral jsonb_to_recordset(s.emails) m (step integer, day integer, subject text, html text, text text)
  cross join unnest(p_emails) r (email)
  where s.approval_id = p_approval_id and email_suppression(r.email, s.project_id, 'project', s.category) is null
    and email_step_missing(s.approval_id, s.project_id, s.category, m.step, r.email)
  on conflict do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function public.queue_email_sequence(uuid, text[], timestamptz) is
  'Queues each mail of a sequence for each address, once; returns how many are new. Of a welcome sequence that another '
  'has replaced: none.';

create function public.not_enrolled(p_project_id uuid default null, p_limit integer default null)
returns table (project_id uuid, approval_id uuid, email text)
language sql stable set search_path = public, pg_temp as $$
  select s.project_id, s.approval_id, w.email
  from email_sequences s
  join projects p on p.id = s.project_id and p.status = 'active'
  join waitlist_signups w on w.project_id = s.project_id and w.status = 'confirmed'
  where s.ended_at is null and (p_project_id is null or s.project_id = p_project_id)
    and exists (
      select from generate_series(1, jsonb_array_length(s.emails)) step
      where email_step_missing(s.approval_id, s.project_id, s.category, step, w.email))
    and email_suppression(w.email, w.project_id, 'project', s.category) is null
  limit p_limit
$$;
comment on function public.not_enrolled(uuid, integer) is
  'Who has confirmed a place on a waitlist and has not all mails of its active welcome sequence.';

create function public.lift_unsubscription(p_email text, p_project_id uuid) returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_email text := lower(btrim(p_email));
begin
  delete from email_suppressions
    where email = v_email and project_id = p_project_id and reason = 'unsubscribed';
  if not found then
    return false;
  end if;
  -- They have not left. Their keys become free, so that who is enrolled anew gets them from his new first day.
  delete from email_jobs e using email_sequences s
    where e.project_id = p_project_id and e.category = 'sequence' and lower(btrim(e.to_email)) = v_email
      and e.status = 'suppressed' and e.error = 'unsubscribed'
      and s.approval_id = e.approval_id and s.ended_at is null;
  return true;
end $$;
comment on function public.lift_unsubscription(text, uuid) is
  'Lets a project write again to who had unsubscribed and asks for it; whether that changed anything. A bounce, a '
  'complaint or a block stays.';

-- ------------------------------------------------------------------------------------- who gets which drip

create function public.digest_page(p_week text, p_since timestamptz, p_after uuid, p_limit integer)
returns table (user_id uuid, email text)
language sql stable set search_path = public, pg_temp as $$
  select u.id, u.email from users u
  where u.id > p_after and u.email <> ''
    and not exists (
      select from drip_email_log d where d.user_id = u.id and d.email_type = 'weekly_digest'
        and d.digest_week = p_week and d.status <> 'failed')
    and exists (
      select from projects p where p.owner_clerk_id = u.clerk_id and p.status = 'active'
        and (exists (select from approval_queue a where a.project_id = p.id and a.status = 'pending')
             or exists (select from tasks t where t.project_id = p.id and t.created_at >= p_since)))
  order by u.id limit p_limit
$$;
comment on function public.digest_page(text, timestamptz, uuid, integer) is
  'Whom the digest of an ISO week is for and has not been reserved: with an active project in which an approval is '
  'pending or work was listed since p_since. A page in order of id.';

create function public.digest_projects(p_user_id uuid, p_since timestamptz, p_limit integer)
returns table (
  id uuid, name text, phase integer, confidence integer, pending integer, completed integer, failed integer,
  total integer)
language sql stable set search_path = public, pg_temp as $$
  select p.id, p.name, p.phase, k.confidence, a.pending, t.completed, t.failed, count(*) over ()::integer
  from users u
  join projects p on p.owner_clerk_id = u.clerk_id and p.status = 'active'
  left join lateral (
    select confidence from phase_packets k where k.project_id = p.id order by k.phase desc limit 1) k on true
  cross join lateral (
    select count(*)::integer as pending from approval_queue a where a.project_id = p.id and a.status = 'pending') a
  cross join lateral (
    select count(*) filter (where status = 'completed')::integer as completed,
           count(*) filter (where status = 'failed')::integer as failed
    from tasks t where t.project_id = p.id and coalesce(t.completed_at, t.created_at) >= p_since) t
  where u.id = p_user_id
  order by a.pending > 0 desc, p.updated_at desc, p.id
  limit p_limit
$$;

create function public.nudge_page(p_type text, p_now timestamptz, p_after uuid, p_limit integer)
returns table (user_id uuid, email text, project_id uuid, project_name text, approval_id uuid, waiting integer)
language sql stable set search_path = public, pg_temp as $$
  select u.id, u.email, g.project_id, g.name, g.id, g.waiting from users u
  cross join lateral (
    -- The gate that has waited longest, and how many there are.
    select a.id, p.id as project_id, p.name, count(*) over ()::integer as waiting
    from projects p join approval_queue a on a.project_id = p.id
    where p.owner_clerk_id = u.clerk_id and p.status = 'active'
      and a.type = 'phase_advance' and a.status = 'pending'
      and (p_type <> 'nudge_no_reviews' or a.phase = 0)
    order by a.created_at, a.id limit 1) g
  where u.id > p_after and u.email <> '' and u.created_at <= p_now - interval '3 days'
    and not exists (
      select from drip_email_log d where d.user_id = u.id and d.email_type = p_type and d.status <> 'failed')
    -- Two nudges within a few days would say the same thing twice.
    and not exists (
      select from drip_email_log d where d.user_id = u.id and d.email_type like 'nudge%' and d.email_type <> p_type
        and d.status <> 'failed' and d.created_at > p_now - interval '3 days')
    and case p_type
      when 'nudge_no_reviews' then not exists (
        select from projects p join approval_queue a on a.project_id = p.id
        where p.owner_clerk_id = u.clerk_id and a.decided_at is not null and a.decided_by is distinct from 'system')
      when 'nudge_no_signoffs' then not exists (
        select from projects p where p.owner_clerk_id = u.clerk_id and p.phase > 0)
        and not exists (
          select from projects p join approval_queue a on a.project_id = p.id
          where p.owner_clerk_id = u.clerk_id and a.type = 'phase_advance' and a.status = 'approved')
      else false end
  order by u.id limit p_limit
$$;
comment on function public.nudge_page(text, timestamptz, uuid, integer) is
  'Whom a nudge is for and has not been reserved, and the gate that waits: people of three days and more who have '
  'decided nothing (nudge_no_reviews), or approved no gate while all is in phase 0 (nudge_no_signoffs).';

-- ------------------------------------------------------------------------------------------ who may see it

alter table public.email_suppressions enable row level security;
revoke all on public.email_suppressions from public, anon, authenticated;
grant all on public.email_suppressions to service_role;
create policy email_suppressions_select_own on public.email_suppressions for select to authenticated
  using (project_id in (select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
grant select on public.email_suppressions to authenticated;

alter table public.email_sequences enable row level security;
revoke all on public.email_sequences from public, anon, authenticated;
grant all on public.email_sequences to service_role;
create policy email_sequences_select_own on public.email_sequences for select to authenticated
  using (project_id in (select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
grant select on public.email_sequences to authenticated;
