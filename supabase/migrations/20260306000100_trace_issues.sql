-- Issues: the errors of all traces, one row per kind of error.
--
-- Every span with a fingerprint is an occurrence of one. A span counts once, however often its row is sent: when its
-- fingerprint becomes known. Where a span that was closed as lost turns out to have ended otherwise, it is taken back,
-- and with it what it has done to its issue.
--
-- A cancel is no error. It is kept, so that one can look for it, and is never open.

create table public.pipeline_issues (
  fingerprint text primary key,
  error_type text not null default '',
  error_class text not null default 'unknown',
  message text not null default '',
  normalised text not null default '',
  place text,
  first_seen timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  count bigint not null default 0,
  status text not null default 'open' check (status in ('open', 'resolved')),
  resolved_at timestamptz,
  resolved_by text,
  reopened_at timestamptz,
  reopened_by text,
  reopened_count integer not null default 0,
  last_trace_id uuid,
  last_span_id text
) with (fillfactor = 50);
comment on table public.pipeline_issues is 'One row per kind of error in the traces, of all projects.';
comment on column public.pipeline_issues.message is 'What the newest occurrence says.';
comment on column public.pipeline_issues.normalised is 'The same without what differs from one occurrence to the next.';
comment on column public.pipeline_issues.place is 'Where in our own code it came up: the function and its line.';
comment on column public.pipeline_issues.count is 'How many spans there have been, also those that the retention has deleted.';
comment on column public.pipeline_issues.resolved_at is 'When somebody last said that it is mended; null where nobody has.';
comment on column public.pipeline_issues.reopened_at is 'When it last came back after that.';
comment on column public.pipeline_issues.reopened_by is 'Who took it back; null where it came up again.';

create index pipeline_issues_by_time on public.pipeline_issues (last_seen desc);
create index pipeline_issues_open on public.pipeline_issues (last_seen desc) where status = 'open';
-- How many attempts an error has ended is counted when somebody asks: a trace may be corrected later.
create index pipeline_traces_by_fault on public.pipeline_traces (fingerprint, start_time desc) where fingerprint is not null;

create function public.normalised_error(p_message text) returns text
language sql immutable parallel safe set search_path = public, pg_temp as $$
  select left(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    left(split_part(p_message, e'\n', 1), 1000),
    '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', '<id>', 'gi'),
    '"[^"]*"|''[^'']*''', '<text>', 'g'),
    '\m(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\M', '<id>', 'gi'),
    '[0-9]+(?:[.,][0-9]+)*', '<n>', 'g'), 300)
$$;
comment on function public.normalised_error is 'The first line of an error without ids, numbers and quoted texts.';

-- The innermost line of a stack that is of our own code, and not of what everything passes through.
create function public.place_of_error(p_stack text) returns text
language sql immutable parallel safe set search_path = public, pg_temp as $$
  select left(btrim(line), 300)
  from regexp_split_to_table(p_stack, e'\n') with ordinality as lines (line, n)
  where line ~ '^\s*(studio|web|jobs|sensors|schedules|resources|greenlight_dagster)[./]\S*:\d+'
  order by line ~ '^\s*studio[./](database|tracing)[./]', n desc limit 1
$$;

