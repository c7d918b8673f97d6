"""A control host and two others, whose clocks are wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hosts import Hosts, hosts_or_skip
from tests.support.hosts_host import Host

FIVE_MINUTES = 300


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with hosts_or_skip(["control", "east", "west"], {"east": FIVE_MINUTES, "west": -FIVE_MINUTES}) as made:
        yield made


@pytest.fixture(scope="module")
def control(hosts: Hosts) -> Host:
    return hosts["control"]


@pytest.fixture
def east(hosts: Hosts) -> Iterator[Host]:
    """A host that a test may do anything to."""
    host = hosts["east"]
    yield host
    if host.up:
        host.kill()
    host.start()
