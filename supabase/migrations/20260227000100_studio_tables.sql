-- What the studio produces, asks, does and remembers.
--
-- Columns that an older front end writes twice under two names (packet and packet_data, risk and
-- risk_level) are kept in step by triggers: generated columns would refuse its writes.

-- --------------------------------------------------------------------------------------- packets

create table public.phase_packet_versions (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  phase integer not null check (phase between 0 and 3),
  version integer not null check (version >= 1),
  packet jsonb not null check (jsonb_typeof(packet) = 'object'),
  confidence integer not null check (confidence between 0 and 100),
  synopsis jsonb not null check (jsonb_typeof(synopsis) = 'object'),
  source_job_id uuid references public.agent_jobs on delete set null,
  claim_no bigint,
  model text,
  prompt_version text,
  cost_micros bigint check (cost_micros >= 0),
  input_tokens bigint check (input_tokens >= 0),
  output_tokens bigint check (output_tokens >= 0),
  provenance jsonb not null default '{}' check (jsonb_typeof(provenance) = 'object'),
  created_at timestamptz not null default now(),
  unique (project_id, phase, version)
);
comment on table public.phase_packet_versions is
  'Every packet ever made, as it was made. Rows never change, and go only with their project.';
comment on column public.phase_packet_versions.version is
  '1, 2, … per project and phase; numbered here where the writer gives none.';
comment on column public.phase_packet_versions.cost_micros is 'Millionths of a dollar.';

create index phase_packet_versions_by_job on public.phase_packet_versions (source_job_id);

create table public.phase_packets (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  phase integer not null check (phase between 0 and 3),
  packet jsonb not null,
  confidence integer not null,
  synopsis jsonb not null,
  packet_data jsonb not null,
  confidence_score integer not null,
  reasoning_synopsis jsonb not null,
  ceo_recommendation text,
  deliverables jsonb,
  version_id uuid not null references public.phase_packet_versions on delete cascade,
  version integer not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, phase)
);
comment on table public.phase_packets is
  'The latest packet of each phase: always exactly the version it points at. A write of version_id takes '
  'everything from that version; a write of the packet itself makes a new version of it.';

create index phase_packets_by_version on public.phase_packets (version_id);

-- Whoever numbers a version, or moves the latest packet, holds this until the transaction ends.
create function public.hold_phase_packet(p_project_id uuid, p_phase integer) returns void
language sql set search_path = public, pg_temp as $$
  select pg_advisory_xact_lock(hashtextextended(p_project_id::text || ':' || p_phase, 0))
$$;

create function public.phase_packet_versions_number() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  perform hold_phase_packet(new.project_id, new.phase);
  new.version := (
    select coalesce(max(version), 0) + 1 from phase_packet_versions
    where project_id = new.project_id and phase = new.phase);
  return new;
end $$;

create trigger phase_packet_versions_number before insert on public.phase_packet_versions
  for each row when (new.version is null) execute function public.phase_packet_versions_number();

create function public.phase_packet_versions_immutable() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    if not exists (select from projects where id = old.project_id) then
      return old;
    end if;
  elsif new.source_job_id is null
        and to_jsonb(new) - 'source_job_id' = to_jsonb(old) - 'source_job_id' then
    -- Old jobs are deleted one day; what they made is not.
    return new;
  end if;
  raise exception 'Version % of packet % of project % cannot be changed or deleted.',
    old.version, old.phase, old.project_id
    using errcode = 'GL020', hint = 'Write a new version.';
end $$;

create trigger phase_packet_versions_immutable before update or delete on public.phase_packet_versions
  for each row execute function public.phase_packet_versions_immutable();

create function public.phase_packets_follow_version() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_version phase_packet_versions;
  v_pointed boolean;
  v_written boolean;
