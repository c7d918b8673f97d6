-- A project at its limit may have a thousand jobs in the queue. As soon as two hundred of them were first in their lane,
-- each claim went project by project through all that wait: with a night of 100,000 projects behind them it took most of a
-- second, under the lane's lock. Now it first walks past them.

create or replace function public.claim_agent_jobs(
  p_worker_id text, p_limit integer default 5, p_lane text default null, p_lease interval default null,
  p_slots integer default null, p_project_limit integer default null, p_known jsonb default null,
  p_owner_limit integer default null)
returns setof public.agent_jobs
language plpgsql set search_path = public, pg_temp as $$
declare
  -- How far the plain order is walked: at first so far that the walk stays in the microseconds; then past what two
  -- projects at their limit may have in the queue, of which the loop sees nothing; and 0 is project by project, which
  -- takes the longer the more projects wait.
  c_windows constant integer[] := array[200, 2000, 0];
  -- How many jobs whose time has come are let in at once; the next claim lets in the rest.
  c_due constant integer := 500;
  v_limit constant integer := greatest(0, p_limit);
  v_lane agent_job_lanes;
  v_free integer;
  v_project_limit integer;
  v_owner_limit integer;
  v_newer jsonb;
  v_before jsonb;
  v_running jsonb;
  v_full uuid[];
  v_owners jsonb;
  v_owner text;
  v_seen integer;
  v_candidate record;
  v_ids uuid[] := '{}';
  v_window integer;
begin
  -- What a later release has registered, and how much of it the claimer understands; nothing, but during a deploy.
  select jsonb_object_agg(t.job_type, k.version) into v_newer
  from agent_job_types t
  cross join lateral (
    select coalesce((p_known ->> t.job_type)::integer, case when p_known is null then 1 else 0 end)) k (version)
  where t.payload_version > k.version;

  update agent_jobs set waits_until = null where id in (
    select id from agent_jobs where status = 'queued' and waits_until <= now()
    order by waits_until limit c_due for no key update skip locked);

  for v_lane in select * from agent_job_lanes l where p_lane is null or l.lane = p_lane order by l.lane loop
    -- One claimer per lane at a time: counting free slots and taking them must not interleave.
    perform pg_advisory_xact_lock(hashtext('greenlight.claim'), hashtext(v_lane.lane));
    select coalesce(p_slots, v_lane.slots) - coalesce(sum(n), 0), coalesce(jsonb_object_agg(project_id, n), '{}')
      into v_free, v_before
      from (select project_id, count(*) as n from agent_jobs
            where lane = v_lane.lane and status = 'running' group by project_id) r;
    v_project_limit := coalesce(p_project_limit, v_lane.project_limit);
    v_owner_limit := coalesce(p_owner_limit, v_lane.owner_limit);
    v_running := v_before;
    v_owners := null;
    v_free := least(v_free, v_limit);
    continue when v_free <= 0;

    v_full := '{}';
    foreach v_window in array c_windows loop
      v_seen := 0;
      for v_candidate in
        select * from (
          select id, project_id, priority, created_at from agent_jobs
          where v_window > 0 and v_newer is null
            and lane = v_lane.lane and status = 'queued' and waits_until is null and run_after <= now()
          order by priority desc, created_at, id limit v_window
        ) plain
        where project_id <> all (v_full)
        union all
        select * from claimable_by_type(v_lane.lane, v_newer, v_window) where v_window > 0 and v_newer is not null
        union all
        select * from claimable_by_project(v_lane.lane, v_before, v_project_limit, v_newer) where v_window = 0
        order by priority desc, created_at, id
      loop
        exit when v_free = 0;
        v_seen := v_seen + 1;
        continue when coalesce((v_running ->> v_candidate.project_id::text)::integer, 0) >= v_project_limit
                   or v_candidate.id = any (v_ids);
        if v_owner_limit is not null then
          if v_owners is null then
            select coalesce(jsonb_object_agg(o.owner, o.n), '{}') into v_owners
            from (select p.owner_clerk_id as owner, sum(r.value::integer) as n
                  from jsonb_each_text(v_before) r join projects p on p.id = r.key::uuid group by 1) o;
          end if;
          select p.owner_clerk_id into v_owner from projects p where p.id = v_candidate.project_id;
          -- What the studio does for everybody is nobody's.
          continue when v_owner <> 'system' and coalesce((v_owners ->> v_owner)::integer, 0) >= v_owner_limit;
        end if;
        perform 1 from agent_jobs where id = v_candidate.id and status = 'queued' for no key update skip locked;
        continue when not found;
        v_ids := v_ids || v_candidate.id;
        v_free := v_free - 1;
        v_running := jsonb_set(v_running, array[v_candidate.project_id::text],
          to_jsonb(coalesce((v_running ->> v_candidate.project_id::text)::integer, 0) + 1));
        if v_owner_limit is not null then
          v_owners := jsonb_set(v_owners, array[v_owner], to_jsonb(coalesce((v_owners ->> v_owner)::integer, 0) + 1));
        end if;
      end loop;
      -- Where the walk has passed projects by, it is not known whether it came to the end. If it did, few are left to
      -- be gone through: any that had room was taken.
      exit when v_free = 0 or (v_full = '{}' and v_seen < v_window);
      v_full := array(select key::uuid from jsonb_each_text(v_running) where value::integer >= v_project_limit);
    end loop;
  end loop;

  -- Each lane has offered its best; the best of all lanes are taken, and the rest is let go unchanged.
  if cardinality(v_ids) > v_limit then
    v_ids := array(select id from agent_jobs where id = any (v_ids)
                   order by priority desc, created_at, id limit v_limit);
  end if;
  perform set_config('greenlight.transition', 'on', true);
  return query
  with claimed as (
    update agent_jobs j set
      status = 'running', claim_no = claim_no + 1, attempts = attempts + 1, locked_at = now(),
      locked_by = p_worker_id, started_at = now(), leased_until = now() + p_lease, dagster_run_id = null
    where j.id = any (v_ids)
    returning j.*
  )
  select * from claimed order by priority desc, created_at, id;
  perform set_config('greenlight.transition', '', true);
end $$;
