"""Titles are those of the tables, and a refusal says in plain words what is to be done, to people and programs."""

from __future__ import annotations

import pytest

from studio import sign_in
from studio.proposals import TITLES
from studio.views import outbox
from tests.integration.studio_web.conftest import Desk
from web import wording


def test_titles_of_actions_are_those_of_the_table(desk: Desk) -> None:
    rows = desk.db.fetch_all("select action_type, title, needs_permission from public.action_types")
    assert {row["action_type"]: row["title"] for row in rows} == TITLES
    assert {row["needs_permission"] for row in rows} - {None} == set(wording.PERMISSIONS)


def test_a_page_of_no_id_is_not_there_and_a_program_hears_why(desk: Desk) -> None:
    for path in ("/projects/xyz", "/projects/xyz/chat", "/inbox/xyz", "/outbox/xyz", "/jobs/xyz"):
        page = desk.ada.get(path)
        assert page.status_code == 404, path
        assert "There is no such page." in page.text
        assert "xyz" not in page.text.partition("<main")[2]
    told = desk.ada.get("/api/projects/xyz")
    assert (told.status_code, told.json()["error"].partition(".")[0]) == (422, "project_id is not an id")


def test_a_form_is_answered_in_json_under_the_api(desk: Desk) -> None:
    answer = desk.ada.post(f"/api/projects/{desk.project()}/chat", data={"message": "Hello"})
    assert answer.status_code == 422
    assert answer.json()["error"]


def test_what_a_paused_project_refuses_is_said_without_ids(desk: Desk) -> None:
    project = desk.project()
    assert desk.ada.post(f"/api/projects/{project}/life", json={"action": "pause"}).status_code == 200
    refused = desk.ada.post(f"/api/projects/{project}/chat", json={"message": "Hello?"})
    assert refused.json()["error"] == "This project is paused. Resume it in its settings."


@pytest.mark.parametrize("guidance", ["x", "   short   "])
def test_guidance_that_says_nothing_launches_nothing(desk: Desk, guidance: str) -> None:
    path = f"/api/projects/{desk.project()}/launch"
    refused = desk.ada.post(path, json={"revisionGuidance": guidance})
    assert (refused.status_code, "at least 8 characters" in refused.json()["error"]) == (422, True)


def test_a_link_leads_to_the_page_that_was_asked_for(desk: Desk) -> None:
    token = sign_in.make_link_token(desk.db, "una")
    with desk.web.stranger() as una:
        assert una.get("/sign-in", params={"next": "/inbox?kind=gates"}).status_code == 200
        opened = una.post(f"/sign-in/{token}")
        assert (opened.status_code, opened.headers["location"]) == (303, "/inbox?kind=gates")
        assert una.get("/inbox?kind=gates").status_code == 200
        again = una.post(f"/sign-in/{sign_in.make_link_token(desk.db, 'una')}")
        assert again.headers["location"] == "/"


@pytest.mark.parametrize("way", ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example"])
def test_a_cookie_of_somebody_elses_leads_nowhere(desk: Desk, way: str) -> None:
    port = desk.web.url.rpartition(":")[2]
    with desk.web.stranger() as una:
        sent = {"Cookie": f"greenlight_next_{port}={way}"}
        opened = una.post(f"/sign-in/{sign_in.make_link_token(desk.db, 'una')}", headers=sent)
        assert opened.headers["location"] == "/"


def test_files_are_listed_and_can_be_brought(desk: Desk) -> None:
    project = desk.project()
    base = f"/api/projects/{project}/assets"
    told = {"name": "Notes.txt", "size": 5, "type": "text/plain"}
    announced = desk.ada.post(f"{base}/upload-url", json=told).json()
    assert desk.ada.put(f"{base}/{announced['assetId']}/content", content=b"Hello").status_code == 200
    assert desk.ada.post(f"{base}/complete", json={"assetId": announced["assetId"]}).status_code == 200
    page = desk.ada.get(f"/projects/{project}").text
    assert f'data-upload="{base}"' in page
    listed = desk.ada.get(f"/parts/projects/{project}/files").text
    assert "Notes.txt" in listed
    assert "5 bytes" in listed
    assert f"{base}/{announced['assetId']}/download" in listed


def test_what_waits_comes_first_by_its_time_and_then_the_newest(desk: Desk) -> None:
    project = desk.project()
    for name, status, leaves, sent in (
        ("late", "queued", "7 days", None),
        ("old", "sent", "-3 days", "-2 days"),
        ("soon", "queued", "3 days", None),
        ("new", "sent", "-3 days", "-1 day"),
    ):
        desk.db.execute(
            "insert into public.email_jobs (project_id, to_email, subject, html_body, status, scheduled_for, sent_at)"
            " values (%s, 'a@example.org', %s, '<p>Hi</p>', %s, now() + %s::interval, now() + %s::interval)",
            [project, name, status, leaves, sent],
        )
    found, more = outbox.find(desk.db, "ada", project_id=project)
    assert ([row.subject for row in found], more) == (["soon", "late", "new", "old"], False)