begin
  perform hold_phase_packet(new.project_id, new.phase);
  if tg_op = 'INSERT' then
    new.packet := coalesce(new.packet, new.packet_data);
    new.confidence := coalesce(new.confidence, new.confidence_score);
    new.synopsis := coalesce(new.synopsis, new.reasoning_synopsis);
    v_pointed := new.version_id is not null;
    v_written := not v_pointed;
    if v_written and exists (
      select from phase_packets where project_id = new.project_id and phase = new.phase) then
      -- This insert ends in its conflict clause; the update that follows makes the version. What is set
      -- here only passes the not-null checks on the way.
      select version_id, version into new.version_id, new.version from phase_packets
        where project_id = new.project_id and phase = new.phase;
      v_written := false;
    end if;
  else
    if new.packet is not distinct from old.packet then
      new.packet := new.packet_data;
    end if;
    if new.confidence is not distinct from old.confidence then
      new.confidence := new.confidence_score;
    end if;
    if new.synopsis is not distinct from old.synopsis then
      new.synopsis := new.reasoning_synopsis;
    end if;
    v_pointed := new.version_id is distinct from old.version_id;
    v_written := not v_pointed and (new.packet, new.confidence, new.synopsis)
      is distinct from (old.packet, old.confidence, old.synopsis);
  end if;

  if v_pointed then
    select * into v_version from phase_packet_versions
      where id = new.version_id and project_id = new.project_id and phase = new.phase;
    if not found then
      raise exception 'Version % is not one of packet % of project %.', new.version_id, new.phase, new.project_id
        using errcode = '23503';
    end if;
  elsif v_written then
    insert into phase_packet_versions (project_id, phase, packet, confidence, synopsis)
    values (new.project_id, new.phase, new.packet, new.confidence, new.synopsis)
    returning * into v_version;
  end if;
  if v_version.id is not null then
    new.version_id := v_version.id;
    new.version := v_version.version;
    new.packet := v_version.packet;
    new.confidence := v_version.confidence;
    new.synopsis := v_version.synopsis;
    if tg_op = 'INSERT' or new.ceo_recommendation is not distinct from old.ceo_recommendation then
      new.ceo_recommendation := coalesce(
        v_version.packet ->> 'recommendation', v_version.synopsis ->> 'decision', new.ceo_recommendation);
    end if;
  end if;
  new.packet_data := new.packet;
  new.confidence_score := new.confidence;
  new.reasoning_synopsis := new.synopsis;
  return new;
end $$;

create trigger phase_packets_follow_version before insert or update on public.phase_packets
  for each row execute function public.phase_packets_follow_version();

create table public.research_sources (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  job_id uuid references public.agent_jobs on delete set null,
  url text not null check (url ~* '^https?://'),
  title text,
  quote text not null,
  quote_sha256 text not null check (quote_sha256 ~ '^[0-9a-f]{64}$'),
  retrieved_at timestamptz not null default now(),
  retrieved_by text not null,
  created_at timestamptz not null default now(),
  unique (job_id, url, quote_sha256)
);
comment on table public.research_sources is
  'What a run really retrieved: the passage as it was read, its hash, and the tool that fetched it.';

create index research_sources_by_project on public.research_sources (project_id, created_at desc);

-- ------------------------------------------------------------------------------------- approvals

create table public.approval_queue (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  packet_id uuid references public.phase_packets on delete set null,
  packet_version_id uuid references public.phase_packet_versions on delete set null,
  phase integer not null check (phase between 0 and 3),
  title text not null,
  description text not null,
  risk text not null check (risk in ('high', 'medium', 'low')),
  risk_level text not null,
  type text not null check (type in ('phase_advance', 'execution')),
  action_type text not null,
  payload jsonb not null default '{}',
  status text not null default 'pending' check (status in ('pending', 'approved', 'denied', 'revised')),
  version integer not null default 1 check (version >= 1),
  guidance text check (char_length(guidance) <= 2000),
  decided_by text,
  decided_at timestamptz,
  resolved_at timestamptz,
  resolved_by uuid references public.users on delete set null,
  agent_source text,
  execution_status text not null default 'idle'
    check (execution_status in ('idle', 'queued', 'running', 'completed', 'failed')),
  execution_job_id uuid references public.agent_jobs on delete set null,
  created_at timestamptz not null default now()
);
comment on column public.approval_queue.packet_version_id is
  'The version that was reviewed, which is the one that counts, whatever has been generated since.';
