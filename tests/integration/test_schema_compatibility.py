"""The schema of this tree keeps what the previous release relies on; each way of breaking it is found and named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.database.connection import Database
from studio.database.contract import Breach, Contract, breaches, payloads, things_of, unaccepted
from studio.database.migration_files import Migration, read_folder
from studio.job_types import JOB_TYPES
from studio.paths import MIGRATIONS


def test_the_previous_release_finds_all_that_it_relies_on(database: Database) -> None:
    contract = Contract.load()
    found = breaches(contract, things_of(database) | payloads())
    assert unaccepted(contract, found, read_folder(MIGRATIONS)) == []


# What a migration might do, and what the previous release would miss.
BREAKING = {
    "drop table public.worker_heartbeats": ["table worker_heartbeats is not there any more"],
    "alter table public.tasks drop column detail": ["table tasks column detail is not there any more"],
    "alter table public.tasks rename column detail to details": ["table tasks column detail is not there any more"],
    "alter table public.agent_jobs alter column attempts type bigint": [
        "table agent_jobs column attempts was “integer not null default 0” and is “bigint not null default 0”"
    ],
    "alter table public.tasks add column a text not null": [
        "table tasks column a is new, must not be null and has no default, so that the previous release cannot insert"
    ],
    "alter table public.tasks alter column detail set not null": [
        "table tasks column detail was “text” and is “text not null”"
    ],
    "alter table public.agent_jobs alter column attempts drop default": ["table agent_jobs column attempts was"],
    "alter table public.agent_jobs alter column attempts set default 1": [
        "table agent_jobs column attempts was “integer not null default 0” and is “integer not null default 1”"
    ],
    "alter table public.agent_jobs add column a int, add constraint a_given check (a is not null) not valid": [
        "table agent_jobs constraint a_given is new, and may refuse what the previous release writes"
    ],
    "alter table public.agent_jobs add column a int not null default 0;"
    "create unique index a on public.agent_jobs (a)": [
        "table agent_jobs unique a is new, and may refuse what the previous release writes"
    ],
    "create function public.fits(public.agent_jobs) returns boolean language sql immutable as 'select false';"
    "alter table public.agent_jobs add constraint fits check (public.fits(agent_jobs)) not valid": [
        "table agent_jobs constraint fits is new, and may refuse what the previous release writes"
    ],
    "create table public.notes (id int primary key, job_id uuid references public.agent_jobs (id))": [
        "table notes constraint notes_job_id_fkey is new, and keeps the previous release from deleting rows of"
    ],
    "alter table public.agent_jobs drop constraint agent_jobs_status_check,"
    " add constraint agent_jobs_status_check check (status <> 'canceled')": [
        "table agent_jobs constraint agent_jobs_status_check was"
    ],
    "alter table public.agent_jobs add constraint fewer check (priority < 100) not valid": [
        "table agent_jobs constraint fewer is new, and may refuse what the previous release writes"
    ],
    "create unique index one_at_a_time on public.agent_jobs (project_id) where status = 'running'": [
        "table agent_jobs unique one_at_a_time is new, and may refuse what the previous release writes"
    ],
    "alter table public.agent_jobs drop constraint agent_jobs_project_id_idempotency_key_key": [
        "table agent_jobs constraint agent_jobs_project_id_idempotency_key_key is not there any more"
    ],
    "drop trigger agent_jobs_prepare on public.agent_jobs": [
        "table agent_jobs trigger agent_jobs_prepare is not there any more"
    ],
    "alter table public.agent_jobs disable trigger agent_jobs_prepare": [
        "table agent_jobs trigger agent_jobs_prepare was"
    ],
    "create trigger again before insert on public.agent_jobs for each row"
    " execute function public.agent_jobs_prepare()": [
        "table agent_jobs trigger again is new, and may refuse or change what the previous release writes"
    ],
    "create rule never as on delete to public.tasks do instead nothing": [
        "table tasks rule never is new, and may refuse or change what the previous release writes"
    ],
    "create policy never on public.agent_jobs as restrictive for select to authenticated using (false)": [
        "table agent_jobs policy never is new, and hides rows from the previous release"
    ],
    "alter table public.agent_jobs force row level security": [
        "table agent_jobs row-level security was “” and is “for its owner, too”"
    ],
    "revoke select (provider) on public.project_integrations from authenticated": [
        "table project_integrations column provider grant select to authenticated is not there any more"
    ],
    "alter view public.outbox_entries set (security_invoker = false)": ["view outbox_entries was"],
    "drop policy agent_jobs_select_own on public.agent_jobs": [
        "table agent_jobs policy agent_jobs_select_own is not there any more"
    ],
    "alter table public.agent_jobs disable row level security": [
        "table agent_jobs row-level security is not there any more"
    ],
    "revoke select on public.agent_jobs from authenticated": [
        "table agent_jobs grant select to authenticated is not there any more"
    ],
    "drop function public.cancel_agent_job(uuid, text)": ["function cancel_agent_job is not there any more"],
    "alter function public.cancel_agent_job(uuid, text) rename to cancel_job": [
        "function cancel_agent_job is not there any more"
    ],
    "create or replace function public.cancel_agent_job(p_job_id uuid, p_reason text default 'no') returns text"
    " language sql as 'select $2'": [
        "function cancel_agent_job its argument p_reason was NULL::text by default and is"
    ],
    "create function public.cancel_agent_job(p_job_id uuid) returns text language sql as 'select null::text'": [
        "function cancel_agent_job there is more than one of this name, and PostgREST cannot choose"
    ],
    "drop function public.cancel_agent_job(uuid, text);"
    "create function public.cancel_agent_job(p_job_id uuid, p_reason text) returns text language sql as 'select $2'": [
        "function cancel_agent_job its argument p_reason has lost its default"
    ],
    "drop function public.cancel_agent_job(uuid, text);"
    "create function public.cancel_agent_job(p_id uuid, p_reason text default null) returns text"
    " language sql as 'select $2'; grant execute on function public.cancel_agent_job to service_role": [
        "function cancel_agent_job its argument p_job_id uuid is not where it was"
    ],
    "drop function public.cancel_agent_job(uuid, text);"
    "create function public.cancel_agent_job(p_job_id uuid, p_reason text default null) returns boolean"
    " language sql as 'select true'; grant execute on function public.cancel_agent_job to service_role": [
        "function cancel_agent_job returned text and returns boolean"
    ],
    "revoke execute on function public.cancel_agent_job from service_role": [
        "function cancel_agent_job grant execute to service_role is not there any more"
    ],
}


@pytest.mark.parametrize("change", BREAKING)
def test_a_change_that_breaks_the_previous_release_is_named(change: str, database: Database) -> None:
    assert said(database, change) == BREAKING[change]


def said(database: Database, change: str) -> list[str]:
    """Carry out `change` and return what it breaks, as much of each sentence as the test gives."""
    before = Contract("0", "0", things_of(database))
    database.execute(change)  # type: ignore[arg-type]
    found = [f"{breach.path} {breach.problem}" for breach in breaches(before, things_of(database))]
    expected = BREAKING.get(change, [])
    return [text if any(one.startswith(text) for one in found) else f"not found among {found}" for text in expected] + [
        one for one in found if not any(one.startswith(text) for text in expected)
    ]


HARMLESS = [
    "create table public.something (id int primary key, x text not null)",
    "alter table public.tasks add column a text, add column b integer not null default 0",
    "alter table public.tasks add column c integer check (c > 0)",
    "alter table public.tasks alter column detail set default ''",
    "create index on public.tasks (detail)",
    "alter table public.tasks add column d text unique",
    "create table public.notes (id int primary key, job_id uuid references public.agent_jobs (id) on delete set null)",
    "create policy more on public.agent_jobs for select to authenticated using (true)",
    "create function public.something() returns int language sql as 'select 1'",
    "drop function public.cancel_agent_job(uuid, text);"
    "create function public.cancel_agent_job(p_job_id uuid, p_reason text default null, p_by text default null)"
    " returns text language sql as 'select $2'; grant execute on function public.cancel_agent_job to service_role",
]


@pytest.mark.parametrize("change", HARMLESS)
def test_what_only_adds_breaks_nothing(change: str, database: Database) -> None:
    assert said(database, change) == []


# --- what a migration may say about it


def new(text: str, version: str = "20990101000000") -> Migration:
    return Migration(version, "new", Path(f"{version}_new.sql"), text)


PATH = "table jobs constraint jobs_state_check"
JUDGED = Contract("1.0", "20260101000000", {"table jobs": "", PATH: "CHECK (a)"})


def test_a_difference_that_a_person_has_judged_is_accepted_and_a_header_for_nothing_is_not() -> None:
    found = [Breach(PATH, "was “a” and is “b”")]
    assert unaccepted(JUDGED, found, [new("select 1")]) == [f"{PATH} was “a” and is “b”"]
    assert unaccepted(JUDGED, found, [new(f"-- compatible: {PATH}: it admits one state more\n")]) == []
    assert unaccepted(JUDGED, [], [new(f"-- compatible: {PATH}: it admits one state more\n")]) == [
        f"20990101000000_new.sql accepts “{PATH}”, but there is no such breach"
    ]
    old = new(f"-- compatible: {PATH}: it admits one state more\n", "20260101000000")
    assert len(unaccepted(JUDGED, found, [old])) == 1


def test_only_what_the_previous_release_has_listed_may_be_taken_away() -> None:
    header = "-- contract: 20260101000000_x, since release 1.0\n"
    gone = [Breach("table jobs column note", "is not there any more")]
    things: dict[str, Any] = {"table jobs": "", "table jobs column note": "text"}
    listed = Contract("1.0", "20260101000000", things, ["table jobs column note"])
    assert unaccepted(listed, gone, [new(header)]) == []
    assert len(unaccepted(listed, gone, [new("select 1")])) == 1
    assert len(unaccepted(Contract("1.0", "20260101000000", things), gone, [new(header)])) == 1


# --- payloads


def test_a_payload_whose_fields_change_wants_a_version_of_its_own() -> None:
    kind = JOB_TYPES["chat.reply"]
    path = f"payload {kind.name}"
    now = payloads([kind])
    before = Contract("1", "0", {path: {**now[path], "required": []}})
    assert [breach.path for breach in breaches(before, now)] == [path]
    newer = {path: {**now[path], "version": kind.payload_version + 1}}
    assert breaches(before, newer) == []
    assert breaches(Contract("1", "0", newer), now)[0].problem.startswith("was of version")
