-- What the studio does in the world once a person has approved it, and how it knows whether it did.
--
-- An approval has one execution, and an execution one row of the outbox per effect on somebody else's system. A
-- row says "sending" before the request leaves, so that a crash at any moment leaves either "certainly not" or
-- "perhaps", and never a wrong "no". Perhaps is settled by asking the provider, or by a person.
--
-- Lock order, behind the job row and then the project: approval, execution, outbox; then tasks and the event counter.
-- SQLSTATE GL040 = no such approval or effect, GL041 = the approval is none that can be executed, GL042 = another job
-- carries it out, GL043 = the effect is not waiting for a person.

create table public.outbox (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  approval_id uuid references public.approval_queue on delete cascade,
  execution_id uuid references public.action_executions on delete cascade,
  effect text not null,
  provider text not null,
  idempotency_key text not null,
  request jsonb not null default '{}',
  request_sha256 text,
  status text not null default 'pending' check (status in ('pending', 'sending', 'done', 'failed', 'unknown')),
  attempts integer not null default 0,
  job_id uuid references public.agent_jobs on delete set null,
  claim_no bigint,
  provider_id text,
  response jsonb,
  error text,
  sent_at timestamptz,
  settled_at timestamptz,
  resolved_by text,
  resolved_at timestamptz,
  note text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, idempotency_key)
);
comment on table public.outbox is
  'One row per effect on a system of somebody else''s that is not a mail; mails are the rows of email_jobs.';
comment on column public.outbox.request is 'What is asked for, without credentials and secret addresses.';
comment on column public.outbox.request_sha256 is 'Of the canonical JSON of request.';
comment on column public.outbox.status is
  'pending: not sent; sending: it may have left; done, failed: the provider has said so; unknown: held for a person.';
comment on column public.outbox.claim_no is
  'With job_id: who sent it, and may say what became of it until somebody else has taken the row over.';
comment on column public.outbox.resolved_by is 'The person who looked what had become of it.';

create index outbox_by_project on public.outbox (project_id, created_at desc);
create index outbox_by_approval on public.outbox (approval_id);
create index outbox_by_execution on public.outbox (execution_id);
create index outbox_by_job on public.outbox (job_id);

create trigger outbox_updated_at before update on public.outbox
  for each row execute function public.set_updated_at();

-- ------------------------------------------------------------------------------------ executions

create function public.begin_action_execution(p_job_id uuid, p_claim_no bigint, p_approval_id uuid)
returns table (execution_id uuid, outcome text, detail text, provider_response jsonb)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_job agent_jobs := hold_agent_job(p_job_id, p_claim_no);
  v_approval approval_queue;
  v_execution action_executions;
  v_before text;
  v_other uuid;
