-- Sign-in without an identity provider: one-time links, and the sessions that browsers get for them.
-- Of both only the hash of the token is kept, so that who reads the tables cannot sign in.

create table public.sign_in_links (
  token_hash text primary key check (token_hash ~ '^[0-9a-f]{64}$'),
  owner_clerk_id text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default now()
);

create index sign_in_links_by_expiry on public.sign_in_links (expires_at);

create table public.sign_in_sessions (
  id uuid primary key default gen_random_uuid(),
  token_hash text not null unique check (token_hash ~ '^[0-9a-f]{64}$'),
  owner_clerk_id text not null,
  user_agent text,
  last_seen_at timestamptz not null default now(),
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);

create index sign_in_sessions_by_owner on public.sign_in_sessions (owner_clerk_id, last_seen_at desc);
create index sign_in_sessions_by_expiry on public.sign_in_sessions (expires_at);

alter table public.sign_in_links enable row level security;
alter table public.sign_in_sessions enable row level security;
revoke all on public.sign_in_links, public.sign_in_sessions from public, anon, authenticated;
grant all on public.sign_in_links, public.sign_in_sessions to service_role;
