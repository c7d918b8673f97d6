"""What a check has left on the waitlist and never looked for is gone with the next check that arrives."""

from __future__ import annotations

from studio.page_checks.addresses import check_address
from tests.integration.page_checks.published import Published
from tests.integration.page_checks.test_waitlist import join


def test_what_an_ended_check_has_left_goes_with_the_next(project: Published, other: Published) -> None:
    project.publish()
    other.publish()
    running, ended = other.asked(), project.asked()
    for of, claim in ((other, running), (project, ended)):
        assert join(of, check_address(of.web.settings, claim.job_id)).status_code == 200
    ended.complete()
    assert (project.counts()["checks"], other.counts()["checks"]) == (1, 1)
    assert join(other, check_address(other.web.settings, running.job_id)).status_code == 200
    assert (project.counts()["checks"], other.counts()["checks"]) == (0, 1)
