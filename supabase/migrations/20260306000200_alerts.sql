-- Alerts: what an operator should know without looking for it, and whom it was told.
--
-- One row per condition, that is per kind and subject, for good: when it was last told is known also after it has gone
-- and come back. It opens when a check finds it, and closes when a check does not.
--
-- A spell is the time from one opening to the end; a condition that comes back within the hour continues its spell.

create table public.alerts (
  id uuid primary key default gen_random_uuid(),
  kind text not null check (kind in ('error', 'slower', 'queue', 'spend', 'losses', 'lost workers')),
  subject text not null,
  severity text not null default 'warning' check (severity in ('warning', 'critical')),
  title text not null,
  detail text not null default '',
  data jsonb not null default '{}',
  episode text not null default '',
  project_id uuid references public.projects on delete cascade,
  state text not null default 'open' check (state in ('open', 'closed')),
  first_at timestamptz not null default now(),
  last_at timestamptz not null default now(),
  closed_at timestamptz,
  count integer not null default 1,
  acknowledged_at timestamptz,
  acknowledged_by text,
  to_tell boolean not null default true,
  notified_at timestamptz,
  notifications integer not null default 0,
  unique (kind, subject)
) with (fillfactor = 50);
comment on table public.alerts is 'Conditions that an operator is told of, one row per kind and subject.';
comment on column public.alerts.subject is 'What it is about: a fingerprint, a lane, a name of spans, a project.';
comment on column public.alerts.episode is 'Changes where the same condition is a new one: an issue that was reopened.';
comment on column public.alerts.first_at is 'When its spell began.';
comment on column public.alerts.last_at is 'When a check last found it.';
comment on column public.alerts.count is 'How many checks of its spell have found it.';
comment on column public.alerts.to_tell is 'There is something new about it that nobody has been told.';
comment on column public.alerts.notified_at is 'When it was last told, in whatever spell: at most once an hour.';

create index alerts_by_state on public.alerts (state, last_at desc);
create index alerts_by_project on public.alerts (project_id) where project_id is not null;

create table public.alert_deliveries (
  id uuid primary key default gen_random_uuid(),
  alert_id uuid not null references public.alerts on delete cascade,
  hour timestamptz not null,
  way text not null check (way in ('mail', 'webhook')),
  content jsonb not null,
  status text not null default 'pending' check (status in ('pending', 'sending', 'sent', 'failed')),
  attempts integer not null default 0,
  error text,
  created_at timestamptz not null default now(),
  tried_at timestamptz,
  next_at timestamptz not null default now(),
  sent_at timestamptz,
  unique (alert_id, hour, way)
) with (fillfactor = 70);
comment on table public.alert_deliveries is 'One row per notification and way. Alert and hour are its idempotency key.';
comment on column public.alert_deliveries.content is
  'What is told, as it was known then: every attempt says the same, because a receiver may know the key.';
comment on column public.alert_deliveries.status is
  'sending: somebody is at it, or has died over it; after a while it is sent again under the same key.';

create index alert_deliveries_due on public.alert_deliveries (next_at) where status in ('pending', 'sending');

-- What was usual is asked of the times at which runs began: those of a spilled file are written much later.
create index pipeline_traces_by_name on public.pipeline_traces (pipeline_name, start_time desc);

alter table public.alerts enable row level security;
alter table public.alert_deliveries enable row level security;
revoke all on public.alerts, public.alert_deliveries from public, anon, authenticated;
grant all on public.alerts, public.alert_deliveries to service_role;
