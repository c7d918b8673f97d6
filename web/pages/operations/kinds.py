"""What kinds of work there are in a trace, told apart on a page by name, sign and pattern, and only then by colour.

A kind is where the time went as a person asks for it; the category of a span (`studio.tracing.names`) says which.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.tracing import names


@dataclass(frozen=True)
class Kind:
    """A kind of work. `key` is the class by which style sheets know it."""

    key: str
    label: str


JOB = Kind("job", "Job")
WAIT = Kind("wait", "Waiting")
STEP = Kind("step", "Step")
AGENT = Kind("agent", "Agent")
MODEL = Kind("model", "Model")
TOOL = Kind("tool", "Tool")
ACTION = Kind("action", "Action")
HTTP = Kind("http", "HTTP")
DATABASE = Kind("database", "Database")
OTHER = Kind("other", "Other")

KINDS: tuple[Kind, ...] = (JOB, WAIT, STEP, AGENT, MODEL, TOOL, ACTION, HTTP, DATABASE, OTHER)
_BY_CATEGORY: dict[str, Kind] = {
    names.JOB: JOB,
    "queue": WAIT,
    names.LAUNCH: WAIT,
    names.STEP: STEP,
    names.AGENT: AGENT,
    names.LLM: MODEL,
    names.CHAT: MODEL,
    names.TOOL: TOOL,
    names.ACTION: ACTION,
    names.HTTP: HTTP,
    "db": DATABASE,
}


def kind_of(name: str) -> Kind:
    """Return the kind of a span by its name: `agent:research` is an agent, `chat claude` is the model."""
    if name == names.DB_WAIT:
        return WAIT
    return _BY_CATEGORY.get(name.partition(":")[0].partition(" ")[0], OTHER)