begin
  -- As a decision does: of two approvals of the same thing one is taken up, and the other sees it.
  perform 1 from projects where id = v_job.project_id for no key update;
  select * into v_approval from approval_queue where id = p_approval_id for no key update;
  if not found or v_approval.project_id <> v_job.project_id then
    raise exception 'Project % has no approval %.', v_job.project_id, p_approval_id using errcode = 'GL040';
  end if;
  if v_approval.type <> 'execution' then
    raise exception 'Approval % is a gate: there is nothing to carry out.', p_approval_id using errcode = 'GL041';
  end if;
  if v_approval.status <> 'approved' then
    raise exception 'Approval % is %, not approved.', p_approval_id, v_approval.status using errcode = 'GL041';
  end if;

  insert into action_executions (approval_id, project_id, action_type, status, job_id, claim_no)
  values (p_approval_id, v_approval.project_id, v_approval.action_type, 'running', p_job_id, p_claim_no)
  on conflict (approval_id) do nothing
  returning * into v_execution;
  if not found then
    select * into v_execution from action_executions x where x.approval_id = p_approval_id for no key update;
    v_before := v_execution.status;
    if v_before = 'completed' then
      update approval_queue set execution_status = 'completed'
        where id = p_approval_id and execution_status <> 'completed';
      return query select v_execution.id, 'completed', v_execution.detail, v_execution.provider_response;
      return;
    end if;
    if v_execution.job_id <> p_job_id and exists (
      select from agent_jobs j
      where j.id = v_execution.job_id and j.claim_no = v_execution.claim_no and j.status = 'running') then
      raise exception 'Approval % is being carried out by job %.', p_approval_id, v_execution.job_id
        using errcode = 'GL042';
    end if;
    update action_executions x set status = 'running', job_id = p_job_id, claim_no = p_claim_no
      where x.id = v_execution.id returning * into v_execution;
  end if;
  v_other := superseding_approval(p_approval_id);
  if v_other is not null then
    raise exception 'Approval % is superseded by approval %, under which the same was approved later.',
      p_approval_id, v_other
      using errcode = 'GL041', hint = format('See what became of that one: greenlight approvals show %s', v_other);
  end if;
  update approval_queue set execution_status = 'running' where id = p_approval_id;
  if v_before is distinct from 'running' then
    insert into project_events (project_id, event_type, message, data)
    values (v_approval.project_id, 'execution.started', left(v_approval.title, 500), jsonb_build_object(
      'approval_id', p_approval_id, 'action_type', v_approval.action_type, 'job_id', p_job_id));
  end if;
  return query select v_execution.id, case when v_before is null then 'begun' else 'resumed' end,
                      v_execution.detail, v_execution.provider_response;
end $$;
comment on function public.begin_action_execution is
  'Take up the one execution of an approved approval under a job''s claim; outcome is begun, resumed or completed. '
  'GL041 where the same has been approved elsewhere since.';

create function public.hold_action_execution(p_job_id uuid, p_claim_no bigint, p_execution_id uuid)
returns public.action_executions
language plpgsql set search_path = public, pg_temp as $$
declare
  v_execution action_executions;
begin
  perform hold_agent_job(p_job_id, p_claim_no);
  select * into v_execution from action_executions
    where id = p_execution_id and status = 'running' and job_id = p_job_id and claim_no = p_claim_no
    for no key update;
  if not found then
    raise exception 'Execution % is no longer carried out under claim % of job %.',
      p_execution_id, p_claim_no, p_job_id using errcode = 'GL001';
  end if;
  return v_execution;
end $$;
comment on function public.hold_action_execution is
  'Hold a running execution until the transaction ends, or raise GL001: the fence of everything it does.';

create function public.save_execution_step(
  p_job_id uuid, p_claim_no bigint, p_execution_id uuid, p_step text, p_outcome jsonb)
returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  perform hold_action_execution(p_job_id, p_claim_no, p_execution_id);
  update action_executions set steps = steps || jsonb_build_object(p_step, p_outcome) where id = p_execution_id;
end $$;
comment on function public.save_execution_step is
  'Note the outcome of a part in the transaction that did it; whatever job comes next does not do it again.';

create function public.finish_action_execution(
  p_job_id uuid, p_claim_no bigint, p_execution_id uuid, p_detail text, p_provider_response jsonb default null)
returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_execution action_executions;
begin
  perform hold_agent_job(p_job_id, p_claim_no);
  -- The approval before the execution: so lock all who change both.
  perform 1 from approval_queue a join action_executions x on x.approval_id = a.id
    where x.id = p_execution_id for no key update of a;
  v_execution := hold_action_execution(p_job_id, p_claim_no, p_execution_id);
  if exists (select from outbox where execution_id = p_execution_id and status <> 'done') then
    raise exception 'Execution % has effects that are not done.', p_execution_id using errcode = '55000';
  end if;
  update action_executions set status = 'completed', detail = p_detail, provider_response = p_provider_response
    where id = p_execution_id;
  update approval_queue set execution_status = 'completed' where id = v_execution.approval_id;
  insert into project_events (project_id, event_type, message, data)
  values (v_execution.project_id, 'execution.completed', left(p_detail, 500), jsonb_build_object(
    'approval_id', v_execution.approval_id, 'action_type', v_execution.action_type, 'job_id', p_job_id));
