"""What founders do meanwhile: an idea to its packet, a chat now and then, and pages that are opened and closed."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import httpx

from benchmarks.first_delta import CHATS_PER_OWNER, IDEA, PATIENCE_SECONDS, QUESTION, Browser
from benchmarks.soak.tally import Tally
from studio import projects, queue, sign_in
from studio.database.connection import Connection, Database
from studio.errors import StackError, StudioError
from studio.launch import launch
from studio.settings import Settings

log = logging.getLogger(__name__)

PHASE0_SECONDS = 30.0
PHASE0_PATIENCE_SECONDS = 120.0
CHAT_SECONDS = 20.0
# Pages that somebody looks at, and how long he stays and is away: some stay longer than a stream lasts, some shorter.
READERS = 4
STAY_SECONDS = (5.0, 45.0)
AWAY_SECONDS = (1.0, 10.0)
POLL_SECONDS = 0.25
OWNER = "soak"


class Visitors:
    """The founders of one studio at `address`, until `over`. Each method is for a thread of its own."""

    def __init__(self, db: Database, settings: Settings, address: str, tally: Tally, over: threading.Event) -> None:
        self._db = db
        self._settings = settings
        self._address = address
        self._tally = tally
        self._over = over
        for what in ("phase0", "phase0 failed", "chats", "chats failed", "streams", "streams broken", "events missed"):
            tally.count(what, 0)

    def think(self) -> None:
        """Have an idea every half minute, and bring it to its packet."""
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due += PHASE0_SECONDS
            began = time.monotonic()
            with self._db.transaction() as conn:
                job_id = launch(conn, self._project(conn, OWNER)).job_id
            while not (job := queue.get(self._db, job_id)).ended:
                if time.monotonic() - began > PHASE0_PATIENCE_SECONDS:
                    break
                time.sleep(POLL_SECONDS)
            self._tally.count("phase0")
            if job.status == "completed":
                self._tally.waited("phase0", (time.monotonic() - began) * 1000)
            else:
                self._tally.count("phase0 failed")
                log.warning("a Phase 0 is %s: %s", job.status, job.last_error)

    def chat(self) -> None:
        """Ask something now and then, on the page of a project; after some questions another owner does."""
        turn = 0
        while not self._over.is_set():
            owner = f"{OWNER}-{turn}"
            turn += 1
            try:
                self._ask(owner)
            except (httpx.HTTPError, StudioError) as exc:
                self._tally.count("chats failed")
                log.warning("a chat broke off: %s", exc)
                self._over.wait(CHAT_SECONDS)

    def _ask(self, owner: str) -> None:
        with self._db.transaction() as conn:
            project = self._project(conn, owner)
        with self._signed_in(owner) as http:
            browser = Browser(http, project)
            try:
                for _ in range(CHATS_PER_OWNER):
                    if self._over.wait(CHAT_SECONDS):
                        return
                    waited = browser.ask(QUESTION)
                    self._tally.count("chats")
                    self._tally.waited("chat", waited * 1000)
            finally:
                browser.close()

    def read(self, pages: Sequence[tuple[str, UUID]]) -> None:
        """Look at one of `pages`, an owner and his project each, for a while; go, and come back to another."""
        while not self._over.wait(random.uniform(*AWAY_SECONDS)):
            owner, project = random.choice(pages)
            try:
                with self._signed_in(owner) as http:
                    self._look(http, project, time.monotonic() + random.uniform(*STAY_SECONDS))
            except (httpx.HTTPError, StackError) as exc:
                self._tally.count("streams broken")
                log.warning("a stream broke: %s", exc)

    def _look(self, http: httpx.Client, project: UUID, until: float) -> None:
        seen: int | None = None
        while time.monotonic() < until and not self._over.is_set():
            headers = {"Last-Event-ID": str(seen)} if seen is not None else {}
            path = f"/api/projects/{project}/events"
            opened = datetime.now(UTC)
            with http.stream("GET", path, headers=headers, timeout=PATIENCE_SECONDS) as stream:
                stream.raise_for_status()
                self._tally.count("streams")
                seq: int | None = None
                for line in stream.iter_lines():
                    if line.startswith("id:"):
                        seq = int(line[3:])
                    elif line.startswith("data:") and seq is not None:
                        if seen is not None and seq != seen + 1:
                            self._tally.count("events missed")
                        seen, seq = seq, None
                        self._hear(json.loads(line[5:])["createdAt"], opened)
                    elif line == "event: reconnect":
                        break
                    if time.monotonic() > until or self._over.is_set():
                        return

    def _hear(self, created_at: str, opened: datetime) -> None:
        created = datetime.fromisoformat(created_at)
        # What happened before came when the stream began.
        if created > opened:
            self._tally.waited("stream", (datetime.now(UTC) - created).total_seconds() * 1000)

    @contextlib.contextmanager
    def _signed_in(self, owner: str) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self._address, headers={"Origin": self._address}) as http:
            answer = http.post(f"/sign-in/{sign_in.make_link_token(self._db, owner)}")
            if answer.is_error:
                raise StackError(f"The studio's sign-in answers {answer.status_code}.")
            yield http

    def _project(self, conn: Connection, owner: str) -> UUID:
        return projects.create(conn, self._settings, owner_clerk_id=owner, idea=IDEA)
