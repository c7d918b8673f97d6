-- A killed project has neither list nor page, and sends nothing: whoever acts on one of them is told so, instead of
-- being told that it was done.

create or replace function public.confirm_waitlist(p_signup_id uuid) returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_signup waitlist_signups;
  v_life text;
  v_first boolean;
begin
  select p.status into v_life from projects p join waitlist_signups s on s.project_id = p.id
    where s.id = p_signup_id for share of p;
  select * into v_signup from waitlist_signups where id = p_signup_id for update;
  if not found then
    return null;
  end if;
  if v_life = 'killed' then
    return 'killed';
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
  'Confirms a pending signup and counts the lead once. Returns joined, or the status it had already; killed, and '
  'nothing is changed, where the project is; null for none.';

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
  'Publishes an earlier publication again: p_to, or the one before the current one. Returns the new publication. '
  'GL034 in a killed project, whose page is gone.';

create or replace function public.resolve_email(
  p_id uuid, p_sent boolean, p_by text, p_provider_message_id text default null, p_note text default null)
returns text
language plpgsql set search_path = public, pg_temp as $$
declare
  v_mail email_jobs;
  v_life text;
  v_status text;
begin
  select p.status into v_life from projects p join email_jobs m on m.project_id = p.id where m.id = p_id for share of p;
  select * into v_mail from email_jobs where id = p_id for update;
  if not found then
    raise exception 'There is no mail %.', p_id using errcode = 'GL051';
  elsif v_mail.status <> 'unknown' then
    raise exception 'Mail % is %, and nothing about it is unknown.', p_id, v_mail.status using errcode = 'GL052';
  end if;
  v_status := case when p_sent then 'sent' when v_life = 'killed' then 'failed' else 'queued' end;
  -- The claim number rises, so that its old sender, should it live, has no say any more.
  update email_jobs set claim_no = claim_no + 1,
    error = case v_status when 'failed' then 'The project is killed.' end,
    status = v_status,
    provider_message_id = case when p_sent then coalesce(p_provider_message_id, provider_message_id) end,
    sent_at = case when p_sent then coalesce(begun_at, now()) end,
    begun_at = case when p_sent then begun_at end, begun_with = case when p_sent then begun_with end,
    counted_on = case when p_sent then counted_on end,
    scheduled_for = case when p_sent then scheduled_for else greatest(scheduled_for, now()) end
  where id = p_id;
  insert into project_events (project_id, event_type, message, data)
  values (v_mail.project_id, 'email.outbound.resolved',
          case v_status when 'sent' then 'A held mail was sent after all' when 'queued' then 'A held mail is sent anew'
            else 'A held mail was not sent' end,
          jsonb_strip_nulls(jsonb_build_object('email_id', p_id, 'approval_id', v_mail.approval_id, 'sent', p_sent, 'by', p_by,
            'provider_message_id', p_provider_message_id, 'note', p_note)));
  return v_status;
end $$;
comment on function public.resolve_email is
  'A person says of an unknown mail that it was sent, or that it was not and shall be, which in a killed project ends '
  'it as failed. Returns its status. GL051, GL052.';

comment on table public.project_audit_log is
  'Who changed the life, the permissions, the budget, the hours of mail or the page of a project, from what to what, and '
  'why. Rows never change, and go only with their project.';