end $$;
comment on function public.finish_action_execution is 'End an execution, and with it its approval, as completed.';

create function public.conclude_action_execution(
  p_approval_id uuid, p_job_id uuid, p_done text, p_not_done text) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_approval approval_queue;
  v_execution action_executions;
  v_status text;
  v_said text;
begin
  select * into v_approval from approval_queue where id = p_approval_id for no key update;
  select * into v_execution from action_executions where approval_id = p_approval_id for no key update;
  v_status := case
    when exists (select from outbox where execution_id = v_execution.id and status in ('sending', 'unknown'))
      then 'unknown'
    when not exists (select from outbox where execution_id = v_execution.id and status <> 'done')
         and (v_execution.steps <> '{}' or exists (select from outbox where execution_id = v_execution.id))
      then 'completed'
    else 'failed' end;
  if v_execution.status = 'completed'
     or (v_execution.status, v_approval.execution_status) is not distinct from (v_status, v_status) then
    return;
  end if;
  v_said := left(case v_status when 'completed' then p_done else p_not_done end, 2000);
  update action_executions x set status = v_status, detail = v_said,
    provider_response = case when v_status = 'completed' then coalesce(x.provider_response, (
      select jsonb_strip_nulls(coalesce(o.response, '{}') || jsonb_build_object('provider_id', o.provider_id))
      from outbox o where o.execution_id = x.id order by o.settled_at desc limit 1)) end
  where x.id = v_execution.id;
  update approval_queue set execution_status = v_status where id = p_approval_id;
  if v_status = 'completed' then
    delete from tasks where job_id = p_job_id and agent = 'system' and description = 'approval_execution_failed';
  end if;
  insert into project_events (project_id, event_type, message, data)
  values (v_approval.project_id, 'execution.' || v_status, left(v_said, 500), jsonb_build_object(
    'approval_id', p_approval_id, 'action_type', v_approval.action_type, 'job_id', p_job_id));
end $$;
comment on function public.conclude_action_execution is
  'Say what became of an execution whose job is over, by what its parts and effects have come to: completed where all '
  'that it began is done, unknown where nobody knows of an effect, else failed. Nothing where that stands already.';

-- A job may end outside its own run: canceled while it was queued, given up after a lost worker, ended by another
-- client. What became of the approval is said in the same transaction, whoever ends the job and by whatever statement.
create function public.settle_action_execution(p_approval_id uuid, p_job_id uuid, p_error text) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_approval approval_queue;
  v_execution action_executions;
begin
  select * into v_approval from approval_queue where id = p_approval_id for no key update;
  select * into v_execution from action_executions where approval_id = p_approval_id for no key update;
  -- Of an execution that has begun it is said what became of it, also where the approval was closed before.
  if v_execution.status = 'completed'
     or v_approval.execution_status not in ('queued', 'running') and v_execution.status is distinct from 'running' then
    return;
  end if;
  update outbox set
    status = case status when 'sending' then 'unknown' else 'failed' end,
    error = coalesce(error, case status when 'sending' then 'Its run ended before it was known what came of it.'
                                        else 'It was not sent.' end),
    settled_at = now()
  where execution_id = v_execution.id and status in ('pending', 'sending');
  perform conclude_action_execution(
    p_approval_id, p_job_id, 'It was done, though its job ended before it had said so: ' || p_error, p_error);
end $$;
comment on function public.settle_action_execution is
  'End what is left open of an approval''s execution whose job has ended: as failed, as unknown where an effect may '
  'have left, as completed where all was done and only the word of it was missing.';

create function public.agent_jobs_settle_execution() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_approval_id uuid;
  v_error text := 'The job was deleted.';
