-- What agents remember, and the figures that they and the founder are shown.

-- ----------------------------------------------------------------------------------------- memory

-- Categories were not enforced so far. What stands under another one becomes `context`, with the old
-- category in front of its key, so that nothing is lost and agents still read it. (A constraint that spares
-- old rows would not do: it is checked at every update, also at the one that forgets a deleted job.)
with renamed as (
  select id, left(category || '.' || key, 180) as new_key,
         row_number() over (
           partition by project_id, left(category || '.' || key, 180) order by updated_at desc, id) as n, project_id
  from public.agent_memory
  where category not in ('fact', 'preference', 'decision', 'learning', 'context')
)
update public.agent_memory m set
  category = 'context',
  key = r.new_key || case
    when r.n > 1 or exists (
      select from public.agent_memory o
      where o.project_id = r.project_id and o.category = 'context' and o.key = r.new_key)
    then '.' || left(m.id::text, 8) else '' end
from renamed r where r.id = m.id;

update public.agent_memory set
  key = case when key = '' then 'unnamed.' || left(id::text, 8) else left(key, 180) || '.' || left(id::text, 8) end
where char_length(key) not between 1 and 200;

alter table public.agent_memory
  add constraint agent_memory_category_known
    check (category in ('fact', 'preference', 'decision', 'learning', 'context')),
  add constraint agent_memory_key_length check (char_length(key) between 1 and 200),
  add column origin text not null default 'agent' check (origin in ('agent', 'founder', 'mail', 'web'));

comment on column public.agent_memory.category is 'fact, preference, decision, learning or context.';
comment on column public.agent_memory.origin is
  'Whose words the value repeats: a studio''s own agent, the founder, or somebody outside (mail, web). What '
  'comes from outside never replaces what does not.';

-- The newest of all categories, which is how they are read.
create index agent_memory_newest on public.agent_memory (project_id, updated_at desc);

create function public.remember_agent_memory(
  p_project_id uuid, p_category text, p_key text, p_value text, p_agent_key text,
  p_source_job_id uuid default null, p_confidence double precision default 1, p_origin text default 'agent')
returns boolean
language sql set search_path = public, pg_temp as $$
  with stored as (
    insert into agent_memory as m (project_id, category, key, value, agent_key, source_job_id, confidence, origin)
    values (p_project_id, p_category, p_key, p_value, p_agent_key, p_source_job_id, p_confidence, p_origin)
    on conflict (project_id, category, key) do update set
      value = excluded.value, agent_key = excluded.agent_key, source_job_id = excluded.source_job_id,
      confidence = excluded.confidence, origin = excluded.origin, updated_at = now()
      where excluded.origin in ('agent', 'founder') or m.origin in ('mail', 'web')
    returning 1
  )
  select exists (select from stored)
$$;
comment on function public.remember_agent_memory is
  'Store or replace the value of (category, key): the newest wins, but words from outside never replace the '
  'studio''s or the founder''s. Says whether it was stored.';

-- ---------------------------------------------------------------------------------------- figures

create function public.project_kpis(p_project_id uuid)
returns table (
  traffic_7d bigint, leads_7d bigint, conversion_7d numeric, payments_7d bigint, revenue_cents_7d bigint,
  traffic_30d bigint, leads_30d bigint, conversion_30d numeric, payments_30d bigint, revenue_cents_30d bigint,
  currency text, foreign_payments_30d bigint)
language sql stable set search_path = public, pg_temp as $$
  with visits as (
    select
      count(*) filter (where event_name = 'traffic' and occurred_at > now() - interval '7 days') as traffic_7d,
      count(*) filter (where event_name <> 'traffic' and occurred_at > now() - interval '7 days') as leads_7d,
      count(*) filter (where event_name = 'traffic') as traffic_30d,
      count(*) filter (where event_name <> 'traffic') as leads_30d
    from project_analytics_events
    where project_id = p_project_id
      and event_name in ('traffic', 'lead', 'signup', 'waitlist_submit')
      and occurred_at > now() - interval '30 days' and occurred_at <= now()
  ), paid as (
    select amount_cents, upper(currency) as currency, occurred_at > now() - interval '7 days' as recent
    from project_payment_events
    where project_id = p_project_id and status = 'succeeded'
      and occurred_at > now() - interval '30 days' and occurred_at <= now()
  ), main as (
    select coalesce(mode() within group (order by paid.currency), 'USD') as currency from paid
  ), payments as (
    -- Cents of two currencies make no sum: the amount is that of the one most payments were made in.
    select
      count(*) filter (where recent) as payments_7d,
      coalesce(sum(amount_cents) filter (where recent and paid.currency = main.currency), 0) as revenue_cents_7d,
      count(paid.*) as payments_30d,
      coalesce(sum(amount_cents) filter (where paid.currency = main.currency), 0) as revenue_cents_30d,
      count(*) filter (where paid.currency <> main.currency) as foreign_payments_30d,
      main.currency
    from main left join paid on true group by main.currency
  )
  select
    traffic_7d, leads_7d, coalesce(round(leads_7d::numeric / nullif(traffic_7d, 0), 4), 0),
    payments_7d, revenue_cents_7d::bigint,
    traffic_30d, leads_30d, coalesce(round(leads_30d::numeric / nullif(traffic_30d, 0), 4), 0),
    payments_30d, revenue_cents_30d::bigint, currency, foreign_payments_30d
  from visits, payments
