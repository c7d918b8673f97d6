"""`greenlight outbox` lists what leaves, shows it, and takes a person's word for what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from greenlight_dagster.cli import output
from studio import lifecycle, outbox, queue
from studio.approvals import Approval
from studio.database.connection import Database
from studio.errors import JobBusy
from tests.support.actions import Stage, action_settings, hook_client
from tests.support.approvals import FOUNDER, HOOK, REPOSITORY, Company
from tests.support.cli import NOBODY, Greenlight
from tests.support.providers import providers
from tests.support.queue import InBackground, separate_connection
from tests.support.waiting import eventually

Held = tuple[Stage, Company, Approval]


@pytest.fixture(scope="module")
def stage(db: Database, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with providers() as running:
        settings = action_settings(url, running, tmp_path_factory.mktemp("data"))
        yield Stage(db, settings, running, hook_client(running.hook_address))


@pytest.fixture
def held(stage: Stage) -> Held:
    """An event to GitHub of which nobody knows whether it arrived."""
    company, approval = stage.approved(REPOSITORY)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    return stage, company, approval


def mail(db: Database, project_id: UUID) -> UUID:
    row = db.fetch_one(
        "insert into public.email_jobs (project_id, to_email, subject, html_body, text_body, scheduled_for)"
        " values (%s, 'anna@example.org', 'Hello [bold]you[/]', '<p>Hello</p>', 'Hello [red]Anna[/]', now())"
        " returning id",
        [project_id],
    )
    assert row is not None
    return UUID(str(row["id"]))


def test_effects_and_mails_are_listed_and_what_is_held_stands_out(greenlight: Greenlight, held: Held) -> None:
    stage, company, approval = held
    letter = mail(stage.db, company.id)
    listed = greenlight("outbox", "list", "--project", company.id)
    assert listed.code == 0
    assert str(letter) in listed.out
    assert "Hello [bold]you[/]" in listed.out
    assert "repository_dispatch" in listed.out
    assert "greenlight outbox resolve ID --done, or --retry" in listed.said
    only = greenlight("outbox", "list", "--project", company.id, "--status", "unknown", "--json").json
    assert [(row["kind"], row["approval_id"]) for row in only] == [("effect", str(approval.id))]
    mails = greenlight("outbox", "list", "--project", company.id, "--kind", "mail", "--json").json
    assert [row["id"] for row in mails] == [str(letter)]
    assert "Nothing in the outbox." in greenlight("outbox", "list", "--project", company.id, "--status", "failed").out
    greenlight("outbox", "list", "--status", "nope").fails("no status 'nope'")
    greenlight("outbox", "list", "--kind", "pigeon").fails(code=2)


def test_a_list_fits_a_narrow_terminal(greenlight: Greenlight, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, company, approval = held
    letter = mail(stage.db, company.id)
    entry = stage.effect(approval)
    stage.db.execute("update public.projects set name = 'Tools for neighbours' where id = %s", [company.id])
    monkeypatch.setattr(output.out, "_width", 80)
    lines = greenlight("outbox", "list", "--project", company.id).out.splitlines()[:6]
    assert max(map(len, lines)) <= 80
    first = {line.split()[0]: (line, lines[n + 1]) for n, line in enumerate(lines) if n % 2 == 0}
    line, second = first[str(letter)]
    assert line.split()[1:3] == ["mail", "queued"]
    assert all(text in second for text in ("Hello [bold]you[/]", "anna@example.org", "Tools for"))
    line, second = first[str(entry.id)]
    assert line.split()[1:3] == ["effect", "unknown"]
    assert "repository_dispatch" in second
    rows = greenlight("outbox", "list", "--project", company.id, "--json").json
    assert {row["project_name"] for row in rows} == {"Tools for neighbours"}


def test_an_effect_and_a_mail_are_shown(greenlight: Greenlight, held: Held) -> None:
    stage, company, approval = held
    entry = stage.effect(approval)
    shown = greenlight("outbox", "show", entry.id)
    assert shown.code == 0
    assert "greenlight_phase3_launch" in shown.out
    assert "unknown" in shown.out
    assert greenlight("outbox", "show", entry.id, "--json").json["request"]["repository"] == "acme/shop"
    letter = mail(stage.db, company.id)
    assert "Hello [red]Anna[/]" in greenlight("outbox", "show", letter).out
    assert greenlight("outbox", "show", letter, "--json").json["to_email"] == "anna@example.org"
    greenlight("outbox", "show", NOBODY).fails("Nothing in the outbox has the id")
    greenlight("outbox", "show", "xyz").fails("is not a UUID")


def test_a_persons_word_settles_it(greenlight: Greenlight, held: Held) -> None:
    stage, _, approval = held
    entry = stage.effect(approval)
    greenlight("outbox", "resolve", entry.id).fails("Say what became of it", "--done where it happened")
    greenlight("outbox", "resolve", entry.id, "--done", "--retry").fails("Say what became of it")
    done = greenlight("outbox", "resolve", entry.id, "--done", "--note", "It is in Actions.")
    assert "It is done now." in done.out
    assert f"greenlight jobs tail {stage.job(approval).id}" in done.said
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1
    greenlight("outbox", "resolve", entry.id, "--retry").fails("is done: there is nothing for a person to say")
    shown = greenlight("outbox", "show", entry.id, "--json").json
    assert (shown["resolved_by"], shown["note"]) == ("local-owner", "It is in Actions.")


def test_to_be_done_again(greenlight: Greenlight, stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    stage.providers.fault("drop")
    stage.run(approval)
    ran = greenlight("outbox", "resolve", stage.effect(approval).id, "--retry", "--json").json
    assert (ran["status"], ran["job_outcome"]) == ("pending", "revived")
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


@pytest.mark.parametrize("word", ["--done", "--retry"])
def test_a_persons_word_settles_a_mail(greenlight: Greenlight, held: Held, word: str) -> None:
    stage, company, _ = held
    letter = mail(stage.db, company.id)
    stage.db.execute(
        "update public.email_jobs set status = 'unknown', claim_no = 3, begun_at = now(), begun_with = 'a',"
        " error = 'Who knows.' where id = %s",
        [letter],
    )
    said = greenlight("outbox", "resolve", letter, word, "--provider-id", "re_1", "--note", "I have asked.", "--json")
    status = "sent" if word == "--done" else "queued"
    assert said.json == {"status": status, "job_id": None, "job_outcome": None}
    shown = greenlight("outbox", "show", letter, "--json").json
    # The number of the claim has risen: its old sender has no say any more.
    assert (shown["status"], shown["claim_no"], shown["error"]) == (status, 4, None)
    assert shown["provider_message_id"] == ("re_1" if word == "--done" else None)
    assert (shown["sent_at"] is None, shown["begun_at"] is None) == (
        (False, False) if word == "--done" else (True, True)
    )
    (event,) = company.events("email.outbound.resolved")
    assert (event["data"]["by"], event["data"]["note"]) == ("local-owner", "I have asked.")
    greenlight("outbox", "resolve", letter, word).fails(f"is {status}, and nothing about it is unknown")
    greenlight("outbox", "resolve", NOBODY, word).fails("Nothing in the outbox has the id")


def test_a_mail_of_a_killed_project_is_not_sent_anew(greenlight: Greenlight, held: Held) -> None:
    stage, company, _ = held
    letter, sent = mail(stage.db, company.id), mail(stage.db, company.id)
    stage.db.execute("update public.email_jobs set status = 'unknown' where id = any (%s)", [[letter, sent]])
    lifecycle.set_status(stage.db, company.id, "killed", FOUNDER)
    ran = greenlight("outbox", "resolve", letter, "--retry")
    assert "It is failed now." in ran.out
    assert "It is not done again" in ran.out
    shown = greenlight("outbox", "show", letter, "--json").json
    assert (shown["status"], shown["error"]) == ("failed", "The project is killed.")
    (event,) = company.events("email.outbound.resolved")
    assert event["message"] == "A held mail was not sent"
    assert greenlight("outbox", "resolve", sent, "--done", "--json").json["status"] == "sent"


def test_a_word_on_what_a_job_is_at_does_not_wait_for_it(held: Held) -> None:
    stage, company, approval = held
    queue.retry(stage.db, stage.job(approval).id)
    claim = stage.claimed(approval)
    entry = stage.effect(approval).id
    with separate_connection(stage.db) as begins, begins.transaction():
        begins.execute("select public.hold_agent_job(%s, %s)", [claim.job_id, claim.claim_no])
        word = InBackground(lambda: outbox.resolve(stage.db, entry, "retry", by=FOUNDER))
        with pytest.raises(JobBusy, match="working on effect"):
            word.result(timeout=20.0)
        # What begins an execution takes next.
        begins.execute("select 1 from public.projects where id = %s for no key update nowait", [company.id])


def test_a_word_takes_the_job_before_the_project(held: Held) -> None:
    stage, company, approval = held
    job_id = stage.job(approval).id
    queue.retry(stage.db, job_id)
    entry = stage.effect(approval).id
    with separate_connection(stage.db) as other, other.transaction():
        other.execute("select 1 from public.agent_jobs where id = %s for no key update", [job_id])
        word = InBackground(lambda: outbox.resolve(stage.db, entry, "done", by=FOUNDER))
        blocked = "select count(*) as n from pg_stat_activity where %s = any (pg_blocking_pids(pid))"
        eventually(
            lambda: stage.db.fetch_one(blocked, [other.info.backend_pid]) == {"n": 1},
            what="the word waiting for the job",
        )
        other.execute("select 1 from public.projects where id = %s for no key update nowait", [company.id])
    assert word.result().status == "done"


def test_the_file_holds_nothing_secret(stage: Stage, tmp_path: Path) -> None:
    _, approval = stage.approved(HOOK)
    stage.run(approval)
    assert stage.effect(approval).request["hook"] == "https://site.test/•••"
