"""A pull request is opened once, as a draft where the work is unfinished, and found again whatever was lost."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from studio.code.pull_request import PullRequest, open_pull_request
from studio.errors import InvalidInput, ProviderRefused, ProviderUnavailable, RepositoryUnavailable
from studio.settings import Settings
from tests.integration.code_repository.conftest import RemoteOf
from tests.support.github import GitHub

BRANCH = "greenlight/mvp-v1"


class Pushed(NamedTuple):
    hub: GitHub
    sha: str
    settings: Settings
    remote_of: RemoteOf

    def open(self, **changes: object) -> PullRequest | None:
        given = {"branch": BRANCH, "sha": self.sha, "base": "main", "title": "Add", "body": "It", "draft": False}
        return open_pull_request(self.settings, self.remote_of(), **{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture
def there(hub: GitHub, settings: Settings, remote_of: RemoteOf) -> Pushed:
    sha = hub.commit("acme/shop", {"a": "1"}, branch=BRANCH, onto="main")
    return Pushed(hub, sha, settings, remote_of)


def test_it_is_opened_once(there: Pushed) -> None:
    link = f"{there.hub.url}/acme/shop/pull/1"
    assert there.open(body="\x00It", title="Add\nthe page") == PullRequest(1, link, False, True)
    assert there.open() == PullRequest(1, link, False, False)
    assert [(row["title"], row["body"]) for row in there.hub.pulls] == [("Add the page", "\ufffdIt")]


def test_unfinished_work_is_a_draft_or_says_so_where_there_are_none(there: Pushed) -> None:
    opened = there.open(draft=True)
    assert opened is not None
    assert opened.draft
    there.hub.pulls.clear()
    there.hub.drafts = False
    opened = there.open(draft=True)
    assert opened is not None
    assert not opened.draft
    assert there.hub.pulls[0]["title"] == "Unfinished: Add"


@pytest.mark.parametrize("kind", ["drop", "status"])
def test_a_lost_answer_is_looked_up(there: Pushed, kind: str) -> None:
    there.hub.fault(kind, "POST", "/pulls", status=502, done=True)  # type: ignore[arg-type]
    opened = there.open()
    assert opened is not None
    assert opened.number == 1
    assert len(there.hub.asked("POST", "/pulls")) == 1
    assert len(there.hub.pulls) == 1


def test_what_nobody_knows_is_left_to_the_next_attempt(there: Pushed) -> None:
    there.hub.fault("drop", "POST", "/pulls")
    with pytest.raises(RepositoryUnavailable):
        there.open()
    assert len(there.hub.asked("POST", "/pulls")) == 1
    opened = there.open()
    assert opened is not None
    assert opened.opened


def test_one_that_a_person_has_closed_is_not_opened_again(there: Pushed) -> None:
    there.open()
    there.hub.pulls[0]["state"] = "closed"
    found = there.open()
    assert found is not None
    assert not found.opened
    # A branch of the same name was merged long ago: that is another.
    there.hub.pulls[0]["head"]["sha"] = "1" * 40
    opened = there.open()
    assert opened is not None
    assert opened.number == 2


def test_that_of_a_fork_is_another(there: Pushed) -> None:
    there.open()
    there.hub.pulls[0]["head"]["label"] = f"mallory:{BRANCH}"
    opened = there.open()
    assert opened is not None
    assert opened.number == 2


def test_one_that_somebody_opens_meanwhile_is_taken(there: Pushed) -> None:
    there.open()
    # The first look does not see it yet.
    there.hub.fault("status", "GET", "/pulls", status=200, body=[])
    found = there.open()
    assert found is not None
    assert (found.number, found.opened) == (1, False)


def test_there_is_nowhere_to_open_one(there: Pushed) -> None:
    assert there.open(base=None) is None
    with pytest.raises(InvalidInput):
        there.open(branch="main")
    assert not there.hub.pulls


def test_what_github_refuses_is_told_in_its_words(there: Pushed) -> None:
    with pytest.raises(ProviderRefused, match="head or base is invalid"):
        there.open(base="gone")
    there.hub.fault("status", "GET", "/pulls", status=403, body={"message": "API rate limit exceeded"})
    with pytest.raises(ProviderUnavailable):
        there.open()
    there.hub.fault("status", "GET", "/pulls", status=404, body={"message": "Not Found"})
    with pytest.raises(ProviderRefused):
        there.open()
    there.hub.fault("status", "GET", "/pulls", status=200, body={"message": "no list"})
    with pytest.raises(ProviderUnavailable):
        there.open()
