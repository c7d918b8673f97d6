-- Published pages, who visits them, and who wants to hear more.
--
-- project_deployments stays the current page, as every client knows it; page_publications is how it came to be
-- that. Whoever publishes or rolls back holds the project's row until the transaction ends, so that numbers have
-- no gaps and one page is current. SQLSTATE GL060 = the page's bytes are not those of its hash, GL061 = there is
-- no publication to go back to, GL062 = the project takes no sign-ups now, GL063 = there is no such project, or list.

-- ------------------------------------------------------------------------------------------- pages

create table public.page_publications (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  publication_no integer not null check (publication_no >= 1),
  restores_no integer check (restores_no < publication_no),
  asset_id uuid references public.project_assets on delete set null,
  approval_id uuid references public.approval_queue on delete set null,
  content_hash text not null check (content_hash ~ '^[0-9a-f]{64}$'),
  html text not null,
  live_url text not null,
  published_by text not null,
  published_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  created_at timestamptz not null default now(),
  unique (project_id, publication_no)
);
comment on table public.page_publications is
  'Every publication of a page, as it went out. The one that is not withdrawn is what project_deployments shows.';
comment on column public.page_publications.restores_no is
  'The publication that a rollback brought back; null where an approval put something new out.';

-- An approval publishes once, however often its execution is tried.
create unique index page_publications_one_per_approval on public.page_publications (approval_id);
create unique index page_publications_current on public.page_publications (project_id) where withdrawn_at is null;
create index page_publications_by_asset on public.page_publications (asset_id);

create function public.page_publications_immutable() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if (new.project_id, new.publication_no, new.restores_no, new.content_hash, new.html, new.live_url,
      new.published_by, new.published_at)
     is distinct from
     (old.project_id, old.publication_no, old.restores_no, old.content_hash, old.html, old.live_url,
      old.published_by, old.published_at)
     or (old.withdrawn_at is not null and new.withdrawn_at is distinct from old.withdrawn_at) then
    raise exception 'Publication % of project % cannot be changed.', old.publication_no, old.project_id
      using errcode = 'GL020', hint = 'Publish again, or roll back.';
  end if;
  return new;
end $$;

create trigger page_publications_immutable before update on public.page_publications
  for each row execute function public.page_publications_immutable();

-- Puts a page out. The caller holds the project's row.
create function public.put_page_out(
  p_project_id uuid, p_html text, p_content_hash text, p_asset_id uuid, p_approval_id uuid, p_by text,
  p_live_url text, p_restores_no integer
) returns public.page_publications
language plpgsql set search_path = public, pg_temp as $$
declare
  v_row page_publications;
begin
  update page_publications set withdrawn_at = now() where project_id = p_project_id and withdrawn_at is null;
  insert into page_publications (project_id, publication_no, restores_no, asset_id, approval_id, content_hash,
    html, live_url, published_by)
  values (p_project_id,
    (select coalesce(max(publication_no), 0) + 1 from page_publications where project_id = p_project_id),
    p_restores_no, p_asset_id, p_approval_id, p_content_hash, p_html, p_live_url, p_by)
  returning * into v_row;

  insert into project_deployments (project_id, phase, status, html_content, metadata, deployed_at)
  values (p_project_id, 1, 'ready', p_html, jsonb_build_object(
      'content_hash', p_content_hash, 'asset_id', p_asset_id, 'approval_id', p_approval_id,
      'publication_no', v_row.publication_no, 'restores_no', p_restores_no), now())
  on conflict (project_id) do update set phase = excluded.phase, status = excluded.status,
    html_content = excluded.html_content, metadata = excluded.metadata, deployed_at = excluded.deployed_at;

  update projects set live_url = p_live_url, deploy_status = 'ready' where id = p_project_id;
  return v_row;
end $$;

comment on function public.put_page_out is 'Part of publish_page and roll_back_page, which check first.';

create function public.publish_page(
  p_project_id uuid, p_html text, p_content_hash text, p_base_url text,
  p_asset_id uuid default null, p_approval_id uuid default null, p_by text default 'studio'
) returns public.page_publications
language plpgsql set search_path = public, pg_temp as $$
declare
  v_row page_publications;
  v_live_url text := rtrim(p_base_url, '/') || '/launch/' || p_project_id;
