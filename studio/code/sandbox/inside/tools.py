"""The SDK's six tools, held open for the life of the server."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from . import commands

_SHELL = "bash"
_LATER_SECONDS = 5.0


class Tools:
    """The tools on one workspace. They are loaded at the first use, or by `prepare`: it takes seconds."""

    def __init__(self, workspace: str, *, isolated: bool) -> None:
        self._workspace = workspace
        self._isolated = isolated
        self._tools: dict[str, Any] = {}
        self._loading: asyncio.Task[None] | None = None

    def prepare(self) -> asyncio.Task[None]:
        """Begin to load the tools, beside whatever else is done."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        return self._loading

    async def call(self, name: str, arguments: dict[str, Any], seconds: float) -> tuple[Any, bool]:
        """Return the content of a tool's result, and whether it is an error."""
        try:
            await self.prepare()
        except (ImportError, OSError, RuntimeError) as exc:
            # Such as no more threads: the next call tries again.
            self._loading = None
            return f"The tools could not be loaded: {exc}", True
        tool = self._tools.get(name)
        if tool is None:
            return f"There is no tool {name!r}: there are {', '.join(self._tools)}.", True
        if name == _SHELL:
            wanted = arguments.get("timeout_ms")
            if isinstance(wanted, int | float) and wanted > 0:
                seconds = min(seconds, wanted / 1000)
                # The tool's own limit ends the shell and leaves running what it has started: ours comes first.
                arguments = {**arguments, "timeout_ms": int((seconds + _LATER_SECONDS) * 1000)}
            elif wanted is None:
                arguments = {**arguments, "timeout_ms": int((seconds + _LATER_SECONDS) * 1000)}
        timed_out = False

        def end() -> None:
            nonlocal timed_out
            timed_out = True
            commands.end_all_others(isolated=self._isolated)

        timer = asyncio.get_running_loop().call_later(seconds, end)
        try:
            content, is_error = await self._outcome(tool, arguments, seconds + 2 * _LATER_SECONDS)
        finally:
            timer.cancel()
        if not timed_out:
            return content, is_error
        if name == _SHELL:
            await tool.call({"restart": True})
        said = content if isinstance(content, str) else ""
        return (
            f"{said}\n[{name}: after {seconds:g} s this was ended, and everything else that ran in the sandbox. The"
            " shell was started anew: its working folder and variables are as at the beginning.]",
            True,
        )

    async def _outcome(self, tool: Any, arguments: dict[str, Any], seconds: float) -> tuple[Any, bool]:
        from anthropic.lib.tools import ToolError

        try:
            return await asyncio.wait_for(tool.call(arguments), seconds), False
        except ToolError as exc:
            return exc.content, True
        except Exception as exc:  # noqa: BLE001 - a tool may break in any way on what a model gives it, and is not to end
            return f"{type(exc).__name__}: {exc}", True

    async def close(self) -> None:
        """End the shell."""
        if not self._tools:
            return
        from anthropic.lib.tools._beta_functions import aclose_runnable_tool

        for tool in self._tools.values():
            await aclose_runnable_tool(tool)

    async def _load(self) -> None:
        toolset = await asyncio.to_thread(_import)
        context = toolset.AgentToolContext(workdir=self._workspace, env=dict(os.environ))
        self._tools = {tool.name: tool for tool in toolset.beta_agent_toolset_20260401(context)}


def _import() -> Any:
    from anthropic.lib.tools import agent_toolset

    return agent_toolset
