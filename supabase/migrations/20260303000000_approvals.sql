-- Decisions, the life of a project, and what it may do in the world.
--
-- A decision is one transaction: compare-and-set on id, version and pending, the step that follows from it (phase,
-- job), and the entries in the activity list, the ledger and the memory. So nothing is approved without its job, and
-- no job is there without its approval.
--
-- SQLSTATE GL030 = no such approval or project, GL031 = the approval is not what the decision saw (DETAIL is JSON:
-- expectedVersion, status), GL032 = the project's life, permissions or caps forbid it, GL033 = a value cannot be used,
-- GL034 = the state of things does not allow it, GL035 = the audit log is append-only. HINT says what to do.
--
-- Lock order: jobs that are queued or run, the project, ended jobs and approvals, mails, the project's event counter.

-- ------------------------------------------------------------------------------------------ actions

create table public.action_types (
  action_type text primary key,
  phase integer check (phase between 1 and 3),
  risk text not null check (risk in ('high', 'medium', 'low')),
  title text not null,
  pins text not null check (pins in ('packet', 'page', 'guidance')),
  needs_permission text check (needs_permission in ('email_send', 'deploy', 'repo_write', 'ads_enabled')),
  needs_ads_cap boolean not null default false,
  needs_repo boolean not null default false,
  needs_shared_runtime boolean not null default false
);
comment on table public.action_types is
  'What the studio can do in the world after an approval, and under which conditions: the one list of them.';
comment on column public.action_types.phase is 'Whose packet it carries out; null for any.';
comment on column public.action_types.pins is
  'What an approval fixes: the packet version, the page with its hash, or the words of the guidance.';

insert into public.action_types
  (action_type, phase, risk, title, pins, needs_permission, needs_ads_cap, needs_repo, needs_shared_runtime)
values
  ('deploy_landing_page', 1, 'medium', 'Publish the landing page', 'page', null, false, false, true),
  ('send_welcome_email_sequence', 1, 'low', 'Send the welcome sequence', 'packet', 'email_send', false, false, false),
  ('activate_meta_ads_campaign', 2, 'high', 'Create the ad campaign, paused', 'packet', 'ads_enabled', true, false,
   false),
  ('send_phase2_lifecycle_email', 2, 'low', 'Send the lifecycle mails', 'packet', 'email_send', false, false, false),
  ('trigger_phase3_repo_workflow', 3, 'high', 'Start the launch workflow of the repository', 'packet', 'repo_write',
   false, true, false),
  ('trigger_phase3_deploy', 3, 'high', 'Trigger the deployment', 'packet', 'deploy', false, false, false),
  ('refine_phase_assets', null, 'low', 'Refine what a phase has made', 'guidance', null, false, false, false);

create function public.action_refusal(p_project_id uuid, p_action_type text) returns text
language plpgsql stable set search_path = public, pg_temp as $$
declare
  v_project projects;
  v_action action_types;
begin
  select * into v_action from action_types where action_type = p_action_type;
  if not found then
    return format('There is no action %s.', p_action_type);
  end if;
  select * into v_project from projects where id = p_project_id;
  if not found then
    return 'There is no such project.';
  end if;
  if v_project.status <> 'active' then
    return format('The project is %s.', v_project.status);
  end if;
  if v_action.needs_shared_runtime and v_project.runtime_mode <> 'shared' then
    return format('The project''s runtime mode is %s, and %s needs shared.', v_project.runtime_mode, p_action_type);
  end if;
  if v_action.needs_permission is not null
     and not coalesce((v_project.permissions ->> v_action.needs_permission)::boolean, false) then
    return format('The project does not permit %s.', v_action.needs_permission);
  end if;
  if v_action.needs_ads_cap and coalesce((v_project.permissions ->> 'ads_budget_cap')::numeric, 0) <= 0 then
    return 'The project''s cap for ads is 0.';
  end if;
  if v_action.needs_repo and coalesce(btrim(v_project.repo_url), '') = '' then
    return 'The project has no repository.';
  end if;
  return null;
end $$;
comment on function public.action_refusal is
  'Null where the project''s life, permissions, caps, repository and runtime mode permit the action now, else one '
  'sentence that says why not. Asked when an approval is requested, when it is decided, and when it is carried out.';

-- ---------------------------------------------------------------------------------------- approvals

alter table public.approval_queue
  add column asset_id uuid references public.project_assets on delete set null,
  add column content_hash text check (content_hash ~ '^[0-9a-f]{64}$'),
  drop constraint approval_queue_execution_status_check,
  add constraint approval_queue_execution_status_check
    check (execution_status in ('idle', 'queued', 'running', 'completed', 'failed', 'unknown'));
