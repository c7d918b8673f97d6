"""A chat with nobody, so that the first real one of a process does not wait for what the SDK builds when it is used.

The SDK builds the types of a stream's events when the first one is read, which takes longer than all else that comes
before a chat's first word. A process that others are forked from can do it for all of them.
"""

from __future__ import annotations

import json
from typing import Any

from studio.agents.chat import tool

_MESSAGE: dict[str, Any] = {
    "id": "msg_rehearsal",
    "type": "message",
    "role": "assistant",
    "model": "rehearsal",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
_CALL = {"action_type": "deploy_landing_page", "rationale": "None."}


def rehearse() -> None:
    """Let the SDK run a tool and read two answers that never left the process; import it where nobody has."""
    import anthropic
    import httpx2

    answers = iter((_stream(calls=True), _stream(calls=False)))
    transport = httpx2.MockTransport(
        lambda _request: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=next(answers))
    )
    with httpx2.Client(transport=transport) as http:
        client = anthropic.Anthropic(api_key="rehearsal", base_url="http://rehearsal.invalid", http_client=http)
        runner = client.beta.messages.tool_runner(
            model="rehearsal",
            max_tokens=1,
            messages=[{"role": "user", "content": "rehearsal"}],
            tools=[tool(lambda *_: "Noted.")],
            stream=True,
        )
        for stream in runner:
            for _ in stream:
                pass
            stream.get_final_message().to_json()


def _stream(*, calls: bool) -> bytes:
    blocks: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"type": "text", "text": ""}, {"type": "text_delta", "text": "A word."})
    ]
    if calls:
        opened = {"type": "tool_use", "id": "toolu_rehearsal", "name": "propose_action", "input": {}}
        blocks.append((opened, {"type": "input_json_delta", "partial_json": json.dumps(_CALL)}))
    events: list[dict[str, Any]] = [{"type": "message_start", "message": _MESSAGE}, {"type": "ping"}]
    for index, (opened, delta) in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": index, "content_block": opened},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ended = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}})
    events.append({"type": "message_stop"})
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
