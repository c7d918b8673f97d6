"""What is published is what was approved, once per approval; it can be taken back, and nothing of it is forgotten."""

from __future__ import annotations

import hashlib
import threading
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import pages
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, NotFound
from studio.pages import PublishedPage
from tests.support.rows import make_owner, make_row

BASE = "https://pages.example.org/"


@pytest.fixture
def project(database: Database) -> UUID:
    with database.transaction() as conn:
        return UUID(str(make_owner(conn, "ada").project_id))


def approval(database: Database, project: UUID) -> UUID:
    row = database.fetch_one(
        "insert into approval_queue (project_id, phase, title, description, risk, type, action_type, status)"
        " values (%s, 1, 't', 'd', 'low', 'execution', 'deploy_landing_page', 'approved') returning id",
        [project],
    )
    assert row is not None
    return UUID(str(row["id"]))


def publish(database: Database, project: UUID, html: str, **changed: Any) -> PublishedPage:
    given: dict[str, Any] = {
        "asset_id": None,
        "content_hash": hashlib.sha256(html.encode()).hexdigest(),
        "html": html,
        "approval_id": None,
        "base_url": BASE,
        **changed,
    }
    with database.transaction() as conn:
        return pages.publish(conn, project, **given)


def rollback(database: Database, project: UUID, to: int | None = None) -> PublishedPage:
    with database.transaction() as conn:
        return pages.rollback(conn, project, to=to, by="ada")


def live(database: Database, project: UUID) -> str | None:
    found = pages.published(database, project)
    return found.html if found else None


def events(database: Database, project: UUID) -> list[tuple[str, dict[str, Any]]]:
    found = database.fetch_all(
        "select event_type, data from project_events where project_id = %s and event_type like 'page.%%'"
        " order by data ->> 'publication_no'",
        [project],
    )
    return [(row["event_type"], row["data"]) for row in found]


def test_a_page_goes_out_with_all_that_says_so(database: Database, project: UUID) -> None:
    given = approval(database, project)
    with database.transaction() as conn:
        asset = make_row(conn, "project_assets", make_owner(conn, "bob"))["id"]
    made = publish(database, project, "<p>Grüße", approval_id=given, asset_id=asset)
    assert (made.publication_no, made.live_url) == (1, f"https://pages.example.org/launch/{project}")
    assert (made.approval_id, made.asset_id, made.current, made.restores_no) == (given, asset, True, None)
    found = pages.published(database, project)
    assert found is not None
    assert (found.html, found.content_hash) == ("<p>Grüße", made.content_hash)
    row = database.fetch_one(
        "select p.live_url, p.deploy_status, d.status, d.metadata from projects p"
        " join project_deployments d on d.project_id = p.id where p.id = %s",
        [project],
    )
    assert row is not None
    assert (row["live_url"], row["deploy_status"], row["status"]) == (made.live_url, "ready", "ready")
    assert row["metadata"]["content_hash"] == made.content_hash
    assert row["metadata"]["approval_id"] == str(given)
    [(kind, data)] = events(database, project)
    assert (kind, data["content_hash"], data["approval_id"]) == ("page.published", made.content_hash, str(given))


@pytest.mark.parametrize("wrong", ["0" * 64, "", "<p>"])
def test_bytes_that_were_not_approved_are_not_published(database: Database, project: UUID, wrong: str) -> None:
    with pytest.raises(InvalidInput, match="hash differs"):
        publish(database, project, "<p>", content_hash=wrong)
    with pytest.raises(InvalidInput, match="hash differs"):
        publish(database, project, "<p>", content_hash=hashlib.sha256(b"<p> ").hexdigest())
    assert live(database, project) is None
    assert events(database, project) == []


