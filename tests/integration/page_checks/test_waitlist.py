"""The address that a check leaves in a form is no sign-up: it arrives, counts nowhere, and is taken out again."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest

from studio.page_checks.addresses import DOMAIN, check_address, checking_job, example_address
from studio.page_checks.posting import take_arrival
from studio.settings import Settings
from tests.integration.page_checks.published import NOBODY, Published


def join(project: Published, email: str, *, of: UUID | None = None, **more: str) -> httpx.Response:
    form = {"email": email, "project_id": str(of or project.id), "source": "landing_page", "website": "", **more}
    return project.http.post("/api/waitlist", data=form)


def test_it_arrives_and_counts_nowhere(project: Published) -> None:
    project.publish()
    claim = project.asked()
    answer = join(project, check_address(project.web.settings, claim.job_id))
    assert (answer.status_code, "Check your inbox" in answer.text) == (200, True)
    assert project.counts() == {**NOBODY, "checks": 1}
    with project.db.transaction() as conn:
        arrived = take_arrival(conn, claim.job_id)
    assert arrived is not None
    assert (arrived.project_id, arrived.source) == (project.id, "landing_page")
    assert arrived.consent_words is not None
    assert arrived.consent_words.startswith("By joining")
    assert project.counts() == NOBODY
    with project.db.transaction() as conn:
        assert take_arrival(conn, claim.job_id) is None
    told = "select count(*) from project_events where event_type like 'waitlist%%' and project_id = %s"
    assert project.one(told, project.id) == 0


def test_a_visitor_cannot_tell_it_from_a_sign_up(project: Published) -> None:
    project.publish()
    claim = project.asked()
    checked = join(project, check_address(project.web.settings, claim.job_id))
    joined = join(project, "ann@example.org")
    assert (checked.status_code, checked.text) == (joined.status_code, joined.text)
    assert dict(checked.headers).keys() == dict(joined.headers).keys()
    assert project.counts()["mails"] == 1


@pytest.mark.parametrize(
    "forged",
    [
        lambda job: f"check-{job.hex}-{'0' * 20}@{DOMAIN}",
        lambda job: check_address(Settings.model_validate({"link_secret": "another installation's"}), job),
        lambda job: check_address(
            Settings.model_validate({"link_secret": "a secret for links, of a test"}), job
        ).replace(DOMAIN, "example.org"),
        example_address,
    ],
    ids=["no proof", "another secret", "another domain", "an example"],
)
def test_what_only_looks_like_it_is_a_sign_up(project: Published, forged: Callable[[UUID], str]) -> None:
    project.publish()
    claim = project.asked()
    address = forged(claim.job_id)
    assert checking_job(project.web.settings, address) is None
    assert join(project, address).status_code == 200
    assert project.counts()["checks"] == 0
    assert project.counts()["signups"] == 1


def test_it_is_worth_nothing_elsewhere_and_afterwards(project: Published, other: Published) -> None:
    project.publish()
    other.publish()
    claim = project.asked()
    address = check_address(project.web.settings, claim.job_id)
    # On another project's list, with the trap filled in, of a job that there is not, and when its job has ended.
    assert join(other, address).status_code == 200
    assert join(project, address, website="https://spam.example").status_code == 200
    assert join(project, check_address(project.web.settings, uuid4())).status_code == 200
    claim.complete()
    assert join(project, address).status_code == 200
    nobody = {name: number for name, number in NOBODY.items() if name != "slots"}
    for one in (project, other):
        assert {name: number for name, number in one.counts().items() if name != "slots"} == nobody


def test_a_list_that_takes_nobody_takes_no_check(project: Published) -> None:
    claim = project.asked()
    address = check_address(project.web.settings, claim.job_id)
    assert join(project, address).status_code == 404
    project.publish()
    project.db.execute("update projects set status = 'paused' where id = %s", [project.id])
    assert join(project, address).status_code == join(project, "ann@example.org").status_code == 409
