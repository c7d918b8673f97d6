-- Creating projects from a form: the same form sent twice makes its projects once.

create table public.project_creations (
  owner_clerk_id text not null,
  creation_key text not null check (char_length(creation_key) between 1 and 200),
  request_hash text not null,
  project_ids uuid[] not null default '{}',
  created_at timestamptz not null default now(),
  primary key (owner_clerk_id, creation_key)
);
comment on table public.project_creations is
  'Which projects a form of an owner has made, by the key that came with it; kept for some days, and pruned as it grows.';

create index project_creations_by_age on public.project_creations (created_at);

alter table public.project_creations enable row level security;
revoke all on public.project_creations from public, anon, authenticated;
grant all on public.project_creations to service_role;
