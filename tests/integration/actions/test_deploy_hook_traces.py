"""Whoever knows a deploy hook's address may deploy: however a request to it ends, no trace holds more than its host.

The collector here knows no secret, as it knows none of a project's own hook.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from studio import integrations
from studio.errors import StudioError
from studio.outbound import OutboundClient
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.sinks.postgres import PostgresSink
from tests.support.actions import HOOK_URL, SECRETS, Stage
from tests.support.approvals import HOOK, Company
from tests.support.local_web import closed_port
from tests.support.outbound import Names
from tests.support.providers import HOOK_HOST, HOOK_PATH

SAID = f"No hook at {HOOK_PATH}: SecretHookKey42 of prj_9Fh2kLq7 is unknown.".encode()
# What the hook does instead of answering, and what the span of the request then says.
ENDS: dict[str, tuple[dict[str, Any] | None, str]] = {
    "answers": (None, "ok"),
    "refuses": ({"kind": "status", "status": 404, "body": SAID}, "ok"),
    "fails": ({"kind": "status", "status": 500, "body": SAID}, "ok"),
    "redirects": ({"kind": "status", "status": 307, "body": SAID}, "ok"),
    "says no HTTP": ({"kind": "raw", "body": SAID + b"\r\n\r\n"}, "error"),
    "breaks off": ({"kind": "drop"}, "error"),
    "hangs": ({"kind": "hang"}, "error"),
}


@pytest.fixture
def own(stage: Stage) -> Company:
    """A company with a hook of its own: the installation has none."""
    stage.settings = stage.settings.model_copy(update={"vercel_deploy_hook_url": None, "provider_timeout_seconds": 0.5})
    company = stage.company(HOOK)
    with stage.db.transaction() as conn:
        integrations.save(conn, stage.settings, company.id, "vercel", {"deploy_hook_url": HOOK_URL}, by="anna")
    return company


def traced(stage: Stage, company: Company) -> UUID:
    """Run one attempt inside a trace that is stored, and return the trace's id."""
    _, approval = stage.approved(HOOK, company)
    work = stage.execution(claim := stage.claimed(approval))
    with TraceCollector([PostgresSink(stage.db)]) as collector:
        trace = TraceContext("approval.execute", kind="job", collector=collector, project_id=company.id)
        try:
            with trace:
                begun = claim.once_in_transaction("begin", work.begin)
                claim.once("perform", lambda: work.perform(begun))
        except StudioError as exc:
            claim.fail(str(exc), permanent=True, retry_base=timedelta(0))
    return trace.trace_id


def stored(stage: Stage, trace_id: UUID) -> tuple[dict[str, Any], str]:
    """Return the row of the request's span, and all that is stored as text."""
    rows = [
        *stage.db.fetch_all("select to_jsonb(t)::text as said from public.pipeline_traces t"),
        *stage.db.fetch_all("select to_jsonb(s)::text as said from public.pipeline_spans s"),
        *stage.db.fetch_all("select to_jsonb(i)::text as said from public.pipeline_issues i"),
    ]
    (span,) = stage.db.fetch_all(
        "select status, error, error_class, attributes from public.pipeline_spans"
        " where trace_id = %s and span_name = 'http:post'",
        [trace_id],
    )
    return span, "\n".join(row["said"] for row in rows)


def hides_the_hook(said: str) -> None:
    for secret in (*SECRETS[HOOK], "integrations/deploy", "SecretHook", "prj_"):
        assert secret not in said


@pytest.mark.parametrize(("fault", "status"), ENDS.values(), ids=ENDS)
def test_a_trace_names_no_more_of_a_hook_than_its_host(
    stage: Stage, own: Company, fault: dict[str, Any] | None, status: str
) -> None:
    ordered = stage.providers.fault(**fault) if fault else None
    trace_id = traced(stage, own)
    if ordered is not None:
        ordered.released.set()
    span, said = stored(stage, trace_id)
    assert [asked.path for asked in stage.providers.requests] == [HOOK_PATH]
    assert (span["status"], span["attributes"]["server.address"]) == (status, HOOK_HOST)
    if fault and fault["kind"] == "hang":
        assert span["error_class"] == "timeout"
    hides_the_hook(said)


@pytest.mark.parametrize("way", ["closed", "off", "inside"])
def test_nor_does_one_of_a_hook_that_is_not_reached(stage: Stage, own: Company, way: str) -> None:
    with closed_port() as address:
        stage.outbound = {
            "closed": OutboundClient(allow={(HOOK_HOST, 443): address}),
            "off": OutboundClient(enabled=False),
            "inside": OutboundClient(resolver=Names({HOOK_HOST: [["10.0.0.1"]]})),
        }[way]
        span, said = stored(stage, traced(stage, own))
    assert span["status"] == "error"
    assert stage.providers.requests == []
    hides_the_hook(said)