def test_an_approval_publishes_once_whatever_happens_around_it(database: Database, project: UUID) -> None:
    first, second = approval(database, project), approval(database, project)
    made = publish(database, project, "one", approval_id=first)
    assert publish(database, project, "one", approval_id=first) == made
    publish(database, project, "two", approval_id=second)
    # The execution of the first is tried again, late: it does not bring its page back.
    again = publish(database, project, "one", approval_id=first)
    assert (again.publication_no, again.current) == (1, False)
    assert live(database, project) == "two"
    rollback(database, project)
    publish(database, project, "two", approval_id=second)
    assert live(database, project) == "one", "what a person has taken back stays taken back"
    assert len(pages.history(database, project)) == 3


def test_the_same_approval_from_many_sides_at_once_publishes_once(database: Database, project: UUID) -> None:
    given = approval(database, project)
    barrier = threading.Barrier(6)
    numbers: list[int] = []

    def attempt() -> None:
        barrier.wait()
        numbers.append(publish(database, project, "one", approval_id=given).publication_no)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1] * 6
    assert len(pages.history(database, project)) == 1


def test_a_rollback_goes_back_step_by_step(database: Database, project: UUID) -> None:
    for html in ("A", "B", "C"):
        publish(database, project, html)
    back = rollback(database, project)
    assert (back.publication_no, back.restores_no, back.published_by, live(database, project)) == (4, 2, "ada", "B")
    assert (rollback(database, project).restores_no, live(database, project)) == (1, "A")
    with pytest.raises(Conflict, match="no earlier"):
        rollback(database, project)
    assert live(database, project) == "A"
    assert (rollback(database, project, to=3).restores_no, live(database, project)) == (3, "C")
    publish(database, project, "D")
    assert (rollback(database, project).restores_no, live(database, project)) == (3, "C")
    audited = database.fetch_all("select actor, what from project_audit_log where project_id = %s", [project])
    assert audited == [{"actor": "ada", "what": "page"}] * 4
    history = pages.history(database, project)
    assert [page.publication_no for page in history if page.current] == [history[0].publication_no]
    assert [page.publication_no for page in history] == list(range(len(history), 0, -1))
    kinds = [kind for kind, _ in events(database, project)]
    assert (kinds.count("page.published"), kinds.count("page.rolled_back")) == (4, 4)
    assert events(database, project)[3][1] | {"by": "ada", "from": 3, "to": 2} == events(database, project)[3][1]


def test_a_rollback_to_a_rollback_is_one_to_what_it_brought_back(database: Database, project: UUID) -> None:
    for html in ("A", "B"):
        publish(database, project, html)
    rollback(database, project)
    publish(database, project, "C")
    back = rollback(database, project, to=3)
    assert (back.restores_no, live(database, project)) == (1, "A")


def test_no_rollback_leads_to_a_page_that_was_taken_back(database: Database, project: UUID) -> None:
    for html in ("A", "B"):
        publish(database, project, html)
    assert rollback(database, project).restores_no == 1
    publish(database, project, "C")
    assert (rollback(database, project).restores_no, live(database, project)) == (1, "A")
    with pytest.raises(Conflict, match="no earlier"):
        rollback(database, project)
    publish(database, project, "D")
    # Who names a page wants it after all; from then on it counts again, and what was live before it as well.
    rollback(database, project, to=2)
    publish(database, project, "E")
    assert (rollback(database, project).restores_no, live(database, project)) == (2, "B")
    assert (rollback(database, project).restores_no, live(database, project)) == (1, "A")


def test_a_rollback_skips_what_was_skipped_before(database: Database, project: UUID) -> None:
    for html in ("A", "B", "C"):
        publish(database, project, html)
    rollback(database, project, to=1)
    publish(database, project, "D")
    assert (rollback(database, project).restores_no, live(database, project)) == (1, "A")
    rollback(database, project, to=3)
    assert (rollback(database, project).restores_no, live(database, project)) == (1, "A")


def test_a_rollback_to_what_is_live_changes_nothing(database: Database, project: UUID) -> None:
    publish(database, project, "A")
    assert rollback(database, project, to=1).publication_no == 1
    assert len(pages.history(database, project)) == 1
    publish(database, project, "B")
    rollback(database, project)
    publish(database, project, "C")
    assert rollback(database, project, to=1).publication_no == 5
    # By whichever of its numbers.
    assert [rollback(database, project, to=number).publication_no for number in (1, 3, 5)] == [5, 5, 5]


