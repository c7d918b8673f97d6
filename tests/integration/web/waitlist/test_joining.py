"""A place on a waitlist is asked for by anybody and confirmed by the address's owner alone; leaving takes one click."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from studio import waitlist
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import sequences, suppression
from studio.packets.phase1 import SequenceEmail
from tests.integration.web.conftest import ANN, FIREFOX, Town
from tests.support.mail import as_sent


def test_a_form_leads_by_mail_to_a_place_on_the_list(town: Town) -> None:
    project = town.project()
    fields = {
        "email": " Ann@Example.org ",
        "name": "Ann  Ä.",
        "project_id": str(project),
        "source": "landing_page",
        "website": "",
        "household": "3",
    }
    answer = town.http.post("/api/waitlist", data=fields)
    assert answer.status_code == 200
    assert "Check your inbox" in answer.text
    assert f"/launch/{project}" in answer.text
    signup = town.signup(project)
    assert (signup["status"], signup["source"]) == ("pending", "landing_page")
    assert signup["metadata"] == {"household": "3", "name": "Ann Ä."}
    consent = signup["consent"]
    assert consent["words"] == "By joining you ask for mail about Wheels & Bread."
    assert (consent["user_agent"], len(consent["ip_hash"]), len(consent["page_sha256"])) == (FIREFOX, 64, 64)
    assert "127.0.0.1" not in json.dumps(signup, default=str)
    [letter] = town.letters()
    assert (letter["category"], letter["status"], letter["unsubscribe_reason"]) == ("waitlist", "queued", "blocked")
    due = town.db.fetch_one("select job_type, status from agent_jobs where project_id = %s", [SYSTEM_PROJECT_ID])
    assert due == {"job_type": "email.process_due", "status": "queued"}, "it does not wait for the hour"

    # What a scanner of mail does: it opens the link, and nothing comes of it.
    for _ in range(2):
        page = town.http.get(town.confirm_path())
        assert (page.status_code, '<form method="post">' in page.text) == (200, True)
        assert town.http.head(town.confirm_path()).status_code == 200
    assert (town.signup(project)["status"], town.count("waitlist_submit", project)) == ("pending", 0)

    for _ in range(2):
        done = town.http.post(town.confirm_path())
        assert (done.status_code, "You are on the list" in done.text) == (200, True)
    assert "You are on the list" in town.http.get(town.confirm_path()).text
    signup = town.signup(project)
    assert (signup["status"], signup["confirmed_at"] is not None) == ("confirmed", True)
    assert signup["consent"]["confirmed_at"]
    assert (town.count("waitlist_submit", project), town.events(project)) == (1, ["waitlist.confirmed"])


def test_leaving_is_one_click_and_coming_back_is_no_second_lead(town: Town) -> None:
    project = town.project()
    town.join(project)
    town.http.post(town.confirm_path())
    old = town.confirm_path()
    path = town.unsubscribe_path(project)
    asked = town.http.get(path)
    assert (asked.status_code, ANN in asked.text, "Wheels &amp; Bread" in asked.text) == (200, True, True)
    assert town.signup(project)["status"] == "confirmed", "looking changes nothing"
    # As a mail program does it (RFC 8058).
    for _ in range(2):
        left = town.http.post(path, data={"List-Unsubscribe": "One-Click"})
        assert (left.status_code, "That was the last mail" in left.text) == (200, True)
    assert town.signup(project)["status"] == "unsubscribed"
    with town.db.connection() as conn:
        assert suppression.reason_against(conn, ANN, project, "project", "sequence") == "unsubscribed"
    # The old link does not bring anybody back.
    assert "You left this list" in town.http.post(old).text
    assert town.signup(project)["status"] == "unsubscribed"

    town.join(project)
    assert town.signup(project)["status"] == "pending"
    with town.db.connection() as conn:
        assert suppression.reason_against(conn, ANN, project, "project", "sequence") == "unsubscribed"
    town.http.post(town.confirm_path())
    assert town.signup(project)["status"] == "confirmed"
    with town.db.connection() as conn:
        assert suppression.reason_against(conn, ANN, project, "project", "sequence") is None
    assert town.count("waitlist_submit", project) == 1
    assert town.events(project) == ["waitlist.confirmed", "waitlist.unsubscribed", "waitlist.confirmed"]


def test_who_confirms_is_welcomed_by_what_was_approved(town: Town) -> None:
    project = town.project()
    with town.db.transaction() as conn:
        approval = conn.execute(
            "insert into approval_queue (project_id, phase, title, description, risk, type, action_type, status)"
            " values (%s, 1, 't', 'd', 'low', 'execution', 'send_welcome_email_sequence', 'approved') returning id",
            [project],
        ).fetchone()
        assert approval is not None
        emails = [
            SequenceEmail(day=f"Day {day}", subject="Fresh bread", goal="Say hello", body=["It is warm."])
            for day in (0, 3)
        ]
        sequences.schedule(conn, town.web.settings, project_id=project, approval_id=approval["id"], emails=emails)
    town.join(project)
    assert [letter["category"] for letter in town.letters()] == ["waitlist"]
    for _ in range(2):
        town.http.post(town.confirm_path())
    welcomes = [letter for letter in town.letters() if letter["category"] == "sequence"]
    assert [letter["subject"] for letter in welcomes] == ["Fresh bread", "Fresh bread"]
    # The link that each of them carries ends them.
    leave = str(as_sent(town.web.settings, welcomes[0]).unsubscribe_url).removeprefix(town.web.url)
    assert town.http.post(leave, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert {letter["status"] for letter in town.letters() if letter["category"] == "sequence"} == {"suppressed"}


def test_what_comes_from_many_sides_at_once_happens_once(town: Town) -> None:
    project = town.project()
    with ThreadPoolExecutor(8) as pool:
        joined = list(pool.map(lambda _: town.join(project).status_code, range(8)))
        assert joined == [200] * 8
        assert len(town.letters()) == waitlist.LETTERS_A_DAY
        path = town.confirm_path()
        confirmed = list(pool.map(lambda _: town.http.post(path).status_code, range(8)))
        assert confirmed == [200] * 8
        left = list(pool.map(lambda _: town.http.post(town.unsubscribe_path(project)).status_code, range(4)))
        assert left == [200] * 4
    assert town.db.fetch_one("select count(*) as n from waitlist_signups") == {"n": 1}
    assert town.count("waitlist_submit", project) == 1
    assert town.events(project) == ["waitlist.confirmed", "waitlist.unsubscribed"]


def test_two_projects_share_nothing_but_the_address(town: Town) -> None:
    one, two = town.project(), town.project("bob", name="Other")
    assert town.join(one, source="a").status_code == town.join(two, source="b").status_code == 200
    assert (town.signup(one)["source"], town.signup(two)["source"]) == ("a", "b")
    town.http.post(town.confirm_path())
    assert (town.signup(one)["status"], town.signup(two)["status"]) == ("pending", "confirmed")
    town.http.post(town.unsubscribe_path(one))
    assert (town.signup(one)["status"], town.signup(two)["status"]) == ("unsubscribed", "confirmed")
    assert (town.count("waitlist_submit", one), town.count("waitlist_submit", two)) == (0, 1)


def test_without_a_project_it_is_the_studios_own_list(town: Town) -> None:
    assert town.http.post("/api/waitlist", json={"email": ANN}).json()["ok"] is True
    assert town.signup(SYSTEM_PROJECT_ID)["status"] == "pending"
    assert "Greenlight" in town.letters()[0]["subject"]
    assert "Back to the page" not in town.http.post(town.confirm_path()).text
