-- People, batches and projects: what everything else belongs to.

-- Whatever is made from here on starts closed. Supabase's own default privileges would open each new
-- table and function to its API roles, and PostgreSQL's open each new function to everybody (a default
-- that only the form without a schema can take away).
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on tables from anon, authenticated;
alter default privileges in schema public revoke all on sequences from anon, authenticated;
alter default privileges in schema public revoke all on functions from anon, authenticated;
alter default privileges in schema public grant all on tables to service_role;
alter default privileges in schema public grant all on sequences to service_role;
alter default privileges in schema public grant execute on functions to service_role;

grant usage on schema public to authenticated, service_role;

create function public.set_updated_at() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

comment on function public.set_updated_at() is 'Keeps updated_at true, whoever writes the row.';

create table public.users (
  id uuid primary key default gen_random_uuid(),
  clerk_id text not null unique,
  email text,
  created_at timestamptz not null default now()
);

create table public.batches (
  id uuid primary key default gen_random_uuid(),
  owner_clerk_id text not null,
  name text not null,
  status text not null default 'draft' check (status in ('draft', 'running', 'completed', 'failed')),
  domain_count integer not null default 0 check (domain_count >= 0),
  scan_options jsonb not null default '{}' check (jsonb_typeof(scan_options) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index batches_owner_idx on public.batches (owner_clerk_id, created_at desc);

create trigger batches_updated_at before update on public.batches
  for each row execute function public.set_updated_at();

create table public.projects (
  id uuid primary key default gen_random_uuid(),
  owner_clerk_id text not null,
  user_id uuid references public.users (id) on delete set null,
  batch_id uuid references public.batches (id) on delete set null,
  name text not null,
  domain text,
  idea_description text not null,
  repo_url text,
  phase integer not null default 0 check (phase between 0 and 4),
  status text not null default 'active' check (status in ('active', 'paused', 'killed')),
  runtime_mode text not null default 'shared' check (runtime_mode in ('shared', 'attached')),
  -- Everything the studio may do in the world is off until somebody turns it on.
  permissions jsonb not null
    default '{"repo_write": false, "deploy": false, "email_send": false, "ads_enabled": false, "ads_budget_cap": 0}'
    check (
      jsonb_typeof(permissions) = 'object'
      and jsonb_typeof(permissions -> 'repo_write') = 'boolean'
      and jsonb_typeof(permissions -> 'deploy') = 'boolean'
      and jsonb_typeof(permissions -> 'email_send') = 'boolean'
      and jsonb_typeof(permissions -> 'ads_enabled') = 'boolean'
      and jsonb_typeof(permissions -> 'ads_budget_cap') = 'number'
      and permissions -> 'ads_budget_cap' >= '0'
    ),
  night_shift boolean not null default true,
  focus_areas text[] not null default '{}',
  scan_results jsonb,
  wizard_state jsonb not null default '{}' check (jsonb_typeof(wizard_state) = 'object'),
  repo_summary jsonb,
  brand_kit jsonb,
  deploy_status text not null default 'idle' check (deploy_status in ('idle', 'ready', 'failed')),
  live_url text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on column public.projects.phase is
  '0 pitch, 1 validate, 2 distribute, 3 go live, 4 finished; moved by decisions on gates only';

create index projects_owner_idx on public.projects (owner_clerk_id, updated_at desc);
create index projects_user_idx on public.projects (user_id);
create index projects_batch_idx on public.projects (batch_id);

create trigger projects_updated_at before update on public.projects
  for each row execute function public.set_updated_at();

-- The project of work that belongs to none: due mail, digests, upkeep.
insert into public.projects (id, owner_clerk_id, name, idea_description, night_shift)
values (
  '00000000-0000-0000-0000-000000000000',
  'system',
  'Greenlight system',
  'Carries jobs that belong to no project.',
  false
);
