"""The mails that are queued are those of the approved packet, to those who asked for them."""

from __future__ import annotations

from tests.support.actions import LIFECYCLE, PACKETS, Stage
from tests.support.approvals import EMAIL


def test_nobody_to_write_to_is_said_truly(stage: Stage) -> None:
    for action, said in ((EMAIL, "whoever does gets"), (LIFECYCLE, "no mail was queued")):
        company, approval = stage.approved(action)
        assert stage.run(approval) == "completed"
        assert company.rows("email_jobs") == []
        assert said in stage.executed(approval)["detail"]


def test_mails_are_those_of_the_packet_that_was_approved(stage: Stage) -> None:
    company = stage.company(EMAIL)
    stage.sign_up(company, "anna@example.org")
    company, approval = stage.approved(EMAIL, company)
    newer = {"email_sequence": {"emails": [{**PACKETS[1]["email_sequence"]["emails"][0], "subject": "Unreviewed"}] * 3}}
    company.packet(1, **newer)
    assert stage.run(approval) == "completed"
    mails = company.rows("email_jobs")
    assert {mail["subject"] for mail in mails} == {"Welcome in"}
    assert {mail["to_email"] for mail in mails} == {"anna@example.org"}
    assert len(mails) == 3
