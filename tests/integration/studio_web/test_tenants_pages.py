"""No page and no part of one tells an owner of another's things: whatever they are named by, they are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import Holdings, holdings, no_operator
from web.identity.viewer import viewer
from web.pages import ROUTERS

# Getting in and out, and looks, are for everybody; and a proxy's question, which is answered by a bare status.
FOR_EVERYBODY = ("/sign-in", "/sign-out", "/static", "/api/operator/session")
# What a query may name, and what each page shows of a query that it does not know of is none of its business.
QUERIES = ("project", "project_id", "before", "job", "version", "against")
# Words that stand in one owner's rows and in nobody else's.
SECRET = "Zanzibar"
_RESULTS = ("generation_id", "report_id", "check_id")

PATHS = sorted(
    {
        route.path
        for router in ROUTERS
        for route in router.routes
        if "GET" in route.methods and not route.path.startswith(FOR_EVERYBODY)
        # A path with a new kind of parameter has to be filled below, or the tests fail.
    }
)
NAMING = [path for path in PATHS if re.search(r"(_id|fingerprint)}", path)]


@pytest.fixture(scope="module")
def theirs(desk: Desk) -> Iterator[Holdings]:
    """What bob has, with a word in it that only he knows."""
    desk.app.dependency_overrides[viewer] = no_operator
    made = holdings(desk, "bob", desk.bob)
    desk.db.execute("update projects set name = %s where id = %s", [f"{SECRET} bread", made.project])
    desk.db.execute("update approval_queue set title = %s where project_id = %s", [f"{SECRET} title", made.project])
    desk.db.execute("update email_jobs set subject = %s where project_id = %s", [f"{SECRET} mail", made.project])
    for table in ("pipeline_traces", "pipeline_spans"):
        desk.db.execute(f"update {table} set error = %s where project_id = %s", [f"{SECRET} error", made.project])
    desk.db.execute("update pipeline_traces set subject = %s where project_id = %s", [SECRET, made.project])
    desk.db.execute("update pipeline_issues set message = %s where fingerprint = %s", [SECRET, made.fingerprint])
    desk.db.execute("update code_generations set description = %s where project_id = %s", [SECRET, made.project])
    desk.db.execute("update research_reports set title = %s where project_id = %s", [SECRET, made.project])
    desk.db.execute("update report_claims set statement = %s where project_id = %s", [SECRET, made.project])
    desk.db.execute("update page_checks set url = %s where project_id = %s", [f"https://{SECRET}", made.project])
    desk.db.execute("update alerts set title = %s where id = %s", [SECRET, made.alert])
    yield made
    del desk.app.dependency_overrides[viewer]


def ids(owner: Holdings | None) -> dict[str, str]:
    """Return ids for every parameter of a path: an owner's, or those of nothing."""
    if owner is None:
        names = ("project_id", "approval_id", "job_id", "entry_id", "trace_id", "fingerprint", *_RESULTS)
        return {"span_id": "0" * 16, **{name: str(uuid4()) for name in names}}
    return {
        "project_id": str(owner.project),
        "approval_id": str(owner.action.id),
        "job_id": str(owner.job),
        "entry_id": str(owner.mail),
        "trace_id": str(owner.trace),
        "span_id": owner.span,
        "fingerprint": owner.fingerprint,
        "generation_id": str(owner.generation),
        "report_id": str(owner.report),
        "check_id": str(owner.check),
    }


def filled(path: str, values: dict[str, str]) -> str:
    """Return a path with its parameters; a new kind of id has to be told here."""
    found = {"phase": "1", "name": "needs", **values}
    return re.sub(r"{(\w+)}", lambda match: found[match[1]], path)


def shape(answer: httpx.Response) -> tuple[int, str]:
    """Return an answer without the ids in it."""
    return answer.status_code, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", answer.text)


@pytest.mark.parametrize("path", NAMING)
def test_what_is_anothers_is_not_there(desk: Desk, theirs: Holdings, path: str) -> None:
    # Two parts are of a page that has shown something.
    query = _NEEDED.get(path, lambda _: {})(theirs)
    own = desk.bob.get(filled(path, ids(theirs)), params=query)
    assert own.status_code == 200, own.text
    foreign = desk.ada.get(filled(path, ids(theirs)), params=query)
    assert foreign.status_code == 404
    assert SECRET not in foreign.text
    assert shape(foreign) == shape(desk.ada.get(filled(path, ids(None)), params=query))


@pytest.mark.parametrize("path", PATHS)
def test_whoever_has_not_signed_in_sees_nothing(desk: Desk, theirs: Holdings, path: str) -> None:
    answer = desk.stranger.get(filled(path, ids(theirs)))
    assert (answer.status_code, answer.text) == (303, "")
    assert answer.headers["location"].startswith("/sign-in?next=")


_NEEDED = {
    "/parts/inbox/{approval_id}/decision": lambda _: {"version": "1"},
    "/parts/projects/{project_id}/chat/earlier": lambda owner: {"before": str(owner.message)},
}


def _queries(theirs: Holdings) -> Iterator[dict[str, str]]:
    for name in QUERIES:
        for value in (theirs.project, theirs.job, theirs.message, theirs.action.id):
            yield {name: str(value)}
    for name in ("trace", "with", "project"):
        yield {name: str(theirs.trace)}
    yield {"fingerprint": theirs.fingerprint}
    yield {"trace": str(theirs.trace), "with": str(theirs.trace)}


@pytest.mark.parametrize("path", [path for path in PATHS if path not in NAMING])
def test_no_query_brings_anothers_things(desk: Desk, theirs: Holdings, path: str) -> None:
    for query in ({}, *_queries(theirs)):
        assert SECRET not in desk.ada.get(filled(path, {}), params=query).text


@pytest.mark.parametrize("path", NAMING)
def test_no_query_beside_ones_own_does_either(desk: Desk, theirs: Holdings, path: str) -> None:
    mine = ids(holdings(desk, "ada", desk.ada))
    for query in _queries(theirs):
        answer = desk.ada.get(filled(path, mine), params=query)
        assert answer.status_code in (200, 404, 422)
        assert SECRET not in answer.text
