-- The queue and its events.
--
-- Every state change of a job is a function here, so that Python, a front end through PostgREST and psql
-- cannot disagree. Status events and wake-ups come from table triggers, so that clients that insert into
-- or update agent_jobs directly cause the same ones.
--
-- A claim is known by its number: claim_no rises at every claim and is never reset, and is the fencing
-- token of every write made under that claim. SQLSTATE GL001 = the claim is no longer current,
-- GL002 = another run holds a live lease, GL003 = no such job, GL004 = the key belongs to another job type.
--
-- Lock order, everywhere: the job row, then the project's event counter; several jobs by id or without
-- waiting, several counters by project id. Job rows are locked "for no key update", because a reference to
-- the job (an event, a step) holds its key, and must not wait for a transition, nor a transition for it.

create table public.agent_job_lanes (
  lane text primary key,
  slots integer not null check (slots >= 0),
  project_limit integer not null check (project_limit >= 1)
);
comment on table public.agent_job_lanes is 'How many jobs of a lane run at once, in all and for one project.';

insert into public.agent_job_lanes (lane, slots, project_limit) values
  ('realtime', 8, 4),
  ('standard', 3, 2),
  ('heavy', 2, 2);

create table public.agent_job_types (
  job_type text primary key,
  lane text not null references public.agent_job_lanes
);
comment on table public.agent_job_types is
  'The registry''s copy in the database, so that rows inserted by other clients get their lane.';

