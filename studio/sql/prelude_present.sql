-- Whether the database has what prelude.sql brings.
select
  to_regprocedure('auth.jwt()') is not null
  and (select count(*) from pg_roles where rolname in ('anon', 'authenticated', 'service_role')) = 3
