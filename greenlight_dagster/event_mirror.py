"""The event mirror: a log handler that copies what Dagster records of a run into the job's event stream.

`dagster.yaml` installs it under `python_logs.dagster_handler_config`, so that it sees every log line and
every event of every job without run configuration. Dagster builds the handler anew several times per run and
closes earlier ones: handlers are therefore stateless fronts of the run's `EventWriter`, which outlives them.
"""

from __future__ import annotations

import logging
from typing import Any

from dagster import DagsterEvent, DagsterEventType

from studio import event_writer
from studio.events import NewEvent

# Engine chatter that says nothing about the work: only these step events are mirrored.
_STEP_EVENTS = {
    DagsterEventType.STEP_START,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_SKIPPED,
}


class EventMirrorHandler(logging.Handler):
    """Mirrors the records of a run to the writer that the run's session has opened."""

    def emit(self, record: logging.LogRecord) -> None:
        """Mirror one record; a record of no open session, or of no interest, is passed over."""
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        writer = event_writer.of_run(meta.get("run_id") or "")
        if writer is None:
            return
        try:
            event = _event(record, meta)
        except Exception:  # noqa: BLE001 - a logging handler's boundary: a record must never end a run
            self.handleError(record)
            return
        if event is not None:
            writer.emit(event)


def _event(record: logging.LogRecord, meta: dict[str, Any]) -> NewEvent | None:
    run = {"dagster_run_id": meta.get("run_id"), "op": meta.get("op_name")}
    dagster_event: DagsterEvent | None = meta.get("dagster_event")
    if dagster_event is not None:
        return _from_dagster(dagster_event, run)
    if record.levelno < logging.INFO:
        return None
    message = str(meta.get("orig_message") or record.getMessage())
    mark: dict[str, Any] = getattr(record, "greenlight", {})
    data = {**run, "level": record.levelname, **mark.get("data", {})}
    return NewEvent(mark.get("type", "log"), message, _without_none(data))


def _from_dagster(event: DagsterEvent, run: dict[str, Any]) -> NewEvent | None:
    kind = event.event_type
    if kind is DagsterEventType.ASSET_MATERIALIZATION:
        materialization = event.step_materialization_data.materialization
        metadata = {name: _plain(value.value) for name, value in materialization.metadata.items()}
        data = {**run, "asset": "/".join(materialization.asset_key.path), **metadata}
        return NewEvent("artifact", materialization.description or data["asset"], _without_none(data))
    if kind not in _STEP_EVENTS:
        return None
    data = {**run, "step_event": kind.value}
    if kind is DagsterEventType.STEP_SUCCESS:
        data["duration_ms"] = round(event.step_success_data.duration_ms)
    if kind is DagsterEventType.STEP_FAILURE and event.step_failure_data.error is not None:
        data["error"] = _root_cause(event.step_failure_data.error)
    return NewEvent("log", event.message or kind.value, _without_none(data))


def _root_cause(error: Any) -> str:
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip()


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _without_none(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
