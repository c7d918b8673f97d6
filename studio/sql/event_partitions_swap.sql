-- The moment in which agent_job_events becomes partitioned. Everybody waits for it, so it only renames and attaches: what
-- wants time (the check, the two unique indexes) is there already. Parameters come as settings of the transaction, because
-- a block takes none.
do $swap$
declare
  v_bound constant text := current_setting('greenlight.partition_bound');
  v_old constant text := current_setting('greenlight.partition_name');
  v_triggers text[];
  v_policies text[];
  v_grants text[];
  v_indexes text[];
  v_keys text[];
  v_publications text[];
  v_statement text;
begin
  -- What the table refers to is locked as well, because its references change hands. In the order in which a transition
  -- takes them: a writer that has begun comes first, and hardly any is met half-way.
  lock table public.agent_jobs in access exclusive mode;
  lock table public.agent_job_events in access exclusive mode;
  lock table public.projects in access exclusive mode;
  select string_agg(distinct coalesce(r.ev_class::regclass::text, d.objid::regprocedure::text), ', ') into v_statement
  from pg_depend d left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
  where d.deptype = 'n' and (d.classid = 'pg_rewrite'::regclass and d.refobjid = 'public.agent_job_events'::regclass
    or d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_type'::regclass
       and d.refobjid = (select reltype from pg_class where oid = 'public.agent_job_events'::regclass));
  if v_statement is not null then
    raise exception 'These are made of agent_job_events, and would go on to see its old rows alone: %.', v_statement
      using hint = 'Drop them, and make them again afterwards.';
  end if;

  select array_agg(pg_get_triggerdef(t.oid) order by t.tgname) into v_triggers
  from pg_trigger t where t.tgrelid = 'public.agent_job_events'::regclass and not t.tgisinternal;
  select array_agg(format('create policy %I on public.agent_job_events as %s for %s to %s%s%s', p.policyname, p.permissive,
           p.cmd, array_to_string(array(select quote_ident(r) from unnest(p.roles) r), ', '),
           ' using (' || p.qual || ')', ' with check (' || p.with_check || ')')) into v_policies
  from pg_policies p where p.schemaname = 'public' and p.tablename = 'agent_job_events';
  select array_agg(format('grant %s on public.agent_job_events to %s', a.privilege_type,
           case when a.grantee = 0 then 'public' else quote_ident(a.grantee::regrole::text) end)) into v_grants
  from pg_class c cross join lateral aclexplode(c.relacl) a
  where c.oid = 'public.agent_job_events'::regclass and a.grantee <> c.relowner;
  -- What each index of the parent is made from; the old table's own are taken in where they are the same.
  select array_agg(pg_get_indexdef(i.indexrelid)) into v_indexes
  from pg_index i where i.indrelid = 'public.agent_job_events'::regclass and not i.indisunique;
  select array_agg(format('alter table public.agent_job_events add constraint %I %s', c.conname, pg_get_constraintdef(c.oid)))
    into v_keys
  from pg_constraint c where c.conrelid = 'public.agent_job_events'::regclass and c.contype = 'f';
  select array_agg(p.pubname::text) into v_publications
  from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
  where r.prrelid = 'public.agent_job_events'::regclass;

  foreach v_statement in array coalesce(v_publications, '{}') loop
    execute format('alter publication %I drop table public.agent_job_events', v_statement);
  end loop;
  for v_statement in
    select format('drop trigger %I on public.agent_job_events', t.tgname) from pg_trigger t
    where t.tgrelid = 'public.agent_job_events'::regclass and not t.tgisinternal
  loop
    execute v_statement;
  end loop;
  for v_statement in
    select format('drop policy %I on public.agent_job_events', p.policyname) from pg_policies p
    where p.schemaname = 'public' and p.tablename = 'agent_job_events'
  loop
    execute v_statement;
  end loop;
  -- A key of a partitioned table holds what it is partitioned by. That of project and seq alone stays with each part.
  alter table public.agent_job_events drop constraint agent_job_events_pkey;
  alter table public.agent_job_events
    add constraint agent_job_events_pkey primary key using index agent_job_events_part_pkey;
  alter table public.agent_job_events
    add constraint agent_job_events_part_seq_key unique using index agent_job_events_part_seq;
  revoke all on public.agent_job_events from anon, authenticated;
  execute format('alter table public.agent_job_events rename to %I', v_old);
  execute format('alter table public.%I set schema agent_job_event_parts', v_old);

  execute format('create table public.agent_job_events (like agent_job_event_parts.%I including defaults including constraints'
    ' including comments including storage, primary key (id, created_at),'
    ' constraint agent_job_events_part_seq_key unique (project_id, seq, created_at)) partition by range (created_at)', v_old);
  alter table public.agent_job_events drop constraint agent_job_events_part_bound;
  foreach v_statement in array coalesce(v_indexes, '{}') loop
    execute v_statement;
  end loop;
  foreach v_statement in array coalesce(v_keys, '{}') loop
    execute v_statement;
  end loop;
  execute format('alter table public.agent_job_events attach partition agent_job_event_parts.%I'
    ' for values from (minvalue) to (%L)', v_old, v_bound);
  execute format('alter table agent_job_event_parts.%I drop constraint agent_job_events_part_bound', v_old);

  alter table public.agent_job_events enable row level security;
  foreach v_statement in array coalesce(v_policies, '{}') loop
    execute v_statement;
  end loop;
  revoke all on public.agent_job_events from public, anon, authenticated, service_role;
  foreach v_statement in array coalesce(v_grants, '{}') loop
    execute v_statement;
  end loop;
  foreach v_statement in array coalesce(v_triggers, '{}') loop
    execute v_statement;
  end loop;
  foreach v_statement in array coalesce(v_publications, '{}') loop
    execute format('alter publication %I add table public.agent_job_events', v_statement);
    execute format('alter publication %I set (publish_via_partition_root = true)', v_statement);
  end loop;
end $swap$
