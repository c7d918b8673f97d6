"""After a restore nothing that happened meanwhile happens again: what can be asked for is, the rest is held.

A database that is another one than was last used gives out no work until a person has settled it. Then claims go on
above all lost ones, jobs are taken from lost runs, and whatever may have left is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from greenlight_dagster.instance.lost_history import end_open_runs, highest_claim
from greenlight_dagster.stack.databases import Databases
from greenlight_dagster.stack.urls import libpq_url
from resources import run_tags
from sensors import watcher
from studio import decisions, outbox, queue, restores
from studio.database.connection import Database
from studio.errors import Conflict, DatabaseRestored, InvalidInput, LeaseLost
from studio.restores import Restored
from studio.settings import Settings
from tests.support.actions import EFFECTS, PACKETS, PHASES, Stage
from tests.support.approvals import ADS, EMAIL, FOUNDER, HOOK, REPOSITORY
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, DagsterHome, defs, wait_for
from tests.support.dagster import enqueue as enqueue_phase0
from tests.support.dagster import make_project as make_founded
from tests.support.mail import ResendServer, add_mail, mail, send, sending_project
from tests.support.pickups import evaluate
from tests.support.postgres import TestServer
from tests.support.providers import Providers, providers
from tests.support.queue import append, claim_next, enqueue, expire_lease, make_project, running, statuses
from tests.support.restores import Histories, age, histories, settle

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def strange(database: Database) -> Database:
    """A database that finds itself on another server than it was last used on."""
    database.execute("update public.database_identity set identity = 'another server'")
    return database


@pytest.fixture(scope="module")
def all_providers() -> Iterator[Providers]:
    with providers() as running:
        yield running


@pytest.fixture
def past(postgres: TestServer, database_url: str, all_providers: Providers, tmp_path: Path) -> Iterator[Histories]:
    all_providers.clear()
    with ResendServer() as resend, histories(postgres, database_url, all_providers, resend, tmp_path) as made:
        yield made


# --- a database that is another one


def test_a_copy_on_the_same_server_is_the_same_database(database: Database) -> None:
    assert restores.is_known(database)
    restores.require_known(database)


def test_another_database_gives_out_no_work_until_it_is_settled(strange: Database, tmp_path: Path) -> None:
    job_id = enqueue(strange, make_project(strange))
    with pytest.raises(DatabaseRestored, match="after-restore"):
        claim_next(strange)
    with pytest.raises(DatabaseRestored):
        Databases(Settings(database_url=strange.url, dagster_database_url=strange.url), tmp_path).migrate()
    assert queue.get(strange, job_id).status == "queued"
    restores.settle(strange, restored_to=None, by="the operator", anyway=True)
    assert claim_next(strange).job_id == job_id


def test_a_standby_that_had_every_commit_is_only_recognised(strange: Database) -> None:
    enqueue(strange, make_project(strange))
    restores.recognise(strange)
    assert claim_next(strange).claim_no == 1
    assert strange.fetch_all("select * from public.database_restores") == []


def test_pickup_says_why_it_picks_up_nothing(instance: DagsterInstance, database: Database) -> None:
    enqueue_phase0(database, make_founded(database))
    database.execute("update public.database_identity set identity = 'another server'")
    tick = evaluate(instance)
    assert tick.run_requests in (None, [])
    assert "after-restore" in str(tick.skip_message)


def test_what_cannot_be_is_refused(database: Database) -> None:
    running(database)
    strange = database
    strange.execute("update public.database_identity set identity = 'another server'")

    def settled(**said: Any) -> Restored:
        return restores.settle(strange, **{"restored_to": None, "by": "the operator", **said})

    with Database(strange.url, application_name="greenlight-dagster") as other:
        other.execute("select 1")
        with pytest.raises(Conflict, match="greenlight-dagster"):
            settled()
    with pytest.raises(InvalidInput, match="was not restored to"):
        settled(restored_to=datetime.now(UTC) - 2 * DAY, anyway=True)
    with pytest.raises(InvalidInput, match="still to come"):
        settled(restored_to=datetime.now(UTC) + DAY, anyway=True)
    settled(anyway=True)
    with pytest.raises(Conflict, match="nothing was restored"):
        settled()


def test_a_client_whose_clock_is_wrong_keeps_no_restore_from_being_settled(strange: Database) -> None:
    enqueue(strange, make_project(strange), "of another client")
    for wrong in ("3 days", "-1 minute"):
        strange.execute("update public.agent_jobs set created_at = now() + %s::interval", [wrong])
        strange.execute("update public.database_identity set identity = 'another server'")
        said = datetime.now(UTC) - timedelta(hours=1)
        assert restores.settle(strange, restored_to=said, by="the operator", anyway=True).restored_to == said


def test_where_nobody_says_when_it_was_copied_another_clients_clock_does_not(database: Database) -> None:
    claim = running(database)
    job = queue.get(database, claim.job_id)
    enqueue(database, make_project(database), "of another client")
    database.execute("update public.database_identity set identity = 'another server'")
    settled = restores.settle(database, restored_to=None, by="the operator", anyway=True)
    assert settled.restored_to == job.started_at


def test_where_nothing_was_ever_claimed_what_is_lost_began_with_the_newest_project(strange: Database) -> None:
    project = make_project(strange)
    made = strange.fetch_one("select created_at from public.projects where id = %s", [project])
    settled = restores.settle(strange, restored_to=None, by="the operator", anyway=True)
    assert made == {"created_at": settled.restored_to}


# --- jobs


def test_jobs_are_taken_from_their_lost_runs_at_no_cost(database: Database) -> None:
    claim, doomed, waiting = running(database), running(database), enqueue(database, make_project(database))
    queue.cancel(database, doomed.job_id, "No longer wanted.")
    done = settle(database, restored_to=None)
    assert (done.jobs_queued_again, done.jobs_canceled) == (1, 1)
    job = queue.get(database, claim.job_id)
    assert (job.status, job.attempts, job.interruptions) == ("queued", 0, 0)
    assert "restored" in str(job.last_error)
    assert queue.get(database, doomed.job_id).last_error == "No longer wanted."
    assert statuses(database, doomed.job_id)[-1] == "canceled"
    # A run that lives on has no say any more, neither now nor when the job runs again.
    for again in (False, True):
        for say in (claim.complete, lambda: append(claim), lambda: claim.once("step", dict)):
            with pytest.raises(LeaseLost):
                say()
        assert claim.renew(timedelta(minutes=1)) is None
        if not again:
            numbers = {job.id: job.claim_no for job in queue.claim(database, "w", limit=9, lane=None, lease=DAY)}
    assert set(numbers) == {claim.job_id, waiting}
    assert min(numbers.values()) >= done.claim_floor > 1_000_000_000


def test_claims_go_on_above_every_lost_one_however_often_it_is_restored(database: Database) -> None:
    claim = running(database)
    floors = [settle(database, restored_to=None).claim_floor for _ in range(3)]
    assert floors == sorted(set(floors))
    above = settle(database, restored_to=None, claim_floor=5_000_000_000).claim_floor
    assert above == 5_000_000_000
    again = claim_next(database)
    assert (again.job_id, again.claim_no) == (claim.job_id, above)
    expire_lease(database, claim.job_id)
    queue.reclaim_stale(database)
    assert claim_next(database).claim_no == above + 1


def test_a_run_of_the_lost_history_is_not_taken_for_the_jobs_own(
    past: Histories, home: DagsterHome, instance: DagsterInstance
) -> None:
    # The studio's database is set back behind Dagster's, which knows of the run that had the job's next claim.
    lost = past.stage.db
    job_id = enqueue_phase0(lost, make_founded(lost))
    restored = past.copied()
    lost = past.stage.db
    assert home.execute({"job_id": job_id}, DATABASE_URL=lost.url).wait() == 0
    wait_for(lost, job_id, "completed")
    used = queue.get(lost, job_id).claim_no
    dagster_url = libpq_url(home.variables["GREENLIGHT_DAGSTER_DATABASE_URL"])
    assert highest_claim(dagster_url) == used == 1

    db = restored(claim_floor=highest_claim(dagster_url) + 1).db
    claim = claim_next(db)
    assert claim.job_id == job_id
    # The watcher would bring it back as one whose process was lost, again and again.
    assert watcher.watch_once(db, instance) == []
    assert queue.get(db, job_id).status == "running"
    assert claim.claim_no > used, "Dagster skips a run key that it has seen, for ever"


def test_open_runs_of_the_lost_history_are_ended_in_dagster(instance: DagsterInstance) -> None:
    job = defs.resolve_job_def(JOB_NAME)
    run = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED, tags={run_tags.CLAIM_NO: "7"})
    done = instance.create_run_for_job(job, status=DagsterRunStatus.SUCCESS)
    assert end_open_runs(instance, "restored") == 1
    assert instance.get_run_by_id(run.run_id).status is DagsterRunStatus.FAILURE
    assert instance.get_run_by_id(done.run_id).status is DagsterRunStatus.SUCCESS
    assert end_open_runs(instance, "restored") == 0


def test_a_strangers_form_is_not_sent_again(database: Database) -> None:
    project = make_project(database)
    jobs = [enqueue(database, project, job_type="browser.check_page") for _ in range(2)]
    claim = claim_next(database)
    claim.once("look/form", lambda: {"begun": True, "form": {"pressed": True}})
    assert settle(database, restored_to=None).forms_not_sent_again == 1
    noted = {
        row["job_id"]: row["output"]
        for row in database.fetch_all("select job_id, output from public.agent_job_steps where step = 'look/form'")
    }
    [other] = set(jobs) - {claim.job_id}
    assert noted == {claim.job_id: {"begun": True, "form": {"pressed": True}}, other: {"begun": True, "form": None}}


def test_nobody_stays_signed_in(database: Database) -> None:
    database.execute(
        "insert into public.sign_in_sessions (token_hash, owner_clerk_id, expires_at)"
        " values (repeat('0', 64), 'anna', now() + interval '1 day')"
    )
    database.execute(
        "insert into public.sign_in_links (token_hash, owner_clerk_id, expires_at)"
        " values (repeat('1', 64), 'anna', now() + interval '1 day')"
    )
    done = settle(database, restored_to=None)
    assert (done.sessions_ended, done.sign_in_links_ended) == (1, 1)


# --- mails


@pytest.mark.parametrize("remembers", [True, False])
def test_a_mail_that_left_meanwhile_does_not_leave_twice(past: Histories, remembers: bool) -> None:
    lost = past.stage
    project = sending_project(lost.db)
    sent_before = add_mail(lost.db, project)
    send(lost.db, lost.settings)
    due = [add_mail(lost.db, project) for _ in range(3)]
    later = add_mail(lost.db, project, scheduled_for=datetime.now(UTC) + DAY)
    restored = past.copied()
    send(past.stage.db, lost.settings)
    assert sum(past.resend.to().values()) == 4

    now = restored()
    if not remembers:
        age(now.db, DAY)
        past.resend.forget()
    assert mail(now.db, due[0])["status"] == "queued"
    send(now.db, now.settings)
    assert mail(now.db, later)["status"] == "queued"
    assert set(past.resend.to().values()) == {1}
    states = {row: mail(now.db, row)["status"] for row in [sent_before, *due]}
    assert states == {sent_before: "sent", **dict.fromkeys(due, "sent" if remembers else "unknown")}
    held = outbox.find(now.db, status="unknown")
    assert {entry.id for entry in held} == (set() if remembers else set(due))
    if not remembers:
        assert "before the database was restored" in mail(now.db, due[0])["error"]


def test_what_was_not_due_before_the_restore_is_sent_without_a_doubt(past: Histories) -> None:
    project = sending_project(past.stage.db)
    soon = datetime.now(UTC) + timedelta(hours=1)
    later = add_mail(past.stage.db, project, scheduled_for=soon)
    now = past.copied()()
    age(now.db, DAY)
    assert now.db.fetch_one("select public.mail_in_doubt_since(e) as since from public.email_jobs e") == {"since": None}
    send(now.db, now.settings, now=soon + SECOND)
    assert mail(now.db, later)["status"] == "sent"


def test_a_mail_that_is_made_again_meets_its_own_key(past: Histories) -> None:
    project = sending_project(past.stage.db)
    restored = past.copied()
    letter = {"to_email": "reader@example.org", "outbox_key": "greeting"}
    add_mail(past.stage.db, project, **letter)
    other = {"to_email": "other@example.org", "outbox_key": "report"}
    add_mail(past.stage.db, project, **other)
    send(past.stage.db, past.stage.settings)

    now = restored()
    again = add_mail(now.db, project, **letter)
    # A model has found other words: the provider knows the key, and refuses to guess which is meant.
    changed = add_mail(now.db, project, **other, html_body="<p>Other words</p>")
    send(now.db, now.settings)
    assert set(past.resend.to().values()) == {1}
    assert (mail(now.db, again)["status"], mail(now.db, changed)["status"]) == ("sent", "unknown")


def _new_project(db: Database, project: UUID) -> UUID:
    return add_mail(db, sending_project(db), outbox_key="greeting")


def _without_key(db: Database, project: UUID) -> UUID:
    return add_mail(db, project)


def _after_weeks(db: Database, project: UUID) -> UUID:
    return add_mail(db, project, outbox_key="greeting", created_at=datetime.now(UTC) + timedelta(days=9))


def _next_overview(db: Database, project: UUID) -> UUID:
    tomorrow = datetime.now(UTC) + timedelta(hours=25)
    return add_mail(db, project, outbox_key="overview:tomorrow", category="overview", created_at=tomorrow)


def _new_sign_up(db: Database, project: UUID) -> UUID:
    row = db.fetch_one(
        "insert into public.waitlist_signups (project_id, email) values (%s, 'new@example.org') returning id", [project]
    )
    assert row is not None
    return add_mail(db, project, outbox_key="confirm", category="waitlist", confirms_signup_id=row["id"])


def _drip(db: Database, project: UUID, week: str, kind: str = "weekly_digest") -> UUID:
    row = db.fetch_one(
        "with u as (insert into public.users (clerk_id) values (gen_random_uuid()) returning id)"
        " insert into public.drip_email_log (user_id, email_type, digest_week, to_email, subject, status)"
        " select id, %s, %s, 'a@example.org', 'A', 'sending' from u returning id",
        [kind, week],
    )
    assert row is not None
    return add_mail(db, project, outbox_key=f"{kind}:{week}", category="drip", drip_id=row["id"])


def _next_digest(db: Database, project: UUID) -> UUID:
    return _drip(db, project, "2999-W01")


@pytest.mark.parametrize(
    "made",
    [_new_project, _without_key, _after_weeks, _next_overview, _new_sign_up, _next_digest],
    ids=lambda made: made.__name__,
)
def test_a_new_occasion_is_in_no_doubt(past: Histories, made: Callable[[Database, UUID], UUID]) -> None:
    project = sending_project(past.stage.db)
    now = past.copied()()
    age(now.db, 3 * DAY)
    row = made(now.db, project)
    send(now.db, now.settings)
    assert mail(now.db, row)["status"] == "sent", mail(now.db, row)["error"]


def _a_letter(db: Database, project: UUID) -> UUID:
    return add_mail(db, project, outbox_key="greeting")


def _this_overview(db: Database, project: UUID) -> UUID:
    return add_mail(db, project, outbox_key="overview:today", category="overview")


def _last_digest(db: Database, project: UUID) -> UUID:
    return _drip(db, project, "2020-W01")


def _nudge(db: Database, project: UUID) -> UUID:
    return _drip(db, project, "", "nudge_no_reviews")


@pytest.mark.parametrize("made", [_a_letter, _this_overview, _last_digest, _nudge], ids=lambda made: made.__name__)
def test_what_may_have_been_made_before_is_held_where_nobody_remembers(
    past: Histories, made: Callable[[Database, UUID], UUID]
) -> None:
    project = sending_project(past.stage.db)
    now = past.copied()()
    age(now.db, 3 * DAY)
    row = made(now.db, project)
    send(now.db, now.settings)
    assert mail(now.db, row)["status"] == "unknown"
    # Whoever has looked has the last word.
    outbox.resolve(now.db, row, "retry", by="the operator")
    send(now.db, now.settings)
    assert mail(now.db, row)["status"] == "sent"
    assert past.resend.to().total() == 1


# --- effects


@pytest.mark.parametrize("action", list(EFFECTS))
@pytest.mark.parametrize("decided", ["before", "meanwhile"])
def test_an_effect_that_was_done_meanwhile_is_not_done_twice(past: Histories, action: str, decided: str) -> None:
    lost = past.stage
    if decided == "before":
        _, approval = lost.approved(action)
    else:
        company = lost.company(action)
        phase = PHASES[action]
        approval = company.asked(action, packet=company.packet(phase, **PACKETS[phase]), asked_by=FOUNDER)
    restored = past.copied()

    def decide(stage: Stage) -> None:
        if decided == "meanwhile":
            decisions.decide(stage.db, approval.id, "approved", version=approval.version, decided_by=FOUNDER)

    lost = past.stage
    decide(lost)
    assert lost.run_to_end(approval) == "completed"
    assert lost.happened(approval) == 1

    now = restored()
    decide(now)
    if action == ADS:
        assert now.run_to_end(approval) == "completed", now.job(approval).last_error
        assert now.effect(approval).provider_id is not None
    else:
        assert now.run_to_end(approval) == "failed"
        assert now.effect(approval).status == "unknown"
        [held] = outbox.find(now.db, status="unknown")
        assert held.approval_id == approval.id
        assert "restored" in str(held.error)
        outbox.resolve(now.db, held.id, "done", by="the operator")
        assert now.run_to_end(approval) == "completed"
    assert now.happened(approval) == 1


@pytest.mark.parametrize("action", list(EFFECTS))
def test_an_effect_that_was_not_done_is_done_once_somebody_knows(past: Histories, action: str) -> None:
    _, approval = past.stage.approved(action)
    now = past.copied()()
    if action != ADS:
        assert now.run_to_end(approval) == "failed"
        [held] = outbox.find(now.db, status="unknown")
        outbox.resolve(now.db, held.id, "retry", by="the operator")
    assert now.run_to_end(approval) == "completed", now.job(approval).last_error
    assert now.happened(approval) == 1


@pytest.mark.parametrize("action", [HOOK, REPOSITORY])
def test_what_is_approved_after_the_restore_is_in_no_doubt(past: Histories, action: str) -> None:
    now = past.copied()()
    _, approval = now.approved(action)
    assert now.run_to_end(approval) == "completed"
    assert now.happened(approval) == 1


def test_a_campaign_that_left_meanwhile_is_not_sent_twice(past: Histories) -> None:
    lost = past.stage
    company, approval = lost.approved(EMAIL)
    lost.sign_up(company, "reader@example.org")
    restored = past.copied()
    lost = past.stage
    assert lost.run_to_end(approval) == "completed"
    send(lost.db, lost.settings)
    assert past.resend.to()["reader@example.org"] == 1

    now = restored()
    past.resend.forget()
    age(now.db, DAY)
    assert now.run_to_end(approval) == "completed"
    now.sign_up(company, "newcomer@example.org")
    now.db.execute("select public.queue_email_sequence(%s, array['newcomer@example.org'])", [approval.id])
    send(now.db, now.settings)
    assert past.resend.to() == {"reader@example.org": 1, "newcomer@example.org": 1}
    [held] = outbox.find(now.db, status="unknown")
    assert held.recipient == "reader@example.org"
