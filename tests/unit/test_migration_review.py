"""A new migration whose text keeps others out, or takes away what they rely on, is refused, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import migrations as scripts_migrations
from studio.database.contract import Contract
from studio.database.migration_files import Migration, contract_of, read_folder, release_number, statements
from studio.database.review import review
from studio.errors import MigrationError
from studio.paths import MIGRATIONS

CONTRACT = Contract(
    "0.3.0",
    "20260102000000",
    {"table jobs": "", "table jobs column note": "text", "table events": ""},
    ["table jobs column note"],
)


def migration(folder: Path, text: str, version: str = "20260103000000", name: str = "new") -> Migration:
    path = folder / f"{version}_{name}.sql"
    path.write_text(text)
    return Migration(version, name, path, text)


def problems(folder: Path, text: str) -> list[str]:
    return review([migration(folder, "select 1", "20260101000000", "first"), migration(folder, text)], CONTRACT)


REFUSED = {
    "drop a table": ("drop table public.jobs;", "ban-drop-table"),
    "drop a column": ("alter table public.jobs drop column state;", "ban-drop-column"),
    "rename a table": ("alter table public.jobs rename to works;", "renaming-table"),
    "rename a column": ("alter table public.jobs rename column state to status;", "renaming-column"),
    "demand a value": ("alter table public.jobs add column x text not null;", "adding-required-field"),
    "demand it later": ("alter table public.jobs alter column x set not null;", "adding-not-nullable-field"),
    "another type": ("alter table public.jobs alter column x type bigint;", "changing-column-type"),
    "a rewrite": ("alter table public.jobs add column x uuid default gen_random_uuid();", "adding-field-with-default"),
    "a check that reads all": (
        "alter table public.jobs add constraint c check (x > 0);",
        "constraint-missing-not-valid",
    ),
    "validated at once": (
        "alter table public.jobs add constraint c check (x > 0) not valid;\n"
        "alter table public.jobs validate constraint c;",
        "constraint-missing-not-valid",
    ),
    "an index": ("create index on public.jobs (x);", "jobs exists already: write `create index if not exists"),
    "an index by itself": ("create index concurrently i on public.jobs (x);", "jobs exists already"),
    "all rows": ("update public.jobs set x = 1;", "changes rows of jobs"),
    "all rows in a with": ("with a as (delete from public.jobs returning x) select * from a;", "changes rows of jobs"),
    "no rows left": ("truncate public.jobs;", "changes rows of jobs"),
    "an index of a quoted name": ('create index i on "public"."jobs" (x);', "jobs exists already"),
    "rows of a quoted name": ('update "public"."jobs" set x = 1;', "changes rows of jobs"),
    "rows that many others fill": ("insert into public.a select x from public.jobs;", "changes rows of jobs"),
    "a table that it says it makes": (
        "create table if not exists public.jobs (id int);\nupdate public.jobs set x = 1;",
        "changes rows of jobs",
    ),
    "a longer wait": ("set local lock_timeout = '1h';", "changes how the runner works"),
    "another's rights": ("set role postgres;", "changes how the runner works"),
    "a function that is asked": ("select public.f();", "can do anything"),
    "a procedure": ("call public.f();", "can do anything"),
    "a statement in another": ("explain analyze update public.jobs set x = 1;", "can do anything"),
    "a block": ("do $$ begin drop table jobs; end $$;", "can do anything"),
    "a lock": ("lock table public.jobs;", "locks tables"),
    "an end of the transaction": ("create table public.a (id int);\ncommit;", "ends the runner's transaction"),
    "a vacuum": ("vacuum full public.jobs;", "keeps everybody out"),
    "all anew": ("alter table public.jobs set unlogged;", "writes the whole table anew"),
    "an exception for the linter": ("-- squawk-ignore ban-drop-table\ndrop table public.jobs;", "by a header"),
    "a header for nothing": ("-- compatible: rows of jobs: few\nselect 1;", "has no such statement"),
    "a header nobody can read": ("-- contract: soon\nselect 1;", "cannot be read"),
    "a contract of what is not out": (
        "-- contract: 20260103000000_new, since release 0.3.0\nalter table public.jobs drop column note;",
        "only when a release has done without it",
    ),
    "a contract of a release to come": (
        "-- contract: 20260101000000_first, since release 0.4\nalter table public.jobs drop column note;",
        "release 0.4 is not out yet",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_the_previous_release_or_blocks_it_is_refused(case: str, tmp_path: Path) -> None:
    text, said = REFUSED[case]
    found = problems(tmp_path, text)
    assert any(said in problem for problem in found), found
    assert all(problem.startswith("20260103000000_new.sql") for problem in found)


PASSED = {
    "a table with all that belongs to it": "create table public.a (id bigint primary key, x text not null);\n"
    "create index on public.a (x);\nupdate public.a set x = '';",
    "a column": "alter table public.jobs add column x text, add column y bigint not null default 1;",
    "an index beforehand": "create index if not exists jobs_x on public.jobs (x) where x > 0;",
    "a check for later": "alter table public.jobs add constraint c check (x > 0) not valid;",
    "a function": "create or replace function public.f() returns int language plpgsql as $$\n"
    "begin update jobs set x = 1; drop table jobs; return 1; end $$;",
    "a function that grows": "drop function public.f(int);\n"
    "create function public.f(a int, b int default 1) returns int language sql as 'select a';",
    "rows that somebody has counted": "-- compatible: rows of jobs: a handful\nupdate public.jobs set x = 1;",
    "a block that somebody has read": "-- compatible: do: it reads only\ndo $$ begin perform 1; end $$;",
    "a question that somebody has read": "-- compatible: do: it fills a table of its own\nselect public.f();",
    "rows of its own": "create table public.a (x text);\ninsert into public.a values ('x');",
    "a contract": "-- contract: 20260101000000_first, since release 0.3.0\nalter table public.jobs drop column note;",
}


@pytest.mark.parametrize("case", PASSED)
def test_what_the_previous_release_can_live_with_passes(case: str, tmp_path: Path) -> None:
    assert problems(tmp_path, PASSED[case]) == []


def test_what_the_previous_release_has_applied_is_not_judged_any_more(tmp_path: Path) -> None:
    landed = migration(tmp_path, "drop table public.jobs;", "20260102000000", "landed")
    assert review([landed], CONTRACT) == []


def test_the_migrations_of_this_tree_pass() -> None:
    assert review(read_folder(MIGRATIONS), Contract.load()) == []


def test_statements_are_told_apart_by_more_than_their_semicolons() -> None:
    text = """-- one; not two
select 'a;b', "c;d", E'\\';' /* ; */ ;

create function f() returns text language sql as $body$ select ';' $body$;
create function g() returns text language sql as $$ select '$'; $$
"""
    assert [(found.line, found.bare) for found in statements(text)] == [
        (2, "select '', \"c;d\", ''"),
        (4, "create function f() returns text language sql as ''"),
        (5, "create function g() returns text language sql as ''"),
    ]


def test_releases_are_compared_as_numbers() -> None:
    assert release_number("0.10") > release_number("0.9.1")
    assert release_number("0.2.0") == release_number("0.2")
    assert contract_of("-- contract: 20260101000000_a.sql, since release 1.2\n") == ("20260101000000_a", "1.2")
    with pytest.raises(MigrationError, match="cannot be read"):
        contract_of("select 1;\n-- contract: 20260101000000_a\n")


def test_a_release_writes_its_contract_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scripts_migrations.CONTRACT.read_text(encoding="utf-8")
    monkeypatch.setattr(scripts_migrations, "release", lambda: Contract.load().release)
    assert scripts_migrations.write() == 1
    assert "set a higher version" in capsys.readouterr().out
    assert scripts_migrations.CONTRACT.read_text(encoding="utf-8") == before
