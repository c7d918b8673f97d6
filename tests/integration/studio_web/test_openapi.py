"""The API's description is complete: every route, with what it answers, also when it refuses."""

from __future__ import annotations

import re

import pytest
from fastapi.routing import APIRoute

from studio.settings import Settings
from tests.integration.studio_web.operations import ELSEWHERE, Operation, operations
from web.app import create_app

APP = create_app(Settings(_env_file=None), None)  # type: ignore[arg-type, call-arg]
OPERATIONS = list(operations(APP))
OURS = [one for one in OPERATIONS if one.path not in ELSEWHERE]
_CAMEL = re.compile(r"[a-z][a-zA-Z0-9]*")
# What a scan has found is read by clients of the seed.
_SEEDS = {"Scan", "Meta", "TechSign", "RepositoryFacts"}


def test_every_route_of_the_api_is_described() -> None:
    routes = {
        (method, route.path)
        for route in APP.routes
        if isinstance(route, APIRoute) and route.path.startswith("/api/")
        for method in route.methods - {"HEAD"}
    }
    assert routes <= {(one.method, one.path) for one in OPERATIONS}


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [one.told["operationId"] for one in OURS]
    assert len(set(names)) == len(names)
    assert all(_CAMEL.fullmatch(name) for name in names)


@pytest.mark.parametrize("operation", OURS, ids=str)
def test_an_operation_is_described_whole(operation: Operation) -> None:
    told = operation.told
    assert told["tags"]
    assert told["summary"]
    assert told["description"].endswith(".")
    answers = [status for status in operation.responses if status < "400"]
    assert len(answers) == 1
    [answer] = answers
    if answer == "307":
        assert "Location" in operation.responses[answer]["headers"]
    else:
        for kind, content in operation.responses[answer]["content"].items():
            assert content.get("schema") not in (None, {}), kind
    for status, refusal in operation.responses.items():
        if status >= "400":
            assert refusal["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
            assert refusal["description"]


@pytest.mark.parametrize("operation", OURS, ids=str)
def test_an_operation_tells_its_refusals(operation: Operation) -> None:
    expected = {"400", "422", "503"}
    if not operation.is_open:
        expected |= {"401"}
    if operation.path_ids:
        expected |= {"404"}
    if operation.method not in ("GET", "HEAD"):
        expected |= {"413"}
        if not operation.is_open:
            expected |= {"403", "409", "429"}
    assert expected <= set(operation.responses)
    secured = operation.told.get("security", [])
    assert bool(secured) is (not operation.is_open or "401" in operation.responses)


@pytest.mark.parametrize("name", sorted(APP.openapi()["components"]["schemas"]))
def test_names_on_the_wire_are_written_in_camel_case(name: str) -> None:
    schema = APP.openapi()["components"]["schemas"][name]
    odd = [field for field in schema.get("properties", {}) if not _CAMEL.fullmatch(field)]
    assert odd == [] or name in _SEEDS or odd == ["cache_hit"]
