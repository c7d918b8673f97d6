"""Kubernetes for tests: the chart's manifests as they are rendered, and a server that takes what a launcher posts.

There is no cluster. What Kubernetes would check of a manifest its schemas do; what a node would do with a run's pod, to
start its command and to send it signals, a test does.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import all_versions, latest_version, major_minor, schema_contents
from referencing import Registry, Resource

from studio.paths import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
# The oldest that the chart allows, and the newest whose schemas there are.
VERSIONS = ("1.30", latest_version())
NAMESPACE = "greenlight"
EXAMPLE = "example"
EVERY_OPTION = "every-option"

_spec = importlib.util.spec_from_file_location("scripts_charts", ROOT / "scripts" / "charts.py")
assert _spec is not None
assert _spec.loader is not None
# Not a package: `scripts` holds programs.
rendering = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rendering)


class Manifests:
    """What the chart makes of some values."""

    def __init__(self, name: str) -> None:
        text = rendering.rendered(name).read_text(encoding="utf-8")
        self.all: list[dict[str, Any]] = [document for document in yaml.safe_load_all(text) if document]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the manifests of a kind, by their names."""
        return {found["metadata"]["name"]: found for found in self.all if found["kind"] == kind}

    def pods(self) -> dict[str, dict[str, Any]]:
        """Return the pod templates, by the names of what makes them."""
        return {
            found["metadata"]["name"]: found["spec"]["template"]
            for found in self.all
            if found["kind"] in ("Deployment", "Job")
        }

    @property
    def settings(self) -> dict[str, str]:
        """The variables that every process has and that are no secrets."""
        return dict(self.of("ConfigMap")["greenlight-settings"]["data"])

    @property
    def dagster(self) -> dict[str, Any]:
        """What is in dagster.yaml."""
        return dict(yaml.safe_load(self.of("ConfigMap")["greenlight-dagster"]["data"]["dagster.yaml"]))


def require_valid(manifest: Mapping[str, Any]) -> None:
    """Fail where a version of Kubernetes would refuse the manifest, or not know a field of it."""
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", manifest["apiVersion"])
    for version in VERSIONS:
        _validator(version, f"{manifest['kind'].lower()}-{group}").validate(manifest)


@functools.cache
def _definitions(version: str) -> Resource[Any]:
    return Resource.from_contents(_schema(version, "_definitions"))


@functools.cache
def _validator(version: str, name: str) -> Draft202012Validator:
    """The package's own function reads megabytes for each manifest."""
    schema = _schema(version, name)
    registry: Registry[Any] = _definitions(version) @ (Resource.from_contents(schema) @ Registry())
    return Draft202012Validator(schema, registry=registry)


def _schema(version: str, name: str) -> Any:
    full = [known for known in all_versions() if major_minor(known) == major_minor(version)][-1]
    return schema_contents(f"kubernetes-json-schema/v{full}-local-strict/{name}.json", version)


def launcher_outside(section: Mapping[str, Any], kubeconfig: Path) -> dict[str, Any]:
    """Return the run launcher's section for a process that is in no pod: it finds the server by a file."""
    config = {**section["config"], "load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    return {**section, "config": config}


def write_kubeconfig(file: Path, url: str) -> Path:
    """Write the file by which clients find the server at `url`; return it."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": {}}],
        "current-context": "test",
    }
    file.write_text(yaml.safe_dump(content))
    return file


class Asked(NamedTuple):
    """A request that the server got."""

    method: str
    path: str
    body: dict[str, Any]


class ApiServer:
    """Answers what Kubernetes' API would to whoever creates and deletes Jobs, and keeps what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The Jobs that were created."""
        return [asked.body for asked in self.asked if asked.method == "POST"]

    @property
    def deleted(self) -> list[str]:
        """What was deleted, by kind and name: `jobs/NAME`, and the pod that each Job has."""
        paths = [asked.path.partition("?")[0] for asked in self.asked if asked.method == "DELETE"]
        return ["/".join(path.split("/")[-2:]) for path in paths]

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods of the Jobs, as they are listed."""
        return [{"metadata": {"name": f"{job['metadata']['name']}-pod"}} for job in self.jobs]


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Lend a server on loopback."""
    running: ApiServer

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self._take()
            self._answer(201, body)

        def do_GET(self) -> None:
            self._take()
            self._answer(200, {"apiVersion": "v1", "kind": "PodList", "items": running.pods()})

        def do_DELETE(self) -> None:
            self._take()
            self._answer(200, {"apiVersion": "v1", "kind": "Status", "status": "Success"})

        def _take(self) -> dict[str, Any]:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            running.asked.append(Asked(self.command, self.path, body))
            return dict(body)

        def _answer(self, status: int, body: Mapping[str, Any]) -> None:
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Say nothing: what was asked is kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="kubernetes-api")
        thread.start()
        running = ApiServer(f"http://127.0.0.1:{server.server_port}")
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()
