"""`greenlight traces errors` lists errors by kind, explains one, and takes a person's word that it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from studio.database.connection import Database
from studio.operations import issues
from tests.support.cli import Greenlight
from tests.support.traces import make_trace, span

FINGERPRINT = "c0ffee0000000001"


@pytest.fixture
def broken(db: Database) -> Iterator[None]:
    """An error that has ended an attempt, one that was overcome, and a cancel."""
    error = {"error": "The [bold]tea[/] is cold.", "error_type": "studio.Cold", "error_class": "unknown"}
    make_trace(
        db,
        spans=[
            span("job:test.work", 0, 5000, **error),
            span("step:brew", 0, 5000, under=0, fingerprint=FINGERPRINT, stack="studio.tea.brew:12", **error),
            span("tool:kettle", 0, 10, under=1, error="Empty.", error_class="provider", fingerprint="c0ffee0000000002"),
        ],
        ago=timedelta(minutes=10),
    )
    stop = {"status": "cancelled", "error": "Stop.", "error_class": "cancelled", "fingerprint": "c0ffee0000000003"}
    make_trace(db, spans=[span("job:test.work", 0, 5, **stop)], ago=timedelta(days=3))
    yield
    db.execute("delete from public.pipeline_spans")
    db.execute("delete from public.pipeline_traces")
    db.execute("delete from public.pipeline_issues")


@pytest.mark.usefixtures("broken")
def test_open_errors_are_listed(greenlight: Greenlight) -> None:
    listed = greenlight("traces", "errors")
    assert listed.code == 0
    assert "c0ffee000000" in listed.out
    assert "Cold: The [bold]tea[/] is cold." in listed.out
    assert "studio.tea.brew:12" in listed.out
    assert "Stop." not in listed.out
    rows = greenlight("traces", "errors", "--json").json
    assert {(row["fingerprint"], row["fatal_count"]) for row in rows} == {(FINGERPRINT, 1), ("c0ffee0000000002", 0)}
    assert greenlight("traces", "errors", "--class", "provider", "--json").json[0]["message"] == "Empty."
    assert greenlight("traces", "errors", "--class", "cancelled", "--json").json[0]["message"] == "Stop."
    assert greenlight("traces", "errors", "--class", "cancelled", "--since", "1d").said == "No error is like that."


@pytest.mark.usefixtures("broken")
def test_one_error_is_explained(greenlight: Greenlight) -> None:
    shown = greenlight("traces", "errors", "c0ffee0000000001")
    assert shown.code == 0
    for words in (
        "The [bold]tea[/] is cold.",
        "once, and ended 1 attempt",
        "Attempt 1 at test.work failed 5.0 s after it began in step brew.",
        "job:test.work › step:brew",
        "greenlight traces show",
        "(at most 1)",
    ):
        assert words in shown.said
    found = greenlight("traces", "errors", "c0ffee0000000001", "--json").json
    assert found["issue"]["place"] == "studio.tea.brew:12"
    assert found["occurrences"][0]["fatal"] is True
    assert found["explanation"].startswith("Attempt 1 at test.work")
    assert [place["name"] for place in found["newest"]["path"]] == ["job:test.work", "step:brew"]


@pytest.mark.usefixtures("broken")
def test_an_error_is_resolved_and_reopened(greenlight: Greenlight, db: Database) -> None:
    done = greenlight("traces", "errors", FINGERPRINT, "--resolve")
    assert done.said == "It is resolved now. It is open again as soon as it comes up once more."
    assert issues.get(db, FINGERPRINT).issue.resolved_by == "local-owner"
    assert len(greenlight("traces", "errors", "--json").json) == 1
    assert len(greenlight("traces", "errors", "--all", "--json").json) == 2
    assert "resolved" in greenlight("traces", "errors", FINGERPRINT).said
    assert greenlight("traces", "errors", FINGERPRINT, "--reopen", "--json").json["status"] == "open"
    assert "open again since" in greenlight("traces", "errors", FINGERPRINT).said


def test_a_wrong_call_says_what_is_wrong(greenlight: Greenlight) -> None:
    greenlight("traces", "errors", "--class", "bad").fails("There is no class 'bad'.", "lost worker")
    greenlight("traces", "errors", "--resolve").fails("Say which error.")
    greenlight("traces", "errors", "abcdef", "--resolve", "--reopen").fails("--resolve or --reopen")
    greenlight("traces", "errors", "abcdef0123").fails("There is no error abcdef0123.", "--all")
    greenlight("traces", "errors", "--since", "yesterday").fails("--since")
    assert greenlight("traces", "errors").said == "No error is open."
