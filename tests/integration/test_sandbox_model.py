"""The real SDK talks to the sandbox model over HTTP and sees what it would see of the real API, faults included."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import pytest
from anthropic import beta_tool
from pydantic import BaseModel, ValidationError

from studio.packets.phase0 import CompetitorFindings, MarketFindings, Phase0Patch, Phase0Synthesis
from tests.support.sandbox import SandboxProcess, SandboxThread
from tests.support.waiting import eventually

IDEA = "<idea>An app that lets neighbours share garden tools. Members book by calendar.</idea>"
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 4000, "messages": [{"role": "user", "content": IDEA}]}
# Long enough that only a cut can end it within the test.
FOR_EVER = 600.0
SHORT = 0.3


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxThread]:
    """One server for the module: a start costs little, but this costs nothing."""
    with SandboxThread() as running:
        yield running


@pytest.fixture
def sandbox(server: SandboxThread) -> SandboxThread:
    """The server without what an earlier test left."""
    server.clear()
    return server


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with one page that matches the idea."""
    front = "---\nurl: https://lendly.test/about\ntitle: Lendly – borrow tools\n---\n"
    page = f"{front}Lendly lends garden tools to neighbours.\n"
    (tmp_path / "lendly.md").write_text(page, encoding="utf-8")
    return tmp_path


# --- answers --------------------------------------------------------------------------------------------


def test_a_message_names_the_sandbox_whatever_model_was_asked_for(sandbox: SandboxThread) -> None:
    with sandbox.client() as client:
        message = client.messages.create(**ASK)
    assert message.model == "sandbox"
    assert message.stop_reason == "end_turn"
    assert message.content[0].type == "text"
    assert "sandbox model" in message.content[0].text
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    assert message._request_id is not None
    (entry,) = sandbox.requests()
    assert entry["request_id"] == message._request_id
    assert (entry["model"], entry["status"], entry["finished"]) == ("claude-test", 200, True)


@pytest.mark.parametrize("model", [CompetitorFindings, MarketFindings, Phase0Synthesis, Phase0Patch])
def test_structured_output_parses_whole_and_streamed(sandbox: SandboxThread, model: type[BaseModel]) -> None:
    with sandbox.client() as client:
        whole = client.messages.parse(**ASK, output_format=model)
        with client.messages.stream(**ASK, output_format=model) as stream:
            pieces = list(stream.text_stream)
            streamed = stream.get_final_message()
    assert whole.parsed_output is not None
    assert streamed.parsed_output == whole.parsed_output
    assert len(pieces) > 3
    assert "".join(pieces) == whole.content[0].text
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert streamed.usage.input_tokens == whole.usage.input_tokens
    assert [entry["schema_title"] for entry in sandbox.requests()] == [model.__name__] * 2


def test_two_same_requests_differ_in_their_ids_only(sandbox: SandboxThread) -> None:
    with sandbox.client() as client:
        first, second = (client.messages.create(**ASK) for _ in range(2))
    assert first.id != second.id
    assert first.content == second.content
    assert first.usage == second.usage


def test_citations_arrive_whole_and_streamed(corpus: Path) -> None:
    asked = {**ASK, "tools": [SEARCH]}
    with SandboxThread(corpus=corpus) as sandbox, sandbox.client() as client:
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            cited = [event for event in stream if event.type == "citation"]
            streamed = stream.get_final_message()
    for message in (whole, streamed):
        kinds = [block.type for block in message.content]
        assert kinds[:2] == ["server_tool_use", "web_search_tool_result"]
        (quoted,) = [block for block in message.content if block.type == "text" and block.citations]
        (citation,) = quoted.citations or []
        assert citation.type == "web_search_result_location"
        assert citation.url == "https://lendly.test/about"
        assert citation.cited_text == "Lendly lends garden tools to neighbours."
        assert message.usage.server_tool_use is not None
        assert message.usage.server_tool_use.web_search_requests == 1
    assert len(cited) == 1
    # What a client was given it may send back: the next turn accepts every block.
    again = [*ASK["messages"], whole.to_param(), {"role": "user", "content": "And now?"}]
    with SandboxThread(corpus=corpus) as sandbox, sandbox.client() as client:
        assert client.messages.create(**{**asked, "messages": again}).stop_reason == "end_turn"


