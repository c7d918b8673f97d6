"""An attempt at a job is one trace, from the claim to the last event: every op, agent, model call and tool with its
parent, its tokens and its cost, which add up to the ledger's; and the trace knows the job and the run, as they know it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest
from dagster import DagsterInstance

from studio import events
from studio.database.connection import Database
from studio.tracing import ids
from tests.support.dagster import DAGSTER_WARNINGS, STEPS, DagsterHome, run_of
from tests.support.job_execute import by_project, only_job
from tests.support.otlp import Collector, otlp_collector
from tests.support.sandbox import SandboxThread

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

RESEARCH = "job:phase0.generate_packet/step:research"
WHOLE = Counter(
    {
        "job:phase0.generate_packet": 1,
        "job:phase0.generate_packet/launch": 1,
        **{f"job:phase0.generate_packet/step:{step}": 1 for step in STEPS},
        f"{RESEARCH}/agent:researcher": 2,
        f"{RESEARCH}/agent:researcher/llm:anthropic": 2,
        f"{RESEARCH}/agent:researcher/llm:anthropic/chat sandbox": 2,
        f"{RESEARCH}/agent:researcher/llm:anthropic/chat sandbox/tool:web_search": 2,
        f"{RESEARCH}/llm:anthropic": 2,
        f"{RESEARCH}/llm:anthropic/chat sandbox": 2,
        "job:phase0.generate_packet/step:synthesize/agent:ceo": 1,
        "job:phase0.generate_packet/step:synthesize/agent:ceo/llm:anthropic": 1,
        "job:phase0.generate_packet/step:synthesize/agent:ceo/llm:anthropic/chat sandbox": 1,
    }
)


@pytest.fixture
def otlp() -> Iterator[Collector]:
    with otlp_collector() as collector:
        yield collector


def test_phase_0_leaves_a_whole_trace(
    home: DagsterHome,
    instance: DagsterInstance,
    database: Database,
    project: UUID,
    model_server: SandboxThread,
    otlp: Collector,
) -> None:
    assert home.execute(by_project(project), OTEL_EXPORTER_OTLP_ENDPOINT=otlp.url).wait() == 0
    job = only_job(database)
    run = run_of(instance, database, job.id)
    trace_id = ids.of_claim(job.id, 1)
    trace = database.fetch_one("select * from public.pipeline_traces where trace_id = %s", [trace_id])
    assert trace is not None
    spans = database.fetch_all("select * from public.pipeline_spans where trace_id = %s", [trace_id])
    by_id = {span["span_id"]: span for span in spans}

    def path(span_id: str | None) -> str:
        if span_id is None:
            return ""
        above = path(by_id[span_id]["parent_span_id"])
        return f"{above}/{by_id[span_id]['span_name']}".lstrip("/")

    # Exactly these: what runs side by side in threads is under what started it, and nothing is counted twice.
    assert Counter(path(span_id) for span_id in by_id if by_id[span_id]["category"] != "db") == WHOLE
    assert {span["status"] for span in spans} == {"ok"}
    assert all(span["end_time"] >= span["start_time"] for span in spans)
    assert all(0 <= span["self_ms"] <= span["duration_ms"] for span in spans)

    # What it used and cost is what the ledger says.
    ledger = database.fetch_one(
        "select count(*) as calls, sum(input_tokens) as input, sum(output_tokens) as output,"
        " sum(cost_micros) as cost from public.model_calls where job_id = %s",
        [job.id],
    )
    assert ledger is not None
    questions = [span for span in spans if span["category"] == "llm"]
    assert sum(span["input_tokens"] for span in questions) == ledger["input"] == trace["input_tokens"]
    assert sum(span["output_tokens"] for span in questions) == ledger["output"] == trace["output_tokens"]
    assert sum(span["cost_micros"] for span in questions) == ledger["cost"] == trace["cost_micros"]
    assert trace["model_calls"] == ledger["calls"] == 5
    assert all(span["model"] == "sandbox" and span["first_token_ms"] > 0 for span in questions)
    asked = [span["attributes"] for span in spans if span["category"] == "chat"]
    assert sum(attributes["gen_ai.usage.input_tokens"] for attributes in asked) == ledger["input"]
    called = {event["call_id"] for span in questions for event in span["events"] if event["name"] == "settled"}
    calls = database.fetch_all("select id from public.model_calls where job_id = %s", [job.id])
    assert called == {str(call["id"]) for call in calls}

    # The trace knows the job and the run, and they know it.
    assert (trace["job_id"], trace["claim_no"], trace["attempt"]) == (job.id, 1, 1)
    assert (trace["project_id"], trace["owner_clerk_id"]) == (project, "anna")
    assert (trace["status"], trace["success"], trace["outcome"]) == ("ok", True, "completed")
    assert (trace["span_count"], trace["dropped_spans"]) == (len(spans), 0)
    assert trace["dagster_run_id"] == run.run_id
    assert run.tags["greenlight/trace_id"] == trace_id.hex
    stored = database.fetch_all("select seq, trace_id from public.agent_job_events where job_id = %s", [job.id])
    assert {row["trace_id"] for row in stored} == {trace_id}
    assert {event.trace_id for event in events.read_after(database, project, 0, job_id=job.id)} == {trace_id}

    # Every request names the trace, and the span that made it.
    named = [entry["traceparent"].split("-") for entry in model_server.requests()]
    assert {name[1] for name in named} == {trace_id.hex}
    assert {by_id[name[2]]["category"] for name in named} == {"chat"}

    # The same spans went over OTLP, under OpenTelemetry's names, and without what was said.
    assert {span.span_id: (span.parent_span_id or None, span.name) for span in otlp.spans} == {
        span_id: (span["parent_span_id"], span["span_name"]) for span_id, span in by_id.items()
    }
    assert {span.trace_id for span in otlp.spans} == {trace_id.hex}
    assert {span.resource["service.name"] for span in otlp.spans} == {"greenlight"}
    for span in otlp.named("chat sandbox"):
        assert span.kind == "client"
        stored_span = by_id[span.span_id]
        assert span.attributes["gen_ai.operation.name"] == "chat"
        assert span.attributes["gen_ai.provider.name"] == "anthropic"
        assert span.attributes["gen_ai.request.model"] == span.attributes["gen_ai.response.model"] == "sandbox"
        assert (
            span.attributes["gen_ai.usage.input_tokens"] == stored_span["attributes"]["gen_ai.usage.input_tokens"] > 0
        )
        assert span.attributes["gen_ai.usage.output_tokens"] > 0
        assert span.attributes["gen_ai.response.finish_reasons"] == ["end_turn"]
        assert [name for name, _ in span.events] == ["first_token"]
        assert span.end_ns > span.start_ns
    assert {span.attributes["gen_ai.operation.name"] for span in otlp.named("agent:researcher")} == {"invoke_agent"}
    assert {span.attributes["gen_ai.tool.name"] for span in otlp.named("tool:web_search")} == {"web_search"}
    [root] = otlp.named("job:phase0.generate_packet")
    assert root.attributes["greenlight.job_id"] == str(job.id)
    assert "A tool library" not in repr(otlp.spans), "prompts and answers stay in the studio"
