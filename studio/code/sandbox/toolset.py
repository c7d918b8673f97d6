"""The six tools as a model is told of them: from the SDK in this process, which no agent's code has touched."""

from __future__ import annotations

import functools
import json
from typing import Any

from studio.code.sandbox.layout import WORKSPACE


def definitions() -> list[dict[str, Any]]:
    """Return name, description and input schema of each tool."""
    loaded: list[dict[str, Any]] = json.loads(_definitions())
    return loaded


@functools.cache
def _definitions() -> str:
    from anthropic.lib.tools.agent_toolset import AgentToolContext, beta_agent_toolset_20260401

    tools = beta_agent_toolset_20260401(AgentToolContext(workdir=WORKSPACE))
    return json.dumps(
        [{"name": tool.name, "description": tool.description, "input_schema": tool.input_schema} for tool in tools]
    )