@beta_tool
def get_weather(city: str) -> str:
    """Get the weather of a city.

    Args:
        city: The city to look up.
    """
    return f"clear over {city}"


@pytest.mark.parametrize("thread", [None, False], ids=["kept by the server", "sent each time"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_tool_runner_calls_a_tool_and_reports_its_result(sandbox: SandboxThread, thread: Any, stream: bool) -> None:
    extra = {} if thread is None else {"thread": thread}
    with sandbox.client() as client:
        runner = client.beta.messages.tool_runner(
            model="m",
            max_tokens=500,
            tools=[get_weather],
            messages=[{"role": "user", "content": "What is the weather in Lisbon?"}],
            stream=stream,
            **extra,
        )
        final = runner.until_done()
    assert final.content[0].text == "get_weather returned: clear over Lisbon"
    assert [entry["stop_reason"] for entry in sandbox.requests()] == ["tool_use", "end_turn"]
    assert all(entry["tools"] == ["get_weather"] for entry in sandbox.requests())


def test_an_answer_that_is_too_long_really_ends(sandbox: SandboxThread) -> None:
    with sandbox.client() as client:
        message = client.messages.create(**{**ASK, "max_tokens": 5})
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 5
    assert len(message.content[0].text) == 20


def test_tokens_are_counted_as_they_are_charged(sandbox: SandboxThread) -> None:
    asked = {key: value for key, value in ASK.items() if key != "max_tokens"}
    with sandbox.client() as client:
        counted = client.messages.count_tokens(**asked)
        assert counted.input_tokens == client.messages.create(**ASK).usage.input_tokens


def test_models_and_health(sandbox: SandboxThread) -> None:
    with sandbox.client() as client:
        assert [model.id for model in client.models.list()] == ["sandbox"]
        assert client.models.retrieve("claude-anything").id == "sandbox"
    assert httpx.get(f"{sandbox.url}/health").json()["status"] == "ok"


def test_text_that_no_database_can_hold_comes_back_storable(sandbox: SandboxThread) -> None:
    body = {**ASK, "messages": [{"role": "user", "content": "\ud800 <idea>A\u0000 shop for \udfff parents</idea>"}]}
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    answer = httpx.post(f"{sandbox.url}/v1/messages", content=json.dumps(body), headers=headers)
    assert answer.status_code == 200
    text = answer.json()["content"][0]["text"]
    assert "\x00" not in text
    assert text.encode("utf-8")


def test_twenty_at_once_are_served(sandbox: SandboxThread) -> None:
    async def ask_all() -> list[str]:
        async with sandbox.async_client() as client:
            answers = await asyncio.gather(
                *(client.messages.parse(**ASK, output_format=Phase0Synthesis) for _ in range(20))
            )
            return [answer.id for answer in answers]

    assert len(set(asyncio.run(ask_all()))) == 20


# --- refusals -------------------------------------------------------------------------------------------


def test_a_request_without_a_key_is_refused(sandbox: SandboxThread) -> None:
    answer = httpx.post(f"{sandbox.url}/v1/messages", json=ASK)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
    assert answer.json()["request_id"] == answer.headers["request-id"]
    assert httpx.get(f"{sandbox.url}/v1/models", headers={"authorization": "Bearer"}).status_code == 401
    old = httpx.post(f"{sandbox.url}/v1/messages", json=ASK, headers={"x-api-key": "k"})
    assert "anthropic-version" in old.json()["error"]["message"]


def test_a_bad_request_reaches_the_client_with_the_field(sandbox: SandboxThread) -> None:
    with sandbox.client() as client, pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        client.messages.create(**{**ASK, "max_tokens": 0})
    with sandbox.client() as client, pytest.raises(anthropic.BadRequestError, match="cannot be combined"):
        client.messages.parse(**ASK, tools=[SEARCH], output_format=Phase0Synthesis)
    assert [entry["status"] for entry in sandbox.requests()] == [400, 400]


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/v1/nothing", b"", 404),
        ("GET", "/v1/messages", b"", 405),
        ("POST", "/v1/messages", b"{", 400),
        ("POST", "/v1/messages", b"[" * 200_000, 400),
        ("POST", "/v1/messages", b'{"a":' * 900 + b"1" + b"}" * 900, 400),
        ("POST", "/v1/messages", b"\xff\xfe", 400),
        ("POST", "/sandbox/faults", b"[]", 400),
    ],
)
def test_whatever_arrives_gets_the_apis_error(
    sandbox: SandboxThread, method: str, path: str, content: bytes, status: int
) -> None:
    headers = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
    answer = httpx.request(method, f"{sandbox.url}{path}", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["type"] == "error"


# --- faults, as the SDK sees them -----------------------------------------------------------------------


def _parse(client: anthropic.Anthropic, stream: bool, model: type[BaseModel] = Phase0Synthesis) -> BaseModel | None:
    if not stream:
        return client.messages.parse(**ASK, output_format=model).parsed_output
    with client.messages.stream(**ASK, output_format=model) as running:
        return running.get_final_message().parsed_output


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, anthropic.AuthenticationError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.OverloadedError),
    ],
)
def test_an_ordered_status_is_the_sdks_error(
    sandbox: SandboxThread, status: int, error: type[Exception], stream: bool
) -> None:
    sandbox.fault("status", status=status)
    with sandbox.client() as client:
        with pytest.raises(error):
            _parse(client, stream)
        assert _parse(client, stream) is not None
    assert [(e["fault"], e["status"], e["finished"]) for e in sandbox.requests()] == [
        ("status", status, True),
        (None, 200, True),
    ]


