"""A host's clock may be wrong: the time of day is off, in whatever program, and no pause is longer or shorter."""

from __future__ import annotations

import json
import sys
import time

import pytest

from tests.integration.hosts.conftest import FIVE_MINUTES
from tests.support.hosts import Hosts
from tests.support.hosts_clock import PAUSE_SECONDS, PAUSES

pytestmark = pytest.mark.timeout(300)

# Far less than the five minutes, far more than a busy machine needs for a short pause.
CLOSE_SECONDS = 100.0


@pytest.mark.parametrize(("name", "skew"), [("control", 0), ("east", FIVE_MINUTES), ("west", -FIVE_MINUTES)])
def test_a_wrong_clock_moves_the_time_of_day_and_nothing_else(hosts: Hosts, name: str, skew: int) -> None:
    monotonic, now = time.monotonic(), time.time()
    program = hosts[name].run([sys.executable, "-m", "tests.support.hosts_clock"], "clocks")
    assert program.wait(120.0) == 0, program.output()
    took = time.monotonic() - monotonic
    said = json.loads(program.output())
    assert 0 <= said["monotonic"] - monotonic <= took
    for clock, at in said["clocks"].items():
        # The kernel stamps files by the tick before.
        assert -1 <= at - now - skew <= took + 1, clock
    assert set(said["pauses"]) == set(PAUSES)
    for pause, seconds in said["pauses"].items():
        assert PAUSE_SECONDS * 0.9 <= seconds < CLOSE_SECONDS, pause
