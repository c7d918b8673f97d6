-- Many jobs changed by one statement: find those that changed in one pass. A join of the transition tables keeps
-- the plan of the session's first, small statement, which takes the square of the rows of a large one.

create or replace function public.agent_jobs_updated() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_changed uuid[];
  v_lanes text[];
begin
  select array_agg(id), array_agg(distinct lane) filter (where status <> 'running') into v_changed, v_lanes
  from (
    select id, max(lane) filter (where is_new) as lane, max(status) filter (where is_new) as status
    from (
      select id, lane, status, claim_no, false as is_new from before_update
      union all
      select id, lane, status, claim_no, true from after_update
    ) both_versions
    group by id
    having min(status) <> max(status) or min(claim_no) <> max(claim_no)
  ) changed;
  if v_changed is null then
    return null;
  end if;
  if coalesce(current_setting('greenlight.announce', true), '') <> 'later' then
    perform announce_agent_jobs(v_changed);
  end if;
  -- A job that ends frees a slot, so whoever waits for work is woken for that, too.
  perform pg_notify('agent_jobs', lane) from unnest(v_lanes) lane;
  return null;
end $$;