@pytest.mark.parametrize("status", [429, 529])
def test_the_sdk_retries_an_overload_by_itself_and_heeds_retry_after(sandbox: SandboxThread, status: int) -> None:
    sandbox.fault("status", status=status, times=2, retry_after=0.01)
    with sandbox.client(max_retries=2) as client:
        assert _parse(client, False) is not None
    assert [entry["status"] for entry in sandbox.requests()] == [status, status, 200]


def test_a_refused_key_is_not_retried(sandbox: SandboxThread) -> None:
    sandbox.fault("status", status=401)
    with sandbox.client(max_retries=5) as client, pytest.raises(anthropic.AuthenticationError):
        _parse(client, False)
    assert len(sandbox.requests()) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("kind", "stop_reason"), [("not_json", "end_turn"), ("wrong_schema", "end_turn"), ("cut_off", "max_tokens")]
)
@pytest.mark.parametrize("model", [CompetitorFindings, MarketFindings, Phase0Synthesis, Phase0Patch])
def test_an_answer_that_does_not_fit_fails_validation(
    sandbox: SandboxThread, kind: str, stop_reason: str, model: type[BaseModel], stream: bool
) -> None:
    sandbox.fault(kind)
    with sandbox.client() as client, pytest.raises(ValidationError):
        _parse(client, stream, model)
    assert sandbox.requests()[0]["stop_reason"] == stop_reason


@pytest.mark.parametrize("stream", [False, True])
def test_an_ordered_text_is_the_answer(sandbox: SandboxThread, stream: bool) -> None:
    sandbox.fault("text", text="exactly this")
    with sandbox.client() as client:
        if stream:
            with client.messages.stream(**ASK) as running:
                text = running.get_final_text()
        else:
            text = client.messages.create(**ASK).content[0].text
    assert text == "exactly this"


def test_a_dropped_connection_is_a_connection_error(sandbox: SandboxThread) -> None:
    sandbox.fault("drop", times=2)
    with sandbox.client() as client:
        with pytest.raises(anthropic.APIConnectionError):
            _parse(client, False)
        # In the middle of a stream the SDK lets the transport's own error through.
        with pytest.raises(httpx2.RemoteProtocolError):
            _parse(client, True)
    assert [(e["fault"], e["finished"]) for e in sandbox.requests()] == [("drop", False), ("drop", False)]


