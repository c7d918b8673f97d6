"""The lease keeper: keeps a claim alive for as long as its process can work.

One thread renews the lease and notices a requested cancel; a second one watches the clock, because the
first may be waiting for a database that does not answer. The owner is told once. Each renewal re-arms a
watchdog outside the interpreter's lock (`faulthandler`), so that a process whose extension code holds the
lock for longer than the lease dies before somebody else takes the job.
"""

from __future__ import annotations

import faulthandler
import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import psycopg

from studio.claims import Claim
from studio.errors import StudioError

log = logging.getLogger(__name__)

Alarm = Literal["lease_lost", "cancel_requested", "timeout"]

# A cancel is noticed within this time where nobody interrupts the run from outside.
CANCEL_POLL_SECONDS = 1.0
# The process must be gone before the lease ends, so the watchdog bites this much earlier.
WATCHDOG_SHARE_OF_LEASE = 0.9
# How long `stop` waits for a renewal that is under way; what it brings later is ignored.
STOP_SECONDS = 5.0


class LeaseKeeper:
    """Renews the lease of one claim.

    `on_alarm` is called from a thread of the keeper's own, at most once: the lease is lost, a cancel was
    requested, or the attempt has taken longer than `timeout_seconds`. After that the lease is not renewed
    any more, so whoever does not stop within it is stopped by the watchdog.
    `watchdog` arms `faulthandler`, of which a process has one: only the owner of the process sets it.
    """

    def __init__(
        self,
        claim: Claim,
        *,
        lease_seconds: float,
        renew_seconds: float,
        timeout_seconds: float,
        on_alarm: Callable[[Alarm], None],
        watchdog: bool = False,
    ) -> None:
        self._claim = claim
        self._lease = timedelta(seconds=lease_seconds)
        self._renew_seconds = renew_seconds
        self._timeout_seconds = timeout_seconds
        self._on_alarm = on_alarm
        self._watchdog = watchdog
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._expires = 0.0
        self._deadline = 0.0
        self._threads = [
            threading.Thread(target=self._renew, name=f"lease-{claim.job_id}", daemon=True),
            threading.Thread(target=self._watch_time, name=f"lease-clock-{claim.job_id}", daemon=True),
        ]

    def start(self) -> None:
        """Begin to renew."""
        self._deadline = time.monotonic() + self._timeout_seconds
        self._renewed(time.monotonic())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop renewing, raise no alarm from here on, and disarm the watchdog."""
        with self._lock:
            self._stop.set()
            if self._watchdog:
                faulthandler.cancel_dump_traceback_later()
        for thread in self._threads:
            if thread.is_alive() and threading.current_thread() is not thread:
                thread.join(STOP_SECONDS)

    def _renewed(self, asked: float) -> None:
        # Counted from before the database was asked: its lease begins later than that, so ours ends first.
        with self._lock:
            if self._stop.is_set():
                return
            self._expires = asked + self._lease.total_seconds()
            # A stderr that a test runner or a daemon has replaced has no descriptor to write to.
            file = sys.__stderr__
            if self._watchdog and file is not None:
                faulthandler.dump_traceback_later(
                    self._lease.total_seconds() * WATCHDOG_SHARE_OF_LEASE, exit=True, file=file
                )

    def _raise_alarm(self, alarm: Alarm) -> None:
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
        self._on_alarm(alarm)

    def _watch_time(self) -> None:
        while not self._stop.wait(max(0.0, min(self._expires, self._deadline) - time.monotonic())):
            now = time.monotonic()
            if now >= self._deadline:
                self._raise_alarm("timeout")
            elif now >= self._expires:
                log.error("The lease of job %s ran out unrenewed.", self._claim.job_id)
                self._raise_alarm("lease_lost")

    def _renew(self) -> None:
        pause = min(self._renew_seconds, CANCEL_POLL_SECONDS)
        last_renewed = time.monotonic()
        while not self._stop.wait(pause):
            asked = time.monotonic()
            try:
                if asked - last_renewed < self._renew_seconds and not self._cancel_requested():
                    continue
                renewal = self._claim.renew(self._lease)
            except (StudioError, psycopg.Error) as exc:
                log.warning("The lease of job %s could not be renewed yet: %s", self._claim.job_id, exc)
                continue
            if renewal is None:
                self._raise_alarm("lease_lost")
                return
            last_renewed = asked
            self._renewed(asked)
            if renewal.cancel_requested:
                self._raise_alarm("cancel_requested")

    def _cancel_requested(self) -> bool:
        row = self._claim.db.fetch_one(
            "select status <> 'running' or claim_no <> %s or cancel_requested_at is not null as alarm"
            " from public.agent_jobs where id = %s",
            [self._claim.claim_no, self._claim.job_id],
        )
        return row is None or bool(row["alarm"])
