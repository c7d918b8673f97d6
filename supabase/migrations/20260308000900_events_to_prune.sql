-- The jobs whose events are to be pruned next, without a look at those whose events have been. In a migration of its own,
-- because an index is made before its migration is applied.

create index if not exists agent_jobs_events_to_prune on public.agent_jobs (completed_at)
  where events_pruned_at is null and status in ('completed', 'failed', 'canceled');