comment on column public.approval_queue.version is 'Rises with every decision; a decision names the one it saw.';
comment on column public.approval_queue.guidance is 'What the person who decided wants changed.';

create unique index approval_queue_one_pending_gate on public.approval_queue (project_id, phase, action_type)
  where type = 'phase_advance' and status = 'pending';
create index approval_queue_by_project on public.approval_queue (project_id, status, created_at desc);
create index approval_queue_by_packet on public.approval_queue (packet_id);
create index approval_queue_by_packet_version on public.approval_queue (packet_version_id);
create index approval_queue_by_resolver on public.approval_queue (resolved_by);
create index approval_queue_by_execution_job on public.approval_queue (execution_job_id);

create function public.approval_queue_complete() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    new.risk := coalesce(new.risk, new.risk_level);
    new.type := coalesce(new.type, case when new.action_type in (
      'phase0_packet_review', 'phase1_validate_review', 'phase2_distribute_review', 'phase3_golive_review')
      then 'phase_advance' else 'execution' end);
  elsif new.risk is not distinct from old.risk then
    new.risk := new.risk_level;
  end if;
  new.risk_level := new.risk;
  return new;
end $$;

create trigger approval_queue_complete before insert or update on public.approval_queue
  for each row execute function public.approval_queue_complete();

