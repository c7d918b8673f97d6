"""The event writer of one claim: takes events from any thread, writes them in batches from its own.

Model text (`delta`) is joined before it is written, because a token a row would flood the table; only the first
words after a pause go out at once, because somebody waits for them. A failed write never fails the job: it is sent
again under the same ids, so that what did arrive is not written twice, and what cannot be written is counted and
logged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg

from studio import events
from studio.claims import Claim
from studio.errors import DatabaseError, LeaseLost
from studio.events import NewEvent

log = logging.getLogger(__name__)

# A delta is written when the flush interval since the last one is over, or when this much text has gathered.
DELTA_CHARS = 500
# More than a job ever has waiting while the database answers; beyond it the oldest deltas go first.
BACKLOG_LIMIT = 10_000
# How long `flush` waits for the database before it gives up and says so.
FLUSH_TIMEOUT_SECONDS = 10.0
RETRY_SECONDS = 0.5
# What is written even by an attempt that has written too much: who follows the job waits for it.
KEPT_BEYOND = frozenset({"artifact", "done"})
OVER_LIMIT = "This attempt writes more than is kept: from here on only its results are."


_by_run: dict[str, EventWriter] = {}


def of_run(run_id: str) -> EventWriter | None:
    """Return the writer of the run `run_id` in this process, or None: what a log handler looks up."""
    return _by_run.get(run_id)


class EventWriter:
    """Writes the events of one claim, fenced by its number."""

    def __init__(self, claim: Claim, run_id: str, *, flush_seconds: float, limit: int | None = None) -> None:
        """`limit` bounds what is written: beyond it only results are, and a line that says so."""
        self._left = limit
        self.over = 0
        self._claim = claim
        self._run_id = run_id
        self._flush_seconds = flush_seconds
        self._pending: deque[NewEvent] = deque()
        self._wake = threading.Condition()
        self._writing = False
        self._closed = False
        self._hurry = False
        self._delta_chars = 0
        self._text_after = 0.0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=f"events-{claim.job_id}", daemon=True)
        self._thread.start()
        _by_run[run_id] = self

    def emit(self, event: NewEvent) -> None:
        """Take an event; it is written within the flush interval."""
        with self._wake:
            if self._closed:
                self.dropped += 1
                return
            self._pending.append(event)
            self._bound()
            if event.type != "delta":
                self._wake.notify_all()

    def delta(self, text: str, data: dict[str, Any]) -> None:
        """Take a piece of streamed text; pieces with the same `data` in a row become one event."""
        with self._wake:
            if self._closed:
                return
            if not self._pending:
                # The writer then waits for the rest of the flush interval, and gathers what comes until its end.
                self._wake.notify_all()
            last = self._pending[-1] if self._pending else None
            # Text that was sent before may have been written: what comes now is an event of its own.
            if last is not None and last.type == "delta" and last.data == data and last.id is None:
                self._pending[-1] = NewEvent("delta", (last.message or "") + text, data)
            else:
                self._pending.append(NewEvent("delta", text, data))
                self._bound()
            self._delta_chars += len(text)
            if self._delta_chars >= DELTA_CHARS:
                self._wake.notify_all()

    def flush(self) -> None:
        """Return when everything taken so far is written, or was given up on."""
        deadline = time.monotonic() + FLUSH_TIMEOUT_SECONDS
        with self._wake:
            # The writer may be about to wait for more text, and would miss a mere wake-up.
            self._hurry = True
            self._wake.notify_all()
            while (self._pending or self._writing) and self._thread.is_alive():
                left = deadline - time.monotonic()
                if left <= 0:
                    log.error("%d events of job %s are not written yet", len(self._pending), self._claim.job_id)
                    break
                self._wake.wait(left)
            self._hurry = False

    def close(self) -> None:
        """Write what is left and stop."""
        _by_run.pop(self._run_id, None)
        self.flush()
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        self._thread.join(FLUSH_TIMEOUT_SECONDS)
        if self.dropped:
            log.error("%d events of job %s could not be written", self.dropped, self._claim.job_id)

    def _bound(self) -> None:
        if len(self._pending) <= BACKLOG_LIMIT:
            return
        for index, event in enumerate(self._pending):
            if event.type == "delta":
                del self._pending[index]
                break
        else:
            self._pending.popleft()
        self.dropped += 1

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._pending and not self._closed:
                    self._wake.wait()
                if not self._pending:
                    return
                hurry = self._hurry or self._closed or self._delta_chars >= DELTA_CHARS
                rest = self._text_after - time.monotonic()
                if self._pending[-1].type == "delta" and not hurry and rest > 0:
                    self._wake.wait(rest)
                if self._delta_chars:
                    self._text_after = time.monotonic() + self._flush_seconds
                batch = [event if event.id else replace(event, id=uuid4()) for event in self._within(self._pending)]
                self._pending.clear()
                self._delta_chars = 0
                self._writing = True
            unwritten = self._write(batch)
            with self._wake:
                self._writing = False
                if unwritten:
                    self._pending.extendleft(reversed(unwritten))
                    if self._closed:
                        self.dropped += len(self._pending)
                        self._pending.clear()
                        self._wake.notify_all()
                        return
                self._wake.notify_all()
            if unwritten:
                time.sleep(RETRY_SECONDS)

    def _within(self, pending: Iterable[NewEvent]) -> Iterator[NewEvent]:
        """Yield what of `pending` is written: all until the limit, then results alone."""
        for event in pending:
            # What has an id has been counted; it waits for the database.
            if self._left is None or event.id is not None:
                yield event
            elif self._left > 0:
                self._left -= 1
                yield event
            else:
                if self._left == 0:
                    self._left = -1
                    log.error("Job %s writes more events than an attempt may; the rest is left out", self._claim.job_id)
                    yield NewEvent("log", OVER_LIMIT, {"level": "WARNING"})
                if event.type in KEPT_BEYOND:
                    yield event
                else:
                    self.over += 1

    def _write(self, batch: list[NewEvent]) -> list[NewEvent]:
        """Write `batch` and return what has to wait for the database."""
        if not batch:
            return []
        try:
            with self._claim.db.transaction() as conn:
                events.append(conn, self._claim.job_id, batch, self._claim.claim_no)
        except LeaseLost:
            # Somebody else writes this job's events now.
            self.dropped += len(batch)
        except (DatabaseError, psycopg.OperationalError) as exc:
            log.warning("Events of job %s wait for the database: %s", self._claim.job_id, exc)
            return batch
        except Exception as exc:  # noqa: BLE001 - a thread's boundary: an odd event must not end the stream
            if len(batch) == 1:
                log.error("An event of job %s was refused: %s", self._claim.job_id, exc)
                self.dropped += 1
                return []
            first, second = batch[: len(batch) // 2], batch[len(batch) // 2 :]
            if waiting := self._write(first):
                return waiting + second
            return self._write(second)
        return []
