-- The Supabase CLI's own table, made the way the CLI makes it, and our two columns.
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations
  add column if not exists statements text[],
  add column if not exists name text,
  add column if not exists checksum text,
  add column if not exists applied_at timestamptz;
-- Not with the column: rows that are there already would claim to have been applied now.
alter table supabase_migrations.schema_migrations alter column applied_at set default now();
-- Whoever works in the database without owning it has to see whether it is as new as his release.
grant usage on schema supabase_migrations to service_role;
grant select on supabase_migrations.schema_migrations to service_role;
