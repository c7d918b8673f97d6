"""The scripted model plays its turns to the real SDK, also after a resume, a break and a wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import httpx2
import pytest

from tests.support.sandbox import SandboxThread
from tests.support.scripted_model import Result, ScriptedModel
from tests.support.scripted_turns import ToolCall, Turn, bash, say, turn, write

pytest_plugins = ["tests.support.scripted_fixtures"]

Scripted = Callable[..., ScriptedModel]

TOOLS: list[Any] = [{"name": name, "input_schema": {"type": "object"}} for name in ("bash", "write", "odd")]
ASK: Any = {"role": "user", "content": "Build it."}
DEADLINE = 20.0


def _client(model: ScriptedModel) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=model.url, api_key="test", max_retries=0)


def _ask(client: anthropic.Anthropic, messages: list[Any], **more: Any) -> anthropic.types.Message:
    request: dict[str, Any] = {"model": "m", "max_tokens": 99, "tools": TOOLS, "messages": messages, **more}
    with client.messages.stream(**request) as stream:
        return stream.get_final_message()


def _answered(message: anthropic.types.Message, text: str = "fine") -> list[Any]:
    calls = [block for block in message.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": False} for call in calls]
    return [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]


def test_turns_follow_from_the_conversation(scripted: Scripted) -> None:
    model = scripted(turn(bash("id"), write("a.txt", "bé"), text="Looking."), turn(bash("ls")), say("Done."))
    with _client(model) as client:
        first = _ask(client, [ASK])
        talk = [ASK, *_answered(first, "uid=0")]
        second = _ask(client, talk)
        again = _ask(client, talk)
        last = _ask(client, [*talk, *_answered(second)])
        # The beginning was cut away, the ids still tell where it stands.
        cut = _ask(client, [ASK, *_answered(second)])
    assert [block.type for block in first.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in first.content if block.type == "tool_use"] == [
        {"command": "id"},
        {"file_path": "a.txt", "content": "bé"},
    ]
    assert (first.stop_reason, last.stop_reason) == ("tool_use", "end_turn")
    assert second.content == again.content
    assert last.content == cut.content
    assert model.played == [0, 1, 1, 2, 2]
    assert model.results(0) == [Result("bash", "uid=0", False), Result("write", "uid=0", False)]
    assert model.results(2) == []
    assert model.endings() == ["whole"] * 5


def test_a_turn_may_react_be_billed_and_be_malformed(scripted: Scripted) -> None:
    def react(body: dict[str, Any]) -> Turn:
        return turn(bash(f"echo {len(body['messages'])}"), usage={"input_tokens": 7, "output_tokens": 5_000_000})

    model = scripted(react, Turn((ToolCall("odd", '{"command" "x"}'),)), say("Cut", stop_reason="max_tokens"))
    with _client(model) as client:
        first = _ask(client, [ASK])
        assert (first.usage.input_tokens, first.usage.output_tokens) == (7, 5_000_000)
        talk = [ASK, *_answered(first)]
        with pytest.raises(ValueError, match="JSON"):
            _ask(client, talk)
        plain = client.messages.create(model="m", max_tokens=9, tools=TOOLS, messages=[ASK])
        assert (plain.content, plain.usage.output_tokens) == (first.content, 5_000_000)
    with ScriptedModel(say("Cut", stop_reason="max_tokens")) as short, _client(short) as client:
        assert _ask(client, [ASK]).stop_reason == "max_tokens"
        with pytest.raises(anthropic.BadRequestError, match="it is over"):
            _ask(client, [ASK, {"role": "assistant", "content": "Cut"}, ASK])


def test_what_is_no_turn_is_answered_otherwise(scripted: Scripted) -> None:
    alone = scripted(say("an agent"))
    with _client(alone) as client, pytest.raises(anthropic.BadRequestError, match="offers no tools"):
        client.messages.create(model="m", max_tokens=9, messages=[ASK])
    with SandboxThread() as sandbox:
        model = scripted(say("an agent"), otherwise=sandbox.url)
        with _client(model) as client:
            assert client.messages.create(model="m", max_tokens=9, messages=[ASK]).model == "sandbox"
            assert _ask(client, [ASK]).content[0].text == "an agent"  # type: ignore[union-attr]
            assert client.messages.count_tokens(model="m", messages=[ASK]).input_tokens > 0
    assert model.played == [0]
    assert model.endings() == ["forwarded", "whole", "whole"]


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("drop", httpx2.RemoteProtocolError),
        ("drop_before", anthropic.APIConnectionError),
        ("overloaded", anthropic.APIStatusError),
        ("error_event", anthropic.APIStatusError),
    ],
)
def test_a_fault_befalls_one_request(scripted: Scripted, how: Any, error: type[Exception]) -> None:
    model = scripted(say("word " * 40))
    model.fault(0, how)
    with _client(model) as client:
        if how == "drop":
            # Closed in good order, without length: the SDK sees an end that comes too early, or none at all.
            with client.messages.stream(model="m", max_tokens=9, tools=TOOLS, messages=[ASK]) as stream:
                events = [event.type for event in stream]
            assert "message_stop" not in events
        else:
            with pytest.raises(error):
                _ask(client, [ASK])
        assert _ask(client, [ASK]).content[0].text == "word " * 40  # type: ignore[union-attr]
    assert model.played == [0, 0]
    assert model.endings()[1] == "whole"


def test_a_held_turn_waits_for_its_gate_and_ends_with_its_client(scripted: Scripted) -> None:
    model = scripted(say("word " * 40))
    gate = model.hold(0)
    with _client(model) as client:
        got: list[str] = []
        asking = threading.Thread(target=lambda: got.append(_ask(client, [ASK]).content[0].text))  # type: ignore[union-attr]
        asking.start()
        assert gate.reached.wait(DEADLINE)
        assert got == []
        gate.open()
        asking.join(DEADLINE)
        assert got == ["word " * 40]
    held = model.hold(0)
    with httpx.stream(
        "POST", f"{model.url}/v1/messages", json={"tools": TOOLS, "messages": [ASK], "stream": True}, verify=False
    ):
        assert held.reached.wait(DEADLINE)
    assert model.endings() == ["whole", "hung_up"]


def test_the_server_closes_though_a_client_waits() -> None:
    with ScriptedModel(say("never heard")) as model:
        model.fault(0, "hang")
        stream = httpx.Client(verify=False, timeout=DEADLINE)
        ended = threading.Event()

        def ask() -> None:
            with pytest.raises(httpx.RemoteProtocolError):
                stream.post(f"{model.url}/v1/messages", json={"tools": TOOLS, "messages": [ASK]})
            ended.set()

        asking = threading.Thread(target=ask)
        asking.start()
        while not model.seen:
            threading.Event().wait(0.01)
    assert ended.wait(DEADLINE)
    asking.join()
    stream.close()
