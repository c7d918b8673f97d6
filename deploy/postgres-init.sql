-- Dagster's own database, beside the studio's: runs, their logs, ticks. It is bookkeeping; the jobs themselves are in the
-- studio's database. So a commit here need not wait for the disk.
create database dagster;
alter database dagster set synchronous_commit = off;
