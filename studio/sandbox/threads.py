"""Conversations that the server keeps between turns, so that a client sends only what is new.

A client starts one with `thread: {"type": "create"}` and goes on with the id of the last answer. What does not
fit into memory is forgotten, oldest first; the client is then told `thread_not_found` and sends everything again.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

from studio.sandbox.errors import ApiError, invalid

MAX_THREADS = 200
MAX_CHARS = 8_000_000

_KEPT = ("system", "tools", "messages")


class Threads:
    """The kept conversations, by the id of the answer they stopped at."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[dict[str, Any], int]] = OrderedDict()
        self._chars = 0

    def __len__(self) -> int:
        return len(self._kept)

    def expand(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return `body` with the kept messages before its own, as if the client had sent them all."""
        thread = body.get("thread")
        if thread is None:
            return body
        if not isinstance(thread, dict) or thread.get("type") not in ("create", "continue"):
            raise invalid("thread.type: Input should be 'create' or 'continue'")
        if thread["type"] == "create":
            return body
        for field in ("system", "tools"):
            if body.get(field) is not None:
                raise invalid(f"{field}: may not be given when a thread is continued")
        kept = self._kept.get(str(thread.get("previous_message_id")))
        if kept is None:
            raise ApiError(
                404,
                "thread.previous_message_id: no such thread is kept",
                details={"error_code": "thread_not_found"},
            )
        stored = kept[0]
        new = body.get("messages")
        messages = [*stored["messages"], *(new if isinstance(new, list) else [])]
        return {**body, **stored, "messages": messages}

    def keep(self, body: dict[str, Any], message_id: str, content: list[dict[str, Any]]) -> None:
        """Keep the conversation of `body` with the answer `content` under `message_id`, if it is a thread."""
        if body.get("thread") is None:
            return
        state = {key: body[key] for key in _KEPT if key in body}
        state["messages"] = [*state["messages"], {"role": "assistant", "content": content}]
        size = len(json.dumps(state))
        self._kept[message_id] = (state, size)
        self._chars += size
        while self._kept and (len(self._kept) > MAX_THREADS or self._chars > MAX_CHARS):
            _, (_, freed) = self._kept.popitem(last=False)
            self._chars -= freed
