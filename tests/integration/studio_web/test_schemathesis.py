"""Whatever is sent to the API, as its description allows or not: no failure of ours, and no answer beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from studio.settings import Settings
from tests.integration.studio_web.conftest import SECRETS, Desk
from tests.integration.studio_web.holdings import holdings
from tests.integration.studio_web.operations import ELSEWHERE, operations
from tests.integration.studio_web.test_tenants import ids_of
from tests.support.size import FULL
from web.app import create_app

APP = create_app(Settings(_env_file=None), None)  # type: ignore[arg-type, call-arg]
# As programs get it. Event streams have no end, and tests of their own; so has what is not of the API.
DESCRIBED = json.loads(json.dumps(APP.openapi()))
DESCRIBED["paths"] = {
    path: told for path, told in DESCRIBED["paths"].items() if not path.endswith("/events") and path not in ELSEWHERE
}
SCHEMA = schemathesis.openapi.from_dict(DESCRIBED)
OPERATIONS = {f"{found.ok().method.upper()} {found.ok().path}": found.ok() for found in SCHEMA.get_all_operations()}
IDS = {str(operation): operation for operation in operations(APP)}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 300 if FULL else 6
# Of every secret the right one: so that what is behind it is tried as well.
PROGRAMS = {
    "/api/nightshift/run": {"x-night-shift-secret": SECRETS["night_shift_secret"]},
    "/api/worker/health": {"x-worker-health-secret": SECRETS["worker_health_secret"]},
}


@dataclass
class Caller:
    """Somebody new, who has signed in: some routes end what the next would need."""

    owner: str
    client: httpx.Client
    session: requests.Session


@pytest.fixture
def caller(desk: Desk) -> Iterator[Caller]:
    owner = f"carol {uuid4()}"
    with closing(desk.web.sign_in(owner)) as client, requests.Session() as session:
        session.headers["Origin"] = desk.web.url
        session.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        session.trust_env = False
        yield Caller(owner, client, session)


def tried(desk: Desk, session: requests.Session, operation: APIOperation[Any, Any, Any], **how: Any) -> None:
    """Send what is generated for an operation, and look at every answer."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=not FULL,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate] if not FULL else list(Phase),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(**how))
    def send(case: Case) -> None:
        # The limit on scans has tests of its own.
        if operation.path.startswith("/api/onboarding"):
            desk.db.execute("delete from request_counts")
        response = case.call(base_url=desk.web.url, session=session, headers=PROGRAMS.get(operation.path), timeout=60)
        case.validate_response(response, checks=CHECKS)
        # Else only the sign-in would have been tried.
        assert response.status_code != 401 or operation.path.startswith("/api/sessions")

    send()


@pytest.mark.chaos
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_answers_as_it_is_described(desk: Desk, caller: Caller, name: str) -> None:
    operation, described = OPERATIONS[name], IDS[name]
    real: dict[str, Any] | None = None
    if described.parameters("path"):
        owned = holdings(desk, caller.owner, caller.client)
        known = ids_of(owned, str(caller.client.get("/api/me").json()["sessionId"]), described)
        real = {one["name"]: known[one["name"]] for one in described.parameters("path")}
    tried(desk, caller.session, operation, generation_mode=GenerationMode.POSITIVE, path_parameters=real)
    if described.body or described.parameters("query"):
        tried(desk, caller.session, operation, generation_mode=GenerationMode.NEGATIVE, path_parameters=real)
    if FULL and real:
        tried(desk, caller.session, operation, generation_mode=GenerationMode.POSITIVE)
