"""A project's own accounts are saved encrypted and shown masked, never in the clear (domain specification §7, D34)."""

from __future__ import annotations

from typing import get_args

import pytest

from studio.integrations import PROVIDERS
from tests.integration.studio_web.conftest import Desk
from web.api.integrations import Provider

TOKEN = "ghp_0123456789abcdef"


def test_the_api_knows_every_provider() -> None:
    assert get_args(Provider) == tuple(PROVIDERS)


def test_an_account_is_saved_masked_switched_and_removed(desk: Desk) -> None:
    project = desk.project()
    where = f"/api/projects/{project}/integrations/github"
    empty = desk.ada.get(where).json()
    assert (empty["own"], empty["enabled"], empty["installation"]) == (False, False, False)
    assert empty["fields"] == [{"name": "token", "secret": True, "isUrl": False}]

    saved = desk.ada.put(where, json={"config": {"token": TOKEN}})
    assert saved.status_code == 200
    assert TOKEN not in saved.text
    assert saved.json()["integration"]["configMasked"] == {"token": "ghp…ef"}
    off = desk.ada.put(where, json={"enabled": False}).json()["integration"]
    assert (off["own"], off["enabled"]) == (True, False)
    again = desk.ada.put(where, json={"config": {"token": TOKEN}, "enabled": False}).json()["integration"]
    assert again["enabled"] is False

    listed = desk.ada.get(f"/api/projects/{project}/integrations")
    assert TOKEN not in listed.text
    assert [entry["provider"] for entry in listed.json()["integrations"] if entry["own"]] == ["github"]

    assert desk.ada.delete(where).json() == {"ok": True}
    assert desk.ada.delete(where).status_code == 404
    assert desk.ada.put(where, json={"enabled": True}).status_code == 404


def test_what_was_done_stands_in_the_ledger_with_who_did_it(desk: Desk) -> None:
    project = desk.project()
    desk.ada.put(f"/api/projects/{project}/integrations/github", json={"config": {"token": TOKEN}})
    row = desk.db.fetch_one(
        "select message, data from project_events where project_id = %s and event_type = 'integration.updated'",
        [project],
    )
    assert row is not None
    assert row["data"] == {"provider": "github", "by": "ada"}


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("github", {}),
        ("github", {"config": {}}),
        ("github", {"config": {"token": ""}}),
        ("github", {"config": {"token": TOKEN, "extra": "x"}}),
        ("github", {"config": {"token": "a b"}}),
        ("github", {"config": {"token": "x" * 4097}}),
        ("github", {"config": {"token": ["x"]}}),
        ("vercel", {"config": {"deploy_hook_url": "http://hooks.example/x"}}),
        ("vercel", {"config": {"deploy_hook_url": "https://127.0.0.1/x"}}),
        ("vercel", {"config": {"deploy_hook_url": "https://hooks.example:22/x"}}),
        ("stripe", {"config": {"key": "x"}}),
    ],
)
def test_what_is_no_account_is_refused_without_being_repeated(
    desk: Desk, provider: str, body: dict[str, object]
) -> None:
    project = desk.project()
    answer = desk.ada.put(f"/api/projects/{project}/integrations/{provider}", json=body)
    assert answer.status_code == 422
    assert TOKEN not in answer.text
    assert "hooks.example/x" not in answer.text
    assert not [e for e in desk.ada.get(f"/api/projects/{project}/integrations").json()["integrations"] if e["own"]]
