"""`greenlight doctor` says what is set, reachable and missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.storage import BUCKET
from tests.integration.studio_web.test_clerk import Issuer
from tests.support.actions import Stage, action_settings, hook_client
from tests.support.approvals import REPOSITORY
from tests.support.cli import Greenlight, findings
from tests.support.mail import add_mail, sending_project
from tests.support.model import scripted_model
from tests.support.providers import providers
from tests.support.sandbox import SandboxThread
from tests.support.supabase_storage import KEY, SupabaseServer
from tests.support.web import LINK_SECRET, StudioThread, WebThread


@pytest.fixture(autouse=True)
def no_home_of_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_a_healthy_studio_is_said_to_be_healthy(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, db: Database, tmp_path: Path
) -> None:
    with (
        SandboxThread() as sandbox,
        WebThread(db, tmp_path / "data") as web,
        StudioThread(db, tmp_path / "data") as studio,
    ):
        monkeypatch.setenv("GREENLIGHT_PAGES_URL", web.url)
        monkeypatch.setenv("GREENLIGHT_LINK_SECRET", LINK_SECRET)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("CLAUDE_DIRECT_MODEL", "sandbox")
        monkeypatch.setenv("APP_BASE_URL", studio.url)
        ran, plain = greenlight("doctor", "--json"), greenlight("doctor")
        assert sandbox.requests() == [], "doctor called the model"
    assert ran.code == plain.code == 0
    found = findings(ran)
    assert {finding["state"] for finding in found.values()} == {"ok"}
    assert "PostgreSQL" in found["database"]["detail"]
    assert sandbox.url in found["model"]["detail"]
    assert web.url in found["web"]["detail"]
    assert studio.url in found["studio"]["detail"]
    assert "0 files" in found["storage"]["detail"]
    assert "sk-secret" not in ran.out + plain.out
    assert LINK_SECRET not in ran.out + plain.out
    assert "✓ model" in plain.out


def test_what_is_only_missing_is_a_warning(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("GREENLIGHT_OUTBOUND", "false")
    ran = greenlight("doctor", "--json")
    assert ran.code == 0
    found = findings(ran)
    for what in ("stack", "database", "model", "outbound requests", "studio", "web"):
        assert found[what]["state"] == "warning", what


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/studio"}, "database"),
        ({"DATABASE_URL": "postgresql://me:sec/ret@127.0.0.1/studio"}, "database"),
        ({"SUPABASE_URL": "https://sec.supabase.test"}, "storage"),
        ({"GREENLIGHT_PAGES_URL": "http://127.0.0.1:1", "GREENLIGHT_LINK_SECRET": "sec" * 9}, "web"),
        ({"APP_BASE_URL": "http://127.0.0.1:1"}, "studio"),
        ({"CLERK_ISSUER": "http://127.0.0.1:1"}, "sign-in"),
        ({"ANTHROPIC_API_KEY": "k", "CLAUDE_DIRECT_MODEL": "nobody-prices-this"}, "model"),
    ],
)
def test_what_is_broken_is_a_problem_and_exit_code_1(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], what: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ran = greenlight("doctor", "--json")
    assert ran.code == 1
    assert [name for name, finding in findings(ran).items() if finding["state"] == "problem"] == [what]
    assert not [told for told in ("secsec", ":secret", "sec/ret", "sec.supabase") if told in ran.out]
    plain = greenlight("doctor")
    assert plain.code == 1
    assert f"✗ {what}" in plain.out


def test_without_operators_nobody_acts_under_the_installations_accounts(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer()
    monkeypatch.setenv("CLERK_ISSUER", issuer.url)
    found = findings(greenlight("doctor", "--json"))["sign-in"]
    assert (found["state"], "GREENLIGHT_OPERATORS" in found["detail"]) == ("warning", True)
    monkeypatch.setenv("GREENLIGHT_OPERATORS", "user_1")
    assert findings(greenlight("doctor", "--json"))["sign-in"]["state"] == "ok"
    issuer.close()


def test_a_model_that_cannot_be_reached_is_a_problem(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_model(lambda _request: None) as (gone, _):
        pass
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", gone)
    monkeypatch.setenv("CLAUDE_DIRECT_MODEL", "sandbox")
    ran = greenlight("doctor", "--json")
    assert ran.code == 1
    assert gone in findings(ran)["model"]["detail"]


def test_a_run_launcher_that_does_not_run_is_a_warning(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    found = findings(greenlight("doctor", "--json"))["run launcher"]
    assert found["state"] == "warning"
    assert str(tmp_path / "launcher" / "launcher.log") in found["detail"]


def test_a_bucket_that_everybody_reads_is_a_problem(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", KEY)
    with SupabaseServer() as supabase:
        monkeypatch.setenv("SUPABASE_URL", supabase.url)
        assert findings(greenlight("doctor", "--json"))["storage"]["state"] == "ok"
        supabase.make_bucket(BUCKET, public=True)
        ran = greenlight("doctor", "--json")
    found = findings(ran)["storage"]
    assert (ran.code, found["state"], "public" in found["detail"]) == (1, "problem", True)
    assert KEY not in ran.out


# --- what has stopped on its way out


@pytest.fixture(scope="module")
def stage(db: Database, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with providers() as running:
        settings = action_settings(url, running, tmp_path_factory.mktemp("data"))
        yield Stage(db, settings, running, hook_client(running.hook_address))


def outbox_finding(greenlight: Greenlight) -> tuple[str, str]:
    ran = greenlight("doctor", "--json")
    assert ran.code == 0, "what a command settles is no problem of the installation"
    found = findings(ran)["outbox"]
    return found["state"], found["detail"]


def test_mails_of_lost_senders_are_named_with_the_command(greenlight: Greenlight, db: Database) -> None:
    project = sending_project(db)
    working, lost = add_mail(db, project), add_mail(db, project)
    db.execute(
        "update public.email_jobs set status = 'sending', locked_by = 'w', leased_until = now() + interval '1 hour'"
        " where id = any (%s)",
        [[working, lost]],
    )
    assert outbox_finding(greenlight)[0] == "ok"
    # The next round takes it up by itself.
    db.execute("update public.email_jobs set leased_until = now() - interval '119 minutes' where id = %s", [lost])
    assert outbox_finding(greenlight)[0] == "ok"
    db.execute("update public.email_jobs set leased_until = now() - interval '121 minutes' where id = %s", [lost])
    state, detail = outbox_finding(greenlight)
    assert state == "warning"
    assert "1 mail is with a sender that was lost" in detail
    over = re.search(r"its lease over for up to (\d+) s", detail)
    assert over is not None
    assert int(over[1]) >= 7260
    assert "by itself where a stack runs, and has not for over 2 hours" in detail
    assert "`greenlight outbox send`" in detail
    db.execute("delete from public.email_jobs")


def test_effects_that_nobody_takes_up_are_named(greenlight: Greenlight, stage: Stage) -> None:
    _, approval = stage.approved(REPOSITORY)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    job, entry = stage.job(approval), stage.effect(approval)
    stage.db.execute("update public.outbox set status = 'sending' where id = %s", [entry.id])
    state, detail = outbox_finding(greenlight)
    assert state == "warning"
    assert "repository_dispatch at github is being sent, but its job is failed" in detail
    assert f"greenlight jobs retry {job.id}" in detail
    # Queued again, and at work, it is taken up; not where the lease of that is over.
    assert greenlight("jobs", "retry", job.id).code == 0
    assert outbox_finding(greenlight)[0] == "ok"
    stage.claimed(approval)
    assert outbox_finding(greenlight)[0] == "ok"
    with stage.db.transaction() as conn:
        conn.execute("set local greenlight.transition = 'on'")
        conn.execute("update public.agent_jobs set leased_until = now() - interval '1 second' where id = %s", [job.id])
    state, detail = outbox_finding(greenlight)
    assert state == "warning"
    assert (
        f"the lease of its job is over; a running stack takes it back (see `greenlight jobs show {job.id}`)" in detail
    )
    stage.db.execute("delete from public.outbox")


def test_what_is_held_for_a_person_is_named_with_the_command(greenlight: Greenlight, stage: Stage) -> None:
    entries = []
    for _ in range(4):
        _, approval = stage.approved(REPOSITORY)
        stage.providers.fault("drop", done=True)
        stage.run(approval)
        entries.append(stage.effect(approval))
    state, detail = outbox_finding(greenlight)
    assert state == "warning"
    assert all(f"`greenlight outbox resolve {entry.id} --done`, or --retry" in detail for entry in entries[:3])
    assert "nobody knows what became of repository_dispatch at github" in detail
    assert "1 more are held: `greenlight outbox list --status unknown`" in detail
    assert "! outbox" in greenlight("doctor").out
    stage.db.execute("delete from public.outbox")
    letter = add_mail(stage.db, sending_project(stage.db), to_email="anna@example.org", status="unknown")
    state, detail = outbox_finding(greenlight)
    assert f"nobody knows what became of a mail: look there, then `greenlight outbox resolve {letter} --done`" in detail
    assert "anna" not in detail
    stage.db.execute("delete from public.email_jobs")
    assert outbox_finding(greenlight) == ("ok", "nothing is stuck, nothing waits for a person's word")