$$;
comment on function public.project_kpis is
  'Traffic, leads, conversion (leads per visit to 4 places, 0 without visits), succeeded payments and their '
  'revenue, over the last 7 and 30 days of the database''s clock.';

-- ------------------------------------------------------------------------------------ night shift

-- All projects whose night it is are walked in pages by id.
create index projects_on_night_shift on public.projects (id) where night_shift and status = 'active';

create function public.project_activity(p_project_id uuid, p_since timestamptz, p_until timestamptz)
returns table (
  jobs_completed bigint, jobs_failed bigint, packets bigint, decisions bigint, approvals_waiting bigint,
  actions_completed bigint, actions_failed bigint, actions_held bigint,
  mails_sent bigint, mails_failed bigint, mails_held bigint, visits bigint, leads bigint, spent_micros bigint)
language sql stable set search_path = public, pg_temp as $$
  select
    jobs.completed, jobs.failed, packets.n, approvals.decided, approvals.waiting,
    actions.completed, actions.failed, actions.held, mails.sent, troubles.failed, mails.held,
    visits.visits, visits.leads, calls.micros
  from (
    select count(*) filter (where status = 'completed') as completed, count(*) filter (where status = 'failed') as failed
    from agent_jobs
    where project_id = p_project_id and completed_at > p_since and completed_at <= p_until
      and job_type <> 'nightshift.cycle_project' and job_type not like 'bench.%'
  ) jobs, (
    select count(*) as n from phase_packet_versions
    where project_id = p_project_id and created_at > p_since and created_at <= p_until
  ) packets, (
    select count(*) filter (where status = 'pending') as waiting,
           -- What the studio itself has replaced by a newer question is nobody's decision.
           count(*) filter (where status <> 'pending' and decided_by is distinct from 'system'
                            and decided_at > p_since and decided_at <= p_until) as decided
    from approval_queue where project_id = p_project_id
  ) approvals, (
    select count(*) filter (where status = 'completed' and updated_at > p_since and updated_at <= p_until) as completed,
           count(*) filter (where status = 'failed' and updated_at > p_since and updated_at <= p_until) as failed,
           count(*) filter (where status = 'unknown') as held
    from action_executions where project_id = p_project_id
  ) actions, (
    select count(*) filter (where sent_at > p_since and sent_at <= p_until) as sent,
           count(*) filter (where status = 'unknown') as held
    from email_jobs where project_id = p_project_id
  ) mails, (
    -- The mail itself does not say when it failed; the ledger does.
    select coalesce(sum(case when data ->> 'mails' ~ '^\d{1,9}$' then (data ->> 'mails')::bigint else 1 end), 0)::bigint
      as failed
    from project_events
    where project_id = p_project_id and event_type = 'email.outbound.failed'
      and created_at > p_since and created_at <= p_until
  ) troubles, (
    select count(*) filter (where event_name = 'traffic') as visits,
           count(*) filter (where event_name <> 'traffic') as leads
    from project_analytics_events
    where project_id = p_project_id and event_name in ('traffic', 'lead', 'signup', 'waitlist_submit')
      and occurred_at > p_since and occurred_at <= p_until
  ) visits, (
    select coalesce(sum(coalesce(cost_micros, reserved_micros)), 0)::bigint as micros
    from model_calls
    where project_id = p_project_id and status <> 'reserved' and settled_at > p_since and settled_at <= p_until
  ) calls
$$;
comment on function public.project_activity is
  'What happened to a project between two moments (the second included), counted from the rows themselves; what '
  'waits or is held is counted as of now. Spend is in millionths of a dollar.';
