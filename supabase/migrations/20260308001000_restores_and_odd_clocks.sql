-- A restore is settled also where some other client's clock has put a job into the future: since 20260308000300 the newest
-- moment of any row was taken for what the database knows of, so that no moment of a restore was believed any more, and no
-- work was given out.
--
-- What 20260308000500 added refuses only files beyond a limit, with a code of its own:
-- compatible: table project_assets trigger project_assets_room: it refuses files beyond a limit that is far above usual ones

create or replace function public.after_restore(p_restored_to timestamptz, p_by text, p_claim_floor bigint default 0)
returns jsonb
language plpgsql set search_path = public, pg_temp as $$
declare
  c_why constant text := 'The database was restored, and with it the job was taken from its run.';
  v_restore database_restores;
  v_known timestamptz;
  v_claimed timestamptz;
  v_did jsonb := '{}';
  v_count bigint;
begin
  -- Two at once would be two restores.
  lock table database_identity in exclusive mode;
  -- What another client's clock put into the future says nothing of when the database was copied; and where nobody says
  -- when that was, an earlier moment is safer than one by such a clock.
  select max(m.moment), max(m.moment) filter (where m.by_server) into v_known, v_claimed from (
    select unnest(array[locked_at, started_at]) as moment, true as by_server from agent_jobs
    union all select unnest(array[created_at, completed_at]), false from agent_jobs
    union all select sent_at, true from email_jobs
    union all select last_seen_at, true from worker_heartbeats) m
  where m.moment <= now();
  -- Where nothing has ever been claimed, what was lost began with the newest project.
  p_restored_to := coalesce(p_restored_to, v_claimed, v_known,
    (select max(created_at) from projects where owner_clerk_id <> 'system' and created_at <= now()), now());
  if p_restored_to > now() then
    raise exception '% is still to come.', p_restored_to using errcode = 'GL071';
  elsif v_known > p_restored_to + interval '1 day' then
    -- A dump names the moment before its snapshot; an earlier one only leaves more in doubt. This is a slip.
    raise exception 'The database knows of things at %, so it was not restored to %.', v_known, p_restored_to
      using errcode = 'GL071';
  end if;
  insert into database_restores (restored_to, restored_by, identity_before)
  values (p_restored_to, p_by, (select identity from database_identity where name = 'studio')) returning * into v_restore;

  -- By the clock, because nothing that was restored knows how far the lost numbers went; it passes one a second.
  insert into database_identity as i (name, identity, claim_floor)
  values ('studio', database_identity_now(), greatest(p_claim_floor, extract(epoch from now())::bigint))
  on conflict (name) do update set identity = excluded.identity, noted_at = now(),
    claim_floor = greatest(i.claim_floor + 1, excluded.claim_floor);

  -- Their runs are of another history, whether they still live or not. No attempt is burnt, and no interruption.
  perform set_config('greenlight.transition', 'on', true);
  with taken as (
    update agent_jobs set
      status = case when cancel_requested_at is null then 'queued' else 'canceled' end,
      attempts = greatest(0, attempts - 1), run_after = now(), dagster_run_id = null,
      last_error = case when cancel_requested_at is null then c_why else coalesce(last_error, c_why) end
    where status = 'running'
    returning status
  )
  select jsonb_build_object('jobs_queued_again', count(*) filter (where status = 'queued'),
                            'jobs_canceled', count(*) filter (where status = 'canceled')) into v_did from taken;
  perform set_config('greenlight.transition', '', true);
  v_did := v_did || jsonb_build_object('model_calls_counted_in_full', settle_abandoned_model_calls());

  -- A stranger's form may have been sent by a run that is lost.
  insert into agent_job_steps (job_id, step, output, claim_no, attempt)
  select id, 'look/form', '{"begun": true, "form": null}', claim_no, attempts from agent_jobs
    where job_type = 'browser.check_page' and status = 'queued'
  on conflict (job_id, step) do nothing;
  get diagnostics v_count = row_count;
  v_did := v_did || jsonb_build_object('forms_not_sent_again', v_count);

  -- Nobody knows who has signed out, and which links were used.
  delete from sign_in_sessions;
  get diagnostics v_count = row_count;
  v_did := v_did || jsonb_build_object('sessions_ended', v_count);
  delete from sign_in_links where used_at is null;
  get diagnostics v_count = row_count;
  v_did := v_did || jsonb_build_object('sign_in_links_ended', v_count);

  update database_restores set did = v_did where id = v_restore.id;
  return v_did || jsonb_build_object(
    'restored_to', v_restore.restored_to, 'restored_at', v_restore.restored_at,
    'claim_floor', (select claim_floor from database_identity where name = 'studio'),
    'mails_in_doubt', (select count(*) from email_jobs e
      where e.status in ('queued', 'sending') and e.begun_at is null and mail_in_doubt_since(e) is not null),
    'executions_in_doubt', (select count(*) from approval_queue
      where type = 'execution' and status = 'approved' and execution_status in ('queued', 'running')),
    'approvals_pending', (select count(*) from approval_queue where status = 'pending'),
    'held', (select count(*) from outbox_entries where status = 'unknown'));
end $$;
