"""Spans are exported as OpenTelemetry's variables say, and to nobody without them; a dead endpoint holds up no end."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from studio.tracing import otlp
from tests.support.otlp import Collector, otlp_collector

WAIT = 20.0
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(variable)


@pytest.fixture(scope="module")
def running() -> Iterator[Collector]:
    with otlp_collector() as collector:
        yield collector


@pytest.fixture
def collector(running: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    running.spans.clear()
    running.requests.clear()
    monkeypatch.setenv(ENDPOINT, running.url)
    return running


def work(processor: SpanProcessor | None) -> None:
    """Do a piece of work with a piece in it."""
    assert processor is not None
    provider = TracerProvider(resource=otlp.resource(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("greenlight")
    with tracer.start_as_current_span("agent:researcher", attributes={"gen_ai.agent.name": "researcher", "n": [1, 2]}):
        with tracer.start_as_current_span("llm:anthropic", kind=otel.SpanKind.CLIENT) as inner:
            inner.add_event("retry", {"attempt": 2})
            inner.set_status(otel.StatusCode.ERROR, "overloaded")


def test_spans_arrive_with_what_they_say(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    processor = otlp.exporter_from_environment()
    work(processor)
    assert processor is not None
    assert otlp.shut_down(processor, WAIT)

    (outer,), (inner,) = collector.named("agent:researcher"), collector.named("llm:anthropic")
    assert (outer.parent_span_id, inner.parent_span_id, inner.trace_id) == ("", outer.span_id, outer.trace_id)
    assert outer.attributes == {"gen_ai.agent.name": "researcher", "n": [1, 2]}
    assert (inner.kind, inner.status, inner.status_message) == ("client", "error", "overloaded")
    assert inner.events == [("retry", {"attempt": 2})]
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns
    assert (outer.resource["service.name"], outer.scope) == ("greenlight", "greenlight")
    (request,) = collector.requests
    assert (request["x-api-key"], request["content-encoding"]) == ("secret", "gzip")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "greenlight"),
        ({"OTEL_SERVICE_NAME": "studio-2"}, "studio-2"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=studio-3,region=eu"}, "studio-3"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "region=eu"}, "greenlight"),
    ],
    ids=["unset", "its own variable", "among the attributes", "not among the attributes"],
)
def test_the_service_is_called_as_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    attributes = otlp.resource().attributes
    assert attributes["service.name"] == name
    assert attributes.get("region") == ("eu" if "region" in str(variables) else None)
    assert "telemetry.sdk.version" in attributes


def test_the_variable_for_traces_alone_is_enough(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    processor = otlp.exporter_from_environment()
    work(processor)
    assert processor is not None
    assert otlp.shut_down(processor, WAIT)
    assert len(collector.spans) == 2


@pytest.mark.parametrize(
    ("variables", "warning"),
    [
        ({ENDPOINT: ""}, ""),
        ({"OTEL_SDK_DISABLED": "True"}, ""),
        ({"OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "zipkin, none"}, "zipkin"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "http/json",
        ),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "0"}, "OTEL_"),
    ],
    ids=["no endpoint", "disabled", "none", "console", "zipkin", "grpc", "json for traces", "a size that is none"],
)
def test_nothing_is_exported_where_it_is_not_asked_for_or_not_there(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variables: dict[str, str],
    warning: str,
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert otlp.exporter_from_environment() is None
    assert len(caplog.records) == bool(warning)
    assert warning in caplog.text


def test_what_is_there_is_exported_beside_what_is_not(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console, otlp")
    processor = otlp.exporter_from_environment()
    assert processor is not None
    assert otlp.shut_down(processor, WAIT)


def test_an_endpoint_that_never_answers_holds_up_no_end(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(collector, "gate", threading.Event())
    monkeypatch.setattr(collector, "failing", 400)
    processor = otlp.exporter_from_environment()
    work(processor)
    assert processor is not None
    assert not otlp.shut_down(processor, 0.05)
    assert "not all exported" in caplog.text
    # What is left behind ends on its own.
    assert collector.gate is not None
    collector.gate.set()
    for thread in threading.enumerate():
        if thread.name == "traces over OTLP":
            thread.join(WAIT)
            assert not thread.is_alive()


def test_an_endpoint_that_is_not_there_costs_no_work_its_result(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    processor = otlp.exporter_from_environment()
    work(processor)
    assert processor is not None
    assert otlp.shut_down(processor, WAIT)
