"""A place on a waitlist is asked for by anybody and confirmed by the address's owner alone; leaving takes one click."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from studio import links, waitlist
from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import sequences, suppression
from studio.packets.phase1 import SequenceEmail
from tests.integration.web.conftest import FIREFOX, Town
from tests.support.mail import as_sent
from tests.support.web import WebThread

ANN = "ann@example.org"
NO_ADDRESSES = [
    "",
    "ann",
    "ann@",
    "@example.org",
    "ann@example",
    "ann@@example.org",
    "ann@exa mple.org",
    "ann@example.org\r\nBcc: everybody@example.org",
    "ann@example.org,bob@example.org",
    "<ann@example.org>",
    "Ann <ann@example.org>",
    '"><script>alert(1)</script>@example.org',
    "ann@example.org\x00",
    "ann@-example.org",
    "ann@192.168.0.1",
    "ann..b@example.org",
    "a" * 65 + "@example.org",
    "a@" + "b" * 63 + "." + ("c" * 60 + ".") * 4 + "org",
    "annä@example.org",
]

MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"metadata": {str(number): 1 for number in range(21)}}, "21 keys"),
    ({"metadata": {"k" * 65: 1}}, "key"),
    ({"metadata": {"k": "v" * 501}}, "metadata.k"),
    ({"metadata": {"k": {"nested": 1}}}, "metadata.k"),
    ({"metadata": [1]}, "metadata"),
    ({"source": "s" * 65}, "source"),
    ({"project_id": "x"}, "project_id"),
    ({"email": None}, "email"),
    ({"email": 5}, "email"),
]


def events(town: Town, project: UUID) -> list[str]:
    rows = town.db.fetch_all(
        "select event_type from project_events where project_id = %s and event_type like 'waitlist.%%'"
        " order by created_at, id",
        [project],
    )
    return [row["event_type"] for row in rows]


def unsubscribe_path(town: Town, project: UUID, email: str = ANN) -> str:
    return links.unsubscribe_url(town.web.settings, project, email).removeprefix(town.web.url)


# ------------------------------------------------------------------------------------ the whole way


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
    assert (town.count("waitlist_submit", project), events(town, project)) == (1, ["waitlist.confirmed"])


def test_leaving_is_one_click_and_coming_back_is_no_second_lead(town: Town) -> None:
    project = town.project()
    town.join(project)
    town.http.post(town.confirm_path())
    old = town.confirm_path()
    path = unsubscribe_path(town, project)
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
    assert events(town, project) == ["waitlist.confirmed", "waitlist.unsubscribed", "waitlist.confirmed"]


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
        left = list(pool.map(lambda _: town.http.post(unsubscribe_path(town, project)).status_code, range(4)))
        assert left == [200] * 4
    assert town.db.fetch_one("select count(*) as n from waitlist_signups") == {"n": 1}
    assert town.count("waitlist_submit", project) == 1
    assert events(town, project) == ["waitlist.confirmed", "waitlist.unsubscribed"]


def test_two_projects_share_nothing_but_the_address(town: Town) -> None:
    one, two = town.project(), town.project("bob", name="Other")
    assert town.join(one, source="a").status_code == town.join(two, source="b").status_code == 200
    assert (town.signup(one)["source"], town.signup(two)["source"]) == ("a", "b")
    town.http.post(town.confirm_path())
    assert (town.signup(one)["status"], town.signup(two)["status"]) == ("pending", "confirmed")
    town.http.post(unsubscribe_path(town, one))
    assert (town.signup(one)["status"], town.signup(two)["status"]) == ("unsubscribed", "confirmed")
    assert (town.count("waitlist_submit", one), town.count("waitlist_submit", two)) == (0, 1)


def test_without_a_project_it_is_the_studios_own_list(town: Town) -> None:
    assert town.http.post("/api/waitlist", json={"email": ANN}).json()["ok"] is True
    assert town.signup(SYSTEM_PROJECT_ID)["status"] == "pending"
    assert "Greenlight" in town.letters()[0]["subject"]
    assert "Back to the page" not in town.http.post(town.confirm_path()).text


# ----------------------------------------------------------------------------- nobody learns or sends


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
    for path in (town.confirm_path(), unsubscribe_path(town, project)):
        page = town.http.get(path).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


def test_what_is_no_address_is_refused_and_shown_harmlessly(town: Town) -> None:
    project = town.project()
    for email in NO_ADDRESSES:
        answer = town.join(project, email)
        assert (answer.status_code, set(answer.json())) == (422, {"error"}), email
        page = town.http.post("/api/waitlist", data={"email": email, "project_id": str(project)})
        assert (page.status_code, "<script>alert" in page.text) == (422, False), email
    assert town.db.fetch_all("select 1 from waitlist_signups") == []


def test_a_name_in_another_script_gets_its_letter(town: Town) -> None:
    town.join(town.project(), "ann@Bücher.example")
    assert len(town.letters("ann@xn--bcher-kva.example")) == 1


def test_what_a_form_says_of_itself_does_not_become_the_studios_record(town: Town) -> None:
    project, other = town.project(), town.project("bob")
    claimed = {
        "project_id": str(other),
        "ip": "1.2.3.4",
        "IP_Hash": "x",
        "consent": "yes",
        "status": "confirmed",
        "a": 1,
    }
    town.join(project, metadata=claimed)
    signup = town.signup(project)
    assert (signup["metadata"], signup["status"]) == ({"a": 1}, "pending")
    assert town.db.fetch_all("select 1 from waitlist_signups where project_id = %s", [other]) == []


def test_a_sign_up_that_does_not_fit_is_told_why(town: Town) -> None:
    project = str(town.project())
    for said, named in MISFITS:
        answer = town.http.post("/api/waitlist", json={"email": ANN, "project_id": project, **said})
        assert (answer.status_code, set(answer.json())) == (422, {"error"}), said
        assert named in answer.json()["error"]


@pytest.mark.parametrize(
    "value",
    ["NaN", "-Infinity", "1e999", "-1e999", "1e300", "9" * 30, "9" * 5000, "[" * 100 + "]" * 100, "[" * 30_000],
)
def test_what_is_no_number_or_has_no_end_is_refused(town: Town, value: str) -> None:
    body = f'{{"email": "{ANN}", "project_id": "{town.project()}", "metadata": {{"x": {value}}}}}'
    answer = town.http.post("/api/waitlist", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, set(answer.json())) == (422, {"error"})
    assert town.letters() == []


@pytest.mark.parametrize(
    "said", ['"x": "\\ud800"', '"\\ud800": 1', '"x": "\\u0000"', '"\\u0000": "x"', '"name": "\\udfff"']
)
def test_half_a_character_does_no_harm(town: Town, said: str) -> None:
    body = f'{{"email": "{ANN}", "project_id": "{town.project()}", "metadata": {{{said}}}}}'
    answer = town.http.post("/api/waitlist", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 422)
    for field in ("email", "name", "source", "project_id"):
        answer = town.http.post(
            "/api/waitlist",
            content=f'{{"email": "{ANN}", "{field}": "\\ud800"}}',
            headers={"Content-Type": "application/json"},
        )
        assert (answer.status_code, set(answer.json())) == (422, {"error"}), field


def test_a_machine_that_fills_in_everything_is_thanked_and_forgotten(town: Town) -> None:
    project = town.project()
    answer = town.http.post(
        "/api/waitlist", data={"email": ANN, "project_id": str(project), "website": "http://spam.example"}
    )
    assert (answer.status_code, "Check your inbox" in answer.text) == (200, True)
    assert (town.letters(), town.db.fetch_all("select 1 from waitlist_signups")) == ([], [])


def test_a_list_that_is_not_open_says_so_politely(town: Town) -> None:
    unpublished, paused, killed = town.project("a", html=None), town.project("b"), town.project("c")
    for project, status in ((paused, "paused"), (killed, "killed")):
        town.db.execute("update projects set status = %s where id = %s", [status, project])
    for project, expected in ((unpublished, 404), (paused, 409), (killed, 404), (uuid4(), 404)):
        answer = town.join(project)
        assert (answer.status_code, set(answer.json())) == (expected, {"error"})
        page = town.http.post("/api/waitlist", data={"email": ANN, "project_id": str(project)})
        assert (page.status_code, "<h1>" in page.text, "greenlight" in page.text) == (expected, True, False)
    assert town.letters() == []


# --------------------------------------------------------------------------------------------- limits


def test_one_place_asks_so_often_and_then_waits(town: Town, database: Database, tmp_path: Path) -> None:
    """Also where several processes serve: the second one here knows what the first has counted."""
    project = town.project()
    statuses = [town.join(project, f"p{number}@example.org").status_code for number in range(20)]
    assert statuses == [200] * 20
    with WebThread(database, tmp_path / "other") as second, httpx.Client(base_url=second.url, verify=False) as http:
        refused = http.post("/api/waitlist", json={"email": ANN, "project_id": str(project)})
        assert (refused.status_code, set(refused.json())) == (429, {"error"})
        assert 0 < int(refused.headers["retry-after"]) <= 3600
        page = http.post("/api/waitlist", data={"email": ANN, "project_id": str(project)})
        assert (page.status_code, "A little too fast" in page.text) == (429, True)
    assert town.letters() == []


def test_one_list_takes_so_many_and_then_waits(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitlist, "_PER_PROJECT", (2, timedelta(hours=1)))
    one, two = town.project(), town.project("bob")
    assert [town.join(one, f"p{number}@example.org").status_code for number in range(3)] == [200, 200, 429]
    assert town.join(two).status_code == 200


def test_a_proxys_word_counts_only_where_it_is_trusted(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waitlist, "_PER_ADDRESS", (2, timedelta(hours=1)))

    def statuses(web: WebThread) -> list[int]:
        with httpx.Client(base_url=web.url, verify=False) as http:
            return [
                http.post(
                    "/api/waitlist",
                    json={"email": f"p{number}@example.org"},
                    headers={"X-Forwarded-For": f"203.0.113.{number}"},
                ).status_code
                for number in range(4)
            ]

    with WebThread(database, tmp_path, trusted_proxies="127.0.0.1") as trusting:
        assert statuses(trusting) == [200] * 4
    with WebThread(database, tmp_path) as careful:
        assert statuses(careful) == [200, 200, 429, 429]


# ----------------------------------------------------------------------------------------------- links


def test_a_link_that_is_not_genuine_shows_and_changes_nothing(town: Town) -> None:
    project = town.project()
    town.join(project)
    good = town.confirm_path()
    token = good.rpartition("/")[2]
    file = links.sign(town.web.settings, links.FILE, str(town.signup(project)["id"]), timedelta(hours=1))
    wrong = [token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"), token[:20], file, "x", "..%2f..", "%00", "ü"]
    wrong.append(unsubscribe_path(town, project).rpartition("/")[2])
    for method in ("GET", "POST"):
        for bad in wrong:
            answer = town.http.request(method, f"/waitlist/confirm/{bad}")
            assert (answer.status_code, ANN in answer.text) == (404, False), (method, bad)
        for bad in [*wrong[:-1], token]:
            for place in ("/unsubscribe/", "/waitlist/block/"):
                answer = town.http.request(method, f"{place}{bad}")
                assert (answer.status_code, ANN in answer.text) == (404, False), (method, place, bad)
    assert town.signup(project)["status"] == "pending"


def test_an_answer_leads_back_to_the_page_only_while_there_is_one(town: Town) -> None:
    project = town.project()
    town.join(project)
    assert f"/launch/{project}" in town.http.post(town.confirm_path()).text
    town.db.execute("update projects set status = 'killed' where id = %s", [project])
    answer = town.http.post(town.confirm_path())
    assert (answer.status_code, "/launch/" in answer.text) == (200, False)


def test_a_confirmation_that_comes_too_late_is_told_so(town: Town) -> None:
    project = town.project()
    town.join(project)
    late = links.sign(town.web.settings, links.CONFIRM, str(town.signup(project)["id"]), timedelta(seconds=-1))
    for method in ("GET", "POST"):
        answer = town.http.request(method, f"/waitlist/confirm/{late}")
        assert (answer.status_code, "This link has expired" in answer.text) == (410, True)
    assert town.signup(project)["status"] == "pending"


def test_links_into_a_project_that_is_gone_end_politely(town: Town) -> None:
    project = town.project()
    town.join(project)
    confirm, leave = town.confirm_path(), unsubscribe_path(town, project)
    town.db.execute("delete from projects where id = %s", [project])
    for path in (confirm, leave):
        for method in ("GET", "POST"):
            answer = town.http.request(method, path)
            assert (answer.status_code, "<h1>" in answer.text) == (404, True)


def test_letters_name_the_address_where_pages_live(town: Town) -> None:
    town.join(town.project())
    [letter] = town.letters()
    assert re.search(
        rf"{re.escape(town.web.url)}/waitlist/confirm/[\w-]+", as_sent(town.web.settings, letter).html_body
    )
