-- On what an index is made before its migration: on the table, or on each partition of a partitioned one; nothing
-- where there is no such table, or where the index stands. `broken` is what an attempt that failed has left of it.
-- No lock is left behind: `pg_partition_tree` would hold one until the transaction ends, and who drops a broken index
-- waits for that.
with recursive family as (
  select c.oid, c.relname, c.relkind, c.oid as root from pg_class c where c.oid = to_regclass(%(table)s)
  union all
  select c.oid, c.relname, c.relkind, f.root
  from family f join pg_inherits i on i.inhparent = f.oid join pg_class c on c.oid = i.inhrelid
  where f.relkind = 'p'
), targets as (
  select oid, root, oid::regclass::text as relation,
         case when oid = root then %(index)s::name else left(relname || '_' || %(index)s, 63)::name end as name
  from family where relkind = 'r'
), there as (
  select i.indrelid, i.indexrelid, i.indisvalid, c.relname
  from pg_index i join pg_class c on c.oid = i.indexrelid join family f on f.oid = i.indrelid
)
select quote_ident(t.name) as name, t.relation,
       (select b.indexrelid::regclass::text from there b
        where b.indrelid = t.oid and b.relname = t.name and not b.indisvalid) as broken
from targets t
where not exists (select from there w where w.indrelid = t.root and w.relname = %(index)s and w.indisvalid)
order by t.oid
