"""Who the agents are: which tools they may use, for how many turns, for how long.

The numbers are those of the domain specification §3. Turns bound the searches of one call: a call with
`n` turns may search `n - 1` times and must then answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tool = Literal["web_search", "web_fetch", "read", "write", "edit", "glob", "grep", "bash"]


@dataclass(frozen=True)
class AgentProfile:
    """What an agent may do. `timeout_seconds` bounds one model call, from the request to its last word."""

    name: str
    agent_key: str
    tools: tuple[Tool, ...]
    turns: int
    timeout_seconds: int

    @property
    def searches(self) -> int:
        """How many web searches one call may make."""
        return self.turns - 1 if "web_search" in self.tools else 0

    @property
    def fetches(self) -> int:
        """How many pages one call may have fetched."""
        return self.turns - 1 if "web_fetch" in self.tools else 0


_WEB: tuple[Tool, ...] = ("web_search", "web_fetch")
_WORKSPACE: tuple[Tool, ...] = ("read", "write", "edit", "glob", "grep", "bash")

PROFILES: dict[str, AgentProfile] = {
    profile.name: profile
    for profile in (
        AgentProfile("ceo", "ceo", _WEB, 10, 600),
        AgentProfile("research", "research", _WEB, 10, 600),
        AgentProfile("design", "design", _WEB, 10, 600),
        AgentProfile("ceo_phase0", "ceo", ("web_search",), 8, 600),
        AgentProfile("researcher_quick", "research", ("web_search",), 4, 600),
        AgentProfile("researcher_report", "research", _WEB, 15, 900),
        AgentProfile("designer_full", "design", _WEB, 10, 900),
        AgentProfile("designer_frontend", "design", (), 2, 300),
        AgentProfile("strategist", "ceo", (), 8, 180),
        AgentProfile("synthesizer", "ceo", (), 6, 240),
        AgentProfile("chat", "ceo", (), 6, 240),
        AgentProfile("chat_router", "ceo", (), 3, 90),
        AgentProfile("code_generator", "engineering", _WORKSPACE, 30, 1800),
        AgentProfile("none", "ceo", (), 10, 600),
    )
}
