"""A span's attributes as OpenTelemetry's exporters send them: ours, beside those of its GenAI conventions.

Inputs and outputs are not sent: prompts and answers are the owner's, and stay in the studio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.tracing import names

if TYPE_CHECKING:
    from studio.tracing.spans import Span

_PLAIN = (str, bool, int, float)


def attributes_of(span: Span) -> dict[str, Any]:
    """Return the attributes of a span that has ended."""
    redactor = span.trace.collector.redactor
    sent: dict[str, Any] = {}
    for name, value in span.attributes.items():
        if isinstance(value, str):
            value = redactor.text(value)
        if isinstance(value, _PLAIN) or (isinstance(value, list) and all(isinstance(item, _PLAIN) for item in value)):
            sent[name] = value
    for name, value in span.figures.items():
        sent[f"greenlight.{name}"] = value
    if span.fault is not None:
        sent[names.ERROR_TYPE] = span.fault.type
        sent["greenlight.error_class"] = span.fault.error_class
        sent["greenlight.fingerprint"] = span.fault.fingerprint
    if span.parent is None:
        row = span.trace.row
        for name, value in (
            (names.JOB_ID, row.job_id),
            (names.PROJECT_ID, row.project_id),
            (names.CLAIM_NO, row.claim_no),
            (names.ATTEMPT, row.attempt),
            (names.RUN_ID, row.dagster_run_id),
        ):
            if value is not None:
                sent[name] = value if isinstance(value, int) else str(value)
    return sent
