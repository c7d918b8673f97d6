-- A call may be cut off by a cancel as well as by a lost worker: say what holds for both.

create or replace function public.settle_abandoned_model_calls(p_job_id uuid default null) returns integer
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
    -- What it really used is unknown, so it counts in full.
    if settle_model_call(v_call.id, v_call.reserved_micros, v_call.reserved_tokens, 0, 0,
         least(2147483647, extract(epoch from now() - v_call.created_at) * 1000)::integer,
         'The run ended before the call did: its whole reservation counts.', 'abandoned') then
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end $$;
