"""An owner who changes too much at once is told to wait; others, and whoever only reads, are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.errors import RateLimited
from tests.integration.studio_web.conftest import Desk
from web.limits import CHAT, WRITES, OwnerLimits, Rate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_so_many_a_minute() -> None:
    clock = Clock()
    limits = OwnerLimits(Rate(60, 3), clock=clock)
    for _ in range(3):
        limits.take("writes", "ada")
    with pytest.raises(RateLimited) as refused:
        limits.take("writes", "ada")
    assert refused.value.retry_after == 1
    limits.take("writes", "bob")
    limits.take("chat", "ada")
    for _ in range(5):
        clock.now += 1
        limits.take("writes", "ada")
        with pytest.raises(RateLimited):
            limits.take("writes", "ada")
    clock.now += 100
    for _ in range(3):
        limits.take("writes", "ada")
    with pytest.raises(RateLimited):
        limits.take("writes", "ada")


def test_who_has_rested_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.limits.REMEMBERED", 10)
    clock = Clock()
    limits = OwnerLimits(clock=clock)
    for number in range(10):
        limits.take("writes", f"owner {number}")
        clock.now += 1
    limits.take("writes", "one more")
    assert len(limits._rested_at) < 10


def test_the_usual_limits_leave_people_alone() -> None:
    limits = OwnerLimits()
    for _ in range(WRITES.burst):
        limits.take("writes", "ada")
    for _ in range(CHAT.burst):
        limits.take("chat", "ada")


@pytest.fixture
def few(desk: Desk) -> Iterator[Desk]:
    before = desk.app.state.owner_limits
    desk.app.state.owner_limits = OwnerLimits(Rate(1, 3), Rate(1, 1))
    yield desk
    desk.app.state.owner_limits = before


def test_the_api_says_when_to_come_again(few: Desk) -> None:
    project = few.project()
    where = f"/api/projects/{project}/night-shift"
    answers = [few.ada.put(where, json={"enabled": False}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["error"]
    assert few.ada.get(f"/api/projects/{project}").status_code == 200
    assert few.bob.put(where, json={"enabled": False}).status_code == 404
    assert few.stranger.put(where, json={"enabled": False}).status_code == 401


def test_the_chat_has_a_limit_of_its_own(few: Desk) -> None:
    project = few.project()
    codes = [few.ada.post(f"/api/projects/{project}/chat", json={"message": "Hello"}).status_code for _ in range(2)]
    assert codes == [200, 429]
    assert len(few.ada.get(f"/api/projects/{project}/chat").json()["messages"]) == 1
