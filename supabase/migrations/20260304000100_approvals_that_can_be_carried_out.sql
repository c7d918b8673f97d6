-- What is certain to fail is not approved, and an approval holds for the repository that it was asked for.

create function public.packet_runs_ads(p_packet jsonb) returns boolean
language sql immutable set search_path = public, pg_temp as $$
  select coalesce(p_packet #> '{paid_acquisition,enabled}' = 'true', false)
    -- The cap is a number; some clients write it as text. Meta counts in cents.
    and case when p_packet #>> '{paid_acquisition,budget_cap_per_day}' ~ '^[0-9]{1,30}([.][0-9]{1,30})?$'
        then (p_packet #>> '{paid_acquisition,budget_cap_per_day}')::numeric >= 0.01 else false end
$$;
comment on function public.packet_runs_ads is
  'Whether a Phase 2 packet runs ads, with a cap of a cent a day or more: one that was made while they were not '
  'permitted does not, whatever is permitted since.';

create function public.approval_queue_ads_planned() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  if not exists (select from phase_packet_versions v
                 where v.id = new.packet_version_id and packet_runs_ads(v.packet)) then
    raise exception 'The packet that approval % would carry out runs no ads.', new.id
      using errcode = 'GL032', hint = 'Revise it, so that Phase 2 plans ads within the cap, or deny it.';
  end if;
  return new;
end $$;
comment on function public.approval_queue_ads_planned is
  'No campaign is approved of a packet that runs no ads, whoever decides: its execution could only fail.';

-- One without a packet is refused by `decide_approval`, in its own words.
create trigger approval_queue_ads_planned before update of status on public.approval_queue
  for each row when (
    old.status = 'pending' and new.status = 'approved' and new.action_type = 'activate_meta_ads_campaign'
    and new.packet_version_id is not null)
  execute function public.approval_queue_ads_planned();

create function public.approval_queue_pins_repository() returns trigger
language plpgsql set search_path = public, pg_temp as $$
declare
  v_repository text := (select nullif(btrim(p.repo_url), '') from projects p where p.id = new.project_id);
begin
  if v_repository is not null and jsonb_typeof(new.payload) = 'object' then
    new.payload := new.payload || jsonb_build_object('executes',
      case jsonb_typeof(new.payload -> 'executes') when 'object' then new.payload -> 'executes' else '{}' end
      || jsonb_build_object('repository', v_repository));
  end if;
  return new;
end $$;
comment on function public.approval_queue_pins_repository is
  'A client that names no repository means the one that the project has at this moment, whatever it has later.';

create trigger approval_queue_pins_repository before insert on public.approval_queue
  for each row when (
    new.action_type = 'trigger_phase3_repo_workflow' and new.payload #>> '{executes,repository}' is null)
  execute function public.approval_queue_pins_repository();

-- Of those that wait, nobody has said yes to anything yet.
update public.approval_queue a set payload = a.payload || jsonb_build_object('executes',
    case jsonb_typeof(a.payload -> 'executes') when 'object' then a.payload -> 'executes' else '{}' end
    || jsonb_build_object('repository', btrim(p.repo_url)))
from public.projects p
where p.id = a.project_id and a.action_type = 'trigger_phase3_repo_workflow' and a.status = 'pending'
  and jsonb_typeof(a.payload) = 'object' and a.payload #>> '{executes,repository}' is null
  and nullif(btrim(p.repo_url), '') is not null;
