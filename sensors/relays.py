"""Which sensors there are: how many relay each other in a lane, and their names."""

from studio.job_types import LANES, Lane

# Our own daemon evaluates a sensor again at once, so that two are enough; Dagster's looks every five seconds, which
# the others bridge. Heavy jobs come one at a time.
RELAYS: dict[Lane, int] = {"realtime": 3, "standard": 3, "heavy": 2}
WATCHER = "watcher"


def pickup_name(lane: Lane, number: int) -> str:
    """Return the name of the pickup sensor `number` (from 1) of a lane."""
    return f"pickup_{lane}_{number}"


SENSORS = {*(pickup_name(lane, number) for lane in LANES for number in range(1, RELAYS[lane] + 1)), WATCHER}
