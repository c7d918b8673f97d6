-- What Supabase brings and a plain PostgreSQL lacks: the API's roles and the claims of its tokens.
-- Run before the migrations, and only where one of these is missing.

-- Roles belong to the whole cluster: another database may be preparing them at the same moment.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['anon', 'authenticated', 'service_role'] loop
    if not exists (select from pg_roles where rolname = role_name) then
      begin
        execute format(
          'create role %I nologin noinherit %s',
          role_name,
          case when role_name = 'service_role' then 'bypassrls' else '' end
        );
      exception
        when duplicate_object or unique_violation then
          null;
        when insufficient_privilege then
          -- A managed server has no superuser for its customers, so nobody may hand this right on. Nobody of ours uses
          -- it either: the studio comes as the tables' owner, and only an API before the database becomes this role.
          execute format('create role %I nologin noinherit', role_name);
      end;
    end if;
  end loop;
end
$$;

create schema if not exists auth;
-- To everybody, as Supabase does: a policy asks on behalf of whoever runs the statement, and the
-- claims are the caller's own.
grant usage on schema auth to public;

do $$
begin
  if to_regprocedure('auth.jwt()') is null then
    -- The claims of the caller's token, as PostgREST hands them over; null outside of a request.
    create function auth.jwt() returns jsonb
      language sql stable
      set search_path = ''
      return nullif(current_setting('request.jwt.claims', true), '')::jsonb;
    grant execute on function auth.jwt() to public;
  end if;
end
$$;
