"""A running stack to measure: one of the two ways to run Dagster, on fresh databases of the one server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.lane_settings import LANE_SETTINGS
from benchmarks.server import APPLICATION, Server
from benchmarks.stock import STOCK
from greenlight_dagster.bench.ground import ground
from greenlight_dagster.bench.measures import warm_up
from greenlight_dagster.stack import profile
from greenlight_dagster.stack.profile import Profile
from greenlight_dagster.stack.stack import Stack
from studio.database.connection import Database
from studio.job_types import LANES
from studio.settings import Settings

Way = Literal["ours", "stock", "fleet"]

# The repository's own dagster.yaml and daemon, whatever they are.
OURS = Profile(environment=LANE_SETTINGS)
# The same with a broker and workers, which a benchmark starts by itself.
FLEET = Profile(dagster_yaml=profile.FLEET.dagster_yaml, environment=LANE_SETTINGS)
PROFILES: dict[Way, Profile] = {"stock": STOCK, "ours": OURS, "fleet": FLEET}


@dataclass(frozen=True)
class Bed:
    """What a benchmark of a stack works with.

    `databases` are the names of the studio's and Dagster's; `say` takes a line for a person.
    """

    way: Way
    stack: Stack
    db: Database
    settings: Settings
    server: Server
    databases: tuple[str, str]
    quick: bool
    say: Callable[[str], None]


@contextlib.contextmanager
def running(
    way: Way,
    server: Server,
    folder: Path,
    *,
    quick: bool,
    say: Callable[[str], None],
    with_stack: Callable[[Stack], AbstractContextManager[object]] = contextlib.nullcontext,
    **settings_of_way: str,
) -> Iterator[Bed]:
    """Start a stack without web server, let a job of every lane through, and lend it.

    `with_stack` is entered when the stack runs, before the first job.
    """
    names = (f"{way}_studio", f"{way}_dagster")
    profile = PROFILES[way]
    settings = Settings.model_validate(
        {
            "DATABASE_URL": server.database(names[0]),
            # As in the embedded stack, for both: runs and their logs are bookkeeping.
            "GREENLIGHT_DAGSTER_DATABASE_URL": server.database(names[1], synchronous_commit=False),
            "GREENLIGHT_DATA_DIR": str(folder),
            "GREENLIGHT_DRAIN_SECONDS": "0",
            **profile.environment,
            **settings_of_way,
        }
    )
    with Stack(
        folder, settings, webserver=False, web=False, studio=way != "stock", studio_port=0, profile=profile
    ) as stack:
        with with_stack(stack), Database(stack.environment()["DATABASE_URL"], application_name=APPLICATION) as db:
            with ground(db, 1) as warm:
                for lane in LANES:
                    warm_up(warm, lane)
            server.settle()
            yield Bed(way, stack, db, settings, server, names, quick, say)
    for name in names:
        server.drop(name)
