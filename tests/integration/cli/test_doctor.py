"""`greenlight doctor` says what is set, reachable and missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.storage import BUCKET
from tests.support.cli import Greenlight, findings
from tests.support.model import scripted_model
from tests.support.sandbox import SandboxThread
from tests.support.supabase_storage import KEY, SupabaseServer
from tests.support.web import LINK_SECRET, WebThread


@pytest.fixture(autouse=True)
def no_home_of_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_a_healthy_studio_is_said_to_be_healthy(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, db: Database, tmp_path: Path
) -> None:
    with SandboxThread() as sandbox, WebThread(db, tmp_path / "data") as web:
        monkeypatch.setenv("GREENLIGHT_PAGES_URL", web.url)
        monkeypatch.setenv("GREENLIGHT_LINK_SECRET", LINK_SECRET)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("CLAUDE_DIRECT_MODEL", "sandbox")
        monkeypatch.setenv("APP_BASE_URL", "https://studio.test")
        ran, plain = greenlight("doctor", "--json"), greenlight("doctor")
        assert sandbox.requests() == [], "doctor called the model"
    assert ran.code == plain.code == 0
    found = findings(ran)
    assert {finding["state"] for finding in found.values()} == {"ok"}
    assert "PostgreSQL" in found["database"]["detail"]
    assert sandbox.url in found["model"]["detail"]
    assert web.url in found["web"]["detail"]
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
    for what in ("stack", "database", "model", "outbound requests", "page links", "web"):
        assert found[what]["state"] == "warning", what


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/studio"}, "database"),
        ({"DATABASE_URL": "postgresql://me:sec/ret@127.0.0.1/studio"}, "database"),
        ({"SUPABASE_URL": "https://sec.supabase.test"}, "storage"),
        ({"APP_BASE_URL": "http://127.0.0.1:1", "GREENLIGHT_LINK_SECRET": "sec" * 9}, "web"),
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
    assert "sec" not in ran.out
    plain = greenlight("doctor")
    assert plain.code == 1
    assert f"✗ {what}" in plain.out


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
