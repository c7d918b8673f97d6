"""Decisions of the founder, one or many at once, and what their jobs must look like."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from studio import decisions
from studio.decisions import Decision
from studio.errors import Conflict, DecisionConflict, PermissionRefused
from studio.job_types import JOB_TYPES, dump_payload, parse_payload
from tests.support.approvals import FOUNDER, Company
from tests.support.queue import InBackground

MakeCompany = Callable[..., Company]


def decide(company: Company, approval: Any, decision: Any, **more: Any) -> Decision:
    version = more.pop("version", approval.version)
    return decisions.decide(company.db, approval.id, decision, version=version, decided_by=FOUNDER, **more)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Begin all at the same moment; return what each returned, or the conflict or refusal it met."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return work()
        except (DecisionConflict, PermissionRefused, Conflict) as exc:
            return exc

    racers = [InBackground(lambda work=work: run(work)) for work in works]  # type: ignore[misc]
    return [racer.result() for racer in racers]


def fits_the_registry(job: dict[str, Any]) -> None:
    kind = JOB_TYPES[job["job_type"]]
    assert (job["lane"], job["priority"], job["agent_key"]) == (kind.lane, kind.priority, kind.agent_key)
    assert job["max_attempts"] == kind.max_attempts
    # Letter for letter what the registry makes of it: a revive keeps its finished steps then.
    assert job["payload"] == dump_payload(parse_payload(kind, job["project_id"], job["payload"]))