def test_an_error_in_the_middle_of_a_stream_is_the_apis_error(sandbox: SandboxThread) -> None:
    sandbox.fault("stream_error", status=529)
    with sandbox.client() as client, pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        _parse(client, True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_hangs_runs_into_the_clients_timeout(sandbox: SandboxThread, stream: bool) -> None:
    sandbox.fault("hang", seconds=FOR_EVER)
    with sandbox.client(timeout=SHORT) as client, pytest.raises(anthropic.APITimeoutError):
        _parse(client, stream)
    (entry,) = sandbox.requests()
    assert (entry["fault"], entry["finished"]) == ("hang", False)


def test_a_stream_that_falls_silent_runs_into_the_clients_timeout(sandbox: SandboxThread) -> None:
    sandbox.fault("hang", seconds=FOR_EVER, where="middle")
    with sandbox.client(timeout=SHORT) as client, pytest.raises(httpx2.ReadTimeout):
        _parse(client, True)


def test_a_slow_stream_comes_to_its_end(sandbox: SandboxThread) -> None:
    sandbox.fault("slow", delay_ms=1)
    with sandbox.client() as client:
        assert _parse(client, True) is not None
    assert sandbox.requests()[0]["fault"] == "slow"


def test_a_fault_waits_for_the_request_it_names(sandbox: SandboxThread) -> None:
    sandbox.fault("status", status=500, match="MarketFindings")
    with sandbox.client() as client:
        assert client.messages.parse(**ASK, output_format=CompetitorFindings).parsed_output is not None
        with pytest.raises(anthropic.InternalServerError):
            client.messages.parse(**ASK, output_format=MarketFindings)
    assert [entry["schema_title"] for entry in sandbox.requests()] == ["CompetitorFindings", "MarketFindings"]


def test_a_client_that_leaves_is_seen_to_have_left(sandbox: SandboxThread) -> None:
    sandbox.fault("slow", delay_ms=20)
    with sandbox.client() as client, client.messages.stream(**ASK, output_format=Phase0Synthesis) as stream:
        next(iter(stream.text_stream))
        assert sandbox.requests()[0]["finished"] is False
    with sandbox.client() as client:
        client.messages.create(**ASK)
    assert [entry["finished"] for entry in sandbox.requests()] == [False, True]


# --- the process ----------------------------------------------------------------------------------------


def test_the_process_stops_promptly_with_streams_open(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path) as sandbox:
        sandbox.faults([{"kind": "slow", "delay_ms": 60_000}, {"kind": "hang", "seconds": FOR_EVER}])
        ended: list[BaseException] = []

        def ask(stream: bool) -> None:
            with sandbox.client(timeout=FOR_EVER) as client:
                try:
                    _parse(client, stream)
                except (httpx2.TransportError, anthropic.APIError) as exc:
                    ended.append(exc)

        asking = [threading.Thread(target=ask, args=(stream,), daemon=True) for stream in (True, False)]
        for number, thread in enumerate(asking, 1):
            thread.start()
            eventually(lambda number=number: len(sandbox.requests()) == number, what="the request")
        code, seconds, log = sandbox.stop(signal.SIGTERM)
        for thread in asking:
            thread.join(10)
    assert code == 0
    # Far below the stream's minute; the bound only has to tell an end from a wait.
    assert seconds < 10
    assert {type(exc) for exc in ended} == {httpx2.RemoteProtocolError, anthropic.OverloadedError}
    assert "Traceback" not in log
    assert "ERROR" not in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_says_where_it_listens_and_ends_well(tmp_path: Path, corpus: Path, number: int) -> None:
    with SandboxProcess(tmp_path / "run", arguments=("--corpus", str(corpus), "--chunk-delay-ms", "0")) as sandbox:
        assert httpx.get(f"{sandbox.url}/health").json()["documents"] == 1
        with sandbox.client() as client:
            assert client.messages.create(**ASK).model == "sandbox"
        code, _, log = sandbox.stop(number)
        assert not (tmp_path / "run" / "sandbox.port").exists()
    assert code == 0
    assert sandbox.url in log


def test_a_bad_corpus_and_a_taken_port_are_one_sentence(tmp_path: Path, server: SandboxThread) -> None:
    with pytest.raises(RuntimeError, match="does not exist") as missing:
        SandboxProcess(tmp_path, arguments=("--corpus", str(tmp_path / "nowhere"))).__enter__()
    taken = server.url.rsplit(":", 1)[1]
    with pytest.raises(RuntimeError, match="cannot start on") as refused:
        SandboxProcess(tmp_path, arguments=("--port", taken)).__enter__()
    assert "Traceback" not in f"{missing.value}{refused.value}"
