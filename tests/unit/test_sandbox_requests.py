"""Requests are refused as the API refuses them, naming the field; threads, faults and the record stay bounded."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from studio.packets.phase0 import Phase0Patch, Phase0Synthesis
from studio.sandbox import faults, journal, threads, tokens
from studio.sandbox.checks import parse
from studio.sandbox.errors import ApiError
from studio.sandbox.faults import Faults
from studio.sandbox.journal import Journal
from studio.sandbox.threads import Threads

TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "seen"}]}
HELLO = {"role": "user", "content": "hello"}


def _body(**changes: Any) -> dict[str, Any]:
    body = {"model": "m", "max_tokens": 10, "messages": [HELLO], **changes}
    return {key: value for key, value in body.items() if value is not ...}


def _format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "schema": schema}}


def _said(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "must be a JSON object"),
        (_body(model=...), "model: Field required"),
        (_body(model=""), "model: "),
        (_body(max_tokens=...), "max_tokens: Field required"),
        (_body(max_tokens=0), "max_tokens: Input should be greater than or equal to 1"),
        (_body(max_tokens=True), "max_tokens: Input should be a valid integer"),
        (_body(max_tokens="9"), "max_tokens: Input should be a valid integer"),
        (_body(messages=...), "messages: Field required"),
        (_body(messages=[]), "messages: at least one message is required"),
        (_body(messages="hi"), "messages: Input should be a valid list"),
        (_body(messages=[3]), "messages.0: "),
        (_body(messages=[{"role": "human", "content": "x"}]), "messages.0.role: "),
        (_body(messages=[{"role": "user"}]), "messages.0.content: Field required"),
        (_body(messages=[{"role": "user", "content": ""}]), "messages.0: "),
        (_body(messages=_said({})), "messages.0.content.0.type: "),
        (_body(messages=_said({"type": "text", "text": ""})), "messages.0.content.0.text: "),
        (_body(messages=_said({"type": "tool_result"})), "messages.0.content.0.tool_use_id: "),
        (_body(messages=[{"role": "assistant", "content": "x"}]), "first message must use"),
        (_body(messages=[HELLO, CALL, HELLO]), "without `tool_result` blocks"),
        (_body(messages=[HELLO, RESULT]), "unexpected `tool_use_id`"),
        (_body(system=3), "system: "),
        (_body(system=[{"type": "image"}]), "system.0: "),
        (_body(stream="yes"), "stream: "),
        (_body(stop_sequences=[""]), "stop_sequences: "),
        (_body(tools={}), "tools: "),
        (_body(tools=[{"input_schema": {"type": "object"}}]), "tools.0.custom.name: "),
        (_body(tools=[{"name": "a b", "input_schema": {"type": "object"}}]), "tools.0.custom.name: "),
        (_body(tools=[{"name": "a"}]), "tools.0.custom.input_schema: "),
        (_body(tools=[{"name": "a", "input_schema": {}}]), "tools.0.custom.input_schema.type: "),
        (_body(tools=[TOOL, TOOL]), "Tool names must be unique"),
        (_body(tools=[{**SEARCH, "name": "find"}]), "web_search_20250305.name: "),
        (_body(tools=[{**SEARCH, "max_uses": 0}]), "max_uses: "),
        (_body(tools=[{**SEARCH, "allowed_domains": ["a"], "blocked_domains": ["b"]}]), "only one of"),
        (_body(tool_choice={"type": "auto"}), "tool_choice: "),
        (_body(tools=[TOOL], tool_choice={"type": "tool", "name": "other"}), "'other' not found"),
        (_body(output_config={"format": {"type": "text"}}), "output_config.format.type: "),
        (_body(output_config={"format": {"type": "json_schema"}}), "output_config.format.schema: "),
        (_body(output_config=_format({"type": "object"})), "additionalProperties"),
        (_body(output_config=_format({"type": "string", "maxLength": 3})), "maxLength are not supported"),
        (_body(output_config=_format(Phase0Synthesis.model_json_schema())), "output_config.format.schema"),
        (_body(output_config=_format({"type": "string"}), tools=[SEARCH]), "cannot be combined with web_search"),
        (
            _body(
                output_config=_format({"type": "string"}),
                messages=_said({"type": "document", "citations": {"enabled": True}}),
            ),
            "messages.0.content.0.citations: ",
        ),
    ],
)
def test_a_bad_request_is_refused_with_the_field_at_fault(body: Any, named: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(body)
    assert refused.value.status == 400
    assert named in refused.value.message
    assert refused.value.body("req_1")["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "body",
    [
        _body(),
        _body(system="be brief", stream=True, stop_sequences=["END"]),
        _body(system=[{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}]),
        _body(messages=[HELLO, CALL, RESULT], tools=[TOOL]),
        _body(messages=[HELLO, {"role": "assistant", "content": "so"}, HELLO]),
        _body(tools=[TOOL, {**SEARCH, "max_uses": 3, "blocked_domains": ["b.test"]}]),
        _body(tools=[{"type": "bash_20250124", "name": "bash"}], tool_choice={"type": "any"}),
        _body(output_config=_format(anthropic.transform_schema(Phase0Synthesis))),
        _body(output_config=_format(anthropic.transform_schema(Phase0Patch))),
    ],
)
def test_what_the_api_takes_is_taken(body: dict[str, Any]) -> None:
    assert parse(body).max_tokens == 10


def test_counting_needs_no_limit_for_the_answer() -> None:
    assert tokens.of_request(parse(_body(max_tokens=...), counting=True).body) == tokens.MESSAGE_OVERHEAD + 2


def test_everything_sent_counts_as_input() -> None:
    bare = tokens.of_request(_body())
    for extra in ({"system": "x" * 400}, {"tools": [TOOL]}, {"output_config": _format({"type": "string"})}):
        assert tokens.of_request(_body(**extra)) > bare
    assert tokens.of_text("") == 0
    assert tokens.of_text("abcde") == 2


# --- kept conversations ---------------------------------------------------------------------------------


def test_a_thread_is_continued_as_if_everything_had_been_sent_again() -> None:
    kept = Threads()
    first = _body(system="s", tools=[TOOL], thread={"type": "create"})
    kept.keep(kept.expand(first), "msg_1", [{"type": "text", "text": "hi"}])
    more = _body(messages=_said({"type": "text", "text": "more"}))
    more["thread"] = {"type": "continue", "previous_message_id": "msg_1"}
    full = parse(kept.expand(more))
    assert [m["role"] for m in full.messages] == ["user", "assistant", "user"]
    assert full.system_text == "s"
    assert full.tool_names == ["look"]
    with pytest.raises(ApiError, match="may not be given"):
        kept.expand({**more, "system": "again"})


def test_a_thread_that_is_not_kept_is_reported_so_that_the_client_sends_it_again() -> None:
    with pytest.raises(ApiError) as refused:
        Threads().expand(_body(thread={"type": "continue", "previous_message_id": "msg_9"}))
    assert refused.value.status == 404
    assert refused.value.body("r")["error"]["details"] == {"error_code": "thread_not_found"}


def test_the_oldest_threads_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "MAX_CHARS", 2_000)
    kept = Threads()
    for number in range(20):
        kept.keep(_body(thread={"type": "create"}), f"msg_{number}", [{"type": "text", "text": "x" * 300}])
    assert 0 < len(kept) < 6
    kept.keep(_body(), "msg_without_thread", [])
    newest = {"type": "continue", "previous_message_id": "msg_19"}
    assert len(kept.expand(_body(thread=newest))["messages"]) == 3


# --- faults and the record ------------------------------------------------------------------------------


def test_faults_befall_the_requests_they_match_in_order_and_once() -> None:
    waiting = Faults()
    ordered = [
        {"kind": "text", "text": "a", "match": "MarketFindings"},
        {"kind": "status", "status": 529, "times": 2},
        {"kind": "hang", "seconds": 1, "match": "never"},
    ]
    assert waiting.order(ordered) == 4
    taken = [waiting.take(body) for body in ("x", "MarketFindings", "x", "x")]
    assert [fault.kind if fault else None for fault in taken] == ["status", "text", "status", None]
    assert waiting.pending() == [{"kind": "hang", "seconds": 1.0, "match": "never"}]
    waiting.clear()
    assert waiting.pending() == []


@pytest.mark.parametrize(
    "ordered",
    [
        {"kind": "drop"},
        [{"kind": "explode"}],
        [{"kind": "status"}],
        [{"kind": "text"}],
        [{"kind": "status", "status": 200}],
        [{"kind": "drop", "typo": 1}],
        [{"kind": "drop", "times": faults.MAX_FAULTS}, {"kind": "drop"}],
        ["drop"],
    ],
)
def test_a_bad_order_is_refused_as_a_whole(ordered: Any) -> None:
    waiting = Faults()
    with pytest.raises(ApiError, match="faults"):
        waiting.order(ordered)
    assert waiting.pending() == []


def test_the_record_keeps_the_latest_and_counts_the_rest() -> None:
    record = Journal()
    for number in range(journal.MAX_ENTRIES + 3):
        record.open(f"req_{number}", "/v1/messages", "d")
    assert len(record.entries()) == journal.MAX_ENTRIES
    assert record.entries()[0]["order"] == 4
    assert record.dropped == 3
    record.clear()
    assert record.entries() == []
    assert record.open("req", "/", "d").order == 1
