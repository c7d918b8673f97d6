"""No route tells one owner of another's things: whatever they are named by, they look as if they were not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import Request

from studio.settings import Settings
from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import PDF, Holdings, holdings, no_operator
from tests.integration.studio_web.operations import Operation, operations
from tests.support.approvals import GUIDANCE
from web.app import create_app
from web.identity.viewer import viewer
from web.studio_site import studio_site

# The routes say by themselves what they take; here is what a body needs beside ids, by the route's name.
BODIES: dict[str, dict[str, Any]] = {
    "createProjects": {"ideaDescription": "Bread by bicycle to offices before nine"},
    "postMessage": {"message": "Hello"},
    "refinePacket": {"guidance": GUIDANCE},
    "sharePacket": {"phase": 1},
    "announceUpload": {"name": "deck.pdf", "size": len(PDF), "type": "application/pdf"},
    "receiveUpload": {"content": PDF},
    "saveIntegration": {"config": {"token": "ghp_0123456789"}},
    "changeLife": {"action": "pause"},
    "changeNightShift": {"enabled": False},
    "decide": {"decision": "denied", "version": 1},
    "resolveEntry": {"resolution": "done"},
    "requestScan": {"idea_description": "Bread"},
    "askForCode": {"description": "A list of tools"},
    "askForReport": {"topic": "Who borrows tools"},
    "askForCheck": {"url": "https://example.org/"},
}
# What a route needs to find something in, beside the ids of a holding.
QUERIES = {"showPacket": {"phase": "1"}, "exportPacket": {"phase": "1"}, "showScan": {"wait": "0"}}
# Alone in having nothing of their own that could be found with the ids of a holding; or for operators alone.
NEVER_FOUND = {
    "showScan",
    "createProjects",
    "showHealth",
    "listAlerts",
    "acknowledgeAlert",
    "resolveError",
    "reopenError",
}

OPERATIONS = list(operations(create_app(Settings(_env_file=None), None)))  # type: ignore[arg-type, call-arg]
OWNED = [operation for operation in OPERATIONS if not operation.is_open]


def ids_of(owner: Holdings, session: str, operation: Operation) -> dict[str, str]:
    """Return by what the routes name an owner's things."""
    asset = owner.asset
    if operation.path.endswith("/content"):
        asset = owner.upload
    elif operation.path.endswith("/complete"):
        asset = owner.arrived
    return {
        "project_id": str(owner.project),
        "projectId": str(owner.project),
        "job_id": str(owner.failed_job if operation.path.endswith("/retry") else owner.job),
        "jobId": str(owner.job),
        "approval_id": str(owner.action.id),
        "message_id": str(owner.suggestion),
        "before": str(owner.message),
        "asset_id": str(asset),
        "assetId": str(asset),
        "share_id": str(owner.share),
        "entry_id": str(owner.effect),
        "session_id": session,
        "scanJobId": str(owner.job),
        "trace_id": str(owner.trace),
        "with": str(owner.trace),
        "span_id": owner.span,
        "fingerprint": owner.fingerprint,
        "alert_id": str(owner.alert),
        "generation_id": str(owner.generation),
        "report_id": str(owner.report),
        "check_id": str(owner.check),
        "provider": "github",
    }


def nothings() -> dict[str, str]:
    """Return ids of nothing."""

    class _Missing(dict[str, str]):
        def __missing__(self, name: str) -> str:
            self[name] = str(uuid4())
            return self[name]

    return _Missing(provider="github", span_id="0" * 16)


class Intruder:
    """Somebody who has signed in, and asks for what is another's."""

    def __init__(self, desk: Desk, ada: Holdings, session: str, client: httpx.Client, owner: str) -> None:
        self.ada, self.ada_session = ada, session
        self.client = client
        self.session = str(client.get("/api/me").json()["sessionId"])
        self.own = holdings(desk, owner, client)

    def ask(self, operation: Operation, values: Mapping[str, str]) -> tuple[int, str, str | None]:
        """Return status, body and where it leads, with names in the place of ids."""
        name = operation.told["operationId"]
        sent = operation.request(values, BODIES.get(name))
        sent["params"] |= QUERIES.get(name, {})
        status, text, where = answered(self.client, sent)
        for what in operation.ids:
            text = text.replace(values[what], f"<{what}>")
        return status, text, where


def answered(client: httpx.Client, sent: dict[str, Any]) -> tuple[int, str, str | None]:
    with client.stream(**sent) as answer:
        # A stream has no end.
        endless = answer.headers.get("content-type", "").startswith("text/event-stream")
        text = "" if endless else answer.read().decode("latin-1")
        return answer.status_code, text, answer.headers.get("location")


@pytest.fixture(scope="module")
def ada(desk: Desk) -> Iterator[Holdings]:
    desk.app.dependency_overrides[viewer] = no_operator
    yield holdings(desk, "ada", desk.ada)
    del desk.app.dependency_overrides[viewer]


