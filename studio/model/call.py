"""What is asked of a model, and what an agent needs of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel

from studio.agents.profiles import AgentProfile
from studio.model.answers import Answer
from studio.model.spend import Spender
from studio.progress import Progress

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """One question to a model. `step` names the work it belongs to, in the ledger and the event stream."""

    profile: AgentProfile
    step: str
    system: str
    prompt: str
    max_tokens: int
    search: bool = False
    stream_text: bool = True


class CompletesCalls(Protocol):
    """What an agent needs of a model."""

    def complete(self, call: Call, spender: Spender, progress: Progress) -> Answer:
        """Answer in prose; see `Model.complete`."""

    def structured(self, call: Call, schema: type[M], spender: Spender, progress: Progress) -> tuple[M, Answer]:
        """Answer as `schema`; see `Model.structured`."""
