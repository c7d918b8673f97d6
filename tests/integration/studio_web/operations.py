"""The operations of the API as its description tells them, and requests that they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

# For everybody, or for programs with a secret of their own: nothing in them is an owner's.
OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/waitlist"),
    ("POST", "/api/onboarding/scan"),
    ("GET", "/api/onboarding/scan/{job_id}"),
    ("GET", "/api/nightshift/run"),
    ("POST", "/api/nightshift/run"),
    ("GET", "/api/worker/health"),
}
# Described where they are shared with the public application.
ELSEWHERE = ("/healthz", "/readyz")
# What names something of an owner's without being a UUID.
OTHER_IDS = ("fingerprint", "span_id")


@dataclass(frozen=True)
class Operation:
    """A method and a path with its description; `ids` are its parameters and fields that name something."""

    method: str
    path: str
    told: dict[str, Any] = field(repr=False, compare=False)
    schemas: dict[str, Any] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        return (self.method, self.path) in OPEN

    @property
    def responses(self) -> dict[str, Any]:
        found: dict[str, Any] = self.told["responses"]
        return found

    def parameters(self, place: str) -> list[dict[str, Any]]:
        return [one for one in self.told.get("parameters", []) if one["in"] == place]

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of the JSON that it takes."""
        content = self.told.get("requestBody", {}).get("content", {})
        return self.resolved(content["application/json"]["schema"]) if "application/json" in content else None

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema itself, for a reference or a choice the first that is not null."""
        for choice in schema.get("anyOf", []):
            if choice != {"type": "null"}:
                return self.resolved(choice)
        if "$ref" in schema:
            return self.resolved(self.schemas[schema["$ref"].rsplit("/", 1)[1]])
        return schema

    def is_id(self, schema: dict[str, Any]) -> bool:
        return self.resolved(schema).get("format") == "uuid"

    @property
    def path_ids(self) -> list[str]:
        return [one["name"] for one in self.parameters("path") if self.is_id(one["schema"]) or one["name"] in OTHER_IDS]

    @property
    def query_ids(self) -> list[str]:
        return [one["name"] for one in self.parameters("query") if self.is_id(one["schema"])]

    @property
    def body_ids(self) -> list[str]:
        fields = (self.body or {}).get("properties", {})
        return [name for name, schema in fields.items() if self.is_id(schema)]

    @property
    def ids(self) -> list[str]:
        return [*self.path_ids, *self.query_ids, *self.body_ids]

    def request(self, values: Mapping[str, str], body: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what `httpx` is to send with these ids; `body` is what the body has beside them."""
        path = self.path
        for parameter in self.parameters("path"):
            path = path.replace(f"{{{parameter['name']}}}", values[parameter["name"]])
        sent: dict[str, Any] = {"method": self.method, "url": path}
        sent["params"] = {name: values[name] for name in self.query_ids}
        if self.body is not None:
            sent["json"] = {**(body or {}), **{name: values[name] for name in self.body_ids}}
        elif "requestBody" in self.told:
            sent["content"] = (body or {})["content"]
        return sent


def operations(app: FastAPI) -> Iterator[Operation]:
    """Yield every operation that an application describes."""
    described = app.openapi()
    schemas = described.get("components", {}).get("schemas", {})
    for path, methods in described["paths"].items():
        for method, told in methods.items():
            yield Operation(method.upper(), path, told, schemas)