begin
  perform 1 from projects where id = p_project_id for no key update;
  if not found then
    raise exception 'There is no project %.', p_project_id using errcode = 'GL063';
  end if;
  if encode(sha256(convert_to(p_html, 'UTF8')), 'hex') is distinct from p_content_hash then
    raise exception 'The page of project % is not the one that was approved: its hash differs.', p_project_id
      using errcode = 'GL060';
  end if;
  select * into v_row from page_publications where approval_id = p_approval_id;
  if found then
    -- Done before. What has happened since, a rollback for instance, stands.
    return v_row;
  end if;
  v_row := put_page_out(p_project_id, p_html, p_content_hash, p_asset_id, p_approval_id, p_by, v_live_url, null);
  insert into project_events (project_id, event_type, message, data)
  values (p_project_id, 'page.published', 'Page published at ' || v_live_url, jsonb_build_object(
    'publication_no', v_row.publication_no, 'content_hash', p_content_hash, 'asset_id', p_asset_id,
    'approval_id', p_approval_id, 'live_url', v_live_url, 'by', p_by));
  return v_row;
end $$;

comment on function public.publish_page is
  'Publishes exactly the bytes of a hash; the same approval once. Returns the publication.';

create function public.roll_back_page(p_project_id uuid, p_by text, p_to integer default null)
returns public.page_publications
language plpgsql set search_path = public, pg_temp as $$
declare
  v_now page_publications;
  v_target page_publications;
  v_row page_publications;
begin
  perform 1 from projects where id = p_project_id for no key update;
  if not found then
    raise exception 'There is no project %.', p_project_id using errcode = 'GL063';
  end if;
  select * into v_now from page_publications where project_id = p_project_id and withdrawn_at is null;
  if not found then
    raise exception 'Project % has published no page.', p_project_id using errcode = 'GL061';
  end if;
  if p_to is null then
    -- Again and again this goes further back, not to and fro.
    select * into v_target from page_publications
      where project_id = p_project_id and restores_no is null
        and publication_no < coalesce(v_now.restores_no, v_now.publication_no)
      order by publication_no desc limit 1;
  else
    select * into v_target from page_publications where project_id = p_project_id and publication_no = p_to;
  end if;
  if not found then
    raise exception 'Project % has no %.', p_project_id,
      case when p_to is null then 'earlier publication' else 'publication ' || p_to end using errcode = 'GL061';
  end if;
  if v_target.publication_no in (v_now.publication_no, v_now.restores_no) then
    return v_now;
  end if;
  v_row := put_page_out(p_project_id, v_target.html, v_target.content_hash, v_target.asset_id, null, p_by,
    v_now.live_url, coalesce(v_target.restores_no, v_target.publication_no));
  insert into project_events (project_id, event_type, message, data)
  values (p_project_id, 'page.rolled_back',
    format('Page rolled back from publication %s to %s by %s', v_now.publication_no, v_row.restores_no, p_by),
    jsonb_build_object('publication_no', v_row.publication_no, 'from', v_now.publication_no,
      'to', v_row.restores_no, 'content_hash', v_row.content_hash, 'by', p_by));
  insert into project_audit_log (project_id, actor, what, before, after)
  values (p_project_id, p_by, 'page',
    jsonb_build_object('publication_no', v_now.publication_no, 'content_hash', v_now.content_hash),
    jsonb_build_object('publication_no', v_row.publication_no, 'content_hash', v_row.content_hash,
      'restores_no', v_row.restores_no));
  return v_row;
end $$;

comment on function public.roll_back_page is
  'Publishes an earlier publication again: p_to, or the one before the current one. Returns the new publication.';

-- ------------------------------------------------------------------- visitors, and how much they may

-- A day's visitors are told apart by hashes with that day's salt. With the salt the hashes of a day lose their
-- meaning: nobody can be followed from one day to the next.
create table public.visitor_salts (
  day date primary key,
  salt bytea not null default sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))
);

create function public.visitor_hash(p_of text) returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_day date := (now() at time zone 'UTC')::date;
  v_salt bytea;
begin
  select salt into v_salt from visitor_salts where day = v_day;
  if not found then
    insert into visitor_salts (day) values (v_day) on conflict do nothing;
    select salt into v_salt from visitor_salts where day = v_day;
    delete from visitor_salts where day < v_day;
  end if;
  return encode(sha256(v_salt || convert_to(p_of, 'UTF8')), 'hex');
end $$;

comment on function public.visitor_hash is 'Today''s name for a visitor; tomorrow it is another.';

create table public.request_counts (
  scope text not null,
  key text not null,
  window_start timestamptz not null,
  hits integer not null default 0,
  primary key (scope, key, window_start)
);
comment on table public.request_counts is
  'How often something was asked for, per window; shared by all web processes, and pruned as it grows.';

create index request_counts_by_age on public.request_counts (window_start);

