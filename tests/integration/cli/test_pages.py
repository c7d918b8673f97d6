"""`greenlight pages`: what was published is listed, and what a person takes back is taken back."""

from __future__ import annotations

import hashlib
import json
from uuid import UUID, uuid4

from studio import pages
from studio.database.connection import Database
from tests.support.cli import Greenlight


def publish(db: Database, project: UUID, html: str) -> None:
    with db.transaction() as conn:
        pages.publish(
            conn,
            project,
            asset_id=None,
            content_hash=hashlib.sha256(html.encode()).hexdigest(),
            html=html,
            approval_id=None,
            base_url="https://pages.test",
        )


def live(db: Database, project: UUID) -> str:
    found = pages.published(db, project)
    assert found is not None
    return found.html


def test_a_page_is_listed_and_rolled_back(greenlight: Greenlight, db: Database, project: UUID) -> None:
    empty = greenlight("pages", "list", project)
    assert (empty.code, "Nothing has been published" in empty.out) == (0, True)
    for html in ("A", "B", "C"):
        publish(db, project, html)
    listed = greenlight("pages", "list", project)
    assert listed.out.count("withdrawn") == 2
    assert f"https://pages.test/launch/{project}" in listed.out
    back = greenlight("pages", "rollback", project)
    assert (back.code, "Publication 2 is live" in back.out, live(db, project)) == (0, True, "B")
    chosen = greenlight("pages", "rollback", project, "--to", "1", "--json")
    assert (json.loads(chosen.out)["restores_no"], live(db, project)) == (1, "A")
    found = json.loads(greenlight("pages", "list", project, "--json").out)
    assert [(page["publication_no"], page["current"]) for page in found] == [
        (5, True),
        (4, False),
        (3, False),
        (2, False),
        (1, False),
    ]
    assert found[0]["published_by"] == "local-owner"


def test_a_page_that_was_taken_back_does_not_come_back_by_itself(
    greenlight: Greenlight, db: Database, project: UUID
) -> None:
    for html in ("A", "B"):
        publish(db, project, html)
    assert greenlight("pages", "rollback", project).code == 0
    publish(db, project, "C")
    back = greenlight("pages", "rollback", project)
    assert (back.code, "Publication 1 is live" in back.out, live(db, project)) == (0, True, "A")
    greenlight("pages", "rollback", project).fails("no earlier publication", "greenlight pages list")


def test_the_page_of_a_killed_project_does_not_come_back(greenlight: Greenlight, db: Database, project: UUID) -> None:
    for html in ("A", "B"):
        publish(db, project, html)
    assert greenlight("projects", "kill", project, "--yes").code == 0
    greenlight("pages", "rollback", project).fails("is killed, so nobody sees a page of it", "stays so")
    assert [page.publication_no for page in pages.history(db, project)] == [2, 1]
    assert pages.published(db, project) is None


def test_what_cannot_be_done_is_one_sentence(greenlight: Greenlight, db: Database, project: UUID) -> None:
    for arguments, said in (
        (("rollback", project), "has published no page"),
        (("list", "x"), "is not a UUID"),
        (("list", uuid4()), "There is no project"),
        (("rollback", uuid4()), "There is no project"),
    ):
        ran = greenlight("pages", *arguments)
        assert (ran.code, said in ran.err) == (1, True), ran.err
    publish(db, project, "A")
    ran = greenlight("pages", "rollback", project, "--to", 7)
    assert (ran.code, "no publication 7" in ran.err, "greenlight pages list" in ran.err) == (1, True, True)