-- Takes [{fingerprint, n, at, type, class, message, stack, trace, span}]; n is 1, or -1 for what is taken back, of
-- which fingerprint, at and span are enough.
create function public.note_pipeline_faults(p_faults jsonb) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  -- One statement may insert some spans and end others, and calls this for each of both: an order of rows alone would
  -- not keep two batches from waiting for each other.
  perform pg_advisory_xact_lock(hashtext('greenlight.issues'), 0);
  with fault as (
    select f.value ->> 'fingerprint' as fingerprint, (f.value ->> 'n')::integer as n,
           (f.value ->> 'at')::timestamptz as at, f.value as v
    from jsonb_array_elements(p_faults) f
  ), newest as (
    select distinct on (fingerprint) fingerprint, v from fault where n > 0 order by fingerprint, at desc, v ->> 'span'
  ), added as (
    select fingerprint, count(*) as n, min(at) as first_seen, max(at) as last_seen
    from fault where n > 0 group by fingerprint
  )
  insert into pipeline_issues as i (
    fingerprint, error_type, error_class, message, normalised, place, first_seen, last_seen, count, status,
    last_trace_id, last_span_id)
  select a.fingerprint, coalesce(v ->> 'type', ''), coalesce(v ->> 'class', 'unknown'), coalesce(v ->> 'message', ''),
         coalesce(normalised_error(v ->> 'message'), ''), place_of_error(v ->> 'stack'), a.first_seen, a.last_seen, a.n,
         case when v ->> 'class' = 'cancelled' then 'resolved' else 'open' end,
         (v ->> 'trace')::uuid, v ->> 'span'
  from added a join newest using (fingerprint)
  order by a.fingerprint
  on conflict (fingerprint) do update set
    count = i.count + excluded.count,
    first_seen = least(i.first_seen, excluded.first_seen),
    last_seen = greatest(i.last_seen, excluded.last_seen),
    (error_type, error_class, message, normalised, place, last_trace_id, last_span_id) = (
      select excluded.error_type, excluded.error_class, excluded.message, excluded.normalised, excluded.place,
             excluded.last_trace_id, excluded.last_span_id
      where excluded.last_seen >= i.last_seen
      union all
      select i.error_type, i.error_class, i.message, i.normalised, i.place, i.last_trace_id, i.last_span_id
      where excluded.last_seen < i.last_seen),
    -- What has been on its way since before it was mended says nothing about the mending.
    (status, reopened_at, reopened_by, reopened_count) = (
      select case when r.again then 'open' else i.status end,
             case when r.again then excluded.last_seen else i.reopened_at end,
             case when not r.again then i.reopened_by end,
             i.reopened_count + r.again::integer
      from (select i.status = 'resolved' and excluded.error_class <> 'cancelled'
                   and coalesce(excluded.last_seen > i.resolved_at, false) as again) r);

  -- What is taken back was neither the first nor the last of its kind, nor has it brought it back: what is left says
  -- what was.
  with gone as (
    select f.value ->> 'fingerprint' as fingerprint, count(*) as n,
           array_agg((f.value ->> 'at')::timestamptz) as moments, array_agg(f.value ->> 'span') as spans
    from jsonb_array_elements(p_faults) f where (f.value ->> 'n')::integer < 0 group by 1
  ), said as (
    select g.fingerprint, g.n, g.moments, g.spans && array[i.last_span_id] as was_last,
           coalesce(i.status = 'open' and i.reopened_by is null and i.reopened_at = any (g.moments), false)
             as has_reopened,
           (select min(coalesce(s.end_time, s.start_time)) from pipeline_spans s
            where s.fingerprint = g.fingerprint and coalesce(s.end_time, s.start_time) > i.resolved_at) as returned
    from gone g join pipeline_issues i on i.fingerprint = g.fingerprint
  )
  update pipeline_issues i set
    count = i.count - s.n,
    first_seen = case when i.first_seen = any (s.moments) then coalesce(
      (select min(coalesce(end_time, start_time)) from pipeline_spans where fingerprint = s.fingerprint), i.first_seen)
      else i.first_seen end,
    (last_seen, last_trace_id, last_span_id, error_type, error_class, message, normalised, place) = (
      select i.last_seen, i.last_trace_id, i.last_span_id, i.error_type, i.error_class, i.message, i.normalised, i.place
      where not s.was_last
      union all
      select coalesce(l.at, i.last_seen), l.trace_id, l.span_id, coalesce(l.error_type, i.error_type),
             coalesce(l.error_class, i.error_class), coalesce(l.error, i.message),
             coalesce(normalised_error(l.error), i.normalised),
             case when l.at is null then i.place else place_of_error(l.stack) end
      from (select 1) one left join (
        select coalesce(end_time, start_time) as at, trace_id, span_id, error_type, error_class, error, stack
        from pipeline_spans where fingerprint = s.fingerprint order by 1 desc, span_id limit 1) l on true
      where s.was_last),
    status = case when s.has_reopened and s.returned is null then 'resolved' else i.status end,
    reopened_at = case when s.has_reopened then s.returned else i.reopened_at end,
    reopened_count = i.reopened_count - (s.has_reopened and s.returned is null)::integer
  from said s where i.fingerprint = s.fingerprint;
  if found then
    delete from pipeline_issues where count <= 0;
  end if;
end $$;
comment on function public.note_pipeline_faults is
  'Count occurrences of errors and open their issues. Called by the triggers of pipeline_spans, and by whoever deletes '
  'spans that never were.';

create function public.pipeline_spans_inserted() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_faults jsonb;
begin
  select jsonb_agg(jsonb_build_object(
      'fingerprint', fingerprint, 'n', 1, 'at', coalesce(end_time, start_time), 'type', error_type,
      'class', error_class, 'message', error, 'stack', stack, 'trace', trace_id, 'span', span_id))
    into v_faults from inserted where fingerprint is not null;
  if v_faults is not null then
    perform note_pipeline_faults(v_faults);
  end if;
  return null;
end $$;

create trigger pipeline_spans_inserted after insert on public.pipeline_spans
  referencing new table as inserted
  for each statement execute function public.pipeline_spans_inserted();

create function public.pipeline_spans_updated() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_faults jsonb;
begin
  select jsonb_agg(jsonb_build_object(
      'fingerprint', s.fingerprint, 'n', s.n, 'at', coalesce(s.end_time, s.start_time), 'type', s.error_type,
      'class', s.error_class, 'message', s.error, 'stack', s.stack, 'trace', s.trace_id, 'span', s.span_id))
    into v_faults from (
      select 1 as n, a.* from after_update a join before_update b using (span_id)
      where a.fingerprint is not null and a.fingerprint is distinct from b.fingerprint
      union all
      select -1, b.* from before_update b join after_update a using (span_id)
      where b.fingerprint is not null and b.fingerprint is distinct from a.fingerprint
    ) s;
  if v_faults is not null then
    perform note_pipeline_faults(v_faults);
  end if;
  return null;
end $$;

create trigger pipeline_spans_updated after update on public.pipeline_spans
  referencing old table as before_update new table as after_update
  for each statement execute function public.pipeline_spans_updated();

-- The messages are of all projects: an owner sees his own through his spans.
alter table public.pipeline_issues enable row level security;
revoke all on public.pipeline_issues from public, anon, authenticated;
grant all on public.pipeline_issues to service_role;
revoke execute on function
  public.normalised_error(text), public.place_of_error(text), public.note_pipeline_faults(jsonb),
  public.pipeline_spans_inserted(), public.pipeline_spans_updated()
  from public, anon, authenticated;
grant execute on function
  public.normalised_error(text), public.place_of_error(text), public.note_pipeline_faults(jsonb),
  public.pipeline_spans_inserted(), public.pipeline_spans_updated()
  to service_role;
