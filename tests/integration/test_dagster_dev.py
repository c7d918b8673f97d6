"""`dagster dev` alone: with the variables of `greenlight env` its sensors wait, without them they poll.

Its daemon and UI reach the code server through a proxy, which has threads of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from greenlight_dagster.stack import probes
from greenlight_dagster.stack.ports import LOOPBACK, free_port
from sensors import code_server
from sensors.pickup import RELAYS
from sensors.waiting import OTHER_THREADS, WAITING_INTERVAL, pace
from studio.settings import Settings
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.postgres import TestServer
from tests.support.site import PATIENCE, Process, Site, installed
from tests.support.size import FULL
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

SENSORS = sum(RELAYS.values()) + 1
INTERVALS = """{ sensorsOrError(repositorySelector: {
  repositoryName: "__repository__", repositoryLocationName: "greenlight" }) {
    ... on Sensors { results { name minIntervalSeconds } } } }"""


class Dev(NamedTuple):
    """A running `dagster dev` and its address."""

    process: Process
    url: str

    def intervals(self) -> set[int]:
        """Ask the UI for the intervals of the project's sensors: through web server, proxy and code server."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": INTERVALS}, timeout=PATIENCE).json()
        return {sensor["minIntervalSeconds"] for sensor in answer["data"]["sensorsOrError"]["results"]}

    def reload(self) -> None:
        """Click on Reload: another code server takes over."""
        mutation = 'mutation { reloadRepositoryLocation(repositoryLocationName: "greenlight") { __typename } }'
        answer = httpx.post(f"{self.url}/graphql", json={"query": mutation}, timeout=PATIENCE).json()
        assert answer["data"]["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry", answer


@pytest.fixture
def site(postgres: TestServer, database_template: str, dagster_template: str) -> Iterator[Site]:
    with installed(postgres, database_template, dagster_template, spares=1, idle_seconds=2) as made:
        yield made


def start(site: Site, **settings: str | None) -> Dev:
    port = free_port()
    where = ("--workspace", "workspace.yaml", "--host", LOOPBACK, "--port", str(port))
    process = site.start("-m", "dagster", "dev", *where, **settings)

    def answers() -> bool:
        assert process.running, process.output()[-4000:]
        return probes.http_answers(port, "/server_info")

    eventually(answers, PATIENCE, "the UI")
    return Dev(process, f"http://{LOOPBACK}:{port}")


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: another daemon, UI, proxy and code server")
def test_sensors_wait_and_starve_nobody(site: Site) -> None:
    dev = start(site)
    site.sensors_wait(dev.process)
    # All of them hold a thread of the proxy and one of the code server.
    eventually(lambda: len(site.ticks("STARTED")) == SENSORS, PATIENCE, "every sensor being evaluated")
    assert dev.intervals() == {WAITING_INTERVAL}
    project = site.project()
    for sample in range(3):
        site.becomes(site.enqueue("bench.standard", project, {"sample": sample}), "completed")

    # The evaluations of the old code server end with it; those of the new one pick up.
    dev.reload()
    assert dev.intervals() == {WAITING_INTERVAL}
    site.becomes(site.enqueue("bench.standard", project, {"sample": 4}), "completed")

    took = dev.process.interrupt()
    print(f"Ctrl-C on dagster dev: {took:.1f} s")
    assert took < Settings().pickup_wait_seconds / 2
    eventually(lambda: not dev.process.family(), what="the end of all that it had started")
    site.launcher_ends()
    assert "Traceback" not in dev.process.output(), dev.process.output()[-4000:]
    assert not site.ticks("FAILURE")


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: another daemon, UI, proxy and code server")
@pytest.mark.skipif((os.cpu_count() or 1) + 4 >= SENSORS + OTHER_THREADS, reason="large enough without being told")
def test_a_code_server_that_is_too_small_polls(site: Site) -> None:
    dev = start(site, **dict.fromkeys(code_server.SIZES))
    site.becomes(site.enqueue("bench.standard", site.project()), "completed")
    assert WAITING_INTERVAL not in dev.intervals()
    print(f"Ctrl-C on a dagster dev that polls: {dev.process.interrupt():.1f} s")
    eventually(lambda: not dev.process.family(), what="the end of all that it had started")


@pytest.mark.parametrize("small", code_server.SIZES)
def test_the_smaller_of_code_server_and_proxy_counts(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in code_server.SIZES:
        monkeypatch.setenv(name, str(SENSORS + OTHER_THREADS))
    assert pace(SENSORS).wait_seconds > 0
    monkeypatch.setenv(small, str(SENSORS + OTHER_THREADS - 1))
    assert pace(SENSORS).wait_seconds == 0
