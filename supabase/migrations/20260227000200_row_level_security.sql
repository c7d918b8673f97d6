-- Who may see and write what. The studio's own processes connect as the owner or as service_role and
-- are not subject to this; it is the second line for everything that speaks to the database with a
-- user's token. The rule is: nothing, but what is granted here.
--
-- Policies compare with `(select auth.jwt() ->> 'sub')`, and look projects up by `in (select …)`: both
-- are then worked out once per statement, not once per row.

do $$
declare
  v_table text;
begin
  foreach v_table in array array[
    'users', 'batches', 'projects',
    'phase_packet_versions', 'phase_packets', 'research_sources', 'approval_queue', 'action_executions',
    'agent_memory', 'tasks', 'task_log', 'project_events', 'project_brain_documents',
    'project_brain_updates', 'project_chat_messages', 'project_assets', 'project_deployments',
    'packet_share_links', 'waitlist_signups', 'domain_scan_cache', 'email_jobs', 'drip_email_log',
    'project_email_identities', 'inbound_email_messages', 'github_connections', 'project_integrations',
    'project_recurring_tasks', 'project_analytics_events', 'project_payment_events',
    'project_runtime_instances', 'project_provisioning_jobs', 'project_runtime_secrets', 'worker_heartbeats'
  ] loop
    execute format('alter table public.%I enable row level security', v_table);
    -- Supabase grants everything on every new table to both roles.
    execute format('revoke all on public.%I from public, anon, authenticated', v_table);
    execute format('grant all on public.%I to service_role', v_table);
  end loop;

  -- Everything that belongs to a project is its owner's to read. Not in the list, and so the server's
  -- alone: domain_scan_cache and worker_heartbeats.
  foreach v_table in array array[
    'phase_packet_versions', 'phase_packets', 'research_sources', 'approval_queue', 'action_executions',
    'agent_memory', 'tasks', 'task_log', 'project_events', 'project_brain_documents',
    'project_brain_updates', 'project_chat_messages', 'project_assets', 'project_deployments',
    'packet_share_links', 'waitlist_signups', 'email_jobs', 'project_email_identities',
    'inbound_email_messages', 'project_integrations', 'project_recurring_tasks',
    'project_analytics_events', 'project_payment_events', 'project_runtime_instances',
    'project_provisioning_jobs', 'project_runtime_secrets'
  ] loop
    execute format(
      'create policy %I on public.%I for select to authenticated using (project_id in ('
      'select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> ''sub'')))',
      v_table || '_select_own', v_table);
    if v_table <> 'project_integrations' then
      execute format('grant select on public.%I to authenticated', v_table);
    end if;
  end loop;
end $$;

-- All but the secret.
grant select (id, project_id, provider, enabled, config_masked, created_at, updated_at)
  on public.project_integrations to authenticated;

-- ------------------------------------------------------------------------------------------ people

grant select, insert (clerk_id, email), update (email) on public.users to authenticated;
create policy users_select_own on public.users for select to authenticated
  using (clerk_id = (select auth.jwt() ->> 'sub'));
create policy users_insert_own on public.users for insert to authenticated
  with check (clerk_id = (select auth.jwt() ->> 'sub'));
create policy users_update_own on public.users for update to authenticated
  using (clerk_id = (select auth.jwt() ->> 'sub'))
  with check (clerk_id = (select auth.jwt() ->> 'sub'));

grant select (id, clerk_id, username, avatar, github_id, scopes, connected_at)
  on public.github_connections to authenticated;
create policy github_connections_select_own on public.github_connections for select to authenticated
  using (clerk_id = (select auth.jwt() ->> 'sub'));

grant select on public.drip_email_log to authenticated;
create policy drip_email_log_select_own on public.drip_email_log for select to authenticated
  using (user_id in (select u.id from public.users u where u.clerk_id = (select auth.jwt() ->> 'sub')));

-- ---------------------------------------------------------------------------- batches and projects

grant select, insert (owner_clerk_id, name, domain_count, scan_options), update (name, scan_options)
  on public.batches to authenticated;
create policy batches_select_own on public.batches for select to authenticated
  using (owner_clerk_id = (select auth.jwt() ->> 'sub'));
create policy batches_insert_own on public.batches for insert to authenticated
  with check (owner_clerk_id = (select auth.jwt() ->> 'sub'));
create policy batches_update_own on public.batches for update to authenticated
  using (owner_clerk_id = (select auth.jwt() ->> 'sub'))
  with check (owner_clerk_id = (select auth.jwt() ->> 'sub'));

-- An owner describes the project. Permissions, phase, status, runtime, publication and ownership move
-- through audited decisions only, so these columns are out of a token's reach.
grant select,
  insert (owner_clerk_id, name, domain, idea_description, repo_url, night_shift, focus_areas, wizard_state),
  update (name, domain, idea_description, repo_url, night_shift, focus_areas, wizard_state)
  on public.projects to authenticated;
create policy projects_select_own on public.projects for select to authenticated
  using (owner_clerk_id = (select auth.jwt() ->> 'sub'));
create policy projects_insert_own on public.projects for insert to authenticated
  with check (owner_clerk_id = (select auth.jwt() ->> 'sub'));
create policy projects_update_own on public.projects for update to authenticated
  using (owner_clerk_id = (select auth.jwt() ->> 'sub'))
  with check (owner_clerk_id = (select auth.jwt() ->> 'sub'));

-- --------------------------------------------------------------------------------------------- chat

-- A user speaks as a user: nobody writes the studio's side of a conversation.
grant insert (project_id, owner_clerk_id, role, content) on public.project_chat_messages to authenticated;
create policy project_chat_messages_insert_own on public.project_chat_messages for insert to authenticated
  with check (
    role = 'user'
    and owner_clerk_id = (select auth.jwt() ->> 'sub')
    and project_id in (
      select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> 'sub'))
  );

-- ---------------------------------------------------------------------------------------- functions

-- Functions change jobs, money and packets; only the server calls them. Later ones are covered by the
-- default privileges of the first migration.
revoke execute on all functions in schema public from public, anon, authenticated;
grant execute on all functions in schema public to service_role;
