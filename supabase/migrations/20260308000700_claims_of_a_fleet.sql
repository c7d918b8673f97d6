-- A claim for a fleet: of what the claimer's code understands, and no more of one owner than his share.
--
-- A claimer says which job types it can run and up to which version of their payloads (p_known). What a later release
-- has registered and this one does not know stays for that release's workers; what nobody has registered is claimed as
-- ever, so that it fails with a clear error instead of waiting for ever. A claimer that says nothing understands
-- version 1 of everything, as other clients do.
--
-- The limit per owner counts all of an owner's projects in a lane, so that many projects are no way around the limit
-- per project.

alter table public.agent_job_lanes add column owner_limit integer check (owner_limit >= 1);
comment on column public.agent_job_lanes.owner_limit is
  'How many jobs of the lane run at once for one owner, over all his projects; null: as many as the lane has slots.';

-- For a claimer that does not understand everything. What it leaves alone may be most of what there is.
create index if not exists agent_jobs_queued_by_type
  on public.agent_jobs (lane, job_type, payload_version, priority desc, created_at, id)
  where status = 'queued' and waits_until is null;

create function public.claimable_by_type(p_lane text, p_newer jsonb, p_limit integer)
returns table (id uuid, project_id uuid, priority integer, created_at timestamptz)
language sql stable set search_path = public, pg_temp as $$
  -- Hops from type to type and from version to version along the index, and takes the first of those that are understood.
  with recursive kinds as (
    (select j.job_type, j.payload_version from agent_jobs j
     where j.lane = p_lane and j.status = 'queued' and j.waits_until is null
     order by j.job_type, j.payload_version, j.priority desc, j.created_at, j.id limit 1)
    union all
    select n.job_type, n.payload_version
    from kinds k cross join lateral (
      select j.job_type, j.payload_version from agent_jobs j
      where j.lane = p_lane and j.status = 'queued' and j.waits_until is null
        and (j.job_type, j.payload_version) > (k.job_type, k.payload_version)
      order by j.job_type, j.payload_version, j.priority desc, j.created_at, j.id limit 1) n
  )
  select c.id, c.project_id, c.priority, c.created_at
  from kinds k
  cross join lateral (
    select j.id, j.project_id, j.priority, j.created_at from agent_jobs j
    -- Ranges of one value, and all of the index in the order: only this index can serve that.
    where j.lane = p_lane and j.status = 'queued' and j.waits_until is null and j.run_after <= now()
      and j.job_type >= k.job_type and j.job_type <= k.job_type
      and j.payload_version >= k.payload_version and j.payload_version <= k.payload_version
    order by j.job_type, j.payload_version, j.priority desc, j.created_at, j.id
    limit p_limit
  ) c
  where k.payload_version <= coalesce((p_newer ->> k.job_type)::integer, k.payload_version)
$$;

drop function public.claimable_by_project(text, jsonb, integer);
create function public.claimable_by_project(
  p_lane text, p_running jsonb, p_project_limit integer, p_newer jsonb default null)
returns table (id uuid, project_id uuid, priority integer, created_at timestamptz)
language sql stable set search_path = public, pg_temp as $$
  -- Hops from project to project along the index, so that a million rows of one project cost one hop. It is
  -- ordered by all of the index, because any other would walk what is done, or waits, on the way.
  with recursive projects as (
    (select j.project_id from agent_jobs j
     where j.lane = p_lane and j.status = 'queued' and j.waits_until is null
     order by j.project_id, j.priority desc, j.created_at, j.id limit 1)
    union all
    select (select j.project_id from agent_jobs j
            where j.lane = p_lane and j.status = 'queued' and j.waits_until is null and j.project_id > p.project_id
            order by j.project_id, j.priority desc, j.created_at, j.id limit 1)
    from projects p where p.project_id is not null
  )
  select c.id, c.project_id, c.priority, c.created_at
  from projects p
  cross join lateral (
    select j.id, j.project_id, j.priority, j.created_at from agent_jobs j
    -- The range of one project instead of an equality, and the project in the order: only the index that
    -- is led by the project can serve that, and any other would walk the whole backlog.
    where j.lane = p_lane and j.status = 'queued' and j.waits_until is null and j.run_after <= now()
      and j.project_id >= p.project_id and j.project_id <= p.project_id
      and (p_newer is null or j.payload_version <= coalesce((p_newer ->> j.job_type)::integer, j.payload_version))
    order by j.project_id, j.priority desc, j.created_at, j.id
    limit greatest(0, p_project_limit - coalesce((p_running ->> p.project_id::text)::integer, 0))
  ) c
  where p.project_id is not null
$$;

drop function public.claim_agent_jobs(text, integer, text, interval, integer, integer);
create function public.claim_agent_jobs(
  p_worker_id text, p_limit integer default 5, p_lane text default null, p_lease interval default null,
  p_slots integer default null, p_project_limit integer default null, p_known jsonb default null,
  p_owner_limit integer default null)
returns setof public.agent_jobs
language plpgsql set search_path = public, pg_temp as $$
declare
  -- How far the plain order is walked before the search goes project by project: far enough that only a
  -- backlog behind projects at their limit leaves it, near enough that the walk stays in the microseconds.
  c_window constant integer := 200;
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
  v_owners jsonb;
  v_owner text;
  v_seen integer;
  v_candidate record;
  v_ids uuid[] := '{}';
  v_deep boolean;
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

    foreach v_deep in array array[false, true] loop
      v_seen := 0;
      for v_candidate in
        select * from (
          select id, project_id, priority, created_at from agent_jobs
          where not v_deep and v_newer is null
            and lane = v_lane.lane and status = 'queued' and waits_until is null and run_after <= now()
          order by priority desc, created_at, id limit c_window
        ) plain
        union all
        select * from claimable_by_type(v_lane.lane, v_newer, c_window) where not v_deep and v_newer is not null
        union all
        select * from claimable_by_project(v_lane.lane, v_before, v_project_limit, v_newer) where v_deep
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
      exit when v_free = 0 or v_seen < c_window;
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
comment on function public.claim_agent_jobs is
  'Claim due jobs into free slots: highest priority first, then oldest, at most the lane''s limits per project and owner. '
  'p_known: {job type: newest payload version that the claimer understands}. '
  'Without p_lease the claim has no lease and ends by reclaim_stale_jobs'' threshold.';

revoke execute on function public.claimable_by_type, public.claimable_by_project, public.claim_agent_jobs
  from public, anon, authenticated;
grant execute on function public.claimable_by_type, public.claimable_by_project, public.claim_agent_jobs to service_role;
