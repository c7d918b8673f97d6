"""Mixed work on one machine stands up to the audit by which a fleet is judged: once, in order, in time, all of it.

Part of `make chaos`: what `make test` tries of it are a fleet's jobs on its hosts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from greenlight_dagster.stack.urls import libpq_url
from studio.database.connection import Database
from tests.support.fleet_audit import audit
from tests.support.fleet_history import History, gather
from tests.support.fleet_load import Load
from tests.support.fleet_watch import Followers, Sampler
from tests.support.fleet_world import World
from tests.support.size import FULL, SECONDS
from tests.support.stack import UpStack
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not FULL, reason="part of `make chaos`: a whole stack with 60 jobs"),
    pytest.mark.timeout(SECONDS),
]

SEED = int(os.environ.get("GREENLIGHT_CHAOS_SEED", "20260307"))
JOBS, LOAD_SECONDS = 60, 20.0
PATIENCE = 240.0
LEASE_SECONDS = 15.0
SETTINGS = {
    "GREENLIGHT_LEASE_SECONDS": str(LEASE_SECONDS),
    "GREENLIGHT_LEASE_RENEW_SECONDS": "2",
    "GREENLIGHT_LAUNCH_LEASE_SECONDS": str(LEASE_SECONDS),
    "GREENLIGHT_RETRY_SECONDS": "1",
    "GREENLIGHT_DRAIN_SECONDS": "0",
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


@pytest.fixture(scope="module")
def stack(world: World) -> Iterator[UpStack]:
    with UpStack({**SETTINGS, **world.variables}) as running:
        yield running


@pytest.fixture(scope="module")
def history(stack: UpStack, world: World) -> History:
    """What happened while the jobs were asked for and worked off, with somebody looking on."""
    url = stack.variables["DATABASE_URL"]
    dagster_url = libpq_url(stack.variables["GREENLIGHT_DAGSTER_DATABASE_URL"])
    with stack.database() as db:
        load = Load(db, world, JOBS, SEED)
        with Sampler(url) as sampler, Followers(db, load.projects) as followers:
            load.run(LOAD_SECONDS)
            eventually(lambda: not load.unfinished(), PATIENCE, "the end of every job")
            eventually(lambda: _runs_ended(dagster_url), PATIENCE, "the end of every run")
            found = gather(url, dagster_url, world, LEASE_SECONDS, without=load.placed)
            followers.caught_up(60.0)
    found.samples = sampler.samples
    found.followed = followers.until(found.counters)
    return found


def _runs_ended(dagster_url: str) -> bool:
    with Database(dagster_url, pool_size=1) as db:
        row = db.fetch_one("select count(*) as n from runs where status not in ('SUCCESS', 'FAILURE', 'CANCELED')")
    return row == {"n": 0}


def test_the_audit_finds_nothing(history: History) -> None:
    assert audit(history) == []


def test_the_load_was_what_it_says(history: History) -> None:
    kinds = Counter(job.kind for job in history.jobs)
    print(dict(kinds), Counter(job.status for job in history.jobs), len(history.events), len(history.samples))
    assert sum(kinds.values()) >= JOBS
    assert {"chat.reply", "approval.execute", "phase0.generate_packet", "email.process_due", "bench.heavy"} <= set(
        kinds
    )
    assert [job for job in history.jobs if job.status != "completed" and not job.waits] == []
    assert {"answer", "packet", "mail", "activate_meta_ads_campaign"} <= {effect.what for effect in history.effects}
    assert sum(call.asked for call in history.calls) >= kinds["chat.reply"]
    assert sum(map(len, history.followed.values())) > JOBS
