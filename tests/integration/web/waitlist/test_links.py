"""A letter's link works where it is genuine, in time and its project is there; else it shows and changes nothing."""

from __future__ import annotations

import re
from datetime import timedelta

from studio import links
from tests.integration.web.conftest import ANN, Town
from tests.support.mail import as_sent


def test_a_link_that_is_not_genuine_shows_and_changes_nothing(town: Town) -> None:
    project = town.project()
    town.join(project)
    good = town.confirm_path()
    token = good.rpartition("/")[2]
    file = links.sign(town.web.settings, links.FILE, str(town.signup(project)["id"]), timedelta(hours=1))
    wrong = [token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"), token[:20], file, "x", "..%2f..", "%00", "ü"]
    wrong.append(town.unsubscribe_path(project).rpartition("/")[2])
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
    town.db.execute("delete from project_deployments where project_id = %s", [project])
    answer = town.http.post(town.confirm_path())
    assert (answer.status_code, "/launch/" in answer.text) == (200, False)


def test_nobody_gets_on_the_list_of_a_killed_project(town: Town) -> None:
    project = town.project()
    town.join(project)
    path, before = town.confirm_path(), town.signup(project)
    town.db.execute("update projects set status = 'killed' where id = %s", [project])
    for method in ("GET", "POST"):
        answer = town.http.request(method, path)
        assert (answer.status_code, "This list no longer exists" in answer.text) == (404, True)
        assert ANN not in answer.text
    # Also where it was killed only after the link was looked at.
    row = town.db.fetch_one("select confirm_waitlist(%s) as outcome", [before["id"]])
    assert row == {"outcome": "killed"}
    assert town.signup(project) == before
    assert town.count("waitlist_submit", project) == 0
    assert "waitlist.confirmed" not in town.events(project)


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
    confirm, leave = town.confirm_path(), town.unsubscribe_path(project)
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