create table public.agent_jobs (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  job_type text not null,
  agent_key text not null,
  status text not null default 'queued'
    check (status in ('queued', 'running', 'completed', 'failed', 'canceled')),
  priority integer not null default 0,
  payload jsonb not null default '{}',
  idempotency_key text not null,
  run_after timestamptz not null default now(),
  attempts integer not null default 0,
  max_attempts integer not null default 3,
  locked_at timestamptz,
  locked_by text,
  last_error text,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  lane text not null references public.agent_job_lanes,
  claim_no bigint not null default 0,
  leased_until timestamptz,
  interruptions integer not null default 0,
  cancel_requested_at timestamptz,
  dagster_run_id text,
  waits_until timestamptz,
  unique (project_id, idempotency_key)
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

comment on column public.agent_jobs.claim_no is 'Rises at every claim, never reset; the fencing token of the current claim.';
comment on column public.agent_jobs.leased_until is 'End of the claim''s lease; null for workers that claim without one.';
comment on column public.agent_jobs.interruptions is 'How often a worker was lost or let go; these burn no attempt, up to a cap.';
comment on column public.agent_jobs.waits_until is
  'run_after, until a claim has found it passed: keeps what is not due out of the claimers'' way.';

create index agent_jobs_due on public.agent_jobs (status, run_after, priority desc, created_at);
create index agent_jobs_by_project on public.agent_jobs (project_id, created_at desc);
create index agent_jobs_queued on public.agent_jobs (lane, priority desc, created_at, id)
  where status = 'queued' and waits_until is null;
create index agent_jobs_queued_by_project on public.agent_jobs (lane, project_id, priority desc, created_at, id)
  where status = 'queued' and waits_until is null;
create index agent_jobs_waiting on public.agent_jobs (waits_until) where status = 'queued' and waits_until is not null;
create index agent_jobs_running on public.agent_jobs (lane, project_id) where status = 'running';
create index agent_jobs_run on public.agent_jobs (dagster_run_id) where dagster_run_id is not null;

create table public.agent_job_events (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  job_id uuid not null references public.agent_jobs on delete cascade,
  type text not null
    check (type in ('status', 'log', 'delta', 'tool_call', 'tool_result', 'artifact', 'done')),
  message text,
  data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  seq bigint not null,
  attempt integer not null default 0,
  claim_no bigint not null default 0,
  unique (project_id, seq)
);
comment on column public.agent_job_events.seq is
  'Position in the project''s event stream: without gaps and in commit order when allocated.';

create index agent_job_events_by_job on public.agent_job_events (job_id, created_at);
create index agent_job_events_by_project on public.agent_job_events (project_id, created_at desc);
create index agent_job_events_cursor on public.agent_job_events (project_id, created_at, id);
create index agent_job_events_job_seq on public.agent_job_events (job_id, seq);
create index agent_job_events_deltas on public.agent_job_events (created_at) where type = 'delta';

create table public.project_event_counters (
  project_id uuid primary key references public.projects on delete cascade,
  last_seq bigint not null default 0
) with (fillfactor = 50);
comment on table public.project_event_counters is
  'The last allocated seq per project. Its row lock, held to the commit, is what makes seq follow commit order.';

create table public.agent_job_steps (
  job_id uuid not null references public.agent_jobs on delete cascade,
  step text not null,
  output jsonb not null,
  claim_no bigint not null,
  attempt integer not null,
  duration_ms integer not null default 0,
  created_at timestamptz not null default now(),
  primary key (job_id, step)
);
comment on table public.agent_job_steps is 'Finished steps of a job; a later attempt takes their output instead of working again.';

-- ------------------------------------------------------------------------------------------- events

create function public.reserve_event_seqs(p_project_id uuid, p_count integer) returns bigint
language sql set search_path = public, pg_temp as $$
  insert into project_event_counters as c (project_id, last_seq)
  values (p_project_id, p_count)
  on conflict (project_id) do update set last_seq = c.last_seq + excluded.last_seq
  returning last_seq - p_count + 1
$$;
comment on function public.reserve_event_seqs is 'Reserve p_count consecutive seqs of a project; returns the first.';

create function public.agent_job_events_number() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job record;
  v_last record;
begin
  -- The reference holds the key at the end of the statement in any case; here it comes before the counter.
  select project_id, attempts, claim_no into v_job from agent_jobs where id = new.job_id for key share;
  if not found then
    raise exception 'There is no job %.', new.job_id using errcode = 'GL003';
  end if;
  if new.project_id is distinct from v_job.project_id then
    raise exception 'Job % belongs to project %, not to %.', new.job_id, v_job.project_id, new.project_id
      using errcode = '23514';
  end if;
  new.attempt := v_job.attempts;
  new.claim_no := v_job.claim_no;
  new.data := coalesce(new.data, '{}');
  if new.type = 'status' then
    -- A worker of another client announces its transitions itself; the triggers below do so, too. The
    -- counter's lock makes the look at the last one final.
    insert into project_event_counters (project_id) values (new.project_id) on conflict do nothing;
    perform 1 from project_event_counters where project_id = new.project_id for update;
    select message, claim_no into v_last from agent_job_events
      where job_id = new.job_id and type = 'status' order by seq desc limit 1;
    if found and v_last.message is not distinct from new.message and v_last.claim_no = new.claim_no then
      return null;
    end if;
  end if;
  new.seq := reserve_event_seqs(new.project_id, 1);
  return new;
end $$;

-- Batches come with their seqs from a reserved range: numbering row by row would update one counter row
-- once per event in one transaction, which is quadratic.
create trigger agent_job_events_number before insert on public.agent_job_events
  for each row when (new.seq is null) execute function public.agent_job_events_number();

create function public.agent_job_events_wake() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  perform pg_notify('agent_job_events', project_id::text) from (select distinct project_id from inserted) p;
  return null;
end $$;

create trigger agent_job_events_wake after insert on public.agent_job_events
  referencing new table as inserted
  for each statement execute function public.agent_job_events_wake();

create function public.hold_agent_job(p_job_id uuid, p_claim_no bigint) returns public.agent_jobs
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job agent_jobs;
begin
  select * into v_job from agent_jobs
    where id = p_job_id and claim_no = p_claim_no and status = 'running' for share;
  if not found then
    raise exception 'Claim % of job % is no longer current.', p_claim_no, p_job_id using errcode = 'GL001';
  end if;
  return v_job;
end $$;
comment on function public.hold_agent_job is
  'Hold the job row until the transaction ends, or raise GL001 where the claim is no longer current: the fence of every write.';

create function public.append_agent_job_events(p_job_id uuid, p_events jsonb, p_claim_no bigint default null)
returns bigint
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job agent_jobs;
  v_first bigint;
begin
  if exists (select 1 from jsonb_array_elements(p_events) e where e.value ->> 'type' = 'status') then
    raise exception 'A status event comes from the transition itself.' using errcode = '22023';
  end if;
  if p_claim_no is null then
    select * into v_job from agent_jobs where id = p_job_id for share;
    if not found then
      raise exception 'There is no job %.', p_job_id using errcode = 'GL003';
    end if;
  else
    v_job := hold_agent_job(p_job_id, p_claim_no);
  end if;
  v_first := reserve_event_seqs(v_job.project_id, jsonb_array_length(p_events));
  insert into agent_job_events (project_id, job_id, type, message, data, seq, attempt, claim_no)
  select v_job.project_id, v_job.id, e.value ->> 'type', e.value ->> 'message',
         coalesce(nullif(e.value -> 'data', 'null'), '{}'), v_first + e.ordinality - 1, v_job.attempts, v_job.claim_no
  from jsonb_array_elements(p_events) with ordinality e
  order by e.ordinality;
  return v_first;
end $$;
comment on function public.append_agent_job_events is
  'Append [{type, message, data}] to a job''s stream in one reserved range; fenced where p_claim_no is given. Returns the first seq.';

-- ------------------------------------------------------------------------------------- transitions

create function public.agent_jobs_prepare() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    new.lane := coalesce(
      new.lane, (select t.lane from agent_job_types t where t.job_type = new.job_type), 'standard');
    new.max_attempts := greatest(1, least(8, new.max_attempts));
    new.waits_until := case when new.run_after > now() then new.run_after end;
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

create trigger agent_jobs_prepare before insert or update on public.agent_jobs
  for each row execute function public.agent_jobs_prepare();

create function public.announce_agent_jobs(p_ids uuid[]) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_project uuid;
  v_first bigint;
  v_new uuid[];
begin
  for v_project in
    select distinct j.project_id from unnest(p_ids) n join agent_jobs j on j.id = n order by 1
  loop
    insert into project_event_counters (project_id) values (v_project) on conflict do nothing;
    perform 1 from project_event_counters where project_id = v_project for update;
    -- What a worker of another client has announced by itself is not said twice.
    select array_agg(j.id order by j.created_at, j.id) into v_new
    from unnest(p_ids) n join agent_jobs j on j.id = n
    left join lateral (
      select e.message, e.claim_no from agent_job_events e
      where e.job_id = j.id and e.type = 'status' order by e.seq desc limit 1
    ) last on true
    where j.project_id = v_project
      and (last.message, last.claim_no) is distinct from (j.status, j.claim_no);
    continue when v_new is null;
    v_first := reserve_event_seqs(v_project, cardinality(v_new));
    insert into agent_job_events (project_id, job_id, type, message, data, seq, attempt, claim_no)
    select j.project_id, j.id, 'status', j.status,
           jsonb_strip_nulls(jsonb_build_object(
             'job_type', j.job_type,
             'attempt', j.attempts,
             'max_attempts', j.max_attempts,
             'error', case when j.status in ('failed', 'queued', 'canceled') then j.last_error end,
             'run_after', case when j.status = 'queued' then j.run_after end,
             'dagster_run_id', j.dagster_run_id)),
           v_first + n.ordinality - 1, j.attempts, j.claim_no
    from unnest(v_new) with ordinality n (id, ordinality) join agent_jobs j on j.id = n.id
    order by n.ordinality;
  end loop;
end $$;

create function public.agent_jobs_inserted() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if coalesce(current_setting('greenlight.announce', true), '') <> 'later' then
    perform announce_agent_jobs((select array_agg(id) from inserted));
  end if;
  perform pg_notify('agent_jobs', lane) from (select distinct lane from inserted where status = 'queued') l;
  return null;
end $$;

create trigger agent_jobs_inserted after insert on public.agent_jobs
  referencing new table as inserted
  for each statement execute function public.agent_jobs_inserted();

create function public.agent_jobs_updated() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_changed uuid[];
begin
  select array_agg(n.id) into v_changed
  from after_update n join before_update o using (id)
  where n.status <> o.status or n.claim_no <> o.claim_no;
  if v_changed is null then
    return null;
  end if;
  if coalesce(current_setting('greenlight.announce', true), '') <> 'later' then
    perform announce_agent_jobs(v_changed);
  end if;
  -- A job that ends frees a slot, so whoever waits for work is woken for that, too.
  perform pg_notify('agent_jobs', lane) from (
    select distinct lane from after_update where id = any (v_changed) and status <> 'running') l;
  return null;
end $$;

create trigger agent_jobs_updated after update on public.agent_jobs
  referencing old table as before_update new table as after_update
  for each statement execute function public.agent_jobs_updated();

-- ------------------------------------------------------------------------------------------ enqueue

create function public.enqueue_agent_jobs(p_jobs jsonb)
returns table (ordinality bigint, job_id uuid, outcome text, status text)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
  v_in record;
  v_job agent_jobs;
  v_created uuid[];
  v_changed uuid[];
begin
  -- Rows before counters: what will be revived is locked first, and what was created and revived is
  -- announced together at the end. What is queued, runs or is done is neither changed nor waited for.
  perform 1 from agent_jobs j
    where (j.project_id, j.idempotency_key) in (
        select (e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key' from jsonb_array_elements(p_jobs) e)
      and j.status in ('failed', 'canceled')
    order by j.id for no key update;
  perform set_config('greenlight.announce', 'later', true);

  with input as (
    select distinct on ((e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key')
           e.value as v, (e.value ->> 'project_id')::uuid as project_id, e.value ->> 'idempotency_key' as key
    from jsonb_array_elements(p_jobs) with ordinality e
    order by (e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key', e.ordinality
  ), created as (
    insert into agent_jobs (project_id, job_type, agent_key, payload, idempotency_key, priority, run_after, max_attempts, lane)
    select i.project_id, v ->> 'job_type', v ->> 'agent_key', coalesce(nullif(v -> 'payload', 'null'), '{}'),
           i.key, coalesce((v ->> 'priority')::integer, 0),
           coalesce((v ->> 'run_after')::timestamptz, now()), coalesce((v ->> 'max_attempts')::integer, 3), v ->> 'lane'
    from input i
    -- The conflict clause alone would wait for whoever is just changing a job that is there.
    where not exists (select 1 from agent_jobs j where j.project_id = i.project_id and j.idempotency_key = i.key)
    -- In one order, so that two batches of the same new keys do not wait for each other.
    order by i.project_id, i.key
    on conflict (project_id, idempotency_key) do nothing
    returning id
  )
  select coalesce(array_agg(id), '{}') into v_created from created;
  v_changed := v_created;

  for v_in in
    select e.value as v, e.ordinality as n, coalesce(nullif(e.value -> 'payload', 'null'), '{}') as payload
    from jsonb_array_elements(p_jobs) with ordinality e
    order by (e.value ->> 'project_id')::uuid, e.value ->> 'idempotency_key', e.ordinality
  loop
    select * into v_job from agent_jobs j
      where j.project_id = (v_in.v ->> 'project_id')::uuid and j.idempotency_key = v_in.v ->> 'idempotency_key';
    if found and v_job.status in ('failed', 'canceled') then
      select * into v_job from agent_jobs j where j.id = v_job.id for no key update;
    end if;
    if not found then
      raise exception 'The job with key % vanished while it was enqueued.', v_in.v ->> 'idempotency_key'
        using errcode = '40001';
    end if;
    if v_job.job_type <> v_in.v ->> 'job_type' then
      raise exception 'The key % belongs to a job of type %, not %.',
        v_job.idempotency_key, v_job.job_type, v_in.v ->> 'job_type' using errcode = 'GL004';
    end if;
    ordinality := v_in.n;
    job_id := v_job.id;
    if v_job.id = any (v_created) then
      outcome := 'created';
      v_created := array_remove(v_created, v_job.id);
    elsif v_job.status in ('failed', 'canceled') then
      if v_job.payload is distinct from v_in.payload then
        delete from agent_job_steps s where s.job_id = v_job.id;
      end if;
      update agent_jobs j set
        status = 'queued', attempts = 0, interruptions = 0, last_error = null, started_at = null,
        payload = v_in.payload,
        priority = coalesce((v_in.v ->> 'priority')::integer, 0),
        run_after = coalesce((v_in.v ->> 'run_after')::timestamptz, now()),
        max_attempts = greatest(1, least(8, coalesce((v_in.v ->> 'max_attempts')::integer, 3))),
        dagster_run_id = null
      where j.id = v_job.id;
      v_changed := v_changed || v_job.id;
      v_job.status := 'queued';
      outcome := 'revived';
    else
      outcome := 'existing';
    end if;
    status := v_job.status;
    return next;
  end loop;

  perform set_config('greenlight.announce', '', true);
  perform announce_agent_jobs(v_changed);
end $$;
comment on function public.enqueue_agent_jobs is
  'Enqueue [{project_id, job_type, agent_key, payload, idempotency_key, priority, run_after, max_attempts, lane}]. '
  'The same key gives the same job; one that failed or was canceled is revived with the new payload.';

create function public.enqueue_agent_job(
  p_project_id uuid, p_job_type text, p_agent_key text, p_payload jsonb, p_idempotency_key text,
  p_priority integer default 0, p_run_after timestamptz default null, p_max_attempts integer default 3,
  p_lane text default null)
returns table (job_id uuid, outcome text, status text)
language sql set search_path = public, pg_temp as $$
  select e.job_id, e.outcome, e.status
  from enqueue_agent_jobs(jsonb_build_array(jsonb_build_object(
    'project_id', p_project_id, 'job_type', p_job_type, 'agent_key', p_agent_key, 'payload', p_payload,
    'idempotency_key', p_idempotency_key, 'priority', p_priority, 'run_after', p_run_after,
    'max_attempts', p_max_attempts, 'lane', p_lane))) e
$$;

-- -------------------------------------------------------------------------------------------- claim

create function public.claimable_by_project(p_lane text, p_running jsonb, p_project_limit integer)
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
    order by j.project_id, j.priority desc, j.created_at, j.id
    limit greatest(0, p_project_limit - coalesce((p_running ->> p.project_id::text)::integer, 0))
  ) c
  where p.project_id is not null
$$;

create function public.claim_agent_jobs(
  p_worker_id text, p_limit integer default 5, p_lane text default null, p_lease interval default null,
  p_slots integer default null, p_project_limit integer default null)
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
  v_before jsonb;
  v_running jsonb;
  v_seen integer;
  v_candidate record;
  v_ids uuid[] := '{}';
  v_deep boolean;
begin
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
    v_running := v_before;
    v_free := least(v_free, v_limit);
    continue when v_free <= 0;

    foreach v_deep in array array[false, true] loop
      v_seen := 0;
      for v_candidate in
        select * from (
          select id, project_id, priority, created_at from agent_jobs
          where not v_deep and lane = v_lane.lane and status = 'queued' and waits_until is null and run_after <= now()
          order by priority desc, created_at, id limit c_window
        ) plain
        union all
        select * from claimable_by_project(v_lane.lane, v_before, v_project_limit) where v_deep
        order by priority desc, created_at, id
      loop
        exit when v_free = 0;
        v_seen := v_seen + 1;
        continue when coalesce((v_running ->> v_candidate.project_id::text)::integer, 0) >= v_project_limit
                   or v_candidate.id = any (v_ids);
        perform 1 from agent_jobs where id = v_candidate.id and status = 'queued' for no key update skip locked;
        continue when not found;
        v_ids := v_ids || v_candidate.id;
        v_free := v_free - 1;
        v_running := jsonb_set(v_running, array[v_candidate.project_id::text],
          to_jsonb(coalesce((v_running ->> v_candidate.project_id::text)::integer, 0) + 1));
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
  'Claim due jobs into free slots: highest priority first, then oldest, at most the lane''s limit per project. '
  'Without p_lease the claim has no lease and ends by reclaim_stale_jobs'' threshold.';

create function public.claim_agent_job(p_job_id uuid, p_worker_id text, p_lease interval, p_run_id text default null)
returns public.agent_jobs
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job agent_jobs;
begin
  select * into v_job from agent_jobs where id = p_job_id for no key update;
  if not found then
    raise exception 'There is no job %.', p_job_id using errcode = 'GL003';
  end if;
  if v_job.status = 'running' and coalesce(v_job.leased_until, v_job.locked_at + interval '10 minutes') > now() then
    raise exception 'Job % is being run by % under claim %.', p_job_id, v_job.locked_by, v_job.claim_no
      using errcode = 'GL002', hint = coalesce(v_job.dagster_run_id, '');
  end if;
  perform set_config('greenlight.transition', 'on', true);
  update agent_jobs set
    attempts = case when status in ('queued', 'running') then attempts + 1 else 1 end,
    interruptions = case when status in ('queued', 'running') then interruptions else 0 end,
    status = 'running', claim_no = claim_no + 1, locked_at = now(), locked_by = p_worker_id,
    started_at = now(), completed_at = null, leased_until = now() + p_lease,
    cancel_requested_at = null, dagster_run_id = p_run_id, last_error = null
  where id = p_job_id returning * into v_job;
  perform set_config('greenlight.transition', '', true);
  return v_job;
end $$;
comment on function public.claim_agent_job is
  'Claim one job by id, whatever its status and its lane''s slots: an operator''s explicit act. GL002 under a live lease.';

create function public.start_agent_job(p_job_id uuid, p_claim_no bigint, p_run_id text, p_lease interval)
returns public.agent_jobs
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job agent_jobs;
begin
  perform set_config('greenlight.transition', 'on', true);
  update agent_jobs set dagster_run_id = p_run_id, leased_until = now() + p_lease
  where id = p_job_id and claim_no = p_claim_no and status = 'running'
    and coalesce(dagster_run_id, p_run_id) = p_run_id
  returning * into v_job;
  if not found then
    raise exception 'Claim % of job % is no longer current, or another run has started on it.', p_claim_no, p_job_id
      using errcode = 'GL001';
  end if;
  perform set_config('greenlight.transition', '', true);
  return v_job;
end $$;
comment on function public.start_agent_job is
  'Bind a claim to the run that carries it out; a second run of the same claim gets GL001.';

create function public.renew_agent_job(p_job_id uuid, p_claim_no bigint, p_lease interval)
returns table (leased_until timestamptz, cancel_requested boolean)
language plpgsql set search_path = public, pg_temp as $$
begin
  perform set_config('greenlight.transition', 'on', true);
  return query
  update agent_jobs j set leased_until = now() + p_lease
  where j.id = p_job_id and j.claim_no = p_claim_no and j.status = 'running'
  returning j.leased_until, j.cancel_requested_at is not null;
  perform set_config('greenlight.transition', '', true);
end $$;
comment on function public.renew_agent_job is 'Prolong a lease; no row means that the claim is no longer current.';

-- ---------------------------------------------------------------------------------------------- end

create function public.complete_agent_job(
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
    last_error = case when p_status = 'canceled' then coalesce(p_error, last_error) else p_error end
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
comment on function public.complete_agent_job is
  'End a running job. A leased job wants its claim number; a claim without lease completes by id, as in the seed.';

create function public.fail_agent_job(
  p_job_id uuid, p_claim_no bigint, p_error text, p_permanent boolean default false,
  p_retry_base interval default interval '30 seconds')
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_status text;
begin
  perform set_config('greenlight.transition', 'on', true);
  update agent_jobs set
    last_error = p_error,
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
comment on function public.fail_agent_job is
  'End an attempt in failure: queued again after p_retry_base × attempt (± 20 %) until max_attempts, else failed; at once where permanent.';

create function public.release_agent_job(p_job_id uuid, p_claim_no bigint, p_reason text default null)
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
    last_error = p_reason
  where id = p_job_id
  returning status into v_status;
  perform set_config('greenlight.transition', '', true);
  return v_status;
end $$;
comment on function public.release_agent_job is
  'Give a claim back: an interruption, which burns no attempt. A job whose cancel was requested is canceled instead.';

create function public.cancel_agent_job(p_job_id uuid, p_reason text default null) returns text
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
      last_error = coalesce(p_reason, last_error)
    where id = p_job_id;
    return 'cancel_requested';
  end if;
  if v_job.status in ('queued', 'running') then
    perform set_config('greenlight.transition', 'on', true);
    update agent_jobs set status = 'canceled', last_error = coalesce(p_reason, last_error) where id = p_job_id;
    perform set_config('greenlight.transition', '', true);
    return 'canceled';
  end if;
  return v_job.status;
end $$;
comment on function public.cancel_agent_job is
  'Cancel: at once where nobody holds a lease, else cancel_requested, and the holder stops. An ended job stays as it is.';

create function public.reclaim_stale_jobs(p_stale_threshold interval default interval '10 minutes') returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
  -- Small batches keep the locks short; the next call takes the rest.
  c_batch constant integer := 500;
  v_job record;
  v_count integer := 0;
begin
  for v_job in
    select id, claim_no, leased_until from agent_jobs
    where status = 'running'
      and (leased_until < now() or (leased_until is null and locked_at < now() - p_stale_threshold))
    order by project_id, id limit c_batch for no key update skip locked
  loop
    perform release_agent_job(v_job.id, v_job.claim_no,
      case when v_job.leased_until is null then 'The worker has not finished within the stale threshold.'
           else 'The lease ran out: the worker is lost.' end);
    v_count := v_count + 1;
  end loop;
  return v_count;
end $$;
comment on function public.reclaim_stale_jobs is
  'Bring back jobs whose lease ran out, and those claimed without one longer ago than the threshold. Returns how many.';

-- -------------------------------------------------------------------------------------------- steps

create function public.save_agent_job_step(
  p_job_id uuid, p_claim_no bigint, p_step text, p_output jsonb, p_duration_ms integer default 0)
returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_job agent_jobs := hold_agent_job(p_job_id, p_claim_no);
begin
  insert into agent_job_steps (job_id, step, output, claim_no, attempt, duration_ms)
  values (p_job_id, p_step, p_output, p_claim_no, v_job.attempts, p_duration_ms)
  on conflict (job_id, step) do update
    set output = excluded.output, claim_no = excluded.claim_no, attempt = excluded.attempt,
        duration_ms = excluded.duration_ms, created_at = now();
end $$;

create function public.prune_agent_job_deltas(p_older_than interval, p_limit integer default 5000) returns integer
language sql set search_path = public, pg_temp as $$
  with old as (
    select e.id from agent_job_events e join agent_jobs j on j.id = e.job_id
    where e.type = 'delta' and e.created_at < now() - p_older_than
      and j.status in ('completed', 'failed', 'canceled')
    order by e.created_at limit p_limit
  ), gone as (
    delete from agent_job_events e using old where e.id = old.id returning 1
  )
  select count(*)::integer from gone
$$;
comment on function public.prune_agent_job_deltas is
  'Delete streamed text of ended jobs: the finished message is the durable record. Returns how many.';

-- --------------------------------------------------------------------------------------------- access

alter table public.agent_job_lanes enable row level security;
alter table public.agent_job_types enable row level security;
alter table public.agent_jobs enable row level security;
alter table public.agent_job_events enable row level security;
alter table public.agent_job_steps enable row level security;
alter table public.project_event_counters enable row level security;

revoke all on public.agent_job_lanes, public.agent_job_types, public.agent_jobs, public.agent_job_events,
  public.agent_job_steps, public.project_event_counters from anon, authenticated;
grant all on public.agent_job_lanes, public.agent_job_types, public.agent_jobs, public.agent_job_events,
  public.agent_job_steps, public.project_event_counters to service_role;
grant select on public.agent_jobs, public.agent_job_events to authenticated;

create policy agent_jobs_select_own on public.agent_jobs for select to authenticated
  using (exists (select 1 from public.projects p where p.id = project_id
                 and p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
create policy agent_job_events_select_own on public.agent_job_events for select to authenticated
  using (exists (select 1 from public.projects p where p.id = project_id
                 and p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
