-- What the builders and the checker leave: a generated code base, a report with its claims and the pages they rest
-- on, and the result of looking at a page. The row is written with the last step of its job; the job is its key, so
-- that a retry finds it.

alter table public.project_assets drop constraint project_assets_kind_check;
alter table public.project_assets add constraint project_assets_kind_check check (kind in (
  'upload', 'landing_html', 'email_template', 'ads_creative', 'release_note', 'packet_export',
  'code_archive', 'report', 'page_snapshot', 'page_picture'));

-- ------------------------------------------------------------------------------------------- code.generate_mvp

create table public.code_generations (
  job_id uuid primary key references public.agent_jobs on delete cascade,
  project_id uuid not null references public.projects on delete cascade,
  description text not null,
  repository text not null,
  base_branch text,
  base_commit text check (base_commit ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
  branch text not null,
  commit_sha text not null check (commit_sha ~ '^[0-9a-f]{40}([0-9a-f]{24})?$'),
  pull_request_url text,
  finished boolean not null,
  unfinished_reason text,
  summary text not null default '',
  files jsonb not null default '[]' check (jsonb_typeof(files) = 'array'),
  left_out jsonb not null default '[]' check (jsonb_typeof(left_out) = 'array'),
  checks jsonb not null default '[]' check (jsonb_typeof(checks) = 'array'),
  sandbox text not null,
  turns integer not null check (turns >= 0),
  cost_micros bigint not null check (cost_micros >= 0),
  created_at timestamptz not null default now(),
  check (finished = (unfinished_reason is null))
);
create index code_generations_by_project on public.code_generations (project_id, created_at desc);
comment on table public.code_generations is 'Each code base that an agent wrote, as it was pushed.';
comment on column public.code_generations.files is
  '[{path, size, sha256, status: added|modified|deleted, executable}], what the commit changes.';
comment on column public.code_generations.left_out is '[{path, reason}], what the agent wrote and nobody pushed.';
comment on column public.code_generations.checks is
  '[{name, command, outcome: passed|failed|could not run, exit_code, seconds, output}], run on the committed tree.';
comment on column public.code_generations.unfinished_reason is
  'Why it is not done: the agent was stopped, or its last changes were lost; null where it is done.';
comment on column public.code_generations.cost_micros is 'Millionths of a dollar.';

-- ------------------------------------------------------------------------------------------- research.generate_report

create table public.page_snapshots (
  id uuid primary key default gen_random_uuid(),
  project_id uuid not null references public.projects on delete cascade,
  job_id uuid references public.agent_jobs on delete set null,
  url text not null,
  title text not null,
  text_sha256 text not null check (text_sha256 ~ '^[0-9a-f]{64}$'),
  text_chars integer not null check (text_chars >= 0),
  asset_id uuid references public.project_assets on delete set null,
  retrieved_by text not null check (retrieved_by in ('fetch', 'web_fetch', 'web_search')),
  retrieved_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  unique (project_id, url, text_sha256)
);
create index page_snapshots_by_job on public.page_snapshots (job_id);
create index page_snapshots_by_asset on public.page_snapshots (asset_id);
comment on table public.page_snapshots is
  'The text of a page as it was retrieved, on which quotes rest; the text itself lies in the storage.';

create table public.research_reports (
  job_id uuid primary key references public.agent_jobs on delete cascade,
  project_id uuid not null references public.projects on delete cascade,
  topic text not null,
  format text not null check (format in ('pptx', 'pdf')),
  title text not null,
  summary text not null,
  pages integer not null check (pages between 1 and 30),
  asset_id uuid not null references public.project_assets on delete cascade,
  nothing_found boolean not null,
  questions integer not null check (questions >= 0),
  claims_supported integer not null check (claims_supported >= 0),
  claims_marked integer not null check (claims_marked >= 0),
  claims_removed integer not null check (claims_removed >= 0),
  contradictions integer not null check (contradictions >= 0),
  sources integer not null check (sources >= 0),
  cost_micros bigint not null check (cost_micros >= 0),
  created_at timestamptz not null default now()
);
create index research_reports_by_project on public.research_reports (project_id, created_at desc);
create index research_reports_by_asset on public.research_reports (asset_id);
comment on table public.research_reports is 'Each report, with what became of the claims it was made from.';

create table public.report_claims (
  id uuid primary key default gen_random_uuid(),
  job_id uuid not null references public.agent_jobs on delete cascade,
  project_id uuid not null references public.projects on delete cascade,
  claim_no integer not null check (claim_no >= 1),
  question text not null,
  statement text not null,
  quote text,
  snapshot_id uuid references public.page_snapshots on delete set null,
  outcome text not null check (outcome in ('supported', 'marked', 'removed')),
  reason text,
  confidence integer not null check (confidence between 0 and 100),
  created_at timestamptz not null default now(),
  unique (job_id, claim_no),
  check (outcome <> 'supported' or quote is not null)
);
create index report_claims_by_project on public.report_claims (project_id);
create index report_claims_by_snapshot on public.report_claims (snapshot_id);
comment on table public.report_claims is
  'Each statement that research brought, the quote that carries it, and whether the checker let it stand.';

-- ------------------------------------------------------------------------------------------- browser.check_page

create table public.page_checks (
  job_id uuid primary key references public.agent_jobs on delete cascade,
  project_id uuid not null references public.projects on delete cascade,
  url text not null,
  final_url text,
  publication_no integer,
  passed boolean not null,
  results jsonb not null check (jsonb_typeof(results) = 'array'),
  desktop_asset_id uuid references public.project_assets on delete set null,
  mobile_asset_id uuid references public.project_assets on delete set null,
  checked_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
create index page_checks_by_project on public.page_checks (project_id, created_at desc);
create index page_checks_by_desktop on public.page_checks (desktop_asset_id);
create index page_checks_by_mobile on public.page_checks (mobile_asset_id);
comment on table public.page_checks is 'What a browser found on a page, each check with its evidence.';
comment on column public.page_checks.results is
  '[{check, outcome: passed|failed|not applicable|not measured, summary, evidence}]. A page passes where a check '
  'applies to it, each that does was measured, and none failed.';

-- ------------------------------------------------------------------------------------------- who may read

do $$
declare
  v_table text;
begin
  foreach v_table in array array['code_generations', 'page_snapshots', 'research_reports', 'report_claims',
      'page_checks'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('revoke all on public.%I from public, anon, authenticated', v_table);
    execute format('grant all on public.%I to service_role', v_table);
    execute format('grant select on public.%I to authenticated', v_table);
    execute format(
      'create policy %I on public.%I for select to authenticated using (project_id in ('
      'select p.id from public.projects p where p.owner_clerk_id = (select auth.jwt() ->> ''sub'')))',
      v_table || '_select_own', v_table);
  end loop;
end $$;
