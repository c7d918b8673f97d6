"""Code generations without Dagster: claimed, and run step by step as the job's ops do, in real sandboxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from studio import claims, queue
from studio.claims import Claim
from studio.code.generation import Generation
from studio.database.connection import Connection, Database
from studio.job_types import JOB_TYPES, CodePayload, parse_payload
from studio.model.client import Model
from studio.queue import NewJob
from studio.settings import Settings
from studio.storage import storage_from_settings
from tests.support.model import Recorder

JOB_TYPE = "code.generate_mvp"
OWNER = "anna"
LEASE = timedelta(hours=1)
STEPS = ("prepare", "write", "inspect", "check", "push", "offer", "record")
NEEDS: dict[str, tuple[str, ...]] = {
    "prepare": (),
    "write": ("prepare",),
    "inspect": ("prepare", "write"),
    "check": ("prepare", "inspect"),
    "push": ("prepare", "inspect", "check"),
    "offer": ("prepare", "write", "inspect", "check", "push"),
    "record": ("prepare", "write", "inspect", "check", "push", "offer"),
}


@dataclass
class Builder:
    """A studio that writes code, with a model at `model_url`."""

    db: Database
    settings: Settings
    told: Recorder = field(default_factory=Recorder)

    def asked(self, project_id: UUID, description: str = "A page that says hello.", **wish: Any) -> UUID:
        """Put a wish into the queue."""
        payload = {"ownerClerkId": OWNER, "description": description, **wish}
        with self.db.transaction() as conn:
            return queue.enqueue(conn, NewJob(JOB_TYPE, project_id, payload)).job_id

    def claimed(self, job_id: UUID) -> Claim:
        """Claim the job, as a run does."""
        with self.db.transaction() as conn:
            return claims.claim_by_id(conn, self.db, job_id, "test", "run", LEASE)

    def attempt(
        self, job_id: UUID, *, until: str = STEPS[-1], before: Callable[[str], None] = lambda _step: None
    ) -> dict[str, Any]:
        """Run the job's steps until `until`, each once, and return their outputs. `before` is told each step."""
        claim = self.claimed(job_id)
        model = Model(self.settings, self.db)
        payload = parse_payload(JOB_TYPES[JOB_TYPE], claim.job.project_id, claim.job.payload)
        assert isinstance(payload, CodePayload)
        work = Generation(
            claim=claim,
            payload=payload,
            settings=self.settings,
            model=lambda: model,
            progress=self.told,
            storage=lambda: storage_from_settings(self.settings),
        )
        done: dict[str, Any] = {}
        try:
            for step in STEPS:
                before(step)
                given = [done[need] for need in NEEDS[step]]
                done[step] = _run(work, claim, step, given)
                if step == until:
                    break
        except BaseException:
            # What a killed run does not say, its lost lease does; either way the job is free again.
            claim.release("The attempt broke off.")
            raise
        finally:
            model.close()
        if until == STEPS[-1]:
            claim.complete()
        return done

    def row(self, job_id: UUID) -> dict[str, Any]:
        """Return what was recorded of a generation."""
        found = self.db.fetch_one("select * from public.code_generations where job_id = %s", [job_id])
        assert found is not None
        return found

    def repository(self, project_id: UUID) -> Path:
        """Return the project's local repository."""
        return Path(self.settings.data_dir) / "repositories" / f"{project_id}.git"


def _run(work: Generation, claim: Claim, step: str, given: list[Any]) -> Any:
    if step == "record":

        def record(conn: Connection) -> Any:
            return work.record(conn, *given)

        return claim.once_in_transaction(step, record)
    method = getattr(work, step)
    return claim.once(step, lambda: method(*given))
