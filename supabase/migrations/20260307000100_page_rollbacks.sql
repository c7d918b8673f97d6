-- Going back to an earlier page as an action of its own: offered where a check of the page has failed, carried out
-- once a person has approved it. What it pins is a publication to go back to, so no packet proposes it.
--
-- And what the page before is: the one that the world saw before, and not one that somebody has taken back since.

alter table public.action_types drop constraint action_types_pins_check;
alter table public.action_types add constraint action_types_pins_check
  check (pins in ('packet', 'page', 'guidance', 'publication'));
comment on column public.action_types.pins is
  'What an approval fixes: the packet version, the page with its hash, the words of the guidance, or the publication '
  'to go back to.';

insert into public.action_types
  (action_type, phase, risk, title, pins, needs_permission, needs_ads_cap, needs_repo, needs_shared_runtime)
values
  ('rollback_landing_page', null, 'medium', 'Go back to the earlier page', 'publication', null, false, false, false);

-- A rollback is a publication as well, so a page counts by the number under which it came out first. What was live
-- before is looked for backwards in time, and only among pages older than the one that is live now. So what was taken
-- back is never met: the page that it was taken back for stands behind it in time, and is older still. And again and
-- again this leads further back, not to and fro.
create function public.publication_before(p_project_id uuid) returns integer
language sql stable set search_path = public, pg_temp as $$
  select coalesce(b.restores_no, b.publication_no)
  from page_publications n
  join page_publications b on b.project_id = n.project_id and b.publication_no < n.publication_no
    and coalesce(b.restores_no, b.publication_no) < coalesce(n.restores_no, n.publication_no)
  where n.project_id = p_project_id and n.withdrawn_at is null
  order by b.publication_no desc limit 1
$$;
comment on function public.publication_before is
  'The number of the page that the world saw before the one it sees now, and that nobody has taken back since; null '
  'where there is none.';

create or replace function public.roll_back_page(p_project_id uuid, p_by text, p_to integer default null)
returns public.page_publications
language plpgsql set search_path = public, pg_temp as $$
declare
  v_life text;
  v_now page_publications;
  v_target page_publications;
  v_row page_publications;
begin
  select status into v_life from projects where id = p_project_id for no key update;
  if not found then
    raise exception 'There is no project %.', p_project_id using errcode = 'GL063';
  end if;
  if v_life = 'killed' then
    raise exception 'Project % is killed, so nobody sees a page of it any more.', p_project_id
      using errcode = 'GL034', hint = 'A killed project stays so.';
  end if;
  select * into v_now from page_publications where project_id = p_project_id and withdrawn_at is null;
  if not found then
    raise exception 'Project % has published no page.', p_project_id using errcode = 'GL061';
  end if;
  select * into v_target from page_publications
    where project_id = p_project_id
      and publication_no = case when p_to is null then publication_before(p_project_id) else p_to end;
  if not found then
    raise exception 'Project % has no %.', p_project_id,
      case when p_to is null then 'earlier publication' else 'publication ' || p_to end using errcode = 'GL061';
  end if;
  if coalesce(v_target.restores_no, v_target.publication_no) = coalesce(v_now.restores_no, v_now.publication_no) then
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
  'Publishes an earlier publication again: p_to, or publication_before. Returns the new publication. GL034 in a killed '
  'project, whose page is gone.';