create function public.take_request_slot(p_scope text, p_key text, p_limit integer, p_window interval)
returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
  v_start timestamptz := date_bin(p_window, now(), '2000-01-01 00:00:00+00');
  v_passed double precision := extract(epoch from now() - v_start) / extract(epoch from p_window);
  v_before integer;
  v_hits integer;
begin
  insert into request_counts as c (scope, key, window_start, hits) values (p_scope, p_key, v_start, 1)
  on conflict (scope, key, window_start) do update set hits = c.hits + 1
  returning hits into v_hits;
  if v_hits = 1 then
    delete from request_counts where ctid in (
      select ctid from request_counts where window_start < now() - interval '2 days' limit 50
      for update skip locked);
  end if;
  -- The window before counts for as much of it as still lies within one window from now.
  select hits into v_before from request_counts
    where scope = p_scope and key = p_key and window_start = v_start - p_window;
  if v_hits + coalesce(v_before, 0) * (1 - v_passed) <= p_limit then
    return 0;
  end if;
  return greatest(1, ceil(extract(epoch from v_start + p_window - now())))::integer;
end $$;

comment on function public.take_request_slot is
  'Counts one request; 0 where it is within p_limit per sliding p_window, else after how many seconds to come again.';

create table public.page_visits (
  project_id uuid not null references public.projects on delete cascade,
  day date not null,
  visitor text not null,
  primary key (project_id, day, visitor)
);
comment on table public.page_visits is
  'Who was on a page today, by today''s hash; kept only to count a visitor once.';

create index page_visits_by_day on public.page_visits (day);

create function public.count_page_visit(p_project_id uuid, p_visitor text, p_address text) returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_day date := (now() at time zone 'UTC')::date;
begin
  -- One address with ever new browsers is not a crowd.
  if take_request_slot('visit', visitor_hash(p_project_id || ' ' || p_address), 20, interval '1 day') > 0 then
    return false;
  end if;
  insert into page_visits (project_id, day, visitor)
  values (p_project_id, v_day, visitor_hash(p_visitor)) on conflict do nothing;
  if not found then
    return false;
  end if;
  insert into project_analytics_events (project_id, source, event_type, event_name)
  values (p_project_id, 'page', 'track', 'traffic');
  delete from page_visits where ctid in (
    select ctid from page_visits where day < v_day limit 50 for update skip locked);
  return true;
end $$;

comment on function public.count_page_visit is
  'Counts a visit as traffic, once per visitor and day; returns whether it was counted.';

-- ------------------------------------------------------------------------------------------ assets

-- What the storage holds is looked up by its path.
create index project_assets_by_path on public.project_assets (storage_path);

-- ---------------------------------------------------------------------------------------- waitlist

alter table public.waitlist_signups
  add column letters integer not null default 0 check (letters >= 0),
  add column letters_day date,
  add column letters_today integer not null default 0 check (letters_today >= 0),
  add column updated_at timestamptz not null default now();
comment on column public.waitlist_signups.letters is
  'How many confirmations were asked for by mail, which also names each of these mails.';
comment on column public.waitlist_signups.confirmed_at is
  'When the address was first confirmed; it stays when somebody leaves, and such a person is no second lead.';

create trigger waitlist_signups_updated_at before update on public.waitlist_signups
  for each row execute function public.set_updated_at();

create function public.join_waitlist(
  p_project_id uuid, p_email text, p_source text, p_metadata jsonb, p_consent jsonb, p_letters_a_day integer
) returns table (signup_id uuid, project_name text, letter_no integer)
language plpgsql set search_path = public, pg_temp as $$
declare
  c_consents constant integer := 5;
  v_project projects;
  v_signup waitlist_signups;
  v_consent jsonb := p_consent || jsonb_build_object('at', now());
  v_day date := (now() at time zone 'UTC')::date;
