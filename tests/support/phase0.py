"""Phase 0 without Dagster: a project is launched, its job claimed, and each step of `studio.phase0` is run in order.

The steps hand their outputs on through the checkpoints in the database, as they do in a run.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from studio import claims, projects, queue
from studio.claims import Claim, Json
from studio.database.connection import Connection, Database
from studio.job_types import Phase0Payload
from studio.launch import launch
from studio.model.client import Model
from studio.outbound import OutboundClient
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.phase0 import Phase0
from studio.phases.common import Attempt
from studio.settings import Settings
from studio.storage import Storage
from studio.storage.folder import FolderStorage
from tests.support.model import Recorder
from tests.support.sandbox import SandboxThread

IDEA = (
    "A tool library for neighbours: people lend each other power tools such as drills and ladders."
    " A shared locker in the hallway makes pick-up easy, and a small deposit covers damage."
)
LENDLY, TOOLBOX, MARKET = "https://lendly.test/about", "https://toolbox.test/", "https://figures.test/tools"

# Pages that a search for the idea finds: two who do the same, one with figures.
PAGES = {
    LENDLY: ("Lendly", "Lendly is a tool library that lends power tools to neighbours. It costs €5 a month."),
    TOOLBOX: ("Toolbox | tools for neighbours", "Toolbox is a locker for shared tools in the hallway of a house."),
    MARKET: (
        "The market for shared tools",
        "The total addressable market for shared tools is $4.5 billion. Neighbours own 80 million drills.",
    ),
}

LEASE = timedelta(hours=1)


class Step(NamedTuple):
    """A step: what it reads, whether its work shares a transaction with its checkpoint, and when it is the last."""

    name: str
    needs: tuple[str, ...] = ()
    transactional: bool = False
    ends: Callable[[Json], bool] = lambda _output: False


STEPS = (
    Step("load_context"),
    Step("measure_presence", ("load_context",)),
    Step("research", ("load_context",)),
    Step("synthesize", ("load_context", "measure_presence", "research")),
    Step("save_packet", ("synthesize",), transactional=True),
    Step("deck", ("save_packet",)),
    Step("open_gate", ("save_packet",), transactional=True),
    Step("remember", ("save_packet",), transactional=True),
    Step("announce", ("save_packet", "open_gate"), transactional=True),
)


def write_corpus(folder: Path, pages: dict[str, tuple[str, str]] = PAGES) -> Path:
    """Write pages where the sandbox model's search finds them; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (url, (title, text)) in enumerate(pages.items()):
        page = f"---\nurl: {url}\ntitle: {title}\n---\n{text}\n"
        (folder / f"{number:02d}.md").write_text(page, encoding="utf-8")
    return folder


@functools.cache
def _artifacts() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="greenlight-artifacts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def folder_storage() -> FolderStorage:
    """Return a storage in a folder of its own, which goes with the process."""
    root = Path(tempfile.mkdtemp(dir=_artifacts()))
    return FolderStorage(root, lambda path, seconds: f"http://files.test/{path}?for={seconds}")


@dataclass
class Studio:
    """What a Phase 0 works with, and the projects and jobs to work on."""

    db: Database
    settings: Settings
    model: Model
    outbound: OutboundClient = field(default_factory=lambda: OutboundClient(enabled=False))
    storage: Storage = field(default_factory=folder_storage)

    def project(self, idea: str = IDEA, **fields: Any) -> UUID:
        """Create a project as a founder does."""
        fields = {"owner_clerk_id": f"owner-{uuid4()}", **fields}
        with self.db.transaction() as conn:
            return projects.create(conn, self.settings, idea=idea, **fields)

    def launched(self, project_id: UUID, **wish: Any) -> Claim:
        """Launch Phase 0 and claim its job."""
        with self.db.transaction() as conn:
            job_id = launch(conn, project_id, **wish).job_id
        return self.claimed(job_id)

    def claimed(self, job_id: UUID) -> Claim:
        """Claim the job, as a first or a further attempt."""
        with self.db.transaction() as conn:
            return claims.claim_by_id(conn, self.db, job_id, "worker", f"run-{uuid4()}", LEASE)

    def reclaimed(self, lost: Claim) -> Claim:
        """Let the worker of `lost` be gone, and claim its job for the next attempt."""
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute(
                "update public.agent_jobs set leased_until = now() - interval '1 second' where id = %s", [lost.job_id]
            )
        queue.reclaim_stale(self.db)
        return self.claimed(lost.job_id)

    def phase0(self, claim: Claim, told: Recorder | None = None) -> Phase0:
        """Return one attempt under `claim`."""
        return Phase0(
            claim=claim,
            payload=Phase0Payload.model_validate(claim.job.payload),
            settings=self.settings,
            model=lambda: self.model,
            outbound=lambda: self.outbound,
            progress=told or Recorder(),
            storage=lambda: self.storage,
        )

    def run(self, project_id: UUID, told: Recorder | None = None, **wish: Any) -> dict[str, Json]:
        """Launch Phase 0 and run it to its end; return what its steps gave."""
        claim = self.launched(project_id, **wish)
        outputs = run_steps(self.phase0(claim, told))
        claim.complete()
        return outputs

    def packet(self, project_id: UUID) -> PacketVersion:
        """Return the project's latest packet."""
        found = versions.latest(self.db, project_id, 0)
        assert found is not None, "there is no packet"
        return found


def run_steps(phase0: Phase0, *, until: str | None = None) -> dict[str, Json]:
    """Run the steps of an attempt, all or those before `until`, and return what they gave."""
    return walk(phase0, STEPS, until=until)


def walk(attempt: Attempt, steps: Sequence[Step], *, until: str | None = None) -> dict[str, Json]:
    """Run `steps` in order, all or those before `until`; each is a checkpoint. Return what they gave."""
    outputs: dict[str, Json] = {}
    for step in steps:
        if step.name == until:
            break
        _once(attempt, step, [outputs[need] for need in step.needs])
        found, outputs[step.name] = attempt.claim.saved_step(step.name)
        assert found
        if step.ends(outputs[step.name]):
            break
    return outputs


def _once(attempt: Attempt, step: Step, inputs: list[Json]) -> None:
    work: Callable[..., Json] = getattr(attempt, step.name)
    if not step.transactional:
        attempt.claim.once(step.name, lambda: work(*inputs))
        return

    def in_transaction(conn: Connection) -> Json:
        return work(conn, *inputs)

    attempt.claim.once_in_transaction(step.name, in_transaction)


# --- what became of it


GUIDANCE = "Aim it at schools, and change the tagline to “Tools for every classroom”."
# What one uninterrupted run asks: two searches, two findings, one synthesis.
ASKED = Counter({None: 2, "CompetitorFindings": 1, "MarketFindings": 1, "Phase0Synthesis": 1})


def asked(sandbox: SandboxThread) -> Counter[str | None]:
    return Counter(entry["schema_title"] for entry in sandbox.requests())


def rows(db: Database, table: str, project_id: UUID) -> list[dict[str, Any]]:
    with db.connection() as conn:
        query = f"select * from public.{table} where project_id = %s order by created_at, id"
        return conn.execute(query.encode(), [project_id]).fetchall()


def gates(db: Database, project_id: UUID) -> list[dict[str, Any]]:
    return rows(db, "approval_queue", project_id)


def events(db: Database, project_id: UUID, kind: str) -> list[dict[str, Any]]:
    return [row for row in rows(db, "project_events", project_id) if row["event_type"] == kind]
