"""The attempt at a phase whose steps are the ops of a job that makes packets."""

from __future__ import annotations

from typing import TypeVar

from jobs.factory import Work
from studio.phases.common import Attempt

AttemptT = TypeVar("AttemptT", bound=Attempt)


def attempt_of(kind: type[AttemptT], work: Work) -> AttemptT:
    """Return the attempt that an op works at; `kind` is the attempt's class, whose payload is the job type's."""
    return kind(
        claim=work.claim,
        payload=work.payload,
        settings=work.settings,
        model=work.model,
        outbound=work.outbound,
        progress=work.progress,
        storage=work.storage,
    )