comment on column public.approval_queue.asset_id is 'The file that was reviewed, where the action carries out one.';
comment on column public.approval_queue.content_hash is
  'SHA-256 in hex of exactly what was reviewed, where that is not the packet as such: the bytes of the file, or the '
  'words of the guidance.';
comment on column public.approval_queue.execution_status is
  'unknown: the provider may have acted or not; a person looks before anything is tried again.';
create index approval_queue_by_asset on public.approval_queue (asset_id);

-- Where the same was asked more than once, the newest question stays.
update public.approval_queue a set status = 'revised', version = version + 1, decided_by = 'system',
  decided_at = now(), resolved_at = now()
where a.type = 'execution' and a.status = 'pending' and exists (
  select from public.approval_queue b
  where b.project_id = a.project_id and b.action_type = a.action_type and b.type = 'execution'
    and b.status = 'pending' and (b.created_at, b.id) > (a.created_at, a.id));
create unique index approval_queue_one_pending_execution on public.approval_queue (project_id, action_type)
  where type = 'execution' and status = 'pending';

create function public.landing_draft(p_project_id uuid) returns setof public.project_assets
language sql stable set search_path = public, pg_temp as $$
  select * from project_assets
  where project_id = p_project_id and kind = 'landing_html' and status = 'uploaded'
    and metadata ->> 'selected_variant' = 'true' and metadata ->> 'sha256' ~ '^[0-9a-f]{64}$'
  order by created_at desc, id limit 1
$$;
comment on function public.landing_draft is 'The newest landing page that was chosen among its variants; no row without one.';

create function public.approvals_of_the_same(
  p_project_id uuid, p_action_type text, p_packet_version_id uuid, p_content_hash text)
returns setof public.approval_queue
language sql stable set search_path = public, pg_temp as $$
  select a.* from approval_queue a
    left join phase_packet_versions v on v.id = a.packet_version_id
  where a.project_id = p_project_id and a.action_type = p_action_type and a.type = 'execution'
    and (a.packet_version_id = p_packet_version_id or a.content_hash = p_content_hash
         or v.source_job_id = (select w.source_job_id from phase_packet_versions w where w.id = p_packet_version_id))
$$;
comment on function public.approvals_of_the_same is
  'Whatever was asked about the same thing: the same packet version, another one that the same job made without '
  'having been asked, or the same bytes.';

create function public.superseding_approval(p_approval_id uuid) returns uuid
language sql stable set search_path = public, pg_temp as $$
  select o.id from approval_queue a
    join action_types t on t.action_type = a.action_type and t.pins <> 'guidance'
    cross join lateral approvals_of_the_same(a.project_id, a.action_type, a.packet_version_id, a.content_hash) o
    left join action_executions x on x.approval_id = o.id
  where a.id = p_approval_id and o.id <> a.id and o.status = 'approved'
    and (o.execution_status in ('queued', 'running', 'unknown')
         -- What was done before this was asked, this asks for once more.
         or o.execution_status = 'completed' and coalesce(x.updated_at, o.decided_at) > a.created_at)
  order by o.decided_at desc nulls last, o.id limit 1
$$;
comment on function public.superseding_approval is
  'Another approval under which the same thing is under way, held for a person, or done since this one was asked; '
  'null without one. Asked, with the project held, when an approval is decided, taken up, and queued again.';

create or replace function public.approval_queue_complete() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_action action_types;
  v_packet record;
  v_draft project_assets;
begin
  if tg_op = 'INSERT' then
    new.risk := coalesce(new.risk, new.risk_level);
    new.type := coalesce(new.type, case when new.action_type in (
      'phase0_packet_review', 'phase1_validate_review', 'phase2_distribute_review', 'phase3_golive_review')
      then 'phase_advance' else 'execution' end);
    if new.type = 'execution' and new.packet_version_id is null then
      -- A client that knows no versions means what is shown at this moment, whatever comes later.
      select * into v_action from action_types where action_type = new.action_type;
      select id, version_id, version into v_packet from phase_packets
        where project_id = new.project_id and phase = coalesce(v_action.phase, new.phase);
      if found then
        new.packet_id := coalesce(new.packet_id, v_packet.id);
        new.packet_version_id := v_packet.version_id;
        new.payload := new.payload || jsonb_build_object(
          'packet_version_id', v_packet.version_id, 'packet_version', v_packet.version);
      end if;
      if v_action.pins = 'page' and new.asset_id is null then
        select * into v_draft from landing_draft(new.project_id);
        if found then
          new.asset_id := v_draft.id;
          new.content_hash := v_draft.metadata ->> 'sha256';
          new.payload := new.payload || jsonb_build_object(
            'asset_id', v_draft.id, 'content_hash', v_draft.metadata ->> 'sha256');
        end if;
      end if;
    end if;
  elsif new.risk is not distinct from old.risk then
    new.risk := new.risk_level;
  end if;
  new.risk_level := new.risk;
  return new;
