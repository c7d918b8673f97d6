-- A job spends from the budget of its own project alone.

create or replace function public.reserve_model_call(
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
  if p_job_id is not null and not exists (
      select 1 from agent_jobs where id = p_job_id and project_id = p_project_id) then
    raise exception 'Project % has no job %.', p_project_id, p_job_id using errcode = 'GL003';
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