create table public.action_executions (
  id uuid primary key default gen_random_uuid(),
  approval_id uuid not null unique references public.approval_queue on delete cascade,
  project_id uuid not null references public.projects on delete cascade,
  action_type text not null,
  status text not null check (status in ('running', 'completed', 'failed', 'unknown')),
  detail text,
  provider_response jsonb,
  job_id uuid references public.agent_jobs on delete set null,
  claim_no bigint,
  steps jsonb not null default '{}' check (jsonb_typeof(steps) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.action_executions is
  'One row per approval, however often it is tried: the guard against doing it twice.';
comment on column public.action_executions.status is
  'unknown: the provider may have acted or not; a person looks before anything is tried again.';
comment on column public.action_executions.claim_no is 'The claim that may write the outcome.';
comment on column public.action_executions.steps is 'Outcome of each part, by name.';

create index action_executions_by_project on public.action_executions (project_id, created_at desc);
create index action_executions_by_job on public.action_executions (job_id);

-- ------------------------------------------------------------------------------ memory and activity

create table public.agent_memory (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  category text not null,
  key text not null,
  value text not null,
  source_job_id uuid references public.agent_jobs on delete set null,
  agent_key text not null,
  confidence double precision not null default 1 check (confidence between 0 and 1),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, category, key)
);
comment on column public.agent_memory.category is 'fact, preference, decision, learning, context, or another.';

create index agent_memory_recent on public.agent_memory (project_id, category, updated_at desc);
create index agent_memory_by_job on public.agent_memory (source_job_id);

create table public.tasks (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  agent text not null,
  description text not null,
  status text not null check (status in ('queued', 'running', 'completed', 'failed')),
  detail text,
  reasoning_synopsis jsonb,
  execution_log jsonb,
  error text,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now()
);

create index tasks_by_project on public.tasks (project_id, created_at desc);
create index tasks_open on public.tasks (project_id, agent, description) where status in ('queued', 'running');

create table public.task_log (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  step text not null,
  status text not null,
  detail text,
  created_at timestamptz not null default now()
);

create index task_log_by_project on public.task_log (project_id, created_at desc);

create table public.project_events (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  event_type text not null,
  message text,
  data jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create index project_events_by_project on public.project_events (project_id, created_at desc);
create index project_events_by_type on public.project_events (project_id, event_type, created_at desc);

create table public.project_brain_documents (
  project_id uuid primary key references public.projects on delete cascade,
  mission_markdown text not null,
  memory_markdown text not null,
  memory_version integer not null default 1,
  last_event_id uuid references public.project_events on delete set null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index project_brain_documents_by_event on public.project_brain_documents (last_event_id);

create table public.project_brain_updates (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  status text not null default 'queued' check (status in ('queued', 'running', 'completed', 'failed')),
  trigger_event_id uuid references public.project_events on delete set null,
  reason text not null check (reason in ('event_ingest', 'scheduled_refresh', 'manual')),
  input_event_count integer not null default 0,
  error text,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now()
);

create index project_brain_updates_by_project on public.project_brain_updates (project_id, created_at desc);
create index project_brain_updates_by_event on public.project_brain_updates (trigger_event_id);

create table public.project_chat_messages (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  owner_clerk_id text not null,
  role text not null check (role in ('user', 'assistant', 'system')),
  content text not null check (char_length(content) between 1 and 8000),
  reply_to uuid unique references public.project_chat_messages on delete cascade,
  created_at timestamptz not null default now()
);
comment on column public.project_chat_messages.reply_to is
  'The message this one answers; a message is answered once, however often the answer is tried.';

create index project_chat_messages_by_project on public.project_chat_messages (project_id, created_at desc);

-- --------------------------------------------------------------------------- assets and publication

create table public.project_assets (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  phase integer,
  kind text not null
    check (kind in ('upload', 'landing_html', 'email_template', 'ads_creative', 'release_note', 'packet_export')),
  storage_bucket text not null default 'project-assets',
  storage_path text not null,
  filename text not null,
  mime_type text,
  size_bytes bigint check (size_bytes >= 0),
  status text not null default 'pending' check (status in ('pending', 'uploaded', 'failed')),
  metadata jsonb not null default '{}',
  created_by text,
  created_at timestamptz not null default now(),
  unique (project_id, storage_path)
);

create index project_assets_by_project on public.project_assets (project_id, created_at desc);

create table public.project_deployments (
  project_id uuid primary key references public.projects on delete cascade,
  phase integer not null default 1,
  status text not null check (status in ('ready', 'failed')),
  html_content text not null,
  metadata jsonb not null default '{}',
  deployed_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Guessing a live token must be hopeless, and a forgotten link must end by itself.
create table public.packet_share_links (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  packet_version_id uuid references public.phase_packet_versions on delete cascade,
  token text not null unique check (char_length(token) >= 16),
  created_by text,
  expires_at timestamptz not null default now() + interval '30 days',
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);
comment on column public.packet_share_links.packet_version_id is
  'What the link shows; null only for links made by clients that know no versions.';

create index packet_share_links_by_project on public.packet_share_links (project_id, created_at desc);
create index packet_share_links_by_version on public.packet_share_links (packet_version_id);

create table public.waitlist_signups (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  email text not null check (email = lower(email)),
  source text not null default 'landing_page',
  metadata jsonb not null default '{}',
  status text not null default 'pending' check (status in ('pending', 'confirmed', 'unsubscribed')),
  consent jsonb not null default '{}',
  confirmed_at timestamptz,
  unsubscribed_at timestamptz,
  created_at timestamptz not null default now(),
  unique (project_id, email)
);
comment on table public.waitlist_signups is
  'Who wants to hear from a project. Only a confirmed address is ever written to again.';
comment on column public.waitlist_signups.consent is 'What was agreed to, when, and in which words.';

create function public.lower_email() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  new.email := lower(new.email);
  return new;
end $$;

create trigger waitlist_signups_lower_email before insert or update of email on public.waitlist_signups
  for each row execute function public.lower_email();

create table public.domain_scan_cache (
  domain text primary key,
  result jsonb not null,
  expires_at timestamptz not null,
  updated_at timestamptz not null default now()
);

create index domain_scan_cache_expiry on public.domain_scan_cache (expires_at);

-- ------------------------------------------------------------------------------------------- mail

create table public.email_jobs (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  approval_id uuid references public.approval_queue on delete set null,
  outbox_key text,
  to_email text not null,
  subject text not null,
  html_body text not null,
  scheduled_for timestamptz not null,
  status text not null default 'queued' check (status in ('queued', 'sending', 'sent', 'failed', 'unknown')),
  attempts integer not null default 0,
  locked_by text,
  leased_until timestamptz,
  provider_message_id text,
  error text,
  sent_at timestamptz,
  created_at timestamptz not null default now()
);
comment on column public.email_jobs.outbox_key is
  'Names the mail (approval, step, recipient) to us and to the provider, so that it is sent once.';
comment on column public.email_jobs.status is
  'sending: claimed by one sender; unknown: it may have left or not, and a person looks before it is sent again.';

create unique index email_jobs_outbox_key on public.email_jobs (project_id, outbox_key)
  where outbox_key is not null;
create index email_jobs_by_project on public.email_jobs (project_id, scheduled_for);
create index email_jobs_due on public.email_jobs (status, scheduled_for);
create index email_jobs_by_approval on public.email_jobs (approval_id);

create table public.drip_email_log (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.users on delete cascade,
  email_type text not null check (email_type in (
    'welcome', 'weekly_digest', 'nudge_no_reviews', 'nudge_no_signoffs', 'phase0_ready', 'phase1_ready')),
  project_id uuid references public.projects on delete set null,
  digest_week text,
  to_email text not null,
  subject text not null,
  resend_message_id text,
  status text not null default 'sent' check (status in ('sending', 'sent', 'failed')),
  error text,
  created_at timestamptz not null default now()
);
comment on table public.drip_email_log is
  'The row is taken before the mail is sent, so that two senders cannot both send it.';

create unique index drip_email_log_welcome on public.drip_email_log (user_id) where email_type = 'welcome';
create unique index drip_email_log_phase0_ready on public.drip_email_log (user_id, project_id)
  where email_type = 'phase0_ready';
create unique index drip_email_log_phase1_ready on public.drip_email_log (user_id, project_id)
  where email_type = 'phase1_ready';
create unique index drip_email_log_weekly_digest on public.drip_email_log (user_id, digest_week)
  where email_type = 'weekly_digest';
create unique index drip_email_log_nudge_no_reviews on public.drip_email_log (user_id)
  where email_type = 'nudge_no_reviews';
create unique index drip_email_log_nudge_no_signoffs on public.drip_email_log (user_id)
  where email_type = 'nudge_no_signoffs';
create index drip_email_log_by_user on public.drip_email_log (user_id, created_at desc);
create index drip_email_log_by_project on public.drip_email_log (project_id);

create table public.project_email_identities (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null unique references public.projects on delete cascade,
  provider text not null default 'resend',
  reply_address text not null unique,
  status text not null default 'active' check (status in ('active', 'disabled')),
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now()
);

create table public.inbound_email_messages (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  email_identity_id uuid references public.project_email_identities on delete set null,
  provider text not null,
  provider_message_id text,
  from_email text not null,
  to_email text not null,
  subject text,
  text_body text,
  html_body text,
  payload jsonb not null default '{}',
  status text not null default 'received' check (status in ('received', 'processed', 'failed')),
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  created_at timestamptz not null default now()
);

create unique index inbound_email_messages_provider_message
  on public.inbound_email_messages (provider, provider_message_id) where provider_message_id is not null;
create index inbound_email_messages_by_project on public.inbound_email_messages (project_id, received_at desc);
create index inbound_email_messages_by_identity on public.inbound_email_messages (email_identity_id);

-- ------------------------------------------------------------------- connections to the outside

create table public.github_connections (
  id uuid primary key default gen_random_uuid(),
  clerk_id text not null unique,
  github_token text not null,
  username text,
  avatar text,
  github_id text,
  scopes text,
  connected_at timestamptz not null default now()
);
comment on column public.github_connections.github_token is 'Encrypted; never readable by a browser.';

create table public.project_integrations (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  provider text not null check (provider in ('resend', 'meta', 'github', 'vercel', 'analytics', 'payments')),
  enabled boolean not null default true,
  config_encrypted text not null,
  config_masked jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, provider)
);
comment on column public.project_integrations.config_encrypted is 'Never readable by a browser; config_masked is.';

create table public.project_recurring_tasks (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  task_key text not null,
  cron_expr text not null,
  timezone text not null default 'UTC',
  job_type text not null,
  agent_key text not null,
  payload jsonb not null default '{}',
  priority integer not null default 10,
  enabled boolean not null default true,
  next_run_at timestamptz not null default now(),
  last_run_at timestamptz,
  created_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, task_key)
);

create index project_recurring_tasks_due on public.project_recurring_tasks (enabled, next_run_at);

create table public.project_analytics_events (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  source text not null default 'manual',
  event_type text not null default 'track',
  event_name text not null,
  value_numeric numeric,
  value_text text,
  currency text,
  properties jsonb not null default '{}',
  occurred_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);

create index project_analytics_events_by_time on public.project_analytics_events (project_id, occurred_at desc);
create index project_analytics_events_by_name
  on public.project_analytics_events (project_id, event_name, occurred_at desc);

create table public.project_payment_events (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  provider text not null,
  external_id text,
  event_type text not null,
  status text not null,
  amount_cents bigint not null default 0,
  currency text not null default 'USD',
  metadata jsonb not null default '{}',
  occurred_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);

create unique index project_payment_events_external
  on public.project_payment_events (project_id, provider, external_id, event_type)
  where external_id is not null;
create index project_payment_events_by_time on public.project_payment_events (project_id, occurred_at desc);

-- ----------------------------------------------------------------------------------------- runtimes

create table public.project_runtime_instances (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null unique references public.projects on delete cascade,
  status text not null default 'shared' check (status in ('shared', 'provisioning', 'dedicated', 'failed')),
  mode text not null default 'shared' check (mode in ('shared', 'provisioning', 'dedicated')),
  provider text,
  runtime_endpoint text,
  runtime_metadata jsonb not null default '{}',
  repo_ref text,
  db_ref text,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table public.project_provisioning_jobs (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  runtime_instance_id uuid references public.project_runtime_instances on delete cascade,
  status text not null default 'queued' check (status in ('queued', 'running', 'completed', 'failed')),
  step text,
  attempts integer not null default 0,
  error text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index project_provisioning_jobs_by_project on public.project_provisioning_jobs (project_id, created_at desc);
create index project_provisioning_jobs_by_instance on public.project_provisioning_jobs (runtime_instance_id);

create table public.project_runtime_secrets (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  secret_key text not null,
  secret_ref text not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  unique (project_id, secret_key)
);
comment on column public.project_runtime_secrets.secret_ref is 'Where the secret is kept, never the secret.';

create table public.worker_heartbeats (
  worker_id text primary key,
  service_name text not null default 'greenlight-worker',
  status text not null check (status in ('running', 'draining', 'stopped', 'error')),
  started_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  jobs_processed bigint not null default 0,
  consecutive_poll_errors integer not null default 0,
  rss_mb double precision,
  heap_used_mb double precision,
  heap_total_mb double precision,
  details jsonb not null default '{}',
  updated_at timestamptz not null default now()
);

create index worker_heartbeats_seen on public.worker_heartbeats (last_seen_at);

-- ------------------------------------------------------------------------------------ updated_at

do $$
declare
  v_table text;
begin
  foreach v_table in array array[
    'phase_packets', 'action_executions', 'agent_memory', 'project_brain_documents', 'project_deployments',
    'domain_scan_cache', 'project_integrations', 'project_recurring_tasks', 'project_runtime_instances',
    'project_provisioning_jobs', 'worker_heartbeats'
  ] loop
    execute format(
      'create trigger %I before update on public.%I for each row execute function public.set_updated_at()',
      v_table || '_updated_at', v_table);
  end loop;
end $$;
