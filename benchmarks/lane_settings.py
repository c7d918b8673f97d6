"""How many jobs run at once while the stacks are measured: the same for both, and not the bottleneck of either."""

from __future__ import annotations

# Four per core of a two-core machine: enough that runs which wait for the database leave no core idle, and not so
# many that stock Dagster's processes, each of which imports for a second, only hold each other up.
SLOTS = 8

LANE_SETTINGS = {
    "WORKER_CONCURRENCY": str(SLOTS),
    "GREENLIGHT_REALTIME_CONCURRENCY": str(SLOTS),
    # A burst belongs to few projects; their limits are not what is measured.
    "GREENLIGHT_PROJECT_CONCURRENCY": str(SLOTS),
    # Else stock Dagster would fill its slots at every second look only.
    "WORKER_CLAIM_BATCH": str(SLOTS),
}
