"""The night shift: at 01:00 UTC every active project on night shift gets its cycle of the night into the queue.

Dagster makes up for the last tick that was missed while the daemon was down, but not for one that failed. So a
second schedule looks again through the night and queues whoever was left out: by a failed tick, by one that used
up its time, by being locked just then. The key of a cycle names project and day, so any number of ticks queue it
once.
"""

from datetime import datetime

from schedules.enqueuing import build_schedule
from studio import fan_out
from studio.database.connection import Database

CRON = "0 1 * * *"
# Until five: whoever has no cycle by then waits for the next night.
REST_CRON = "5-59/10 1-4 * * *"
# Dagster gives an evaluation a minute. For half of it a page waits for a database that is being restarted; in
# this part of the rest about a hundred thousand projects have their turn.
TICK_SECONDS = 25.0


def queue_night(db: Database, scheduled: datetime) -> str:
    """Queue the night's cycles that are missing; return what was done."""
    return str(fan_out.night_shift(db, scheduled, seconds=TICK_SECONDS))


night_shift_schedules = [
    build_schedule(
        "night_shift",
        fan_out.CYCLE,
        CRON,
        "Queues the night's cycle of every active project on night shift.",
        queue_night,
    ),
    build_schedule(
        "night_shift_rest",
        fan_out.CYCLE,
        REST_CRON,
        "Queues the night's cycle of the projects that earlier ticks of the night left out.",
        queue_night,
    ),
]
