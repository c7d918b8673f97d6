"""Whatever a body is, the answer is one error in one shape, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.integration.studio_web.conftest import Desk
from web.app import MAX_BODY_BYTES

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 422),
        (b"", JSON, 422),
        (b"null", JSON, 422),
        (b"[]", JSON, 422),
        (b'{"message": "\xff"}', JSON, 400),
        (b'{"message": "\\ud800"}', JSON, 422),
        (b'{"message": NaN}', JSON, 422),
        (b'{"message": {"a": 1}}', JSON, 422),
        (b'{"message": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", JSON, 400),
        (b'{"message": ' + b"9" * 5_000 + b"}", JSON, 400),
        (b'{"message": "Hello"}', {"Content-Type": "text/plain"}, 422),
        (b"message=Hello", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
        (b" " * (MAX_BODY_BYTES + 1), JSON, 413),
    ],
    ids=[
        "half",
        "empty",
        "null",
        "list",
        "bytes",
        "surrogate",
        "nan",
        "object",
        "deep",
        "digits",
        "text",
        "form",
        "large",
    ],
)
def test_a_body_that_cannot_be_used_is_refused(
    desk: Desk, content: bytes, headers: dict[str, str], status: int
) -> None:
    project = desk.project()
    answer = desk.ada.post(f"/api/projects/{project}/chat", content=content, headers=headers)
    assert answer.status_code == status
    if "form" not in headers["Content-Type"]:
        assert set(answer.json()) == {"error"}
        assert answer.json()["error"]
    assert desk.ada.get(f"/api/projects/{project}/chat").json()["messages"] == []


def test_a_body_that_does_not_say_how_large_it_is_is_cut_off(desk: Desk) -> None:
    project = desk.project()

    def endless() -> Iterator[bytes]:
        yield b'{"message": "'
        for _ in range(10):
            yield b"x" * (MAX_BODY_BYTES // 8)
        yield b'"}'

    answer = desk.ada.post(f"/api/projects/{project}/chat", content=endless(), headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["error"]


def test_a_page_of_another_site_changes_nothing(desk: Desk) -> None:
    project = desk.project()
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = desk.ada.post(f"/api/projects/{project}/launch", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]
    assert desk.ada.get(f"/api/projects/{project}/jobs").json()["jobs"] == []


def test_ids_that_are_none_are_refused_and_unknown_ones_missing(desk: Desk) -> None:
    for path in ("/api/projects/{}", "/api/jobs/{}", "/api/inbox/{}", "/api/projects/{}/progress"):
        assert desk.ada.get(path.format("none")).status_code == 422
        missing = desk.ada.get(path.format(uuid4()))
        assert missing.status_code == 404
        assert "greenlight " not in missing.json()["error"]
    assert desk.ada.get("/api/nothing").json()["error"]
    assert desk.ada.delete("/api/projects").status_code == 405
