"""Where anybody can sign up, owners who are no operators use neither the operators' accounts nor money without end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from studio.database.connection import Database
from studio.errors import PermissionRefused
from studio.onboarding.form import parse_onboarding
from studio.onboarding.projects import create_from_onboarding
from studio.operators import is_operator
from studio.projects import set_budget
from studio.settings import Settings
from tests.integration.studio_web.conftest import SECRETS
from tests.integration.studio_web.test_clerk import Issuer
from tests.support.approvals import ADS, Company
from tests.support.postgres import TestServer
from tests.support.web import StudioThread

ACCOUNTS = {
    "resend_api_key": "re_studio",
    "resend_from_email": "studio@example.org",
    "meta_access_token": "meta-token",
    "meta_ad_account_id": "1",
    "github_token": "ghp_studio",
    "vercel_deploy_hook_url": "https://hooks.example/x",
}
MOST = 3
IDEA = {"idea_description": "Bread by bicycle to offices before nine"}


class Street:
    """A studio behind Clerk, and its owners: `user_op` is an operator, nobody else is."""

    def __init__(self, web: StudioThread, issuer: Issuer) -> None:
        self.web = web
        self.db = web.database
        self._issuer = issuer

    def owner(self, name: str) -> httpx.Client:
        client = self.web.stranger()
        token = self._issuer.token(sub=name, azp=self.web.url, exp=int(time.time()) + 600)
        client.headers["Authorization"] = f"Bearer {token}"
        return client

    def project(self, client: httpx.Client, **form: Any) -> UUID:
        made = client.post("/api/projects", json={**IDEA, **form})
        assert made.status_code == 200, made.text
        return UUID(made.json()["projectId"])


@pytest.fixture(scope="module")
def street(postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    issuer = Issuer()
    settings = {**SECRETS, **ACCOUNTS, "operators": " user_op ,user_other,", "projects_per_owner": MOST}
    folder = tmp_path_factory.mktemp("street") / "data"
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as database:
        with StudioThread(database, folder, clerk_issuer=issuer.url, **settings) as web:
            issuer.party = web.url
            yield Street(web, issuer)
    issuer.close()


@pytest.fixture
def ann(street: Street) -> Iterator[httpx.Client]:
    """An owner like any other, without projects."""
    with street.owner(f"user_ann_{time.monotonic_ns()}") as client:
        yield client


@pytest.fixture
def op(street: Street) -> Iterator[httpx.Client]:
    with street.owner("user_op") as client:
        yield client


def test_who_is_an_operator() -> None:
    named = Settings(clerk_issuer="https://clerk.test", operators="user_1, user_2,,")
    assert [is_operator(named, name) for name in ("user_1", "user_2", "user_3", "", "user_1, user_2")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert not is_operator(Settings(clerk_issuer="https://clerk.test"), "user_1")
    assert is_operator(Settings(), "anybody who was given a link")


def test_accounts_of_the_installation_are_shown_to_whom_they_serve(
    street: Street, ann: httpx.Client, op: httpx.Client
) -> None:
    mine, theirs = street.project(ann), street.project(op)
    listed = ann.get(f"/api/projects/{mine}/integrations").json()["integrations"]
    assert [entry["provider"] for entry in listed if entry["installation"]] == ["resend"]
    listed = op.get(f"/api/projects/{theirs}/integrations").json()["integrations"]
    assert all(entry["installation"] for entry in listed)
    page, full = ann.get(f"/projects/{mine}/settings").text, op.get(f"/projects/{theirs}/settings").text
    assert page.count("the installation's is for projects of the studio's operators") == 3
    assert "operators" not in full
    assert "You can set $60.00, 60,000,000 tokens and 2,000 calls at most." in page
    assert "at most. Whoever runs" not in full


def test_an_action_that_would_fail_is_not_shown_as_possible(street: Street, ann: httpx.Client) -> None:
    owner = ann.get("/api/me").json()["ownerClerkId"]
    street.project(ann)
    firm = Company(street.db, phase=2, columns={"owner_clerk_id": owner})
    firm.packet()
    asked = firm.asked(ADS)
    said = "needs an account of its own at meta"
    assert said in ann.get(f"/inbox/{asked.id}").text
    assert said in ann.get(f"/projects/{firm.id}/settings").text
    saved = {"config": {"access_token": "own-token", "ad_account_id": "2"}}
    assert ann.put(f"/api/projects/{firm.id}/integrations/meta", json=saved).status_code == 200
    assert said not in ann.get(f"/inbox/{asked.id}").text
    assert said not in ann.get(f"/projects/{firm.id}/settings").text


@pytest.mark.parametrize(
    ("body", "said"), [({"usd": 60.01}, "$60.00"), ({"tokens": 60_000_001}, "tokens"), ({"calls": 2001}, "2,000 calls")]
)
def test_a_budget_is_raised_by_operators_alone(
    street: Street, ann: httpx.Client, op: httpx.Client, body: dict[str, Any], said: str
) -> None:
    where = f"/api/projects/{street.project(ann)}/budget"
    assert ann.put(where, json={"usd": 10, "tokens": 10, "calls": 10}).status_code == 200
    refused = ann.put(where, json={**body, "reason": "More."})
    assert (refused.status_code, said in refused.json()["error"]) == (403, True)
    now = ann.get(where.removesuffix("/budget")).json()["budget"]
    assert (now["capMicros"], now["capTokens"], now["capCalls"]) == (10_000_000, 10, 10)
    assert ann.put(where, json={"usd": 60, "tokens": 60_000_000, "calls": 2000}).status_code == 200
    mine = street.project(op)
    assert op.put(f"/api/projects/{mine}/budget", json=body).status_code == 200
    street.db.execute("update projects set status = 'killed' where id = %s", [mine])


def test_what_an_operator_has_set_higher_may_stay_or_be_lowered(street: Street, ann: httpx.Client) -> None:
    project = street.project(ann)
    where = f"/api/projects/{project}/budget"
    with street.db.transaction() as conn:
        # As the command line does.
        set_budget(conn, street.web.settings, project, usd=Decimal(100), by="operator")
    assert ann.put(where, json={"usd": 100, "calls": 5}).status_code == 200
    assert ann.put(where, json={"usd": 100.01}).status_code == 403
    assert ann.put(where, json={"usd": 80}).status_code == 200
    assert ann.put(where, json={"usd": 100}).status_code == 403


def test_an_owner_has_so_many_projects_and_no_more(street: Street, ann: httpx.Client, op: httpx.Client) -> None:
    first = street.project(ann)
    two = ann.post("/api/projects", json={"domains": ["one.example", "two.example"], "creation_key": "key-12345678"})
    assert two.status_code == 200, two.text
    refused = ann.post("/api/projects", json=IDEA)
    assert refused.status_code == 403
    assert "You have 3 projects and may have 3" in refused.json()["error"]
    # The same form again makes none, and is answered.
    again = ann.post("/api/projects", json={"domains": ["one.example", "two.example"], "creation_key": "key-12345678"})
    assert again.json()["projectIds"] == two.json()["projectIds"]
    assert ann.post(f"/api/projects/{first}/life", json={"action": "pause"}).status_code == 200
    assert ann.post("/api/projects", json=IDEA).status_code == 403
    assert ann.post(f"/api/projects/{first}/life", json={"action": "kill"}).status_code == 200
    # It began with a budget: who kills and begins anew has so many in a month all the same.
    assert ann.post("/api/projects", json=IDEA).status_code == 403
    street.db.execute("update projects set created_at = now() - interval '31 days' where id = %s", [first])
    assert ann.post("/api/projects", json={"domains": ["a.example", "b.example"]}).status_code == 403
    assert ann.post("/api/projects", json=IDEA).status_code == 200
    made = [street.project(op) for _ in range(MOST + 1)]
    street.db.execute("update projects set status = 'killed' where id = any(%s)", [made])


def test_forms_at_once_find_the_last_place_once(street: Street) -> None:
    form = parse_onboarding({"domains": ["a.example", "b.example"]})

    def create(_: int) -> bool:
        with street.db.transaction() as conn:
            try:
                create_from_onboarding(conn, street.web.settings, "user_in_a_hurry", form)
            except PermissionRefused:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [False, False, False, True]
