"""A published page reaches its visitors byte by byte, under a policy that lets it do nothing but send its form."""

from __future__ import annotations

import hashlib
from uuid import uuid4

from studio import pages
from studio.landing.document import CONTENT_SECURITY_POLICY
from tests.integration.web.conftest import PAGE, Town
from tests.support.waiting import eventually


def directives(policy: str) -> dict[str, set[str]]:
    return {part.split()[0]: set(part.split()[1:]) for part in policy.split(";")}


def test_a_page_is_served_as_it_was_approved(town: Town) -> None:
    project = town.project()
    answer = town.http.get(f"/launch/{project}")
    assert (answer.status_code, answer.content) == (200, PAGE.encode())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["etag"] == f'"{hashlib.sha256(PAGE.encode()).hexdigest()}"'
    assert answer.headers["cache-control"] == "no-cache"
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers


def test_a_page_may_do_what_it_was_written_for_and_no_more(town: Town) -> None:
    answer = town.http.get(f"/launch/{town.project()}")
    sent = directives(answer.headers["content-security-policy"])
    written_for = directives(CONTENT_SECURITY_POLICY)
    assert sent.keys() == written_for.keys()
    here = {town.web.url}
    for name, allowed in written_for.items():
        assert sent[name] - (here if name in ("form-action", "frame-ancestors") else set()) == allowed, name
    assert sent["sandbox"] == {"allow-forms"}, "no script, and an origin of its own"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_who_has_it_already_is_not_sent_it_again(town: Town) -> None:
    project = town.project()
    tag = town.http.get(f"/launch/{project}").headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}'):
        answer = town.http.get(f"/launch/{project}", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert "content-security-policy" in answer.headers
    town.publish(project, "<p>new")
    assert town.http.get(f"/launch/{project}", headers={"If-None-Match": tag}).text == "<p>new"
    with town.db.transaction() as conn:
        pages.rollback(conn, project, by="ada")
    assert town.http.get(f"/launch/{project}").content == PAGE.encode()


def test_where_nothing_is_published_there_is_a_page_that_says_so(town: Town) -> None:
    unpublished, killed = town.project(html=None), town.project("bob")
    town.db.execute("update projects set status = 'killed' where id = %s", [killed])
    for path in (unpublished, killed, uuid4(), "x", "%00", "../etc/passwd", "'; drop table projects; --", "x" * 3000):
        answer = town.http.get(f"/launch/{path}")
        assert answer.status_code == 404, path
        assert "text/html" in answer.headers["content-type"]
        assert "<h1>Nothing here</h1>" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_head_says_the_same_without_the_page(town: Town) -> None:
    project = town.project()
    got, head = town.http.get(f"/launch/{project}"), town.http.head(f"/launch/{project}")
    assert (head.status_code, head.content) == (200, b"")
    assert {n: v for n, v in head.headers.items() if n != "date"} == {
        n: v for n, v in got.headers.items() if n != "date"
    }
    assert town.http.post(f"/launch/{project}").status_code == 405


def test_people_are_counted_once_and_machines_never(town: Town) -> None:
    project = town.project()
    path = f"/launch/{project}"
    tag = f'"{hashlib.sha256(PAGE.encode()).hexdigest()}"'
    for agent in (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "facebookexternalhit/1.1",
        "curl/8.0",
        "python-httpx/0.28",
        "Mozilla/5.0 HeadlessChrome/126.0",
        "Slackbot-LinkExpanding 1.0",
        "",
    ):
        town.http.get(path, headers={"User-Agent": agent})
    town.http.head(path)
    town.http.get(path, headers={"Sec-Purpose": "prefetch;prerender"})
    town.http.get(path, headers={"Purpose": "prefetch"})
    town.http.get(f"/launch/{uuid4()}")
    # These come last: a count follows its answer, and by then the others' would have come as well.
    town.http.get(path, headers={"If-None-Match": tag})
    town.http.get(path)
    town.http.get(path, headers={"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/604.1"})
    eventually(lambda: town.count("traffic", project) == 2, 10, "both visitors")
    assert town.count("traffic", project) == 2


def test_a_count_that_fails_does_not_fail_the_page(town: Town) -> None:
    project = town.project()
    town.db.execute("drop table page_visits")
    for _ in range(3):
        assert town.http.get(f"/launch/{project}").content == PAGE.encode()
