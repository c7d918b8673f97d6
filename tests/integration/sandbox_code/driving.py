"""The code agent's loop for tests: the real SDK asks, and its own toolset carries the calls out in a folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anthropic
from anthropic.lib.tools._beta_functions import ToolError, aclose_runnable_tool
from anthropic.lib.tools.agent_toolset import AgentToolContext, beta_agent_toolset_20260401

from studio.agents.prompting import blocks

MAX_TOKENS = 16_000
MAX_TURNS = 30
SYSTEM = "You are the engineering agent of a startup studio. You write a first working version of a product."
CACHED = {"cache_control": {"type": "ephemeral"}}
REQUEST = "Build the first version, with a waitlist."

# Says what a tool answers instead of running it; None lets it run.
Instead = Callable[[str, dict[str, Any]], str | None]


@dataclass
class Run:
    """How it went: the texts of the turns, the calls with their results, and the last text."""

    texts: list[str] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any], str, bool]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    said: str = ""

    @property
    def tools(self) -> list[str]:
        """The tools that were called, in order."""
        return [name for name, _, _, _ in self.calls]

    def results(self, name: str) -> list[str]:
        """What one tool answered, in order."""
        return [result for called, _, result, _ in self.calls if called == name]


def opening(idea: str, *, name: str = "", request: str = REQUEST, files: Iterable[str] = (), **more: Any) -> str:
    """Return the first message of a conversation, as the studio's code agent writes it."""
    return blocks(project={"name": name or idea[:40], "idea": idea}, request=request, files=list(files), **more)


def tools_of(folder: Path) -> tuple[AgentToolContext, dict[str, Any]]:
    """Return the SDK's six tools over a folder, by name."""
    context = AgentToolContext(workdir=folder)
    return context, {tool.name: tool for tool in beta_agent_toolset_20260401(context)}


def marked(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a conversation whose last block is marked for the cache."""
    content = messages[-1]["content"]
    listed = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [*messages[:-1], {**messages[-1], "content": [*listed[:-1], {**listed[-1], **CACHED}]}]


async def _drive(url: str, folder: Path, first: str, instead: Instead, resume: Run | None, max_tokens: int) -> Run:
    run = resume or Run(messages=[{"role": "user", "content": first}])
    _, tools = tools_of(folder)
    described: list[Any] = [tool.to_dict() for tool in tools.values()]
    described[-1] = {**described[-1], **CACHED}
    described.append({"type": "web_search_20250305", "name": "web_search", "max_uses": 3})
    client = anthropic.AsyncAnthropic(base_url=url, api_key="test", max_retries=0)
    try:
        for _ in range(MAX_TURNS):
            async with client.messages.stream(
                model="sandbox",
                max_tokens=max_tokens,
                system=[{"type": "text", "text": SYSTEM, **CACHED}],  # type: ignore[typeddict-item]
                tools=described,
                messages=marked(run.messages),  # type: ignore[arg-type]
            ) as stream:
                message = await stream.get_final_message()
            content = [block.to_dict() for block in message.content]
            text = "".join(str(block["text"]) for block in content if block["type"] == "text")
            run.messages.append({"role": "assistant", "content": content})
            if message.stop_reason != "tool_use":
                run.said = text
                return run
            run.texts.append(text)
            results = [await _use(tools, block, instead, run) for block in content if block["type"] == "tool_use"]
            run.messages.append({"role": "user", "content": results})
        raise AssertionError("the agent never came to an end")
    finally:
        await client.close()
        for tool in tools.values():
            await aclose_runnable_tool(tool)


async def _use(tools: dict[str, Any], block: Any, instead: Instead, run: Run) -> dict[str, Any]:
    refused = instead(block["name"], block["input"])
    failed = refused is not None
    try:
        answer = refused if refused is not None else await tools[block["name"]].call(block["input"])
    except ToolError as exc:
        answer, failed = exc.content, True
    text = answer if isinstance(answer, str) else json.dumps(answer)
    run.calls.append((block["name"], block["input"], text, failed))
    # As text and as blocks: both are what the API takes.
    content: Any = text if len(run.calls) % 2 else [{"type": "text", "text": text or "(nothing)"}]
    return {"type": "tool_result", "tool_use_id": block["id"], "content": content or "(nothing)", "is_error": failed}


def drive(
    url: str,
    folder: Path,
    first: str,
    *,
    instead: Instead = lambda _name, _given: None,
    resume: Run | None = None,
    max_tokens: int = MAX_TOKENS,
) -> Run:
    """Let the model at `url` work in `folder` until it says that it is done."""
    return asyncio.run(_drive(url, folder, first, instead, resume, max_tokens))