end $$;

-- What a decision leaves behind, whoever makes it: an entry in the activity list and its echo, an event in the
-- ledger, and of a refusal a memory, so that nobody proposes the same again.
create function public.note_decision(p_approval public.approval_queue, p_data jsonb default '{}') returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_version integer := (select version from phase_packet_versions where id = p_approval.packet_version_id);
  v_said text := left(format('%s %s: %s', p_approval.action_type, p_approval.status, p_approval.title), 500);
begin
  insert into tasks (project_id, agent, description, status, detail, started_at, completed_at)
  values (p_approval.project_id, 'system', 'approval_decision', 'completed', v_said, now(), now());
  insert into task_log (project_id, step, status, detail)
  values (p_approval.project_id, 'approval_decision', 'completed', v_said);
  insert into project_events (project_id, event_type, message, data)
  values (p_approval.project_id, 'approval.decided', v_said, jsonb_strip_nulls(jsonb_build_object(
    'approval_id', p_approval.id, 'type', p_approval.type, 'action_type', p_approval.action_type,
    'phase', p_approval.phase, 'decision', p_approval.status, 'version', p_approval.version,
    'decided_by', p_approval.decided_by, 'guidance', p_approval.guidance,
    'packet_version_id', p_approval.packet_version_id, 'packet_version', v_version,
    'asset_id', p_approval.asset_id, 'content_hash', p_approval.content_hash) || p_data));
  if p_approval.status = 'denied' then
    insert into agent_memory as m (project_id, category, key, value, agent_key)
    values (p_approval.project_id, 'decision', 'denied_' || p_approval.action_type,
      left(format('A person said no to "%s" (phase %s%s) on %s.%s Do not propose it again.', p_approval.title,
        p_approval.phase, case when v_version is null then '' else ', packet version ' || v_version end,
        to_char(now() at time zone 'UTC', 'YYYY-MM-DD'),
        coalesce(' What was said: ' || p_approval.guidance, '')), 2000), 'system')
    on conflict (project_id, category, key) do update
      set value = excluded.value, agent_key = excluded.agent_key, source_job_id = null,
          confidence = excluded.confidence, updated_at = now();
  end if;
end $$;

create function public.decide_approval(
  p_approval_id uuid, p_decision text, p_version integer, p_decided_by text, p_guidance text default null)
returns table (
  approval_id uuid, project_id uuid, status text, version integer, project_phase integer, job_id uuid,
  job_outcome text)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  c_guidance_limit constant integer := 2000;
  v_guidance text := nullif(btrim(p_guidance, E' \t\r\n'), '');
  v_approval approval_queue;
  v_project projects;
  v_action action_types;
  v_refusal text;
  v_other record;
  v_busy agent_jobs;
  v_new jsonb;
  v_job record;
  v_phase integer;
