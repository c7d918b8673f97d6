"""`greenlight traces` shows where the time of a run went: on any width, without colours, whatever the names say."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from greenlight_dagster.cli import output
from studio.database.connection import Database
from tests.support.cli import NOBODY, Greenlight
from tests.support.traces import Planned, baseline, llm, make_trace, span, usual

MARKUP = "[red]x[/] \x1b[31m"


def failing() -> list[Planned]:
    """Return a run in which one of two parallel agents fails in a tool."""
    return [
        span("job:test.work", 0, 10_000, error="Bad.", error_type="ModelRefused"),
        span("queue:wait", 0, 1000, under=0),
        span("step:research", 1000, 10_000, under=0, error="Bad.", error_type="ModelRefused"),
        span("agent:long", 1000, 10_000, under=2, error="Bad.", error_type="ModelRefused"),
        span("agent:short", 1000, 4000, under=2),
        llm("anthropic", 1500, 9000, under=3, cost=420_000, input_data={"ask": MARKUP}, output_data="o" * 5000),
        span(f"tool:{MARKUP}", 9000, 10_000, under=3, error=f"Bad {MARKUP}.", error_type="E", fingerprint="f" * 16),
    ]


def lines(text: str) -> dict[str, str]:
    """Return the lines of a waterfall by the name in them."""
    return {
        line.lstrip("● ✗").split("  ")[0].strip(): line for line in text.partition("critical path  ")[0].splitlines()
    }


@pytest.mark.parametrize("width", [80, 120])
def test_a_waterfall_marks_the_critical_path_and_tells_the_error_where_it_came_up(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(output.out, "_width", width)
    trace = make_trace(db, "test.work", project, spans=failing())
    shown = greenlight("traces", "show", trace.trace_id.hex[:12])
    assert shown.code == 0
    assert max(map(len, shown.out.splitlines())) <= width
    found = lines(shown.out)
    assert found["queue:wait"].startswith("●   queue:wait")
    assert "1.0 s  1.0 s" in found["queue:wait"]
    assert "█" in found["queue:wait"]
    assert found["agent:long"].startswith("●     ✗ agent:long")
    assert found["agent:short"].startswith("      agent:short")
    assert "░░" in found["agent:short"]
    assert "█" not in found["agent:short"]
    told = [line for line in shown.out.splitlines() if "└" in line]
    assert [line.strip() for line in told] == ["└ E: Bad [red]x[/] �[31m."], "once, and unread as markup"
    assert "error    E: Bad [red]x[/] �[31m." in shown.out
    assert "cost     $0.42" in shown.out
    assert str(trace.job_id) in shown.out
    share = next(line for line in shown.out.splitlines() if line.startswith("llm:anthropic"))
    assert share.split() == ["llm:anthropic", "7.5", "s", "75%"]


def test_what_has_not_ended_is_shown_as_open(greenlight: Greenlight, db: Database, project: UUID) -> None:
    spans = [
        span("job:test.work", 0, None),
        span("agent:a", 1000, None, under=0),
        span("tool:x", 0, 9, parent_span_id="0" * 16),
    ]
    trace = make_trace(db, "test.work", project, spans=spans, end_ms=None)
    shown = greenlight("traces", "show", trace.trace_id)
    assert "until now" in shown.out
    assert "●   … agent:a" in shown.out
    assert "tool:x (parent not stored)" in shown.out
    assert "… still open" in shown.out


def test_attempts_of_one_number_are_told_apart(greenlight: Greenlight, db: Database, project: UUID) -> None:
    job = uuid4()
    lost = make_trace(db, "test.work", project, job_id=job, status="lost", outcome=None, end_ms=20_100)
    later = timedelta(minutes=59)
    again = make_trace(db, "test.work", project, job_id=job, claim_no=2, spans=usual(4650, calls=1), ago=later)
    shown = greenlight("traces", "show", lost.trace_id).out
    assert "status   lost, attempt 1, interrupted\n" in shown
    assert f"others   attempt 1, taken up again: ok, 4.7 s, {again.trace_id.hex[:12]}\n" in shown
    assert "model    0 calls, 0 tokens in" in shown
    shown = greenlight("traces", "show", job).out
    assert "status   ok, attempt 1, taken up again\n" in shown
    assert f"others   attempt 1, interrupted: lost, 20.1 s, {lost.trace_id.hex[:12]}\n" in shown
    assert "model    1 call, 1,000 tokens in" in shown


def test_what_is_interrupted_says_so_without_its_type(greenlight: Greenlight, db: Database, project: UUID) -> None:
    kind = "dagster._core.errors.DagsterExecutionInterruptedError"
    stop = {"status": "cancelled", "error_type": kind, "error_class": "cancelled"}
    spans = [
        span("job:test.work", 0, 900, **stop, error="The job was canceled."),
        span("step:a", 0, 900, under=0, **stop, error=kind),
        span("agent:a", 0, 900, under=1, **stop, error="interrupted"),
    ]
    for known in (spans[:2], spans):
        shown = greenlight("traces", "show", make_trace(db, "test.work", project, spans=known).trace_id).out
        assert [line.strip() for line in shown.splitlines() if "└" in line] == ["└ interrupted"]
        assert "error    The job was canceled.\n" in shown


def test_many_alike_are_one_row_that_can_be_opened(greenlight: Greenlight, db: Database, project: UUID) -> None:
    spans = [span("job:test.work", 0, 9000), span("step:crawl", 0, 9000, under=0)]
    spans += [span("http:GET", n * 10, n * 10 + 8, under=1) for n in range(400)]
    trace = make_trace(db, "test.work", project, spans=spans)
    shown = greenlight("traces", "show", trace.trace_id)
    assert "http:GET × 400" in shown.out
    assert "--under" in shown.out
    assert len(shown.out.splitlines()) < 40
    below = greenlight("traces", "show", trace.trace_id, "--under", spans[2].span_id[:8], "--json").json
    assert [row["name"] for row in below["spans"]] == ["http:GET"]
    assert greenlight("traces", "show", trace.trace_id, "--rows", 2).out.count("×") == 2


def test_a_span_with_all_that_went_in_and_out(greenlight: Greenlight, db: Database, project: UUID) -> None:
    spans = failing()
    spans[5].stack = f"studio/model.py:1 {MARKUP}"
    trace = make_trace(db, "test.work", project, spans=spans).trace_id
    call = spans[5].span_id
    shown = greenlight("traces", "show", trace, "--span", call[:10])
    assert f"llm:anthropic ({call})" in shown.out
    for text in ("1,000 in, 200 out", "$0.42", "studio/model.py:1 [red]x[/] �", '"ask": "[red]x[/] \\u001b[31m"'):
        assert text in shown.out
    assert f"For all of it: --output {call}" in shown.out
    assert greenlight("traces", "show", trace, "--output", call).out == "o" * 5000 + "\n"
    assert greenlight("traces", "show", trace, "--input", call, "--json").json == {"ask": MARKUP}
    assert greenlight("traces", "show", trace, "--span", call, "--json").json["input_data"] == {"ask": MARKUP}
    assert greenlight("traces", "show", trace, "--input", spans[1].span_id).out == "queue:wait has no input.\n"
    db.execute("update public.pipeline_spans set input_data = null where span_id = %s", [call])
    assert "no longer kept" in greenlight("traces", "show", trace, "--input", call).out
    greenlight("traces", "show", trace, "--span", "0" * 16).fails("has no span", "traces show")
    greenlight("traces", "show", trace, "--span", call, "--input", call).fails("is enough")


def test_the_json_of_a_trace_has_every_span_and_the_path(greenlight: Greenlight, db: Database, project: UUID) -> None:
    trace = make_trace(db, "test.work", project, spans=failing())
    shown = greenlight("traces", "show", trace.job_id, "--json").json
    assert shown["trace"]["trace_id"] == str(trace.trace_id)
    assert len(shown["spans"]) == 7
    path = shown["critical_path"]
    assert sum(one["end_ms"] - one["start_ms"] for one in path) == 10_000
    assert {one["name"] for one in shown["critical_path_by_name"]} == {one["name"] for one in path}


def test_a_list_is_narrowed_and_goes_on(greenlight: Greenlight, db: Database, project: UUID) -> None:
    made = baseline(db, project, [5000, 6000, 40_000])
    make_trace(db, "test.other", project, spans=failing())
    listed = greenlight("traces", "list", "--project", project)
    assert [line.split()[0] for line in listed.out.splitlines()[2:]] == [one.trace_id.hex[:12] for one in made[::-1]]
    assert "40.0 s" in listed.out
    only = greenlight("traces", "list", "--project", project, "--slower", "30s", "--since", "7d", "--json").json
    assert [one["trace_id"] for one in only] == [str(made[2].trace_id)]
    (failed,) = greenlight("traces", "list", "--project", project, "--status", "failed", "--json").json
    assert failed["pipeline_name"] == "test.other"
    first = greenlight("traces", "list", "--project", project, "--limit", 3)
    before = first.out.rstrip().rpartition("--before ")[2]
    rest = greenlight("traces", "list", "--project", project, "--before", before, "--json").json
    assert [one["trace_id"] for one in rest] == [str(made[0].trace_id)]
    assert greenlight("traces", "list", "--project", uuid4()).out == "No trace is like that.\n"
    nope = greenlight("traces", "list", "--pipeline", "[b]nope")
    assert nope.code == 0
    assert nope.out.startswith("No trace of the pipeline '[b]nope' exists. There are: ")
    assert "test.other, test.work" in nope.out
    assert greenlight("traces", "list", "--pipeline", "[b]nope", "--json").json == []
    assert greenlight("traces", "list", "--pipeline", "test.other", "--slower", "9h").out == "No trace is like that.\n"


def test_an_installation_without_traces_says_how_to_make_one(greenlight: Greenlight, db: Database) -> None:
    db.execute("delete from public.pipeline_traces")
    db.execute("delete from public.pipeline_spans")
    assert "greenlight demo" in greenlight("traces", "list").out
    for command in ("slow", "cost"):
        assert "Give a longer --since." in greenlight("traces", command, "--since", "3h").out
    assert "in the last 3h" in greenlight("traces", "slow", "--by", "pipeline", "--since", "3h").out


def test_bottlenecks_costs_and_comparisons(greenlight: Greenlight, db: Database, project: UUID) -> None:
    db.execute("delete from public.pipeline_traces")
    db.execute("delete from public.pipeline_spans")
    baseline(db, project, [4000] * 6)
    slow = make_trace(db, "test.work", project, spans=usual(20_000, cost=250_000))
    table = greenlight("traces", "slow").out.splitlines()
    assert table[1].startswith("chat claude-test"), "the parents, which take as long, spend no time themselves"
    assert "84%" in table[1]
    by_pipeline = greenlight("traces", "slow", "--by", "pipeline").out
    assert "chat claude-test (84%)" in by_pipeline
    greenlight("traces", "slow", "--by", "pipeline", "--pipeline", "x").fails("Leave --by pipeline out")
    greenlight("traces", "slow", "--differences").fails("Add --pipeline")
    few = greenlight("traces", "slow", "--pipeline", "test.work", "--differences").out
    assert few.startswith("1 slow run, over ")
    assert "too few to tell" in few
    test = make_trace(db, "test.work", project, kind="synthetic", spans=usual(90_000)).trace_id
    asked = ["traces", "slow", "--pipeline", "test.work", "--differences", "--json"]
    assert greenlight(*asked).json["rest"] == 6
    assert greenlight(*asked, "--synthetic").json["rest"] == 7
    db.execute("delete from public.pipeline_spans where trace_id = %s", [test])
    db.execute("delete from public.pipeline_traces where trace_id = %s", [test])
    assert "has ended" in greenlight("traces", "slow", "--pipeline", "x", "--differences").out
    compared = greenlight("traces", "compare", slow.trace_id)
    assert "agent:research took 6.3 × its median (19.0 s instead of 3.0 s, of 6 runs)\n" in compared.out
    assert "chat claude-test took 6.3 × its median (19.0 s instead of 3.0 s, of 6 runs) – its own time" in compared.out
    found = greenlight("traces", "compare", slow.trace_id, "--json").json
    assert found["summary"] in compared.out
    assert found["runs"] == 6
    other = greenlight("traces", "list", "--json").json[-1]["trace_id"]
    beside = greenlight("traces", "compare", slow.trace_id, other).out
    assert "agent:research took 6.3 × as long (19.0 s instead of 3.0 s)" in beside
    few = greenlight("traces", "compare", other)
    assert few.code == 0
    assert few.out == "Too few to compare: 0 good runs of test.work before it, and 5 are needed.\n"
    spent = greenlight("traces", "cost", "--group", "model", "--since", "2d").out
    assert "claude-test" in spent
    assert "Together: 14 calls, $0.51." in spent
    assert sum(one["cost_micros"] for one in greenlight("traces", "cost", "--by", "hour", "--json").json) == 512_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--status", "nonsense"], "There is no status"),
        (["list", "--since", "yesterday"], "24h"),
        (["list", "--slower", "0s"], "no stretch of time"),
        (["list", "--before", "x"], "no place in a list"),
        (["list", "--project", "x"], "not a UUID"),
        (["show", NOBODY], "traces list"),
        (["show", "xyz"], "at least 6"),
        (["compare", NOBODY], "There is no trace"),
        (["cost", "--since", "-1d"], "no stretch of time"),
    ],
    ids=["status", "since", "slower", "before", "project", "no trace", "no id", "compare", "cost"],
)
def test_what_is_wrong_is_said_with_what_to_do(greenlight: Greenlight, arguments: list[str], said: str) -> None:
    greenlight("traces", *arguments).fails(said)


def test_the_commands_help_with_what_a_narrow_terminal_has_room_for(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = make_trace(db, "test.work", project, spans=failing(), subject="A long subject " * 9, ago=timedelta(0))
    monkeypatch.setattr(output.out, "_width", 80)
    listed = greenlight("traces", "list", "--project", project).out
    assert trace.trace_id.hex[:12] in listed
    assert max(map(len, listed.splitlines())) <= 80
