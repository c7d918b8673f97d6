-- The spend ledger: what a project may spend on language models, and every call it made.
--
-- A call first reserves its worst case in one statement, and settles to what it really cost. A call whose
-- worker died before it settled counts in full, so that neither racing workers nor kill -9 can overspend.
-- SQLSTATE GL010 = the budget does not cover it, GL011 = the project has no budget.

create table public.project_budgets (
  project_id uuid primary key references public.projects on delete cascade,
  cap_micros bigint check (cap_micros >= 0),
  cap_tokens bigint check (cap_tokens >= 0),
  cap_calls bigint check (cap_calls >= 0),
  spent_micros bigint not null default 0,
  spent_tokens bigint not null default 0,
  reserved_micros bigint not null default 0 check (reserved_micros >= 0),
  reserved_tokens bigint not null default 0 check (reserved_tokens >= 0),
  calls bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.project_budgets is
  'Caps and spend of a project in micro-dollars, tokens and calls. A missing row or a null cap refuses every call.';

create table public.model_calls (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  job_id uuid references public.agent_jobs on delete set null,
  claim_no bigint,
  step text not null,
  agent text not null,
  model text not null,
  status text not null default 'reserved' check (status in ('reserved', 'settled', 'abandoned')),
  -- A negative amount would be money out of nothing.
  reserved_micros bigint not null check (reserved_micros >= 0),
  reserved_tokens bigint not null check (reserved_tokens >= 0),
  cost_micros bigint check (cost_micros >= 0),
  input_tokens bigint check (input_tokens >= 0),
  output_tokens bigint check (output_tokens >= 0),
  searches integer,
  error text,
  duration_ms integer,
  created_at timestamptz not null default now(),
  settled_at timestamptz
);
create index model_calls_by_project on public.model_calls (project_id, created_at desc);
create index model_calls_by_job on public.model_calls (job_id, created_at);
create index model_calls_reserved on public.model_calls (created_at) where status = 'reserved';

create function public.reserve_model_call(
  p_project_id uuid, p_job_id uuid, p_claim_no bigint, p_step text, p_agent text, p_model text,
  p_micros bigint, p_tokens bigint)
returns uuid
language plpgsql set search_path = public, pg_temp as $$
declare
  v_budget project_budgets;
  v_id uuid;
begin
  if p_job_id is not null and p_claim_no is not null then
    perform hold_agent_job(p_job_id, p_claim_no);
  end if;
  update project_budgets set
    reserved_micros = reserved_micros + p_micros, reserved_tokens = reserved_tokens + p_tokens,
    calls = calls + 1, updated_at = now()
  where project_id = p_project_id
    and spent_micros + reserved_micros + p_micros <= cap_micros
    and spent_tokens + reserved_tokens + p_tokens <= cap_tokens
    and calls + 1 <= cap_calls;
  if not found then
    select * into v_budget from project_budgets where project_id = p_project_id;
    if not found or v_budget.cap_micros is null or v_budget.cap_tokens is null or v_budget.cap_calls is null then
      raise exception 'Project % has no budget.', p_project_id using errcode = 'GL011';
    end if;
    raise exception 'The budget of project % does not cover the next model call.', p_project_id
      using errcode = 'GL010', detail = to_jsonb(v_budget)::text;
  end if;
  insert into model_calls (project_id, job_id, claim_no, step, agent, model, reserved_micros, reserved_tokens)
  values (p_project_id, p_job_id, p_claim_no, p_step, p_agent, p_model, p_micros, p_tokens)
  returning id into v_id;
  return v_id;
end $$;

create function public.settle_model_call(
  p_call_id uuid, p_micros bigint, p_input_tokens bigint, p_output_tokens bigint, p_searches integer,
  p_duration_ms integer, p_error text default null, p_status text default 'settled')
returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_call model_calls;
begin
  update model_calls set
    status = p_status, cost_micros = p_micros, input_tokens = p_input_tokens, output_tokens = p_output_tokens,
    searches = p_searches, duration_ms = p_duration_ms, error = p_error, settled_at = now()
  where id = p_call_id and status = 'reserved'
  returning * into v_call;
  if not found then
    return false;
  end if;
  update project_budgets set
    reserved_micros = reserved_micros - v_call.reserved_micros,
    reserved_tokens = reserved_tokens - v_call.reserved_tokens,
    spent_micros = spent_micros + p_micros,
    spent_tokens = spent_tokens + p_input_tokens + p_output_tokens,
    updated_at = now()
  where project_id = v_call.project_id;
  return true;
end $$;
comment on function public.settle_model_call is 'Settle a reserved call to its real cost; a second settlement does nothing.';

create function public.settle_abandoned_model_calls(p_job_id uuid default null) returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
  v_call model_calls;
  v_count integer := 0;
begin
  for v_call in
    select c.* from model_calls c left join agent_jobs j on j.id = c.job_id
    where c.status = 'reserved' and (p_job_id is null or c.job_id = p_job_id)
      and case when c.claim_no is null then c.created_at < now() - interval '1 hour'
               else j.id is null or j.claim_no <> c.claim_no or j.status <> 'running' end
    -- What somebody settles at this moment is not abandoned.
    order by c.project_id, c.id for update of c skip locked
  loop
    -- What the lost worker really used is unknown, so it counts in full.
    if settle_model_call(v_call.id, v_call.reserved_micros, v_call.reserved_tokens, 0, 0,
         least(2147483647, extract(epoch from now() - v_call.created_at) * 1000)::integer,
         'The worker was lost before the call settled.', 'abandoned') then
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end $$;
comment on function public.settle_abandoned_model_calls is
  'Settle in full what lost workers had reserved. Returns how many calls.';

alter table public.project_budgets enable row level security;
alter table public.model_calls enable row level security;
revoke all on public.project_budgets, public.model_calls from anon, authenticated;
grant all on public.project_budgets, public.model_calls to service_role;
grant select on public.project_budgets to authenticated;
create policy project_budgets_select_own on public.project_budgets for select to authenticated
  using (exists (select 1 from public.projects p where p.id = project_id
                 and p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
