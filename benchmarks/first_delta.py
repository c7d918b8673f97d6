"""From a chat message's POST to the first text of its answer at the browser, beyond the model's own time."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from anthropic import Anthropic

from benchmarks import goals
from benchmarks.bed import Bed, Way
from benchmarks.figures import Figure
from benchmarks.size import Size
from greenlight_dagster.bench.samples import summarise
from greenlight_dagster.stack.environment import SANDBOX_MODEL
from studio import projects, sign_in
from studio.errors import StackError
from studio.settings import SANDBOX_KEY

# Stock Dagster has no part that answers a browser's chat; its 6 s until an op begins are in `latency`.
PROFILES: tuple[Way, ...] = ("ours",)
CHATS = Size(40, 6)
PATIENCE_SECONDS = 60.0
# Two questions must not be one burst: it is a single founder's wait that is measured.
PAUSE_SECONDS = 0.3
# An owner who asked more at once would be told to wait, as he should.
CHATS_PER_OWNER = 8
IDEA = "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines."
QUESTION = "What does the idea say about who lends what to whom?"


class Browser:
    """What a chat page does: one event stream, and a POST for each message."""

    def __init__(self, http: httpx.Client, project_id: Any) -> None:
        self._http = http
        self._path = f"/api/projects/{project_id}"
        self._first: dict[str, float] = {}
        self._ended: set[str] = set()
        self._changed = threading.Condition()
        self._cursor = ""
        self._over = False
        self._thread = threading.Thread(target=self._read, name="browser", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading with the next ping."""
        self._over = True
        self._thread.join(PATIENCE_SECONDS)

    def ask(self, message: str) -> float:
        """Send a message; return the seconds until the first text of its answer. Return when the answer has ended."""
        began = time.monotonic()
        answer = self._http.post(f"{self._path}/chat", json={"message": message}).raise_for_status().json()
        job = answer["jobId"]
        with self._changed:
            if not self._changed.wait_for(lambda: job in self._ended, PATIENCE_SECONDS) or job not in self._first:
                raise StackError(f"The chat's job {job} has brought no text.")
            return self._first[job] - began

    def _read(self) -> None:
        while self._reads():
            query = {"cursor": self._cursor} if self._cursor else {}
            with self._http.stream("GET", f"{self._path}/events", params=query, timeout=PATIENCE_SECONDS) as stream:
                for line in stream.iter_lines():
                    if not self._reads():
                        return
                    if line.startswith("id:"):
                        self._cursor = line[3:].strip()
                    elif line.startswith("data:"):
                        self._hear(json.loads(line[5:]))

    def _reads(self) -> bool:
        return not self._over

    def _hear(self, event: dict[str, Any]) -> None:
        job = event.get("jobId")
        with self._changed:
            if event.get("type") == "delta":
                self._first.setdefault(str(job), time.monotonic())
            elif event.get("type") == "status" and event["message"] in ("completed", "failed", "canceled"):
                self._ended.add(str(job))
            self._changed.notify_all()


def measure(bed: Bed) -> dict[str, float]:
    """Return percentiles in milliseconds, and what the model itself takes to its first word."""
    waits: list[float] = []
    wanted = CHATS.count(bed.quick)
    while len(waits) < wanted:
        owner = f"bench-{len(waits)}"
        waits += _waits(bed, owner, min(CHATS_PER_OWNER, wanted - len(waits)))
    own = statistics.median(_models_own(bed.stack.addresses["sandbox"]) for _ in range(5)) * 1000
    return {**summarise([wait - own for wait in waits])._asdict(), "own": own}


def _waits(bed: Bed, owner: str, chats: int) -> list[float]:
    """Return in milliseconds how long an owner has waited for each of some answers."""
    address = bed.stack.addresses["studio"]
    with bed.db.transaction() as conn:
        project_id = projects.create(conn, bed.settings, owner_clerk_id=owner, idea=IDEA)
    with httpx.Client(base_url=address, headers={"Origin": address}) as http:
        http.post(f"/sign-in/{sign_in.make_link_token(bed.db, owner)}")
        browser = Browser(http, project_id)
        browser.ask(QUESTION)
        waits = []
        for _ in range(chats):
            time.sleep(PAUSE_SECONDS)
            waits.append(browser.ask(QUESTION) * 1000)
        browser.close()
    return waits


def _models_own(address: str) -> float:
    """Return the seconds until the model's first word, asked directly."""
    client = Anthropic(base_url=address, api_key=SANDBOX_KEY)
    began = time.monotonic()
    with client.messages.stream(
        model=SANDBOX_MODEL,
        max_tokens=500,
        messages=[{"role": "user", "content": f"<idea>{IDEA}</idea>\n{QUESTION}"}],
    ) as stream:
        for _ in stream.text_stream:
            return time.monotonic() - began
    raise StackError("The model has said nothing.")


def figures(ours: Mapping[str, float], _stock: Mapping[str, float]) -> Iterator[Figure]:
    """Yield the percentiles."""
    note = f"{ours['n']:.0f} chats over HTTP; the model's own {ours['own']:.0f} ms are taken off"
    yield Figure("first_delta", "POST → first delta, p50", "ms", ours["p50"], goal=goals.FIRST_DELTA_P50_MS, note=note)
    yield Figure("first_delta", "POST → first delta, p95", "ms", ours["p95"])
    yield Figure("first_delta", "POST → first delta, p99", "ms", ours["p99"], goal=goals.FIRST_DELTA_P99_MS)