begin
  if p_decision is null or p_decision not in ('approved', 'denied', 'revised') then
    raise exception 'A decision is approved, denied or revised, not %.', coalesce(p_decision, 'empty')
      using errcode = 'GL033', hint = 'Choose one of the three.';
  end if;
  if p_version is null then
    raise exception 'A decision names the version that it saw.'
      using errcode = 'GL033', hint = 'Send the version of the approval that was shown.';
  end if;
  if coalesce(btrim(p_decided_by), '') = '' then
    raise exception 'A decision names who made it.' using errcode = 'GL033', hint = 'Send the id of the person.';
  end if;
  if char_length(v_guidance) > c_guidance_limit then
    raise exception 'The guidance has % characters; at most % are allowed.', char_length(v_guidance), c_guidance_limit
      using errcode = 'GL033', hint = 'Shorten it.';
  end if;
  if p_decision = 'revised' and v_guidance is null then
    raise exception 'A revision needs guidance.' using errcode = 'GL033', hint = 'Say what should be different.';
  end if;

  select * into v_approval from approval_queue a where a.id = p_approval_id;
  if not found then
    raise exception 'There is no approval %.', p_approval_id
      using errcode = 'GL030', hint = 'See `greenlight approvals list`.';
  end if;
  select * into v_project from projects p where p.id = v_approval.project_id for no key update;
  select * into v_approval from approval_queue a where a.id = p_approval_id for no key update;
  if not found then
    raise exception 'There is no approval %.', p_approval_id
      using errcode = 'GL030', hint = 'See `greenlight approvals list`.';
  end if;
  if v_approval.status <> 'pending' then
    raise exception 'Approval % is % already.', p_approval_id, v_approval.status
      using errcode = 'GL031', hint = 'Nothing is left to decide.',
      detail = jsonb_build_object('expectedVersion', v_approval.version, 'status', v_approval.status)::text;
  end if;
  if v_approval.version <> p_version then
    raise exception 'Approval % has changed: it is at version % by now, not %.',
      p_approval_id, v_approval.version, p_version
      using errcode = 'GL031', hint = 'Look at it again, then decide.',
      detail = jsonb_build_object('expectedVersion', v_approval.version, 'status', v_approval.status)::text;
  end if;
  if v_project.status = 'killed' or v_project.status <> 'active' and p_decision <> 'denied' then
    raise exception 'The project is %, so nothing can be % in it.', v_project.status, p_decision
      using errcode = 'GL032', hint = case v_project.status
        when 'paused' then 'Resume it first (`greenlight projects resume`), or deny.'
        else 'A killed project stays so.' end;
  end if;

  v_phase := v_project.phase;
  if p_decision = 'approved' and v_approval.type = 'phase_advance' then
    if v_approval.phase <> v_project.phase then
      raise exception 'This is the gate of phase %, but the project is in phase %.', v_approval.phase, v_project.phase
        using errcode = 'GL034', hint = 'Deny it, or revise it for a new packet.';
    end if;
    v_phase := v_project.phase + 1;
    update projects p set phase = v_phase where p.id = v_project.id;
    if v_phase <= 3 then
      v_new := jsonb_build_object(
        'job_type', 'phase.generate_packet', 'agent_key', 'ceo', 'lane', 'heavy', 'priority', 50,
        'idempotency_key', format('phasegen:%s:%s', v_project.id, v_phase),
        'payload', jsonb_build_object('projectId', v_project.id, 'phase', v_phase, 'forceRegenerate', false));
    end if;
  elsif p_decision = 'approved' then
    v_refusal := action_refusal(v_project.id, v_approval.action_type);
    if v_refusal is not null then
      raise exception '%', v_refusal
        using errcode = 'GL032', hint = 'Change it with `greenlight projects permissions`, or deny.';
    end if;
    select * into v_action from action_types t where t.action_type = v_approval.action_type;
    if v_action.pins = 'page' and (v_approval.asset_id is null or v_approval.content_hash is null)
       or v_action.pins = 'packet' and v_approval.packet_version_id is null then
      raise exception 'Approval % names no % that could be carried out.', p_approval_id, v_action.pins
        using errcode = 'GL034', hint = 'Deny it, and have it proposed anew.';
    end if;
    -- One that had failed, and was asked anew for that, may have been retried in between.
    select o.id, o.execution_status into v_other from approval_queue o
      where o.id = superseding_approval(v_approval.id);
    if found then
      raise exception 'The same was approved before as %, whose execution is %.', v_other.id, v_other.execution_status
        using errcode = 'GL034', hint = 'See what becomes of it (`greenlight approvals show`), or deny this one.';
    end if;
    v_new := jsonb_build_object(
      'job_type', 'approval.execute', 'agent_key', 'engineering', 'lane', 'standard', 'priority', 100,
      'idempotency_key', format('approval:%s', v_approval.id),
      'payload', jsonb_build_object(
        'projectId', v_project.id, 'approvalId', v_approval.id, 'actionType', v_approval.action_type));
  elsif p_decision = 'revised' then
    -- A revision of what would be executed is a new packet of its phase, of which it is proposed anew.
    if v_approval.phase = 0 then
      v_new := jsonb_build_object(
        'job_type', 'phase0.generate_packet', 'agent_key', 'ceo', 'lane', 'heavy', 'priority', 100,
        'idempotency_key', format('phase0:%s:%s:%s', v_project.id, v_approval.id, p_version),
        'payload', jsonb_build_object(
          'projectId', v_project.id, 'ownerClerkId', v_project.owner_clerk_id, 'forceNewApproval', true,
          'revisionGuidance', v_guidance));
    else
      v_new := jsonb_build_object(
        'job_type', 'phase.generate_packet', 'agent_key', 'ceo', 'lane', 'heavy', 'priority', 50,
        'idempotency_key',
          format('phasegen:%s:%s:%s:%s', v_project.id, v_approval.phase, v_approval.id, p_version),
        'payload', jsonb_build_object(
          'projectId', v_project.id, 'phase', v_approval.phase, 'forceRegenerate', true,
          'revisionGuidance', v_guidance));
    end if;
    select * into v_busy from agent_jobs j
      where j.project_id = v_project.id and j.job_type = v_new ->> 'job_type' and j.status in ('queued', 'running')
        and (v_approval.phase = 0 or j.payload ->> 'phase' = v_approval.phase::text)
      limit 1;
    if found then
      raise exception 'The packet of phase % is already % as job %.', v_approval.phase,
        case v_busy.status when 'queued' then 'queued for generation' else 'being generated' end, v_busy.id
        using errcode = 'GL034', hint = 'Wait until it ends (`greenlight jobs tail`), or cancel it first.';
    end if;
  end if;

  update approval_queue a set
    status = p_decision, version = a.version + 1, guidance = v_guidance, decided_by = p_decided_by,
    decided_at = now(), resolved_at = now(),
    resolved_by = (select u.id from users u where u.clerk_id = p_decided_by)
  where a.id = v_approval.id returning * into v_approval;
  if v_new is not null then
    select e.job_id, e.outcome, e.status into v_job
      from enqueue_agent_jobs(jsonb_build_array(v_new || jsonb_build_object('project_id', v_project.id))) e;
    if p_decision = 'revised' and v_job.outcome = 'existing' then
      raise exception 'This revision was carried out before, as job %.', v_job.job_id
        using errcode = 'GL034', hint = 'Launch it with other words (`greenlight launch --guidance`).';
    end if;
    if v_approval.type = 'execution' and p_decision = 'approved' then
      update approval_queue a set execution_status = 'queued', execution_job_id = v_job.job_id
      where a.id = v_approval.id;
    end if;
    job_id := v_job.job_id;
    job_outcome := v_job.outcome;
  end if;
  perform note_decision(v_approval, jsonb_build_object('project_phase', v_phase, 'job_id', job_id));
  approval_id := v_approval.id;
  project_id := v_project.id;
  status := v_approval.status;
  version := v_approval.version;
  project_phase := v_phase;
  return next;
