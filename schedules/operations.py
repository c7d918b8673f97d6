"""Operations: every minute somebody looks whether all is well, and tells whom it concerns where it is not.

A tick does that itself and launches nothing: a run per minute would cost more than what it does, and bury the history
of the runs that matter. Whatever is done here bears being done by several processes at once, twice, or not at all for
a while.
"""

import logging
from collections.abc import Callable

import dagster as dg

from resources.database import StudioDatabase
from schedules.upkeep import upkeep
from studio.database.connection import Database
from studio.operations import alerts
from studio.settings import Settings, get_settings
from studio.tracing.housekeeping import bring_back, close_lost

log = logging.getLogger(__name__)

CRON = "* * * * *"

# What is done every minute, in this order, by the name under which the tick tells of it: takes the database and the
# settings, and returns what is to be said. One that fails does not keep the others from being done.
Work = Callable[[Database, Settings], object]
WORKS: dict[str, Work] = {
    "lost traces": close_lost,
    "spilled traces": bring_back,
    "alerts": alerts.check,
}


def do_all(db: Database, settings: Settings) -> str:
    """Do everything that is done every minute; return what was done. Raise what went wrong first, after all of it."""
    said: list[str] = []
    failures: list[Exception] = []
    for name, work in WORKS.items():
        try:
            said.append(f"{name}: {work(db, settings)}")
        except Exception as exc:
            log.exception("Every minute: %s failed", name)
            failures.append(exc)
    if failures:
        raise failures[0]
    return " ".join(said)


@dg.schedule(
    name="operations_every_minute",
    job=upkeep,
    cron_schedule=CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks every minute whether something is wrong, and tells of it.",
)
def operations_every_minute(context: dg.ScheduleEvaluationContext, studio_database: StudioDatabase) -> dg.SkipReason:
    """Do what is done every minute, and say what that was."""
    return dg.SkipReason(do_all(studio_database.get(), get_settings()))


operations_schedules = [operations_every_minute]
