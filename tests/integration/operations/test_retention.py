"""Retention: what is old goes, what went wrong or took long goes later, and a sweep neither waits nor lasts."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from studio.database.connection import Database, Haste
from studio.operations import retention
from studio.operations.retention import SLOW, Swept
from studio.settings import Settings
from studio.tracing.rows import Batch
from tests.support.queue import make_project
from tests.support.traces import Planned, rows, span, store

KEEPS = Settings(GREENLIGHT_TRACE_PAYLOAD_DAYS=7, GREENLIGHT_TRACE_RETENTION_DAYS=30, GREENLIGHT_TRACE_ERROR_DAYS=90)
NOTHING = Swept(0, 0, 0, 0)


def work(*others: Planned) -> list[Planned]:
    return [span("job:test.work", 0, 1000), *others]


def old(days: float, spans: list[Planned] | None = None, **columns: Any) -> tuple[float, Batch]:
    """Return a trace that is to be so many days old."""
    return days, rows(spans=work() if spans is None else spans, **columns)


def put(db: Database, *aged: tuple[float, Batch]) -> list[UUID]:
    """Store traces and make them as old as they are to be, by the database's clock; return their ids."""
    store(db, *(batch for _, batch in aged))
    for days, batch in aged:
        age, trace = timedelta(days=days), batch.traces[0].trace_id
        db.execute("update public.pipeline_traces set created_at = now() - %s where trace_id = %s", [age, trace])
        db.execute(
            "update public.pipeline_spans set created_at = now() - %(age)s, start_time = now() - %(age)s"
            " where trace_id = %(trace)s",
            {"age": age, "trace": trace},
        )
    return [batch.traces[0].trace_id for _, batch in aged]


def traces(db: Database) -> set[UUID]:
    return {row["trace_id"] for row in db.fetch_all("select trace_id from public.pipeline_traces")}


def with_spans(db: Database) -> set[UUID]:
    return {row["trace_id"] for row in db.fetch_all("select distinct trace_id from public.pipeline_spans")}


# --- traces


def test_traces_go_by_age_and_what_went_wrong_later(database: Database) -> None:
    going = [(31, "ok"), (31, "running"), (91, "error"), (91, "lost"), (91, "cancelled"), (400, "ok")]
    staying = [(29, "ok"), (29, "running"), (31, "error"), (31, "lost"), (89, "cancelled")]
    gone = put(database, *(old(days, status=status) for days, status in going))
    kept = put(database, *(old(days, status=status) for days, status in staying))
    assert retention.sweep(database, KEEPS) == Swept(0, len(gone), len(gone), 0)
    assert traces(database) == with_spans(database) == set(kept)
    assert retention.sweep(database, KEEPS) == NOTHING


def test_errors_are_never_kept_for_less_than_the_rest(database: Database) -> None:
    settings = Settings(GREENLIGHT_TRACE_RETENTION_DAYS=30, GREENLIGHT_TRACE_ERROR_DAYS=1)
    [failed, _] = put(database, old(29, status="error"), old(31, status="error"))
    assert retention.sweep(database, settings).traces == 1
    assert traces(database) == {failed}


def test_a_retention_of_nothing_keeps_nothing(database: Database) -> None:
    settings = Settings(
        GREENLIGHT_TRACE_PAYLOAD_DAYS=0, GREENLIGHT_TRACE_RETENTION_DAYS=0, GREENLIGHT_TRACE_ERROR_DAYS=0
    )
    put(database, *(old(0, end_ms=ms) for ms in range(1, 40)))
    assert retention.sweep(database, settings).traces == 39
    assert with_spans(database) == set()


# --- slow outliers


def usual(count: int = 100, **columns: Any) -> list[tuple[float, Batch]]:
    """Attempts of one to a hundred seconds, all within the week after what is due: 99 of them within 99.01 s."""
    return [old(24 + n * 5 / count, [], end_ms=(n + 1) * 1000, **columns) for n in range(count)]


def test_what_took_longer_than_nearly_all_is_kept_and_judged_once(database: Database) -> None:
    put(database, *usual())
    slow, failed, *gone = put(
        database,
        old(31, [span("job:test.work", 0, 99_100)]),
        old(31, [], status="error", end_ms=1),
        old(31, [span("job:test.work", 0, 98_900)]),
        old(91, [span("job:test.work", 0, 1e9)]),
    )
    assert retention.sweep(database, KEEPS) == Swept(0, 2, 2, 1)
    assert {slow, failed} < traces(database)
    assert not traces(database) & set(gone)
    assert with_spans(database) == {slow}
    row = database.fetch_one("select attributes from public.pipeline_traces where trace_id = %s", [slow])
    assert row == {"attributes": {SLOW: pytest.approx(99_010)}}
    # All that it was compared with is gone by now, or slower than it.
    database.execute("update public.pipeline_traces set created_at = created_at - interval '20 days'")
    database.execute("update public.pipeline_traces set duration_ms = 1e9 where trace_id <> %s", [slow])
    retention.sweep(database, KEEPS)
    assert slow in traces(database)
    database.execute("update public.pipeline_traces set created_at = created_at - interval '40 days'")
    assert retention.sweep(database, KEEPS).traces >= 1
    assert traces(database) == set()