end $$;
comment on function public.decide_approval is
  'Decide a pending approval (approved, denied, revised) as its version p_version was shown, with all that follows '
  'from it, in one transaction. GL031 with the version to look at where it is another by now.';

-- ---------------------------------------------------------------------------------------- audit log

create table public.project_audit_log (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  actor text not null,
  what text not null,
  before jsonb not null,
  after jsonb not null,
  reason text,
  details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
  -- By the clock: two changes of a project take turns, but the later one's transaction may have begun first.
  created_at timestamptz not null default clock_timestamp()
);
comment on table public.project_audit_log is
  'Who changed the life, the permissions or the budget of a project, from what to what, and why. Rows never change, '
  'and go only with their project.';
comment on column public.project_audit_log.details is
  'Of a pause, among others the jobs it stopped, which are the ones that a resume revives.';

create index project_audit_log_by_project on public.project_audit_log (project_id, created_at desc);

create function public.project_audit_log_immutable() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if tg_op = 'DELETE' and not exists (select from projects where id = old.project_id) then
    return old;
  end if;
  raise exception 'The audit log can only be added to.' using errcode = 'GL035';
end $$;

create trigger project_audit_log_immutable before update or delete on public.project_audit_log
  for each row execute function public.project_audit_log_immutable();
create trigger project_audit_log_not_emptied before truncate on public.project_audit_log
  for each statement execute function public.project_audit_log_immutable();

-- --------------------------------------------------------------------------------- life of a project

-- Whoever puts a job into the queue, or takes an ended one up again, holds the project's status until his
-- transaction ends: so a pause sees every job there is, and none comes after it.
create function public.agent_jobs_of_active_project() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_status text;
begin
  select status into v_status from projects where id = new.project_id for share;
  if v_status <> 'active' then
    raise exception 'The project is %, so no job of it can start.', v_status
      using errcode = 'GL032', hint = case v_status
        when 'paused' then 'Resume it first (`greenlight projects resume`).'
        else 'A killed project stays so.' end;
  end if;
  return new;
end $$;

create trigger agent_jobs_of_active_project before insert on public.agent_jobs
  for each row when (new.status in ('queued', 'running'))
  execute function public.agent_jobs_of_active_project();
