-- The chat: which job answers a message, what an answer suggests, and what is left of one that was stopped.
--
-- Other clients insert messages with a token, as the role and columns of `row_level_security` allow: none of the
-- columns below. Such a message is a row to be read, without a job, and nothing is carried out because of it.

alter table public.project_chat_messages
  add column job_id uuid references public.agent_jobs on delete set null,
  add column stopped boolean not null default false,
  add column suggestion jsonb check (jsonb_typeof(suggestion) = 'object'),
  add column suggestion_state text check (suggestion_state in ('open', 'confirmed', 'refused', 'dismissed')),
  add column suggestion_note text,
  add column approval_id uuid references public.approval_queue on delete set null,
  add constraint project_chat_messages_job_answers_a_user check (job_id is null or role = 'user'),
  add constraint project_chat_messages_studio_suggests check (suggestion is null or role = 'assistant'),
  add constraint project_chat_messages_suggestion_has_a_state
    check ((suggestion is null) = (suggestion_state is null));

comment on column public.project_chat_messages.job_id is
  'The job that answers this message; null for an answer, and for a message that another client wrote.';
comment on column public.project_chat_messages.stopped is
  'Whether the answer was stopped by a person: the content is what had been streamed until then.';
comment on column public.project_chat_messages.suggestion is
  'What the answer suggests to do: action_type, title, rationale, phase, and guidance for a refinement. Nothing '
  'follows from it until a person confirms it, which opens an approval.';
comment on column public.project_chat_messages.suggestion_note is
  'Why confirming it was refused; it may be confirmed again when the reason is gone.';
comment on column public.project_chat_messages.approval_id is 'The approval that the confirmed suggestion has become.';

-- Pages are read from the newest message backwards; the id settles the order of two of the same moment.
create index project_chat_messages_by_page on public.project_chat_messages (project_id, created_at desc, id desc);
create index project_chat_messages_by_job on public.project_chat_messages (job_id) where job_id is not null;
create index project_chat_messages_by_approval on public.project_chat_messages (approval_id)
  where approval_id is not null;

-- What somebody has read when he stops an answer stays, and says that it was stopped. It is stored where the job
-- ends, in the same transaction, whoever ends it: the run, a cancel in the queue, the sweep after a lost worker. Only
-- the last attempt counts, because a new one begins its text anew. An answer that was stored already stays as it is.
create function public.keep_stopped_chat_reply() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  c_content_limit constant integer := 8000;
begin
  with said as (
    select m.id, m.project_id, m.owner_clerk_id, (
      select left(btrim(string_agg(e.message, '' order by e.seq), E' \t\r\n'), c_content_limit)
      from agent_job_events e
      where e.job_id = new.id and e.claim_no = new.claim_no and e.type = 'delta'
    ) as content
    from project_chat_messages m where m.job_id = new.id and m.role = 'user'
  ), kept as (
    insert into project_chat_messages (project_id, owner_clerk_id, role, content, reply_to, stopped)
    select project_id, owner_clerk_id, 'assistant', content, id, true from said where content <> ''
    on conflict (reply_to) do nothing
    returning project_id, id, reply_to
  )
  insert into project_events (project_id, event_type, message, data)
  select project_id, 'chat.assistant_reply', 'An answer in the chat was stopped.', jsonb_build_object(
    'message_id', id, 'reply_to', reply_to, 'job_id', new.id, 'stopped', true)
  from kept;
  return null;
end $$;
comment on function public.keep_stopped_chat_reply is
  'Stores what a canceled chat job had streamed as an answer that was stopped; once per message, and never over a '
  'whole one.';

create trigger agent_jobs_keep_stopped_chat_reply after update of status on public.agent_jobs
  for each row when (new.job_type = 'chat.reply' and new.status = 'canceled' and old.status is distinct from new.status)
  execute function public.keep_stopped_chat_reply();

revoke execute on function public.keep_stopped_chat_reply from public, anon, authenticated;
grant execute on function public.keep_stopped_chat_reply to service_role;
