"""The size of the tests that hurt the system at random: reduced in `make test`, in full in `make chaos`."""

from __future__ import annotations

import os

FULL = os.environ.get("GREENLIGHT_CHAOS") == "full"
# Half an hour for the long form of one test; five minutes where a busy machine runs the reduced one.
SECONDS = 1800 if FULL else 300
