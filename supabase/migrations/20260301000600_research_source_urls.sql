-- An address may be longer than an index entry can be. The constraint's purpose is one row per passage of a page,
-- for which its digest does as well.

alter table public.research_sources drop constraint research_sources_job_id_url_quote_sha256_key;
create unique index research_sources_once_per_job on public.research_sources (job_id, md5(url), quote_sha256);