begin
  if tg_op = 'DELETE' and not exists (select from projects where id = old.project_id) then
    return old;  -- approvals go with the project
  end if;
  if tg_op = 'UPDATE' then
    v_error := case new.status
      when 'completed' then 'The job ended without having carried it out.'
      else coalesce(nullif(new.last_error, ''), 'The job was ' || new.status || '.') end;
  end if;
  -- An approval belongs to the job that last took it up; before that, to the one its decision enqueued.
  for v_approval_id in
    select a.id from approval_queue a left join action_executions x on x.approval_id = a.id
    where a.execution_job_id = old.id and coalesce(x.job_id, old.id) = old.id
    union
    select approval_id from action_executions where job_id = old.id
    order by 1
  loop
    if tg_op = 'UPDATE' and new.status = 'queued' then
      -- Between attempts, and after `jobs retry`. What is held for a person stays so until somebody looks.
      -- Nor does one go on that has failed, and was approved anew since: it is refused when it is taken up.
      update approval_queue set execution_status = 'queued'
        where id = v_approval_id
          and (execution_status = 'running'
               or execution_status = 'failed' and superseding_approval(v_approval_id) is null);
    else
      perform settle_action_execution(v_approval_id, old.id, v_error);
    end if;
  end loop;
  return old;
end $$;

create trigger agent_jobs_settle_execution after update of status on public.agent_jobs
  for each row when (old.job_type = 'approval.execute' and old.status is distinct from new.status
                     and new.status <> 'running')
  execute function public.agent_jobs_settle_execution();

create trigger agent_jobs_settle_execution_before_delete before delete on public.agent_jobs
  for each row when (old.job_type = 'approval.execute')
  execute function public.agent_jobs_settle_execution();

-- --------------------------------------------------------------------------------------- effects

create function public.enlist_outbox_effect(
  p_job_id uuid, p_claim_no bigint, p_execution_id uuid, p_effect text, p_provider text, p_idempotency_key text)
returns public.outbox
language plpgsql set search_path = public, pg_temp as $$
declare
  v_execution action_executions := hold_action_execution(p_job_id, p_claim_no, p_execution_id);
  v_row outbox;
begin
  insert into outbox (project_id, approval_id, execution_id, effect, provider, idempotency_key)
  values (v_execution.project_id, v_execution.approval_id, v_execution.id, p_effect, p_provider, p_idempotency_key)
  on conflict (project_id, idempotency_key) do nothing;
  select * into v_row from outbox
    where project_id = v_execution.project_id and idempotency_key = p_idempotency_key for no key update;
  if v_row.execution_id is distinct from v_execution.id then
    raise exception 'The key % belongs to another execution.', p_idempotency_key using errcode = 'GL004';
  end if;
  return v_row;
end $$;
comment on function public.enlist_outbox_effect is 'The row of an execution''s effect, made where it is not there yet.';

create function public.send_outbox_effect(
  p_job_id uuid, p_claim_no bigint, p_id uuid, p_attempts integer, p_request jsonb, p_request_sha256 text)
returns public.outbox
language plpgsql set search_path = public, pg_temp as $$
declare
  v_row outbox;
begin
  perform hold_action_execution(p_job_id, p_claim_no, (select execution_id from outbox where id = p_id));
  update outbox set
    status = 'sending', attempts = p_attempts + 1, job_id = p_job_id, claim_no = p_claim_no, request = p_request,
    request_sha256 = p_request_sha256, error = null, settled_at = null, sent_at = now()
  where id = p_id and (
    (status in ('pending', 'failed') and attempts = p_attempts)
    -- The answer to this very statement may have been all that was lost.
    or (status = 'sending' and attempts = p_attempts + 1 and job_id = p_job_id and claim_no = p_claim_no))
  returning * into v_row;
  if not found then
    raise exception 'Effect % is not to be sent.', p_id using errcode = 'GL001';
  end if;
  return v_row;
end $$;
comment on function public.send_outbox_effect is
  'Note, before a request leaves, that it may have left. Compares and sets: only what was certainly not done is sent.';

create function public.record_outbox_effect(
  p_job_id uuid, p_claim_no bigint, p_id uuid, p_status text, p_provider_id text default null,
  p_response jsonb default null, p_error text default null)
returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_row outbox;
  v_ended boolean;
  v_status text := p_status;
begin
  select * into v_row from outbox where id = p_id;
  perform 1 from approval_queue where id = v_row.approval_id for no key update;
  select status <> 'running' into v_ended from action_executions where id = v_row.execution_id for no key update;
  if v_ended and p_status = 'pending' then
    v_status := 'failed';  -- nobody is there who would send it
  end if;
  -- Not fenced by the job: a sender that has lost it meanwhile knows what became of its request, and nobody else
  -- does. It may say so until somebody else has taken the row over, or a person has said it.
  update outbox set
    status = v_status, provider_id = p_provider_id, response = p_response, error = left(p_error, 2000),
    settled_at = case when v_status <> 'pending' then now() end
  where id = p_id and job_id = p_job_id and claim_no = p_claim_no
    and (status in ('sending', v_status) or status = 'unknown' and resolved_at is null);
  if not found then
    return false;
  end if;
  if v_ended then
    perform conclude_action_execution(
      v_row.approval_id, p_job_id, 'It was done: the provider''s answer came after its job had ended.',
      coalesce(p_error, 'It was not done.'));
  end if;
  return true;
end $$;
comment on function public.record_outbox_effect is
  'Say what became of a request, as the one who sent it: done, failed, pending (certainly not done) or unknown. '
  'Where the job has ended meanwhile, execution and approval follow. False where somebody else has taken the row over.';

create function public.settle_outbox_effect(
  p_job_id uuid, p_claim_no bigint, p_id uuid, p_status text, p_provider_id text default null,
  p_response jsonb default null, p_error text default null)
returns public.outbox
language plpgsql set search_path = public, pg_temp as $$
declare
  v_row outbox;
begin
  perform hold_action_execution(p_job_id, p_claim_no, (select execution_id from outbox where id = p_id));
  update outbox set
    status = p_status, job_id = p_job_id, claim_no = p_claim_no, provider_id = p_provider_id, response = p_response,
    error = left(p_error, 2000), settled_at = case when p_status <> 'pending' then now() end
  where id = p_id and (status in ('sending', 'unknown')
                       or (status = p_status and job_id = p_job_id and claim_no = p_claim_no))
  returning * into v_row;
  if not found then
    raise exception 'Effect % has been settled meanwhile.', p_id using errcode = 'GL001';
  end if;
  return v_row;
end $$;
comment on function public.settle_outbox_effect is
  'Say what became of an earlier attempt''s request: what the provider answered when asked, or that nobody knows.';

create function public.resolve_outbox_effect(
  p_id uuid, p_resolution text, p_by text, p_provider_id text default null, p_note text default null)
returns table (status text, job_id uuid, job_outcome text)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_row outbox;
  v_job_id uuid;
  v_project_status text;
  v_job_status text;
  v_job_outcome text;
  v_status text;
