"""`drip.process_nudges`: a word to founders whose packets wait, each kind once ever."""

from __future__ import annotations

from jobs.drips import drip_job
from studio.mail.drips import process_nudges

drip_process_nudges = drip_job(
    "drip.process_nudges",
    op="queue_nudges",
    description="Reserve and queue the nudges for everybody whom they are for.",
    process=process_nudges,
)