@pytest.mark.parametrize(
    "compared",
    [
        usual(19),
        usual(pipeline="test.other"),
        usual(status="error"),
        usual(kind="synthetic"),
        [(days - 10, batch) for days, batch in usual()],
        [],
    ],
    ids=["few", "another pipeline", "failed", "synthetic", "later", "none"],
)
def test_without_enough_of_its_kind_nothing_is_slow(database: Database, compared: list[tuple[float, Batch]]) -> None:
    put(database, *compared)
    [due] = put(database, old(31, [], end_ms=1e9))
    assert retention.sweep(database, KEEPS).kept_slow == 0
    assert due not in traces(database)


# --- inputs and outputs


def said(name: str, *, under: int | None = 0, **columns: Any) -> Planned:
    return span(name, 0, 1000, under=under, input_data={"idea": "Bread"}, output_data=[1], **columns)


def failing() -> list[Planned]:
    return [
        said("job:test.work", under=None, status="error"),
        said("llm:anthropic", status="error", fingerprint="f", error="No."),
        said("agent:ceo", status="lost"),
        said("tool:search"),
    ]


def cleared(db: Database, trace: UUID) -> dict[str, bool]:
    """Return for the spans of a trace, by name, whether input and output are gone; what tells of them must be there."""
    found = db.fetch_all("select * from public.pipeline_spans where trace_id = %s", [trace])
    for row in found:
        assert (row["input_size"], row["output_size"]) == (17, 3)
        assert row["input_sha256"]
        assert (row["input_data"] is None) == (row["output_data"] is None)
    return {row["span_name"]: row["input_data"] is None for row in found}


def test_inputs_and_outputs_go_sooner_and_those_of_what_failed_later(database: Database) -> None:
    recovered = [said("job:test.work", under=None), said("tool:search", status="error", fingerprint="f", error="No.")]
    young, well, failed, recovers, running, ancient = put(
        database,
        old(6, [said("job:test.work", under=None)]),
        old(8, [said("job:test.work", under=None), said("step:research")]),
        old(8, failing()),
        old(8, recovered),
        old(8, [said("job:test.work", under=None)], status="running", end_ms=None),
        old(29, failing()),
    )
    assert retention.sweep(database, KEEPS) == Swept(9, 0, 0, 0)
    kept_of_failed = {"job:test.work": True, "llm:anthropic": False, "agent:ceo": False, "tool:search": True}
    assert cleared(database, young) == {"job:test.work": False}
    assert cleared(database, well) == {"job:test.work": True, "step:research": True}
    assert cleared(database, failed) == cleared(database, ancient) == kept_of_failed
    assert cleared(database, recovers) == {"job:test.work": True, "tool:search": True}
    assert cleared(database, running) == {"job:test.work": True}
    assert retention.sweep(database, KEEPS) == NOTHING


# --- spans without a trace


def test_spans_without_a_trace_go_after_a_day(database: Database) -> None:
    project = make_project(database)
    deleted, stays = put(database, old(2, project_id=project), old(2))
    early = rows(spans=work())
    late = rows(spans=work(span("step:research", 0, 9)))
    store(database, Batch(spans=[*early.spans, *late.spans]))
    database.execute("delete from public.projects where id = %s", [project])
    aged = "update public.pipeline_spans set created_at = now() - interval '25 hours' where trace_id = %s"
    database.execute(aged, [late.traces[0].trace_id])
    assert deleted in with_spans(database)
    assert retention.sweep(database, KEEPS) == Swept(0, 0, 3, 0)
    assert with_spans(database) == {stays, early.traces[0].trace_id}


# --- batches


def test_a_sweep_takes_batches_until_its_time_is_over_and_leaves_the_rest_to_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SPANS_AT_ONCE", 3)
    monkeypatch.setattr(retention, "TRACES_AT_ONCE", 2)
    # Each part's time is over when the clock has been looked at so often, which is once for each batch.
    monkeypatch.setattr(retention, "monotonic", itertools.count().__next__)
    monkeypatch.setattr(retention, "SECONDS_PER_SWEEP", 7.5)
    monkeypatch.setattr(retention, "LOOKED_UP", 4)
    put(
        database,
        *(old(40 - n, work(span("step:a", 0, 9), span("step:b", 0, 9))) for n in range(4)),
        old(10, [said(f"step:{n}", under=None) for n in range(30)]),
    )
    swept = [retention.sweep(database, KEEPS) for _ in range(4)]
    # Spans go before their trace, so that a sweep that ends between them leaves none behind that nobody finds.
    assert [(one.traces, one.spans) for one in swept] == [(2, 12), (2, 0), (0, 0), (0, 0)]
    assert [one.payloads for one in swept] == [21, 9, 0, 0]
    assert len(with_spans(database)) == 1


def test_what_somebody_holds_is_passed_by_and_waited_for_by_nobody(database: Database, database_url: str) -> None:
    held, free, paid = put(
        database, old(40), old(40), old(10, [said("job:test.work", under=None), said("step:a"), said("step:b")])
    )
    impatient = Haste(wait_seconds=5, statement_seconds=20, lock_seconds=0.5)
    with Database(database_url, haste=impatient) as sweeping, database.transaction() as conn:
        conn.execute("select from public.pipeline_spans where trace_id = %s for update", [held])
        conn.execute("select from public.pipeline_traces where trace_id = %s for update", [held])
        conn.execute("select from public.pipeline_spans where span_name = 'step:a' for no key update")
        assert retention.sweep(sweeping, KEEPS) == Swept(2, 1, 1, 0)
    assert traces(database) == with_spans(database) == {held, paid}
    assert retention.sweep(database, KEEPS) == Swept(1, 1, 1, 0)
    assert free not in traces(database)
    assert traces(database) == with_spans(database) == {paid}
