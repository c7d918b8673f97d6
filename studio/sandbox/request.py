"""A Messages request and what it says."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from studio.sandbox import facts
from studio.sandbox.facts import Facts

_WEB_SEARCH = re.compile(r"web_search_\d{8}")
_WEB_FETCH = re.compile(r"web_fetch_\d{8}")


@dataclass(frozen=True)
class MessagesRequest:
    """A request that passed the checks; `body` is what the client sent, with a thread's messages filled in."""

    body: dict[str, Any]

    @property
    def model(self) -> str:
        """The model the client asked for; the answer names the sandbox all the same."""
        return str(self.body["model"])

    @property
    def max_tokens(self) -> int:
        """How many tokens the answer may have."""
        return int(self.body["max_tokens"])

    @property
    def stream(self) -> bool:
        """Whether the answer goes out as server-sent events."""
        return bool(self.body.get("stream", False))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, oldest first."""
        return list(self.body["messages"])

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools the client offers."""
        return list(self.body.get("tools") or [])

    @property
    def tool_names(self) -> list[str]:
        """What the tools are called."""
        return tool_names(self.body.get("tools"))

    @property
    def tool_choice(self) -> dict[str, Any]:
        """How tools are to be used; `auto` where the client does not say."""
        return dict(self.body.get("tool_choice") or {"type": "auto"})

    @property
    def stop_sequences(self) -> list[str]:
        """Texts at which the answer ends."""
        return list(self.body.get("stop_sequences") or [])

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema the answer has to fit, or None for prose."""
        wanted = (self.body.get("output_config") or {}).get("format")
        return dict(wanted["schema"]) if wanted else None

    @property
    def web_search(self) -> dict[str, Any] | None:
        """The server-side search tool, where the client offers it."""
        return next((tool for tool in self.tools if is_web_search(tool)), None)

    @property
    def web_fetch(self) -> dict[str, Any] | None:
        """The server-side tool that fetches pages, where the client offers it."""
        return next((tool for tool in self.tools if is_web_fetch(tool)), None)

    @property
    def system_text(self) -> str:
        """The system prompt as one text."""
        return text_of(self.body.get("system") or "")

    @property
    def user_texts(self) -> list[str]:
        """What the user wrote, message by message, without tool results."""
        return [text for m in self.messages if m["role"] == "user" and (text := text_of(m["content"]))]

    @functools.cached_property
    def facts(self) -> Facts:
        """Everything the request says."""
        return facts.collect(self.system_text, self.user_texts)


def tool_names(tools: Any) -> list[str]:
    """Return what the tools of a body are called, checked or not; a tool without a name goes by its type."""
    listed = tools if isinstance(tools, list) else []
    return [str(tool.get("name") or tool.get("type")) for tool in listed if isinstance(tool, dict)]


def is_web_search(tool: dict[str, Any]) -> bool:
    """Say whether `tool` is the server-side web search, in any of its versions."""
    return bool(_WEB_SEARCH.fullmatch(str(tool.get("type") or "")))


def is_web_fetch(tool: dict[str, Any]) -> bool:
    """Say whether `tool` is the server-side fetching of pages, in any of its versions."""
    return bool(_WEB_FETCH.fullmatch(str(tool.get("type") or "")))


def blocks_of(content: Any) -> list[dict[str, Any]]:
    """Return message content as a list of blocks; a text is one block."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])


def text_of(content: Any) -> str:
    """Return the text blocks of message content, joined by blank lines."""
    texts = (str(block.get("text") or "") for block in blocks_of(content) if block.get("type") == "text")
    return "\n\n".join(text for text in texts if text)


def title_of(body: Any) -> str | None:
    """Return the title of the schema a body asks for, as far as there is one."""
    config = body.get("output_config") if isinstance(body, dict) else None
    wanted = config.get("format") if isinstance(config, dict) else None
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    title = schema.get("title") if isinstance(schema, dict) else None
    return title if isinstance(title, str) else None
