"""`drip.process_digests`: the weekly digest for every founder whom it is for, once per ISO week."""

from __future__ import annotations

from jobs.drips import drip_job
from studio.mail.drips import process_digests

drip_process_digests = drip_job(
    "drip.process_digests",
    op="queue_digests",
    description="Reserve and queue this ISO week's digest for everybody whom it is for.",
    process=process_digests,
)
