"""A stranger learns nothing of who is on a list, causes few letters, and none after a no; what was agreed to stands."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from studio import links, waitlist
from studio.mail import suppression
from tests.integration.web.conftest import ANN, Town
from tests.support.mail import as_sent


def test_the_answer_is_the_same_whoever_is_on_the_list(town: Town) -> None:
    project = town.project()
    first = town.join(project)
    again = town.join(project)
    town.http.post(town.confirm_path())
    confirmed = town.join(project)
    with town.db.transaction() as conn:
        suppression.suppress(conn, "bounced@example.org", "bounced", project_id=None)
    refused = town.join(project, "bounced@example.org")
    answers = {(a.status_code, a.text) for a in (first, again, confirmed, refused)}
    assert len(answers) == 1
    assert first.json() == {"ok": True, "status": "pending", "message": first.json()["message"]}
    assert town.letters("bounced@example.org") == []


def test_a_stranger_causes_a_letter_or_two_and_no_more(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitlist, "_PER_ADDRESS", (1000, timedelta(hours=1)))
    project = town.project()
    for _ in range(8):
        assert town.join(project).status_code == 200
    assert len(town.letters()) == waitlist.LETTERS_A_DAY == 3
    town.http.post(town.confirm_path())
    town.join(project, name="Mallory", source="elsewhere", metadata={"note": "overwritten"})
    assert len(town.letters()) == 3
    signup = town.signup(project)
    assert (signup["status"], signup["source"], signup["metadata"]) == ("confirmed", "landing_page", {})
    # On another day it may be asked for again.
    town.db.execute("update waitlist_signups set status = 'pending', letters_day = letters_day - 1")
    town.db.execute("delete from request_counts where scope = 'waitlist/recipient'")
    town.join(project)
    assert len(town.letters()) == 4


def test_many_lists_together_ask_no_more_often_than_one(town: Town) -> None:
    projects = [town.project(owner) for owner in ("a", "b", "c", "d", "e")]
    answers = [town.join(project) for project in projects]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert len(town.letters()) == waitlist.LETTERS_A_DAY
    assert town.join(projects[0], "bob@example.org").status_code == 200
    assert len(town.letters("bob@example.org")) == 1


@pytest.mark.parametrize("everywhere", [False, True])
def test_who_says_never_again_is_never_asked_again(town: Town, everywhere: bool) -> None:
    one, two = town.project(), town.project("bob")
    before = town.join(one)
    url = as_sent(town.web.settings, town.letters()[0]).unsubscribe_url
    assert url == links.block_url(town.web.settings, one, ANN), "the letter itself says how"
    path = url.removeprefix(town.web.url)
    asked = town.http.get(path)
    assert (asked.status_code, ANN in asked.text, "Wheels &amp; Bread" in asked.text) == (200, True, True)
    assert town.signup(one)["status"] == "pending", "looking changes nothing"
    # A button of the page, or a mail program (RFC 8058).
    for _ in range(2):
        done = town.http.post(path, params={"everywhere": "true"} if everywhere else None)
        assert (done.status_code, "That was the last mail" in done.text) == (200, True)
    asked_before = len(town.letters())
    after, elsewhere = town.join(one), town.join(two)
    assert before.text == after.text == elsewhere.text
    assert len(town.letters()) - asked_before == (0 if everywhere else 1)
    assert town.signup(one)["status"] == "unsubscribed"
    # Neither does a letter that came before lead back.
    confirm = links.confirm_url(town.web.settings, town.signup(one)["id"], timedelta(hours=1))
    assert "You left this list" in town.http.post(confirm.removeprefix(town.web.url)).text


def test_what_was_agreed_to_first_stays_on_record(town: Town) -> None:
    """By the database's clock; whatever a stranger's form says afterwards stands beside it, as far as it fits."""
    project = town.project()
    town.join(project, source="fair", metadata={"a": 1})
    first = town.signup(project)["consent"]
    assert datetime.fromisoformat(first["at"]) == town.signup(project)["created_at"]
    for number in range(7):
        agent = {"User-Agent": f"stranger {number}"}
        said = {"email": ANN, "project_id": str(project), "source": "x", "metadata": {"a": 2}}
        assert town.http.post("/api/waitlist", json=said, headers=agent).status_code == 200
    signup = town.signup(project)
    assert (signup["source"], signup["metadata"]) == ("fair", {"a": 1})
    later = signup["consent"].pop("later")
    assert signup["consent"] == first
    assert [one["user_agent"] for one in later] == [f"stranger {number}" for number in range(2, 7)]


def test_a_letter_carries_nothing_that_a_stranger_wrote(town: Town) -> None:
    project = town.project(name='<script>alert("x")</script> & Söhne')
    spam = "Cheap pills at http://spam.example"
    town.join(project, name=spam, source=spam, metadata={"name": spam, "note": f"<b>{spam}</b>"})
    [letter] = town.letters()
    for text in (letter["subject"], letter["html_body"], letter["text_body"]):
        assert "spam.example" not in text
    assert "<script>" not in letter["html_body"]
    assert "&lt;script&gt;" in letter["html_body"]
    for path in (town.confirm_path(), town.unsubscribe_path(project)):
        page = town.http.get(path).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
