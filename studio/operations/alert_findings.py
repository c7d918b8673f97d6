"""What a check has found: a condition that holds now, and that an operator should be told of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

Kind = Literal["error", "slower", "queue", "spend", "losses", "lost workers"]
Severity = Literal["warning", "critical"]
TITLE_CHARS = 140
DETAIL_CHARS = 600


@dataclass(frozen=True)
class Finding:
    """A condition that holds now. `episode` changes where the same condition is a new one."""

    kind: Kind
    subject: str
    severity: Severity
    title: str
    detail: str
    data: dict[str, Any] = field(default_factory=dict)
    episode: str = ""
    project_id: UUID | None = None