create trigger agent_jobs_of_active_project_again before update of status on public.agent_jobs
  for each row when (
    old.status in ('completed', 'failed', 'canceled') and new.status in ('queued', 'running'))
  execute function public.agent_jobs_of_active_project();

create function public.set_project_status(
  p_project_id uuid, p_status text, p_actor text, p_reason text default null)
returns table (
  project_id uuid, status text, before text, outcome text, jobs_canceled integer, jobs_stopping integer,
  jobs_revived integer, approvals_denied integer, mails_stopped integer)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  c_system constant uuid := '00000000-0000-0000-0000-000000000000';
  v_reason text := nullif(btrim(p_reason, E' \t\r\n'), '');
  v_project projects;
  v_job record;
  v_jobs jsonb := '[]';
  v_approval approval_queue;
  v_said text;
begin
  jobs_canceled := 0;
  jobs_stopping := 0;
  jobs_revived := 0;
  approvals_denied := 0;
  mails_stopped := 0;
  if p_status is null or p_status not in ('active', 'paused', 'killed') then
    raise exception 'A project is active, paused or killed, not %.', coalesce(p_status, 'empty')
      using errcode = 'GL033', hint = 'Choose one of the three.';
  end if;
  if coalesce(btrim(p_actor), '') = '' then
    raise exception 'The change of a project names who makes it.'
      using errcode = 'GL033', hint = 'Send the id of the person.';
  end if;
  if p_status <> 'active' then
    perform 1 from agent_jobs j where j.project_id = p_project_id and j.status in ('queued', 'running')
      order by j.id for no key update;
  end if;
  select * into v_project from projects p where p.id = p_project_id and p.id <> c_system for no key update;
  if not found then
    raise exception 'There is no project %.', p_project_id
      using errcode = 'GL030', hint = 'See `greenlight projects list`.';
  end if;
  project_id := v_project.id;
  status := p_status;
  before := v_project.status;
  outcome := 'changed';
  if v_project.status = p_status then
    outcome := 'unchanged';
    return next;
    return;
  end if;
  if v_project.status = 'killed' then
    raise exception 'Project % is killed, which is final.', p_project_id
      using errcode = 'GL034', hint = 'Create a new project from its idea (`greenlight projects create`).';
  end if;

  v_said := case p_status when 'killed' then 'The project was killed.' else 'The project was paused.' end;
  if p_status = 'active' then
    select a.details -> 'jobs' into v_jobs from project_audit_log a
      where a.project_id = p_project_id and a.what = 'status' order by a.created_at desc, a.id limit 1;
    v_jobs := coalesce(v_jobs, '[]');
    select count(*) into jobs_stopping from jsonb_array_elements(v_jobs) e
      join agent_jobs j on j.id = (e.value ->> 'id')::uuid
      where j.status = 'running' and j.claim_no = (e.value ->> 'claim_no')::bigint;
    if jobs_stopping > 0 then
      -- Taken up again while its run stops, such a job would be canceled after all.
      raise exception 'Of the jobs that the pause stopped, % have not come to a halt yet.', jobs_stopping
        using errcode = 'GL034', hint = 'Try again in a moment.';
    end if;
  end if;
  update projects p set status = p_status where p.id = p_project_id;

  if p_status = 'killed' then
    for v_approval in
      update approval_queue a set status = 'denied', version = a.version + 1, decided_by = p_actor,
        decided_at = now(), resolved_at = now(),
        resolved_by = (select u.id from users u where u.clerk_id = p_actor)
      where a.project_id = p_project_id and a.status = 'pending' returning a.*
    loop
      perform note_decision(v_approval, jsonb_build_object('because', v_said));
      approvals_denied := approvals_denied + 1;
    end loop;
    update email_jobs m set status = 'failed', error = v_said
      where m.project_id = p_project_id and m.status = 'queued';
    get diagnostics mails_stopped = row_count;
    insert into agent_memory as m (project_id, category, key, value, agent_key)
    values (p_project_id, 'decision', 'project_killed',
      left(format('The project was killed on %s.%s', to_char(now() at time zone 'UTC', 'YYYY-MM-DD'),
        coalesce(' Why: ' || v_reason, '')), 2000), 'system')
    on conflict (project_id, category, key) do update
      set value = excluded.value, source_job_id = null, confidence = excluded.confidence, updated_at = now();
  end if;

  if p_status = 'active' then
    for v_job in
      select j.id, j.run_after from jsonb_array_elements(v_jobs) e
      join agent_jobs j on j.id = (e.value ->> 'id')::uuid
      where j.status = 'canceled' and j.claim_no = (e.value ->> 'claim_no')::bigint
      order by j.id for no key update of j
    loop
      perform revive_agent_job(v_job.id);
      -- What was not due yet is due when it was.
      update agent_jobs j set run_after = v_job.run_after where j.id = v_job.id and v_job.run_after > now();
      jobs_revived := jobs_revived + 1;
    end loop;
  else
    for v_job in
      -- What somebody had canceled before is not the pause's, and stays canceled.
      select j.id, j.claim_no from agent_jobs j
      where j.project_id = p_project_id and j.status in ('queued', 'running') and j.cancel_requested_at is null
      order by j.id
    loop
      v_jobs := v_jobs || jsonb_build_object('id', v_job.id, 'claim_no', v_job.claim_no);
      if cancel_agent_job(v_job.id, v_said) = 'cancel_requested' then
        jobs_stopping := jobs_stopping + 1;
      else
        jobs_canceled := jobs_canceled + 1;
      end if;
    end loop;
  end if;

  insert into project_audit_log (project_id, actor, what, before, after, reason, details)
  values (p_project_id, p_actor, 'status', to_jsonb(v_project.status), to_jsonb(p_status), v_reason,
    case when p_status = 'active' then jsonb_build_object('jobs_revived', jobs_revived)
         else jsonb_build_object('jobs', v_jobs, 'approvals_denied', approvals_denied,
                                 'mails_stopped', mails_stopped) end);
  insert into project_events (project_id, event_type, message, data)
  values (p_project_id,
    'project.' || case p_status when 'active' then 'resumed' else p_status end,
    left(case p_status when 'active' then 'The project was resumed.' else v_said end
         || coalesce(' ' || v_reason, ''), 500),
    jsonb_build_object('by', p_actor, 'before', v_project.status, 'jobs_canceled', jobs_canceled,
      'jobs_stopping', jobs_stopping, 'jobs_revived', jobs_revived, 'approvals_denied', approvals_denied,
      'mails_stopped', mails_stopped));
  return next;
