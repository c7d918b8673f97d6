"""Files are announced, brought and completed, and seen only by links that end (domain specification §8, D11)."""

from __future__ import annotations

import http.client
from uuid import uuid4

import httpx
import pytest

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import PDF, announced, stored
from web.app import MAX_UPLOAD_BYTES


def test_an_upload_is_announced_brought_and_completed(desk: Desk) -> None:
    project = desk.project()
    said = {"name": "deck.pdf", "size": len(PDF), "type": "application/pdf"}
    made = desk.ada.post(f"/api/projects/{project}/assets/upload-url", json=said).json()
    assert made["url"] == f"/api/projects/{project}/assets/{made['assetId']}/content"
    assert made["path"].startswith(f"{project}/uploads/")
    assert desk.ada.get(f"/api/projects/{project}/assets").json()["assets"] == []

    brought = desk.ada.put(made["url"], content=PDF, headers={"x-upload-token": made["token"]})
    assert brought.json() == {"ok": True, "assetId": made["assetId"], "size": len(PDF)}
    done = desk.ada.post(f"/api/projects/{project}/assets/complete", json={"assetId": made["assetId"]}).json()
    assert (done["asset"]["status"], done["asset"]["filename"]) == ("uploaded", "deck.pdf")
    [listed] = desk.ada.get(f"/api/projects/{project}/assets").json()["assets"]
    assert listed == done["asset"]
    again = desk.ada.post(f"/api/projects/{project}/assets/complete", json={"asset_id": made["assetId"]})
    assert again.json()["asset"] == done["asset"]
    assert desk.ada.put(made["url"], content=PDF).status_code == 409


def test_an_upload_is_only_ever_downloaded(desk: Desk) -> None:
    project = desk.project()
    asset = announced(desk.ada, project)
    where = f"/api/projects/{project}/assets/{asset}"
    assert desk.ada.get(f"{where}/download").status_code == 409
    desk.ada.put(f"{where}/content", content=PDF)
    desk.ada.post(f"/api/projects/{project}/assets/complete", json={"assetId": str(asset)})
    for how in ("preview", "download"):
        answer = desk.ada.get(f"{where}/{how}")
        assert answer.status_code == 307
        assert answer.headers["cache-control"] == "private, no-store"
        link = httpx.URL(answer.headers["location"])
        assert link.path.startswith(f"/files/{project}/uploads/")
        assert link.params["token"]


def test_a_file_of_the_studio_is_previewed_by_a_link(desk: Desk) -> None:
    project = desk.project()
    asset = stored(desk, project)
    for how in ("preview", "download"):
        answer = desk.ada.get(f"/api/projects/{project}/assets/{asset}/{how}")
        assert answer.status_code == 307
        assert "/plan.md?token=" in answer.headers["location"]


def test_bytes_that_are_not_what_was_announced_are_refused(desk: Desk) -> None:
    project = desk.project()
    where = f"/api/projects/{project}/assets/{announced(desk.ada, project)}/content"
    assert desk.ada.put(where, content=PDF + b"more").status_code == 413
    for content in (PDF[:-1], b"x" * len(PDF), b""):
        answer = desk.ada.put(where, content=content)
        assert answer.status_code == 422, content
        assert answer.json()["error"]
    assert desk.ada.put(where, content=PDF).status_code == 200


def test_a_ticket_for_another_file_opens_nothing(desk: Desk) -> None:
    project = desk.project()
    said = {"name": "deck.pdf", "size": len(PDF), "type": "application/pdf"}
    one, two = (desk.ada.post(f"/api/projects/{project}/assets/upload-url", json=said).json() for _ in range(2))
    for token in (two["token"], "forged"):
        assert desk.ada.put(one["url"], content=PDF, headers={"x-upload-token": token}).status_code == 404


def test_an_upload_is_bounded_before_it_is_read(desk: Desk) -> None:
    project = desk.project()
    where = f"/api/projects/{project}/assets/{announced(desk.ada, project)}/content"
    url = httpx.URL(desk.web.url)
    connection = http.client.HTTPConnection(url.host, url.port, timeout=20)
    try:
        # As much is announced, and nothing is sent.
        connection.putrequest("PUT", where)
        connection.putheader("Content-Length", str(MAX_UPLOAD_BYTES + 1))
        connection.putheader("Origin", desk.web.url)
        connection.endheaders()
        assert connection.getresponse().status == 413
    finally:
        connection.close()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "deck.pdf", "size": 0, "type": "application/pdf"},
        {"name": "deck.pdf", "size": -1, "type": "application/pdf"},
        {"name": "page.html", "size": 10, "type": "text/html"},
        {"name": "deck.pdf", "size": 10, "type": "image/png"},
        {"name": "", "size": 10, "type": ""},
        {"name": "a\0.pdf", "size": 10, "type": ""},
        {"name": "x" * 301 + ".pdf", "size": 10, "type": ""},
    ],
)
def test_what_is_not_taken_is_not_announced(desk: Desk, body: dict[str, object]) -> None:
    project = desk.project()
    assert desk.ada.post(f"/api/projects/{project}/assets/upload-url", json=body).status_code == 422
    assert desk.db.fetch_all("select 1 from project_assets where project_id = %s", [project]) == []


def test_what_is_too_large_is_not_announced(desk: Desk) -> None:
    project = desk.project()
    body = {"name": "deck.pdf", "size": 25 * 1024 * 1024 + 1, "type": "application/pdf"}
    assert desk.ada.post(f"/api/projects/{project}/assets/upload-url", json=body).status_code == 413


def test_a_file_of_another_project_of_the_same_owner_is_not_there(desk: Desk) -> None:
    project, other = desk.project(), desk.project()
    made, brought = stored(desk, other), announced(desk.ada, other)
    for asset in (made, brought, uuid4()):
        where = f"/api/projects/{project}/assets/{asset}"
        assert desk.ada.get(f"{where}/preview").status_code == 404
        assert desk.ada.get(f"{where}/download").status_code == 404
        assert desk.ada.put(f"{where}/content", content=PDF).status_code == 404
        body = {"assetId": str(asset)}
        assert desk.ada.post(f"/api/projects/{project}/assets/complete", json=body).status_code == 404
