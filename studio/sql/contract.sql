-- What code relies on in the schema `public`, one row per thing: its path, and what it is.
with tables as (
  select c.oid, c.relname, c.relkind from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
), named as (
  select oid, case when relkind in ('v', 'm') then 'view ' else 'table ' end || relname as path from tables
), roles (role) as (values ('anon'), ('authenticated'), ('service_role')),
functions as (
  select p.*, 'function ' || p.proname as path from pg_proc p
  where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
)
select n.path, to_jsonb(case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid)
  || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') else '' end) as thing
from named n join pg_class c using (oid)
union all
select n.path || ' column ' || a.attname,
  to_jsonb(format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
    || case when a.attgenerated <> '' or a.attidentity = 'a' then ' generated'
            when a.attidentity <> '' then ' default identity'
            when a.atthasdef then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end)
from named n join pg_attribute a on a.attrelid = n.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
union all
select n.path || ' constraint ' || c.conname, to_jsonb(pg_get_constraintdef(c.oid))
from named n join pg_constraint c on c.conrelid = n.oid and c.contype in ('c', 'f', 'p', 'u', 'x')
union all
-- What `on conflict` infers.
select n.path || ' unique ' || i.relname, to_jsonb(regexp_replace(pg_get_indexdef(i.oid), '^.* USING ', ''))
from named n join pg_index x on x.indrelid = n.oid and x.indisunique join pg_class i on i.oid = x.indexrelid
where not exists (select from pg_constraint c where c.conindid = i.oid and c.contype in ('p', 'u'))
union all
select n.path || ' trigger ' || t.tgname, to_jsonb(regexp_replace(pg_get_triggerdef(t.oid), '^CREATE TRIGGER \S+ ', '')
  || case t.tgenabled when 'O' then '' when 'D' then ' disabled' else ' enabled otherwise' end)
from named n join pg_trigger t on t.tgrelid = n.oid and not t.tgisinternal
union all
select n.path || ' rule ' || r.rulename, to_jsonb(pg_get_ruledef(r.oid))
from named n join pg_rewrite r on r.ev_class = n.oid and r.rulename <> '_RETURN'
union all
select n.path || ' policy ' || p.polname,
  to_jsonb(concat_ws(' ', case when not p.polpermissive then 'restrictive' end, p.polcmd::text, p.polroles::regrole[]::text,
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)))
from named n join pg_policy p on p.polrelid = n.oid
union all
select n.path || ' row-level security', to_jsonb(case when c.relforcerowsecurity then 'for its owner, too' else '' end)
from named n join pg_class c using (oid) where c.relrowsecurity
union all
select 'schema grant usage to ' || role, to_jsonb(''::text) from roles where has_schema_privilege(role, 'public', 'USAGE')
union all
select n.path || ' grant ' || lower(privilege) || ' to ' || r.role, to_jsonb(''::text)
from named n cross join roles r cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
where has_table_privilege(r.role, n.oid, privilege)
union all
-- Where the table as a whole is not granted.
select n.path || ' column ' || a.attname || ' grant ' || lower(privilege) || ' to ' || r.role, to_jsonb(''::text)
from named n join pg_attribute a on a.attrelid = n.oid and a.attnum > 0 and not a.attisdropped
cross join roles r cross join unnest(array['SELECT', 'INSERT', 'UPDATE']) privilege
where has_column_privilege(r.role, n.oid, a.attnum, privilege) and not has_table_privilege(r.role, n.oid, privilege)
union all
select f.path, jsonb_build_object(
  'arguments', (
    select coalesce(jsonb_agg(jsonb_build_array(
        coalesce(f.proargnames[n], ''), format_type(t, null), pg_get_function_arg_default(f.oid, n::integer))
      order by n), '[]')
    from unnest(f.proargtypes::oid[]) with ordinality a (t, n)),
  'returns', pg_get_function_result(f.oid), 'definer', f.prosecdef)
from functions f where f.prorettype <> 'trigger'::regtype
union all
select f.path || ' grant execute to ' || r.role, to_jsonb(''::text)
from functions f cross join roles r
where f.prorettype <> 'trigger'::regtype and has_function_privilege(r.role, f.oid, 'EXECUTE')
union all
select 'type ' || t.typname || ' label ' || e.enumlabel, to_jsonb(''::text)
from pg_type t join pg_enum e on e.enumtypid = t.oid where t.typnamespace = 'public'::regnamespace
order by 1
