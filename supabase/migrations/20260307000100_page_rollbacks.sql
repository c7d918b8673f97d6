-- Going back to an earlier page as an action of its own: offered where a check of the page has failed, carried out
-- once a person has approved it. What it pins is a publication to go back to, so no packet proposes it.

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