def test_there_is_nothing_to_go_back_to(database: Database, project: UUID) -> None:
    with pytest.raises(Conflict, match="no page"):
        rollback(database, project)
    publish(database, project, "A")
    with pytest.raises(Conflict, match="no publication 7"):
        rollback(database, project, to=7)
    with pytest.raises(NotFound, match="no project"):
        rollback(database, uuid4())
    with pytest.raises(NotFound, match="no project"):
        publish(database, uuid4(), "A")


def test_history_cannot_be_rewritten(database: Database, project: UUID) -> None:
    publish(database, project, "A")
    publish(database, project, "B")
    for change in ("html = 'X'", "content_hash = repeat('1', 64)", "withdrawn_at = null", "published_by = 'x'"):
        with pytest.raises(psycopg.Error, match="cannot be changed"):
            database.execute(f"update page_publications set {change} where publication_no = 1")
    database.execute("delete from projects where id = %s", [project])
    assert pages.history(database, project) == []


def test_the_page_of_a_killed_project_is_gone_and_a_paused_ones_stays(database: Database, project: UUID) -> None:
    publish(database, project, "A")
    for status, shown in (("paused", "A"), ("killed", None)):
        database.execute("update projects set status = %s where id = %s", [status, project])
        assert live(database, project) == shown


@pytest.mark.parametrize("base", ["", "pages.example.org", "javascript:alert(1)//"])
def test_a_page_needs_an_address(database: Database, project: UUID, base: str) -> None:
    with pytest.raises(InvalidInput, match="address"):
        publish(database, project, "A", base_url=base)


def test_a_page_that_no_database_can_hold_is_refused(database: Database, project: UUID) -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        publish(database, project, "<p>\x00")


def test_a_visitor_counts_once_a_day_and_nobody_is_kept(database: Database, project: UUID) -> None:
    def visit(address: str = "198.51.100.7", agent: str = "Firefox") -> bool:
        return pages.count_visit(database, project, address=address, user_agent=agent)

    assert [visit(), visit(), visit(agent="Safari"), visit(address="198.51.100.8")] == [True, False, True, True]
    assert database.fetch_one("select count(*) as n from project_analytics_events where event_name = 'traffic'") == {
        "n": 3
    }
    kept = str(database.fetch_all("select * from page_visits") + database.fetch_all("select * from request_counts"))
    assert "198.51.100" not in kept
    assert "Firefox" not in kept
    # The next day: the salt is another, so that nobody is recognised, and yesterday's hashes go.
    database.execute("update visitor_salts set day = day - 1")
    database.execute("update page_visits set day = day - 1")
    assert visit()
    assert database.fetch_one("select count(*) as n from visitor_salts") == {"n": 1}
    assert database.fetch_one("select count(*) as n from page_visits") == {"n": 1}


def test_one_address_with_ever_new_browsers_is_no_crowd(database: Database, project: UUID) -> None:
    counted = [
        pages.count_visit(database, project, address="198.51.100.7", user_agent=f"Browser {number}")
        for number in range(40)
    ]
    assert sum(counted) == 20


def test_a_request_slot_is_shared_and_comes_back(database: Database) -> None:
    def take(key: str = "k") -> int:
        row = database.fetch_one("select take_request_slot('test', %s, 3, interval '1 hour') as wait", [key])
        assert row is not None
        return int(row["wait"])

    assert [take() for _ in range(3)] == [0, 0, 0]
    assert 0 < take() <= 3600
    assert take("other") == 0
    # Two windows later nothing counts any more; within the next one the last still does, less and less.
    database.execute("update request_counts set window_start = window_start - interval '2 hours'")
    assert take() == 0
    database.execute("update request_counts set window_start = window_start - interval '3 days'")
    take("new")
    assert database.fetch_one("select count(*) as n from request_counts") == {"n": 1}, "what is old is pruned"
