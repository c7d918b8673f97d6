-- What other clients may write into agent_jobs without breaking anything for others: dates beyond what clients can
-- read, rows that begin as running or ended, a cancel whose run dies on the way.

create or replace function public.agent_jobs_prepare() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  c_first constant timestamptz := '2000-01-01 00:00:00+00';
  c_last constant timestamptz := '9999-12-31 00:00:00+00';
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

-- Rows that are there already.
update public.agent_jobs set run_after = least('9999-12-31 00:00:00+00', greatest('2000-01-01 00:00:00+00', run_after))
where run_after < '2000-01-01 00:00:00+00' or run_after > '9999-12-31 00:00:00+00';

create or replace function public.fail_agent_job(
  p_job_id uuid, p_claim_no bigint, p_error text, p_permanent boolean default false,
  p_retry_base interval default interval '30 seconds')
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_status text;
begin
  perform set_config('greenlight.transition', 'on', true);
  update agent_jobs set
    -- Who canceled it has said why; what the run died of on the way does not matter any more.
    last_error = case when cancel_requested_at is null then p_error else coalesce(last_error, p_error) end,
    status = case
      when cancel_requested_at is not null then 'canceled'
      when p_permanent or attempts >= max_attempts then 'failed'
      else 'queued' end,
    -- The jitter keeps jobs that failed together from coming back together.
    run_after = case
      when p_permanent or attempts >= max_attempts then run_after
      else now() + p_retry_base * attempts * (0.8 + 0.4 * random()) end
  where id = p_job_id and claim_no = p_claim_no and status = 'running'
  returning status into v_status;
  if not found then
    raise exception 'Claim % of job % is no longer current.', p_claim_no, p_job_id using errcode = 'GL001';
  end if;
  perform set_config('greenlight.transition', '', true);
  return v_status;
end $$;

create or replace function public.release_agent_job(p_job_id uuid, p_claim_no bigint, p_reason text default null)
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  -- A job that takes its worker down every time must not come back for free for ever: from here on an
  -- interruption counts as a failed attempt.
  c_free_interruptions constant integer := 5;
  v_job agent_jobs;
  v_status text;
begin
  select * into v_job from agent_jobs
    where id = p_job_id and claim_no = p_claim_no and status = 'running' for no key update;
  if not found then
    raise exception 'Claim % of job % is no longer current.', p_claim_no, p_job_id using errcode = 'GL001';
  end if;
  if v_job.interruptions >= c_free_interruptions then
    return fail_agent_job(p_job_id, p_claim_no, coalesce(p_reason, 'interrupted'));
  end if;
  perform set_config('greenlight.transition', 'on', true);
  update agent_jobs set
    status = case when cancel_requested_at is not null then 'canceled' else 'queued' end,
    attempts = greatest(0, attempts - 1), interruptions = interruptions + 1, run_after = now(),
    last_error = case when cancel_requested_at is null then p_reason else coalesce(last_error, p_reason) end
  where id = p_job_id
  returning status into v_status;
  perform set_config('greenlight.transition', '', true);
  return v_status;
end $$;

create or replace function public.cancel_agent_job(p_job_id uuid, p_reason text default null) returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job agent_jobs;
begin
  select * into v_job from agent_jobs where id = p_job_id for no key update;
  if not found then
    raise exception 'There is no job %.', p_job_id using errcode = 'GL003';
  end if;
  if v_job.status = 'running' and v_job.leased_until > now() then
    update agent_jobs set cancel_requested_at = coalesce(cancel_requested_at, now()),
      -- Without a reason, not even the error of an earlier attempt.
      last_error = coalesce(p_reason, case when cancel_requested_at is not null then last_error end)
    where id = p_job_id;
    return 'cancel_requested';
  end if;
  if v_job.status in ('queued', 'running') then
    perform set_config('greenlight.transition', 'on', true);
    update agent_jobs set status = 'canceled',
      last_error = coalesce(p_reason, case when cancel_requested_at is not null then last_error end)
    where id = p_job_id;
    perform set_config('greenlight.transition', '', true);
    return 'canceled';
  end if;
  return v_job.status;
end $$;

create or replace function public.complete_agent_job(
  p_job_id uuid, p_status text, p_error text default null, p_claim_no bigint default null)
returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_ended boolean;
begin
  if p_status not in ('completed', 'failed', 'canceled') then
    raise exception 'A job ends completed, failed or canceled, not %.', p_status using errcode = '22023';
  end if;
  perform set_config('greenlight.transition', 'on', true);
  update agent_jobs set
    status = p_status,
    -- Who canceled it has said why; the run that stops for it need not know.
    last_error = case when cancel_requested_at is not null and p_status = 'canceled'
                      then coalesce(last_error, p_error) else p_error end
  where id = p_job_id and status = 'running'
    and case when p_claim_no is null then leased_until is null else claim_no = p_claim_no end;
  v_ended := found;
  perform set_config('greenlight.transition', '', true);
  if not v_ended and (p_claim_no is not null
      or exists (select 1 from agent_jobs where id = p_job_id and status = 'running')) then
    raise exception 'Claim % of job % is no longer current.', p_claim_no, p_job_id using errcode = 'GL001';
  end if;
  return v_ended;
end $$;