end $$;
comment on function public.set_project_status is
  'Pause, kill or resume a project. A pause stops its jobs, a resume revives exactly those; a kill is final, denies '
  'what is pending and stops its mails. GL034 where a resume comes before the runs have stopped.';

-- ---------------------------------------------------------------------------- permissions and budget

create function public.change_project_limits(
  p_project_id uuid, p_actor text, p_permissions jsonb default null, p_budget jsonb default null,
  p_reason text default null)
returns table (project_id uuid, permissions jsonb, budget jsonb, changed boolean)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  c_switches constant text[] := array['repo_write', 'deploy', 'email_send', 'ads_enabled'];
  c_caps constant text[] := array['cap_micros', 'cap_tokens', 'cap_calls'];
  -- A billion dollars, and more tokens than anybody means; far from where 64 bits end.
  c_largest_cap constant numeric := 1e15;
  -- Dollars a day.
  c_largest_ads_cap constant numeric := 1e6;
  v_reason text := nullif(btrim(p_reason, E' \t\r\n'), '');
  v_before jsonb;
  v_after jsonb;
  v_key text;
  v_value jsonb;
  v_usd text;
begin
  if coalesce(btrim(p_actor), '') = '' then
    raise exception 'The change of a project names who makes it.'
      using errcode = 'GL033', hint = 'Send the id of the person.';
  end if;
  if jsonb_typeof(coalesce(p_permissions, '{}')) <> 'object' or jsonb_typeof(coalesce(p_budget, '{}')) <> 'object' then
    raise exception 'Permissions and budget are JSON objects.'
      using errcode = 'GL033', hint = 'Give the keys that change.';
  end if;
  for v_key, v_value in select * from jsonb_each(coalesce(p_permissions, '{}')) loop
    if v_key = any (c_switches) then
      if jsonb_typeof(v_value) <> 'boolean' then
        raise exception 'The permission % is true or false, not %.', v_key, v_value
          using errcode = 'GL033', hint = 'Give one of the two.';
      end if;
    elsif v_key = 'ads_budget_cap' then
      if jsonb_typeof(v_value) <> 'number' or v_value::numeric < 0 then
        raise exception 'The cap for ads is an amount of dollars a day, not %.', v_value
          using errcode = 'GL033', hint = 'Give a number like 25 or 0.';
      elsif v_value::numeric > c_largest_ads_cap then
        raise exception 'A cap for ads this large is a slip.'
          using errcode = 'GL033', hint = 'Stay below a million dollars a day.';
      end if;
    else
      raise exception 'There is no permission %.', v_key
        using errcode = 'GL033', hint = 'There are: ' || array_to_string(c_switches, ', ') || ', ads_budget_cap.';
    end if;
  end loop;
  for v_key, v_value in select * from jsonb_each(coalesce(p_budget, '{}')) loop
    if v_key <> all (c_caps) then
      raise exception 'There is no cap %.', v_key
        using errcode = 'GL033', hint = 'There are: ' || array_to_string(c_caps, ', ') || '.';
    end if;
    if jsonb_typeof(v_value) <> 'number' or v_value::numeric <> trunc(v_value::numeric) then
      raise exception '% is a whole number, not %.', v_key, v_value
        using errcode = 'GL033', hint = 'Money is given in millionths of a dollar.';
    elsif v_value::numeric < 0 then
      raise exception 'A budget cannot be negative.' using errcode = 'GL033', hint = 'Use 0 to stop all model calls.';
    elsif v_value::numeric > c_largest_cap then
      raise exception 'A budget this large is a slip.'
        using errcode = 'GL033', hint = 'Stay below a billion dollars, and 10^15 tokens or calls.';
    end if;
  end loop;

  select p.permissions into v_before from projects p where p.id = p_project_id for no key update;
  if not found then
    raise exception 'There is no project %.', p_project_id
      using errcode = 'GL030', hint = 'See `greenlight projects list`.';
  end if;
  changed := false;
  v_after := v_before || coalesce(p_permissions, '{}');
  if v_after is distinct from v_before then
    changed := true;
    update projects p set permissions = v_after where p.id = p_project_id;
    insert into project_audit_log (project_id, actor, what, before, after, reason)
    values (p_project_id, p_actor, 'permissions', v_before, v_after, v_reason);
    insert into project_events (project_id, event_type, message, data)
    values (p_project_id, 'project.permissions_changed', 'Permissions changed', jsonb_build_object(
      'by', p_actor, 'before', v_before, 'after', v_after, 'reason', v_reason));
  end if;
  permissions := v_after;

  select jsonb_build_object('cap_micros', b.cap_micros, 'cap_tokens', b.cap_tokens, 'cap_calls', b.cap_calls)
    into v_before from project_budgets b where b.project_id = p_project_id;
  v_after := coalesce(v_before, '{"cap_micros": null, "cap_tokens": null, "cap_calls": null}')
             || coalesce(p_budget, '{}');
  if p_budget is not null and v_after is distinct from v_before then
    changed := true;
    v_usd := trim_scale((v_after ->> 'cap_micros')::numeric / 1000000)::text;
    insert into project_budgets as b (project_id, cap_micros, cap_tokens, cap_calls)
    values (p_project_id, (v_after ->> 'cap_micros')::numeric::bigint, (v_after ->> 'cap_tokens')::numeric::bigint,
            (v_after ->> 'cap_calls')::numeric::bigint)
    on conflict (project_id) do update set cap_micros = excluded.cap_micros, cap_tokens = excluded.cap_tokens,
      cap_calls = excluded.cap_calls, updated_at = now();
    insert into project_audit_log (project_id, actor, what, before, after, reason)
    values (p_project_id, p_actor, 'budget', coalesce(v_before, 'null'), v_after, v_reason);
    insert into project_events (project_id, event_type, message, data)
    values (p_project_id, 'project.budget_set',
      format('Budget set to $%s, %s tokens, %s calls', v_usd, v_after ->> 'cap_tokens', v_after ->> 'cap_calls'),
      jsonb_strip_nulls(jsonb_build_object('by', p_actor, 'usd', v_usd, 'tokens', v_after -> 'cap_tokens',
        'calls', v_after -> 'cap_calls', 'reason', v_reason)));
  end if;
  project_id := p_project_id;
  budget := (select to_jsonb(b) from project_budgets b where b.project_id = p_project_id);
  return next;
end $$;
comment on function public.change_project_limits is
  'Change permissions (repo_write, deploy, email_send, ads_enabled, ads_budget_cap in dollars a day) and spend caps '
  '(cap_micros, cap_tokens, cap_calls), those that are given, and write down who did it. Returns what is in force.';

-- -------------------------------------------------------------------------------------------- access

alter table public.action_types enable row level security;
alter table public.project_audit_log enable row level security;
revoke all on public.action_types, public.project_audit_log from anon, authenticated;
grant all on public.action_types, public.project_audit_log to service_role;
grant select on public.project_audit_log to authenticated;
create policy project_audit_log_select_own on public.project_audit_log for select to authenticated
  using (project_id in (
    select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
