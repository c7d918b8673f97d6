"""A form makes one project per domain, once per key, allowed nothing, from what founder and our own scan say."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from studio import projects
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, NotFound
from studio.onboarding import cache
from studio.onboarding.form import Onboarding, parse_onboarding
from studio.onboarding.projects import Created, create_from_onboarding
from studio.onboarding.repository import RepositoryFacts
from studio.onboarding.scan import Scan
from studio.projects import IDEA_LIMIT
from studio.settings import Settings
from tests.support.queue import InBackground
from tests.support.scans import asked, finish, site

IDEA = "A tool library: neighbours lend each other drills."
REPOSITORY = "https://github.com/acme/anvils"
FACTS = RepositoryFacts(
    host="github", full_name="acme/anvils", url=REPOSITORY, description="Anvils as code", read_at=datetime.now(UTC)
)
OFF = {"repo_write": False, "deploy": False, "email_send": False, "ads_enabled": False, "ads_budget_cap": 0}
_numbers = itertools.count(1)


@pytest.fixture
def owner() -> str:
    return f"owner-{next(_numbers)}"


@pytest.fixture
def domain() -> str:
    return f"shop{next(_numbers)}.test"


def create(db: Database, owner: str, **form: Any) -> Created:
    with db.transaction() as conn:
        return create_from_onboarding(conn, Settings(), owner, parse_onboarding(form))


def one(db: Database, owner: str, **form: Any) -> projects.Project:
    [project_id] = create(db, owner, **form).project_ids
    return projects.get(db, project_id)


def test_a_project_may_do_nothing_whatever_a_client_asks_for(db: Database, owner: str) -> None:
    project = one(
        db,
        owner,
        ideaDescription=IDEA,
        runtimeMode="attached",
        permissions={**OFF, "deploy": True, "ads_budget_cap": 10**9},
        nightShift=False,
        focusAreas=["seo", "sales"],
    )
    assert (project.owner_clerk_id, project.name, project.idea_description) == (owner, "A tool library", IDEA)
    assert (project.permissions, project.runtime_mode, project.night_shift) == (OFF, "shared", True)
    assert (project.phase, project.status, project.focus_areas) == (0, "active", ["seo", "sales"])
    row = db.fetch_one("select event_type from project_events where project_id = %s", [project.id])
    assert row == {"event_type": "project.created"}
    assert db.fetch_one("select 1 as one from project_budgets where project_id = %s", [project.id]) is not None


def test_each_domain_is_a_project(db: Database, owner: str) -> None:
    made = create(
        db,
        owner,
        name="One name",
        domain="https://www.A1.test/",
        domains=["b1.test", "a1.test", "B1.test", " ", "c1.test"],
    )
    found = [projects.get(db, project_id) for project_id in made.project_ids]
    assert [(project.domain, project.name) for project in found] == [
        (name, name) for name in ("a1.test", "b1.test", "c1.test")
    ]
    assert found[0].idea_description == "No description yet; domain a1.test."
    assert one(db, owner, name="One name", domain="a1.test").name == "One name"


def test_more_than_ten_domains_are_too_many(db: Database, owner: str) -> None:
    with pytest.raises(InvalidInput, match="11 domains"):
        create(db, owner, domain="x.test", domains=[f"y{n}.test" for n in range(10)])
    assert (
        len(create(db, owner, domain="x.test", domains=["x.test", *(f"y{n}.test" for n in range(9))]).project_ids) == 10
    )


def test_one_domain_that_is_none_makes_none_of_them(db: Database, owner: str) -> None:
    with pytest.raises(InvalidInput, match="local network"):
        create(db, owner, domains=["a.test", "localhost"])
    assert projects.find(db, owner_clerk_id=owner) == []


def test_the_longest_form_makes_a_project_that_every_phase_takes(db: Database, owner: str) -> None:
    long = {"appDescription": "a" * 2000, "valueProp": "v" * 1200, "mission": "m" * 1200, "targetDemo": "t" * 1200}
    made = create(db, owner, ideaDescription="i" * 2000, **long)
    assert made.shortened == ("app_description", "value_prop", "mission", "target_demo")
    project = projects.get(db, made.project_ids[0])
    assert len(project.idea_description) <= IDEA_LIMIT
    projects.checked(project.idea_description, project.domain)
    row = db.fetch_one("select wizard_state from projects where id = %s", [project.id])
    assert row is not None
    assert row["wizard_state"]["form"]["app_description"] == "a" * 2000
    assert row["wizard_state"]["shortened"] == list(made.shortened)


def test_the_mission_is_the_projects_mission(db: Database, owner: str) -> None:
    project = one(db, owner, ideaDescription=IDEA, mission="Nobody buys a drill again.")
    row = db.fetch_one("select mission_markdown from project_brain_documents where project_id = %s", [project.id])
    assert row == {"mission_markdown": "Nobody buys a drill again."}


# --- what was measured


def test_the_days_scan_of_a_domain_is_taken_over(db: Database, owner: str, domain: str) -> None:
    with db.transaction() as conn:
        cache.store(conn, site(domain))
    project = one(db, owner, domain=domain)
    assert project.scan_results is not None
    assert Scan.model_validate(project.scan_results).meta == site(domain).meta
    assert project.idea_description.endswith(f"The page at {domain} says of itself: “Anvils since 1949.”")


def test_a_clients_own_scan_is_not(db: Database, owner: str, domain: str) -> None:
    project = one(db, owner, domain=domain, scanResults={"meta": {"description": "We are rich."}, "dns": "live"})
    assert project.scan_results is None
    assert "rich" not in project.idea_description
    row = db.fetch_one("select wizard_state::text as kept from projects where id = %s", [project.id])
    assert row is not None
    assert "rich" not in row["kept"]


def test_a_named_scan_is_taken_over_for_what_it_is_about(db: Database, owner: str, domain: str) -> None:
    scan = site(domain, repo_url=REPOSITORY, repo_summary=FACTS)
    job_id = asked(db, Settings(), domain=domain, repo_url=REPOSITORY)
    finish(db, job_id, scan)

    both = one(db, owner, domain=domain, repoUrl="github.com/acme/anvils", scanJobId=str(job_id))
    assert both.repo_url == REPOSITORY
    assert both.scan_results is not None
    assert Scan.model_validate(both.scan_results).repo_summary == FACTS

    alone = one(db, owner, domain=domain, scanJobId=str(job_id))
    assert alone.scan_results is not None
    assert (alone.scan_results["repo_summary"], alone.scan_results["http_status"]) == (None, 200)

    code = one(db, owner, repoUrl=REPOSITORY, scanJobId=str(job_id))
    assert code.name == "anvils"
    assert code.scan_results is not None
    assert (code.scan_results["domain"], code.scan_results["repo_summary"]["description"]) == (None, "Anvils as code")

    another = one(db, owner, domain=f"other-{domain}", repoUrl=REPOSITORY, scanJobId=str(job_id))
    assert another.scan_results is not None
    assert (another.scan_results["domain"], another.scan_results["dns"]) == (f"other-{domain}", None)
    assert another.scan_results["reasons"]["dns"] == "Not looked at yet."

    neither = one(db, owner, domain=f"third-{domain}", scanJobId=str(job_id))
    assert neither.scan_results is None
    assert one(db, owner, ideaDescription=IDEA, scanJobId=str(job_id)).scan_results is None


def test_a_scan_that_has_not_ended_says_nothing_yet_and_none_is_an_error(db: Database, owner: str, domain: str) -> None:
    job_id = asked(db, Settings(), domain=domain)
    assert one(db, owner, domain=domain, scanJobId=str(job_id)).scan_results is None
    with pytest.raises(NotFound):
        create(db, owner, domain=domain, scanJobId=str(uuid4()))


# --- twice


def test_the_same_form_under_the_same_key_makes_its_projects_once(db: Database, owner: str) -> None:
    form = {"ideaDescription": IDEA, "domains": ["a2.test", "b2.test"], "creationKey": "click-1"}
    first = create(db, owner, **form)
    again = create(db, owner, **form)
    assert (first.created, again.created) == (True, False)
    assert again.project_ids == first.project_ids
    assert len(projects.find(db, owner_clerk_id=owner)) == 2
    assert create(db, f"{owner}-other", **form).created
    assert create(db, owner, **{**form, "creationKey": "click-2"}).created


def test_the_same_key_with_another_form_is_a_conflict(db: Database, owner: str) -> None:
    create(db, owner, ideaDescription=IDEA, creationKey="k")
    with pytest.raises(Conflict, match="other content"):
        create(db, owner, ideaDescription=f"{IDEA}!", creationKey="k")


def test_two_clicks_at_once_are_one_project(db: Database, owner: str) -> None:
    clicks = [InBackground(lambda: create(db, owner, ideaDescription=IDEA, creationKey="k")) for _ in range(6)]
    made = [click.result() for click in clicks]
    assert len({tuple(one.project_ids) for one in made}) == 1
    assert [one.created for one in made].count(True) == 1
    assert len(projects.find(db, owner_clerk_id=owner)) == 1


def test_a_form_that_failed_leaves_its_key_free(db: Database, owner: str) -> None:
    with pytest.raises(NotFound):
        create(db, owner, ideaDescription=IDEA, creationKey="k", scanJobId=str(uuid4()))
    assert create(db, owner, ideaDescription=IDEA, creationKey="k").created


def test_where_its_projects_are_gone_a_form_makes_new_ones(db: Database, owner: str) -> None:
    form = {"ideaDescription": IDEA, "domains": ["a3.test", "b3.test"], "creationKey": "k"}
    first = create(db, owner, **form)
    db.execute("delete from projects where id = %s", [first.project_ids[0]])
    assert create(db, owner, **form) == Created([first.project_ids[1]], created=False)
    db.execute("delete from projects where id = %s", [first.project_ids[1]])
    assert create(db, owner, **form).created
    assert len(projects.find(db, owner_clerk_id=owner)) == 2


def test_old_keys_go(db: Database, owner: str) -> None:
    create(db, owner, ideaDescription=IDEA, creationKey="old")
    db.execute("update project_creations set created_at = now() - interval '8 days' where owner_clerk_id = %s", [owner])
    create(db, owner, ideaDescription=IDEA, creationKey="new")
    found = db.fetch_all("select creation_key from project_creations where owner_clerk_id = %s", [owner])
    assert found == [{"creation_key": "new"}]


# --- what cannot be


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "something to start with"),
        ({"name": "Only a name", "mission": "Only a mission"}, "something to start with"),
        ({"domain": "127.0.0.1"}, "not a domain"),
        ({"domain": "me:secret@site.test"}, "credentials"),
        ({"ideaDescription": IDEA, "demoUrl": "javascript:alert(1)"}, "The demo"),
        ({"ideaDescription": IDEA, "demoUrl": "http://localhost/"}, "The demo"),
        ({"ideaDescription": IDEA, "repoUrl": "https://me:secret@git.test/a"}, "credentials"),
        ({"repoUrl": "https://github.com.evil.test"}, "address of a repository"),
    ],
)
def test_what_cannot_be_used_is_said(db: Database, owner: str, form: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        create(db, owner, **form)
    assert "secret" not in str(caught.value)
    assert projects.find(db, owner_clerk_id=owner) == []


def test_a_form_that_was_made_past_its_checks_is_checked_again(db: Database, owner: str) -> None:
    form = Onboarding.model_construct(**{**Onboarding().model_dump(), "idea_description": f"{IDEA}\x00"})
    with pytest.raises(InvalidInput, match="NUL"), db.transaction() as conn:
        create_from_onboarding(conn, Settings(), owner, form)