begin
  if p_resolution not in ('done', 'retry') then
    raise exception 'An effect is resolved as done or to be retried, not as %.', p_resolution using errcode = '22023';
  end if;
  select coalesce(x.job_id, a.execution_job_id) into v_job_id
  from outbox o
    left join action_executions x on x.id = o.execution_id
    left join approval_queue a on a.id = o.approval_id
  where o.id = p_id;
  if not found then
    raise exception 'There is no effect %.', p_id using errcode = 'GL040';
  end if;
  select p.status into v_project_status from projects p join outbox o on o.project_id = p.id
    where o.id = p_id for share of p;
  select j.status into v_job_status from agent_jobs j where j.id = v_job_id for no key update;
  if v_job_status = 'running' then
    raise exception 'Job % is working on effect % just now.', v_job_id, p_id using errcode = 'GL042';
  end if;
  perform 1 from approval_queue a join outbox o on o.approval_id = a.id where o.id = p_id for no key update of a;
  perform 1 from action_executions x join outbox o on o.execution_id = x.id where o.id = p_id for no key update of x;
  select * into v_row from outbox o where o.id = p_id for no key update;
  if v_row.status <> 'unknown' then
    raise exception 'Effect % is %: there is nothing for a person to say about it.', p_id, v_row.status
      using errcode = 'GL043';
  end if;
  if p_resolution = 'retry' and v_project_status <> 'active' then
    raise exception 'The project is %, so nothing can be done again in it.', v_project_status
      using errcode = 'GL032', hint = case v_project_status
        when 'paused' then 'Resume it first (`greenlight projects resume`), or say that it was done.'
        else 'A killed project stays so; where it was done, say that.' end;
  end if;
  -- Without a job that could go on nothing is done again: it has failed, and can be proposed anew.
  v_status := case when p_resolution = 'done' then 'done'
                   when v_job_status is null or v_job_status = 'completed' then 'failed'
                   else 'pending' end;
  update outbox o set
    status = v_status, provider_id = coalesce(p_provider_id, o.provider_id),
    error = case v_status when 'failed' then 'A person has seen that it was not done.' end,
    settled_at = case when v_status <> 'pending' then now() end,
    resolved_by = p_by, resolved_at = now(), note = p_note
  where o.id = p_id returning * into v_row;
  insert into project_events (project_id, event_type, message, data)
  values (v_row.project_id, 'outbox.resolved',
          left(v_row.effect || ': ' || case p_resolution when 'done' then 'it was done' else 'to be done again' end, 500),
          jsonb_strip_nulls(jsonb_build_object(
            'outbox_id', p_id, 'approval_id', v_row.approval_id, 'resolution', p_resolution, 'by', p_by,
            'provider_id', p_provider_id, 'note', p_note)));
  if v_job_status in ('failed', 'canceled') and v_project_status = 'active' then
    -- What is left to do, if only to say that it was done, the job does.
    select r.outcome into v_job_outcome from revive_agent_job(v_job_id) r;
    update approval_queue a set execution_status = 'queued'
      where a.id = v_row.approval_id and a.execution_status = 'unknown';
  elsif v_job_status is distinct from 'queued' then
    -- It is deleted, was ended by another client, or may not go on: nobody else will say it.
    v_job_outcome := case when v_job_status is not null then 'existing' end;
    perform conclude_action_execution(
      v_row.approval_id, v_job_id, coalesce(p_note, 'A person has seen that it was done.'),
      coalesce(p_note, 'A person has seen that it was not done.'));
  else
    v_job_outcome := 'existing';
  end if;
  return query select v_row.status, v_job_id, v_job_outcome;
end $$;
comment on function public.resolve_outbox_effect is
  'A person says what became of an effect that nobody knows of: it was done, or it is to be done again. Its job goes '
  'on; where that cannot be, as in a paused or killed project, execution and approval end here. Of mails: resolve_email.';

-- ------------------------------------------------------------------------------------- one list

create view public.outbox_entries with (security_invoker = true) as
select
  'effect' as kind, o.id, o.project_id, o.approval_id, o.effect as subject, o.provider as recipient, o.status, o.attempts,
  o.idempotency_key, o.provider_id, o.error, o.created_at, o.sent_at
from public.outbox o
union all
select
  'mail', e.id, e.project_id, e.approval_id, e.subject, e.to_email, e.status, e.attempts,
  e.outbox_key, e.provider_message_id, e.error, e.created_at, e.sent_at
from public.email_jobs e;
comment on view public.outbox_entries is 'Everything that leaves: effects and mails, as `greenlight outbox list` shows them.';

-- ----------------------------------------------------------------------------------------- access

alter table public.outbox enable row level security;
revoke all on public.outbox from public, anon, authenticated;
grant all on public.outbox to service_role;
grant select on public.outbox to authenticated;
create policy outbox_select_own on public.outbox for select to authenticated
  using (project_id in (select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub')));

revoke all on public.outbox_entries from public, anon, authenticated;
grant select on public.outbox_entries to authenticated, service_role;
