"""A project's own credentials are used or an error, never silently another's; they are sealed, bound and masked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from studio import integrations
from studio.database.connection import Connection, Database
from studio.errors import InvalidInput, NotFound, OutboundRefused, SettingsError
from studio.outbound import OutboundClient
from studio.secrets import Keys, new_key
from studio.settings import Settings
from tests.integration.test_row_level_security import acting_as
from tests.support.actions import HOOK_URL, META_TOKEN, Stage, attempt, execution
from tests.support.approvals import ADS, HOOK
from tests.support.local_web import Nat, authority
from tests.support.outbound import SITE, Names
from tests.support.providers import HOOK_PATH
from tests.support.queue import make_project

OWN = {"access_token": "own-token-0123456789", "ad_account_id": "99"}

# Addresses that a hook must not have: literally, or by what their name leads to.
REFUSED_AT_SAVE = [
    "http://hooks.example.com/deploy",
    "https://127.0.0.1/deploy",
    "https://2130706433/deploy",
    "https://0x7f.1/deploy",
    "https://0177.0.0.1/deploy",
    "https://[::1]/deploy",
    "https://[::ffff:10.0.0.1]/deploy",
    "https://[fd00::1]/deploy",
    "https://169.254.169.254/latest/meta-data/",
    "https://10.1.2.3/deploy",
    "https://192.168.0.1/deploy",
    "https://100.64.0.1/deploy",
    "https://localhost/deploy",
    "https://db.internal/deploy",
    "https://printer.local/deploy",
    "https://user:password@hooks.example.com/deploy",
    "https://hooks.example.com:8443/deploy",
    "https://hooks.example.com:5432/deploy",
    "ftp://hooks.example.com/deploy",
    "file:///etc/passwd",
    "gopher://hooks.example.com/deploy",
    "https://hooks.example.com\\@10.0.0.1/",
    "https://hooks.example.com/deploy\r\nX-Evil: 1",
    "hooks.example.com/deploy",
    "https:///deploy",
    "",
]


@pytest.fixture
def project(db: Database) -> UUID:
    return make_project(db, owner_clerk_id=f"owner-{uuid4()}")


def save(stage: Stage, project: UUID, provider: str = "meta", config: dict[str, str] | None = None) -> None:
    with stage.db.transaction() as conn:
        integrations.save(conn, stage.settings, project, provider, config or OWN, by="anna")


def stored(db: Database, project: UUID) -> str:
    row = db.fetch_one("select config_encrypted as c from public.project_integrations where project_id = %s", [project])
    assert row is not None
    return str(row["c"])


def test_a_project_acts_under_its_own_account_and_else_under_the_installations(stage: Stage, project: UUID) -> None:
    assert integrations.credentials(stage.db, stage.settings, project, "meta")["access_token"] == META_TOKEN
    save(stage, project)
    assert integrations.credentials(stage.db, stage.settings, project, "meta") == OWN
    other = make_project(stage.db)
    assert integrations.credentials(stage.db, stage.settings, other, "meta")["access_token"] == META_TOKEN
    with stage.db.transaction() as conn:
        integrations.remove(conn, project, "meta", by="anna")
    assert integrations.credentials(stage.db, stage.settings, project, "meta")["access_token"] == META_TOKEN


def test_the_own_account_reaches_the_provider(stage: Stage) -> None:
    company, approval = stage.approved(ADS)
    save(stage, company.id)
    assert stage.run(approval) == "completed"
    (asked,) = stage.providers.changes()
    assert (asked.path, asked.form["access_token"]) == ("/v21.0/act_99/campaigns", OWN["access_token"])


def test_where_anybody_signs_up_the_installations_account_is_for_operators(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"clerk_issuer": "https://clerk.test", "operators": "user_op"})
    stranger, approval = stage.approved(ADS)
    assert stage.run(approval) == "failed"
    assert "needs an account of its own at meta" in (stage.job(approval).last_error or "")
    assert stage.providers.requests == []
    save(stage, stranger.id)
    assert integrations.credentials(stage.db, stage.settings, stranger.id, "meta") == OWN
    _, allowed = stage.approved(ADS, stage.company(ADS, owner_clerk_id="user_op"))
    assert stage.run(allowed) == "completed"
    (asked,) = stage.providers.changes()
    assert asked.form["access_token"] == META_TOKEN


def test_mail_leaves_through_the_installations_account_for_everybody(stage: Stage, project: UUID) -> None:
    settings = stage.settings.model_copy(
        update={
            "clerk_issuer": "https://clerk.test",
            "resend_api_key": SecretStr("re_studio"),
            "resend_from_email": "studio@example.org",
        }
    )
    assert integrations.credentials(stage.db, settings, project, "resend")["from_email"] == "studio@example.org"


def switched_off(conn: Connection, project: UUID) -> None:
    integrations.set_enabled(conn, project, "meta", False, by="anna")


def garbage(conn: Connection, project: UUID) -> None:
    conn.execute("update public.project_integrations set config_encrypted = 'x.y.z' where project_id = %s", [project])


def flipped(conn: Connection, project: UUID) -> None:
    """One bit of the ciphertext is another."""
    row = conn.execute(
        "select config_encrypted as c from public.project_integrations where project_id = %s", [project]
    ).fetchone()
    assert row is not None
    head, _, last = str(row["c"]).rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(last + "=" * (-len(last) % 4)))
    raw[0] ^= 1
    conn.execute(
        "update public.project_integrations set config_encrypted = %s where project_id = %s",
        [f"{head}.{base64.urlsafe_b64encode(bytes(raw)).decode().rstrip('=')}", project],
    )


def of_another_project(conn: Connection, project: UUID) -> None:
    sealed = _sealed(f"{uuid4()}:meta")
    conn.execute(
        "update public.project_integrations set config_encrypted = %s where project_id = %s", [sealed, project]
    )


def of_another_provider(conn: Connection, project: UUID) -> None:
    sealed = _sealed(f"{project}:github")
    conn.execute(
        "update public.project_integrations set config_encrypted = %s where project_id = %s", [sealed, project]
    )


def _sealed(context: str) -> str:
    keys = Keys.from_settings(Settings(integration_key="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="))
    return keys.seal(json.dumps(OWN).encode(), context)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (switched_off, "switched off"),
        (garbage, "not known here"),
        (flipped, "do not open"),
        (of_another_project, "do not open"),
        (of_another_provider, "do not open"),
    ],
)
def test_what_is_off_or_does_not_open_is_an_error_and_nobody_elses_account_is_used(
    stage: Stage, spoil: Callable[[Connection, UUID], None], said: str
) -> None:
    company, approval = stage.approved(ADS)
    save(stage, company.id)
    with stage.db.transaction() as conn:
        spoil(conn, company.id)
    with pytest.raises(SettingsError, match=said):
        integrations.credentials(stage.db, stage.settings, company.id, "meta")
    assert stage.run(approval) == "failed"
    assert said in (stage.job(approval).last_error or "")
    assert stage.providers.requests == []


def test_a_key_can_be_replaced(stage: Stage, project: UUID) -> None:
    save(stage, project)
    old = stage.settings.integration_key
    assert old is not None
    fresh = new_key()
    alone = Settings(integration_key=fresh)
    with pytest.raises(SettingsError, match="another key"):
        integrations.credentials(stage.db, alone, project, "meta")
    both = Settings(integration_key=f"{fresh}, {old.get_secret_value()}")
    assert integrations.credentials(stage.db, both, project, "meta") == OWN
    with stage.db.transaction() as conn:
        integrations.save(conn, both, project, "meta", OWN, by="anna")
    # What was saved since needs the old key no more.
    assert integrations.credentials(stage.db, alone, project, "meta") == OWN


@pytest.mark.parametrize("key", [None, "not base64!", base64.b64encode(b"short").decode(), ",,"])
def test_without_a_usable_key_nothing_is_stored(stage: Stage, project: UUID, key: str | None) -> None:
    stage.settings = Settings(integration_key=key)
    with pytest.raises(SettingsError, match="PROJECT_INTEGRATION_ENCRYPTION_KEY"):
        save(stage, project)
    assert integrations.find(stage.db, project) == []


def test_the_same_credentials_never_look_the_same_and_never_stand_there(stage: Stage, project: UUID) -> None:
    save(stage, project)
    first = stored(stage.db, project)
    save(stage, project)
    assert stored(stage.db, project) != first
    with stage.db.connection() as conn:
        everything = conn.execute("select row_to_json(i)::text as t from public.project_integrations i").fetchall()
        ledger = conn.execute(
            "select row_to_json(e)::text as t from public.project_events e where project_id = %s", [project]
        ).fetchall()
    assert all(value not in row["t"] for row in [*everything, *ledger] for value in OWN.values() if len(value) > 2)
    assert any('"integration.updated"' in row["t"] for row in ledger)


def test_an_owner_sees_the_mask_and_nothing_else(stage: Stage, project: UUID) -> None:
    save(stage, project)
    (shown,) = integrations.find(stage.db, project)
    assert shown.config_masked == {"access_token": "own…89", "ad_account_id": "**"}
    owner = stage.db.fetch_one("select owner_clerk_id as o from public.projects where id = %s", [project])
    assert owner is not None
    with acting_as(stage.db, "authenticated", owner["o"]) as conn:
        row = conn.execute("select config_masked from public.project_integrations").fetchone()
        assert row is not None
        assert row["config_masked"] == shown.config_masked


def test_a_mask_goes_all_the_way_down() -> None:
    nested = {"a": {"token": "abcdefghij", "list": ["secret-value", 7]}, "b": True, "c": None, "d": "123456"}
    assert integrations.masked(nested) == {
        "a": {"token": "abc…ij", "list": ["sec…ue", "*"]},
        "b": True,
        "c": None,
        "d": "******",
    }


@pytest.mark.parametrize(
    ("provider", "config", "said"),
    [
        ("meta", {"access_token": "t"}, "meta.ad_account_id is missing"),
        ("meta", {**OWN, "refresh_token": "x"}, "no field refresh_token"),
        ("github", {"token": "two\nlines"}, "github.token holds"),
        ("github", {"token": " "}, "github.token is missing"),
        ("github", {"token": 5}, "github.token is missing"),
        ("github", {"token": "x" * 5000}, "github.token holds"),
        ("telegram", {}, "no provider 'telegram'"),
    ],
)
def test_what_does_not_fit_is_named(stage: Stage, project: UUID, provider: str, config: dict, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        save(stage, project, provider, config)
    assert integrations.find(stage.db, project) == []


def test_nothing_there_to_switch_or_remove(stage: Stage, project: UUID) -> None:
    with stage.db.transaction() as conn, pytest.raises(NotFound):
        integrations.set_enabled(conn, project, "github", False, by="anna")
    with stage.db.transaction() as conn, pytest.raises(NotFound):
        integrations.remove(conn, project, "github", by="anna")


# --- addresses that a person gives


@pytest.mark.parametrize("address", REFUSED_AT_SAVE)
def test_a_hook_at_a_forbidden_address_is_not_stored(stage: Stage, project: UUID, address: str) -> None:
    with pytest.raises((OutboundRefused, InvalidInput)) as caught:
        save(stage, project, "vercel", {"deploy_hook_url": address})
    if len(address) > 30:
        assert address not in str(caught.value)
    assert integrations.find(stage.db, project) == []


@pytest.mark.parametrize("address", REFUSED_AT_SAVE)
def test_a_hook_at_a_forbidden_address_is_not_visited(stage: Stage, address: str) -> None:
    """It may have been configured for the installation, or stored before the rules were what they are."""
    stage.settings = stage.settings.model_copy(
        update={"vercel_deploy_hook_url": Settings(vercel_deploy_hook_url=address).vercel_deploy_hook_url}
    )
    _, approval = stage.approved(HOOK)
    assert stage.run(approval) == "failed"
    assert stage.providers.requests == []
    assert stage.status(approval) == "failed"


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["10.0.0.1"], [SITE, "169.254.169.254"], ["::1"], ["fd00::1"]])
def test_a_hook_whose_name_leads_inside_is_not_visited(stage: Stage, answers: list[str]) -> None:
    """The name was public when it was saved."""
    _, approval = stage.approved(HOOK)
    nat = Nat({(SITE, 443): stage.providers.hook_address})
    inside = OutboundClient(resolver=Names({"site.test": [answers]}), network=nat, tls=authority())
    assert attempt(execution(stage.claimed(approval), stage.settings, inside)) == "failed"
    assert "not public" in (stage.job(approval).last_error or "")
    assert nat.connections == []
    assert stage.status(approval) == "failed"


def test_a_hook_that_redirects_inside_is_not_followed(stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    stage.providers.fault("status", status=307)
    assert stage.run(approval) == "failed"
    assert len(stage.providers.requests) == 1
    assert "redirect" in (stage.job(approval).last_error or "")


def test_no_message_about_a_hook_lets_anybody_use_it(stage: Stage) -> None:
    with pytest.raises(OutboundRefused) as caught:
        integrations.require_hook_address(HOOK_URL.replace("https", "http"))
    assert HOOK_PATH not in str(caught.value)
    for address in (f"https://site.test:8443{HOOK_PATH}", f"https://a b{HOOK_PATH}", f"https://localhost{HOOK_PATH}"):
        with pytest.raises(OutboundRefused) as caught:
            integrations.require_hook_address(address)
        assert HOOK_PATH not in str(caught.value)