@pytest.fixture
def intruder(desk: Desk, ada: Holdings) -> Iterator[Intruder]:
    # Somebody new each time: some routes end what the next would need.
    owner = f"eve {uuid4()}"
    session = str(desk.ada.get("/api/me").json()["sessionId"])
    with closing(desk.web.sign_in(owner)) as client:
        yield Intruder(desk, ada, session, client, owner)


def check(operation: Operation, intruder: Intruder) -> None:
    """Let an intruder try every way in."""
    mine = ids_of(intruder.own, intruder.session, operation)
    theirs = ids_of(intruder.ada, intruder.ada_session, operation)
    unknown = [name for name in operation.ids if name not in mine]
    assert not unknown, f"say in `ids_of` what {unknown} names"
    missing = nothings()
    foreign = intruder.ask(operation, theirs)
    if operation.ids:
        assert foreign == intruder.ask(operation, missing), "another's things are told from nothing"
    for name in operation.ids:
        # Everything is his own but for one.
        one, other = mine | {name: theirs[name]}, mine | {name: missing[name]}
        told = intruder.ask(operation, one)
        assert told == intruder.ask(operation, other), f"another's {name} is told from nothing"
        leaked = [secret for secret in secrets_of(intruder) if secret in told[1]]
        assert not leaked, f"the answer tells of {leaked}"
    leaked = [secret for secret in secrets_of(intruder) if secret in foreign[1]]
    assert not leaked, f"the answer tells of {leaked}"
    # With nothing but his own the request is a good one: so the answers before were about whose it is.
    status, text, _ = intruder.ask(operation, mine) if operation.ids else foreign
    if operation.told["operationId"] not in NEVER_FOUND:
        assert status < 400 or status == 409, f"the walk does not reach this route: {status} {text}"


def secrets_of(intruder: Intruder) -> list[str]:
    """Return what nobody but Ada knows."""
    ada = intruder.ada
    named = [ada.gate.id, ada.action.id, ada.job, ada.failed_job, ada.message, ada.suggestion, ada.asset, ada.upload]
    named += [
        ada.arrived,
        ada.share,
        ada.effect,
        ada.mail,
        ada.project,
        ada.trace,
        ada.trace.hex,
        ada.fingerprint,
        ada.alert,
        ada.generation,
        ada.report,
        ada.check,
    ]
    return [*map(str, named), intruder.ada_session]


@pytest.mark.parametrize("operation", OWNED, ids=str)
def test_another_owners_things_look_like_missing_ones(operation: Operation, intruder: Intruder) -> None:
    check(operation, intruder)


@pytest.mark.parametrize("operation", OWNED, ids=str)
def test_a_stranger_is_told_to_sign_in(desk: Desk, ada: Holdings, operation: Operation) -> None:
    for values in (ids_of(ada, str(uuid4()), operation), nothings()):
        sent = operation.request(values, BODIES.get(operation.told["operationId"]))
        status, text, _ = answered(desk.stranger, sent)
        assert status == 401
        assert "Sign in first." in text


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.is_open], ids=str)
def test_what_is_open_tells_nobody_of_an_owners_things(desk: Desk, ada: Holdings, operation: Operation) -> None:
    values = ids_of(ada, str(uuid4()), operation)
    body = BODIES.get(operation.told["operationId"], {})
    _, text, _ = answered(desk.stranger, operation.request(values, body))
    told = [secret for secret in map(str, (ada.gate.id, ada.message, ada.asset, ada.share)) if secret in text]
    assert told == []


def test_nothing_of_hers_was_changed_by_the_attempts(desk: Desk, ada: Holdings, intruder: Intruder) -> None:
    before = _everything(ada)
    for operation in OWNED:
        theirs = ids_of(ada, intruder.ada_session, operation)
        if operation.ids:
            intruder.ask(operation, theirs)
    assert _everything(ada) == before
    assert desk.ada.get("/api/me").status_code == 200


def _everything(owner: Holdings) -> dict[str, Any]:
    tables = ("project_assets", "packet_share_links", "project_integrations", "outbox", "project_chat_messages")
    return owner.company.snapshot() | {
        table: owner.company.rows(table) for table in tables if table != "project_integrations"
    }


@pytest.mark.parametrize("leak", ["a name", "a word"])
def test_a_route_that_leaks_would_be_found(desk: Desk, intruder: Intruder, leak: str) -> None:
    def careless(project_id: UUID, request: Request) -> dict[str, Any]:
        row = studio_site(request).db.fetch_one("select name from projects where id = %s", [project_id])
        if leak == "a word":
            return {"error": "not yours" if row else "not there"}
        return {"name": row["name"] if row else None}

    desk.app.add_api_route("/api/careless/{project_id}", careless, operation_id="careless")
    described, desk.app.openapi_schema = desk.app.openapi_schema, None
    try:
        [operation] = [one for one in operations(desk.app) if one.path.startswith("/api/careless")]
        with pytest.raises(AssertionError, match="told from nothing"):
            check(operation, intruder)
    finally:
        desk.app.router.routes.pop()
        desk.app.openapi_schema = described