begin
  select * into v_project from projects where id = p_project_id;
  if not found or v_project.status = 'killed' then
    raise exception 'There is no such list.' using errcode = 'GL063';
  end if;
  -- The system project's list is the studio's own, which has no page.
  if p_project_id <> '00000000-0000-0000-0000-000000000000' and not exists (
    select from project_deployments where project_id = p_project_id and status = 'ready') then
    raise exception 'There is no such list.' using errcode = 'GL063';
  end if;
  if v_project.status <> 'active' then
    raise exception 'This list takes no sign-ups at the moment.' using errcode = 'GL062';
  end if;

  -- Whose mail would not go out is not put on a list either: he has said so, or there is nobody.
  if email_suppression(p_email, p_project_id, 'project', 'waitlist') is not null then
    return;
  end if;
  insert into waitlist_signups (project_id, email, source, metadata, consent)
    values (p_project_id, p_email, p_source, p_metadata, v_consent)
    on conflict (project_id, email) do nothing;
  -- The first form is the record. Anybody may send a second one with the same address, so it is only noted.
  if found then
    v_consent := null;
  end if;
  select * into v_signup from waitlist_signups
    where project_id = p_project_id and email = lower(p_email) for update;
  signup_id := v_signup.id;
  project_name := v_project.name;
  -- Who is on the list already stays as he is, and gets no mail: anybody may type anybody's address.
  if v_signup.status = 'confirmed' then
    return next;
    return;
  end if;
  if v_signup.letters_day is distinct from v_day then
    v_signup.letters_today := 0;
  end if;
  -- So many a day from this list, and so many from all lists together.
  if v_signup.letters_today < p_letters_a_day
    and take_request_slot('waitlist/recipient', visitor_hash(lower(p_email)), p_letters_a_day, interval '1 day') = 0
  then
    v_signup.letters := v_signup.letters + 1;
    v_signup.letters_today := v_signup.letters_today + 1;
    letter_no := v_signup.letters;
  end if;
  update waitlist_signups set status = 'pending',
    consent = case when v_consent is null then consent else consent || jsonb_build_object('later', (
      select jsonb_agg(c.said order by c.no)
      from jsonb_array_elements(coalesce(consent -> 'later', '[]') || jsonb_build_array(v_consent))
        with ordinality as c(said, no)
      where c.no > jsonb_array_length(coalesce(consent -> 'later', '[]')) + 1 - c_consents)) end,
    letters = v_signup.letters, letters_day = v_day, letters_today = v_signup.letters_today
    where id = v_signup.id;
  return next;
end $$;

comment on function public.join_waitlist is
  'Puts an address on a list as pending. letter_no numbers the confirmation to send; null where none is due. '
  'No row where the address gets no mail. consent.later: what forms after the first one said, the last few.';

create function public.confirm_waitlist(p_signup_id uuid) returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_signup waitlist_signups;
  v_first boolean;
begin
  select * into v_signup from waitlist_signups where id = p_signup_id for update;
  if not found then
    return null;
  end if;
  if v_signup.status <> 'pending' then
    return v_signup.status;
  end if;
  v_first := v_signup.confirmed_at is null;
  update waitlist_signups set status = 'confirmed', confirmed_at = coalesce(confirmed_at, now()),
    unsubscribed_at = null, consent = consent || jsonb_build_object('confirmed_at', now())
    where id = p_signup_id;
  if v_first then
    insert into project_analytics_events (project_id, source, event_type, event_name, properties)
    values (v_signup.project_id, 'page', 'track', 'waitlist_submit',
      jsonb_build_object('signup_id', p_signup_id, 'source', v_signup.source));
  end if;
  insert into project_events (project_id, event_type, message, data)
  values (v_signup.project_id, 'waitlist.confirmed', 'Somebody confirmed a place on the waitlist',
    jsonb_build_object('signup_id', p_signup_id, 'source', v_signup.source, 'again', not v_first));
  return 'joined';
end $$;

comment on function public.confirm_waitlist is
  'Confirms a pending signup and counts the lead once. Returns joined, or the status it had already; null for none.';

create function public.leave_waitlist(p_project_id uuid, p_email text) returns boolean
language plpgsql set search_path = public, pg_temp as $$
declare
  v_id uuid;
begin
  update waitlist_signups set status = 'unsubscribed', unsubscribed_at = now()
    where project_id = p_project_id and email = lower(p_email) and status <> 'unsubscribed'
    returning id into v_id;
  if not found then
    return false;
  end if;
  insert into project_events (project_id, event_type, message, data)
  values (p_project_id, 'waitlist.unsubscribed', 'Somebody left the waitlist', jsonb_build_object('signup_id', v_id));
  return true;
end $$;

comment on function public.leave_waitlist is 'Takes an address off a list; returns whether it was on it.';

-- ------------------------------------------------------------------------------- who may see what

do $$
declare
  v_table text;
begin
  foreach v_table in array array['page_publications', 'visitor_salts', 'request_counts', 'page_visits'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('revoke all on public.%I from public, anon, authenticated', v_table);
    execute format('grant all on public.%I to service_role', v_table);
  end loop;
end $$;

create policy page_publications_select_own on public.page_publications for select to authenticated
  using (project_id in (
    select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub')));
grant select on public.page_publications to authenticated;
