"""Asking the builders and the checker: what cannot be meant is refused in words, and the same wish is one job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import builders, lifecycle, pages, permissions, queue
from studio.database.connection import Connection, Database
from studio.errors import Conflict, InvalidInput, NotFound, PermissionRefused, StudioError
from studio.job_types import CHECKS, CodePayload, ReportPayload
from studio.queue import Enqueued
from studio.settings import Settings
from studio.text import sha256_hex
from tests.support.postgres import TestServer
from tests.support.queue import make_project

OCCASION = "a test"


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as db:
        yield db


@pytest.fixture
def project(db: Database) -> UUID:
    made = make_project(db, owner_clerk_id=f"owner {uuid4()}")
    permissions.change_limits(db, made, "test", permissions={"repo_write": True})
    return made


def ask(db: Database, name: str, *arguments: Any, **more: Any) -> Enqueued:
    with db.transaction() as conn:
        made: Enqueued = getattr(builders, f"ask_{name}")(conn, *arguments, **more)
        return made


def payload(db: Database, asked: Enqueued) -> dict[str, Any]:
    return queue.get(db, asked.job_id).payload


def published(conn: Connection, project: UUID, html: str = "<!doctype html><title>T</title>") -> str:
    page = pages.publish(
        conn, project, asset_id=None, content_hash=sha256_hex(html), html=html, approval_id=None,
        base_url="https://pages.test",
    )  # fmt: skip
    return page.live_url


def test_code_is_asked_for_in_the_name_of_the_projects_owner(db: Database, project: UUID) -> None:
    asked = ask(db, "code", project, "  A list of tools \n", repo_url="git@github.com:acme/shop.git", occasion=OCCASION)
    owner = db.fetch_one("select owner_clerk_id from projects where id = %s", [project])
    assert owner is not None
    assert payload(db, asked) == {
        "projectId": str(project),
        "ownerClerkId": owner["owner_clerk_id"],
        "description": "A list of tools",
        "repoUrl": "https://github.com/acme/shop",
        "branch": "greenlight/mvp-v1",
        "occasion": OCCASION,
    }
    assert queue.get(db, asked.job_id).lane == "heavy"


def test_code_goes_to_a_repository_only_where_the_project_may_write_there(db: Database, project: UUID) -> None:
    permissions.change_limits(db, project, "test", permissions={"repo_write": False})
    with pytest.raises(PermissionRefused, match="does not permit repo_write"):
        ask(db, "code", project, "List", repo_url="https://github.com/acme/shop")
    # The studio's own is no matter of that.
    assert "repoUrl" not in payload(db, ask(db, "code", project, "List"))
    db.execute("update projects set repo_url = 'https://github.com/acme/shop' where id = %s", [project])
    with pytest.raises(PermissionRefused, match="does not permit repo_write"):
        ask(db, "code", project, "Another list")


def test_a_repository_may_be_on_the_server_of_the_settings(db: Database, project: UUID) -> None:
    here = Settings(GREENLIGHT_GITHUB_URL="https://git.example.org/api/v3", _env_file=None)  # type: ignore[call-arg]
    asked = ask(db, "code", project, "List", repo_url="https://git.example.org/acme/shop", settings=here)
    # The name alone is kept; the job takes the server from the settings again.
    assert payload(db, asked)["repoUrl"] == "https://github.com/acme/shop"
    with pytest.raises(InvalidInput, match="names no repository"):
        ask(db, "code", project, "List", repo_url="https://git.example.net/acme/shop", settings=here)


def test_the_same_wish_is_one_job_and_another_time_another(db: Database, project: UUID) -> None:
    first, again, later, other = (
        ask(db, "report", project, topic, occasion=occasion)
        for topic, occasion in (("Tools", "1"), (" Tools ", "1"), ("Tools", "2"), ("Saws", "1"))
    )
    assert (first.outcome, again.outcome, later.outcome, other.outcome) == ("created", "existing", "created", "created")
    assert first.job_id == again.job_id
    assert len({first.job_id, later.job_id, other.job_id}) == 3


def test_the_occasion_is_the_minute_by_the_databases_clock(db: Database, project: UUID) -> None:
    with db.transaction() as conn:
        asked = builders.ask_report(conn, project, "Tools", format="pptx", max_slides=3)
        row = conn.execute("select now() as now").fetchone()
    assert row is not None
    now: datetime = row["now"]
    assert payload(db, asked) == {
        "projectId": str(project),
        "topic": "Tools",
        "format": "pptx",
        "maxSlides": 3,
        "occasion": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ"),
    }


def test_a_look_is_at_the_published_page_unless_an_address_is_given(db: Database, project: UUID) -> None:
    with pytest.raises(Conflict, match="no published page"):
        ask(db, "check", project, occasion=OCCASION)
    with db.transaction() as conn:
        live = published(conn, project)
    whole = payload(db, ask(db, "check", project, " ", occasion=OCCASION))
    assert (whole["url"], whole["checks"]) == (live, list(CHECKS))
    some = ["meta_tags", "screenshot", "meta_tags"]
    asked = payload(db, ask(db, "check", project, "https://example.org/a?b=c", checks=some, occasion=OCCASION))
    assert (asked["url"], asked["checks"]) == ("https://example.org/a?b=c", ["screenshot", "meta_tags"])


def test_a_killed_projects_page_is_nobodys(db: Database, project: UUID) -> None:
    with db.transaction() as conn:
        published(conn, project)
        assert builders.live_page(conn, project) is not None
    lifecycle.set_status(db, project, "killed", "test")
    with db.connection() as conn:
        assert builders.live_page(conn, project) is None


@pytest.mark.parametrize(
    ("name", "arguments", "more", "said"),
    [
        ("code", (" \n",), {}, "is empty"),
        ("code", ("x" * 20_001,), {}, "20,001 characters"),
        ("code", ("a\x00b",), {}, "NUL"),
        ("code", ("List",), {"repo_url": "https://example.org/a/b"}, "names no repository"),
        ("code", ("List",), {"repo_url": "https://u:secret@github.com/a/b"}, "names no repository"),
        ("code", ("List",), {"repo_url": "--upload-pack=x"}, "names no repository"),
        ("report", ("ab",), {}, "too short"),
        ("report", ("x" * 2001,), {}, "2,001 characters"),
        ("report", ("Tools",), {"format": "docx"}, "no report format 'docx'"),
        ("report", ("Tools",), {"max_slides": 2}, "3 to 30 slides, not 2"),
        ("report", ("Tools",), {"max_slides": 31}, "3 to 30 slides, not 31"),
        ("check", ("file:///etc/passwd",), {}, "none of a page on the web"),
        ("check", ("javascript:alert(1)",), {}, "none of a page on the web"),
        ("check", ("example.org",), {}, "none of a page on the web"),
        ("check", ("https://[::1",), {}, "none of a page on the web"),
        ("check", ("https://example.org:99999/",), {}, "none of a page on the web"),
        ("check", ("https://example.org/\na",), {}, "none of a page on the web"),
        ("check", ("https://u:secret@example.org/",), {}, "contains credentials"),
        ("check", ("https://example.org/" + "x" * 2000,), {}, "2,020 characters"),
        ("check", ("https://example.org/",), {"checks": ["axe"]}, "no check 'axe'"),
        ("check", ("https://example.org/",), {"checks": []}, "No check is named"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    db: Database, project: UUID, name: str, arguments: tuple[str], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        ask(db, name, project, *arguments, **more)
    assert refused.value.remedy
    # What is refused may be a password.
    assert name == "code" or "secret" not in str(refused.value)
    assert queue.find(db, project_id=project) == []


@pytest.mark.parametrize(
    "branch", ["-x", "a..b", "a//b", "a/", "a.lock", "a.lock/b", ".a", "a/.b", "a b", "a~1", "ä", "x" * 122, "a."]
)
def test_a_branch_that_git_refuses_is_refused_at_once(db: Database, project: UUID, branch: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a branch"):
        ask(db, "code", project, "List", branch=branch)


def test_an_ordinary_branch_is_taken(db: Database, project: UUID) -> None:
    assert payload(db, ask(db, "code", project, "List", branch=" feature/list-2.1 "))["branch"] == "feature/list-2.1"


@pytest.mark.parametrize("name", ["code", "report", "check"])
def test_only_a_project_that_lives_is_worked_for(db: Database, project: UUID, name: str) -> None:
    wish = "https://example.org/" if name == "check" else "A list of tools"
    with pytest.raises(NotFound, match="no project"):
        ask(db, name, uuid4(), wish)
    lifecycle.set_status(db, project, "paused", "test")
    refused: type[StudioError] = PermissionRefused
    with pytest.raises(refused, match="is paused"):
        ask(db, name, project, wish)
    assert queue.find(db, project_id=project) == []


def test_the_limits_that_are_told_are_those_of_the_payloads() -> None:
    """Else a wish that was let through would be refused by the queue, in other words."""

    def bounds(kind: Any, field: str) -> dict[str, Any]:
        told = kind.model_json_schema()["properties"][field]
        return {
            name: told[name] for name in ("minLength", "maxLength", "minimum", "maximum", "default") if name in told
        }

    assert bounds(CodePayload, "description") == {"minLength": 1, "maxLength": builders.DESCRIPTION_LIMIT}
    assert bounds(CodePayload, "branch")["default"] == builders.BRANCH
    assert bounds(ReportPayload, "topic") == {"minLength": builders.TOPIC_MINIMUM, "maxLength": builders.TOPIC_LIMIT}
    assert bounds(ReportPayload, "maxSlides") == {
        "minimum": builders.SLIDES_MINIMUM,
        "maximum": builders.SLIDES_LIMIT,
        "default": builders.SLIDES,
    }
