-- What one project may take of what all share: places in the queue, and bytes in the storage. Every client is bound,
-- because the database asks; the figures are the installation's settings, written here when it migrates.
--
-- SQLSTATE GL080 = as many jobs of the project wait or are due as may, GL081 = its files take as much room as they may.
-- A transaction that enqueues for everybody, as the night shift's does, sets greenlight.tenant_limits to off: its jobs are
-- one per project and day, and one project at its limit must not keep the others from theirs.

create table public.tenant_limits (
  name text primary key,
  figure bigint not null check (figure >= 0)
);
comment on table public.tenant_limits is
  'queued_per_project: how many jobs of a project may be queued; bytes_per_project: how many bytes its files may have. '
  'What has no row has no limit.';

alter table public.tenant_limits enable row level security;
revoke all on public.tenant_limits from anon, authenticated;
grant all on public.tenant_limits to service_role;

-- How many a project has, without a look at what is done. By its text, because an index that is led by the project's id
-- itself would tempt the planner of the claim away from the one that is made for it.
create index if not exists agent_jobs_queued_of_project on public.agent_jobs ((project_id::text)) where status = 'queued';

create function public.require_queue_room(p_ids uuid[]) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  v_limit integer;
  v_project record;
begin
  select figure into v_limit from tenant_limits where name = 'queued_per_project';
  if v_limit is null or coalesce(current_setting('greenlight.tenant_limits', true), '') = 'off' then
    return;
  end if;
  -- Whoever announced these jobs holds their projects' counters until it commits: nobody else counts meanwhile.
  for v_project in
    select distinct j.project_id as id from unnest(p_ids) n join agent_jobs j on j.id = n and j.status = 'queued'
  loop
    -- What the studio does for everybody is nobody's.
    continue when v_project.id = '00000000-0000-0000-0000-000000000000';
    if (select count(*) from (select from agent_jobs q
                              where q.project_id::text = v_project.id::text and q.status = 'queued'
                              limit v_limit + 1) q) > v_limit then
      raise exception 'Project % has % jobs in the queue, as many as a project may have.', v_project.id, v_limit
        using errcode = 'GL080';
    end if;
  end loop;
end $$;
comment on function public.require_queue_room is
  'Raise GL080 where a project of these jobs has more of them in the queue than it may; after they are announced.';

create or replace function public.agent_jobs_inserted() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_ids uuid[];
begin
  if coalesce(current_setting('greenlight.announce', true), '') <> 'later' then
    v_ids := (select array_agg(id) from inserted);
    perform announce_agent_jobs(v_ids);
    perform require_queue_room(v_ids);
  end if;
  perform pg_notify('agent_jobs', lane) from (select distinct lane from inserted where status = 'queued') l;
  return null;
end $$;

create function public.require_storage_room() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_limit bigint;
  v_taken bigint;
begin
  select figure into v_limit from tenant_limits where name = 'bytes_per_project';
  if v_limit is null or coalesce(new.size_bytes, 0) = 0 or new.status = 'failed' then
    return new;
  end if;
  -- One after the other, or two at once would both find the last room.
  perform pg_advisory_xact_lock(hashtext('greenlight.storage'), hashtext(new.project_id::text));
  select coalesce(sum(size_bytes), 0) into v_taken from project_assets
    where project_id = new.project_id and status <> 'failed' and storage_path <> new.storage_path;
  if v_taken + new.size_bytes > v_limit then
    raise exception 'The files of project % take % bytes; with % more they would be beyond the % that a project may have.',
      new.project_id, v_taken, new.size_bytes, v_limit using errcode = 'GL081';
  end if;
  return new;
end $$;

create trigger project_assets_room before insert on public.project_assets
  for each row execute function public.require_storage_room();

revoke execute on function public.require_queue_room, public.require_storage_room() from public, anon, authenticated;
grant execute on function public.require_queue_room, public.require_storage_room() to service_role;
