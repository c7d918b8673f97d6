"""`greenlight traces test` sends real jobs through the queue, says what is wrong or slower, and acts on nobody."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from greenlight_dagster.cli import main, output
from studio import queue
from studio.errors import InvalidInput
from studio.operations import baselines, names, scenarios, synthetic
from studio.operations.baselines import Limits
from studio.operations.scenarios import LEFT_OUT, OWNER, SCENARIOS
from studio.operations.synthetic import Result, Trial
from studio.settings import get_settings
from studio.tracing import ids
from tests.support.cli import Greenlight, Ran
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.injected import Pipeline
from tests.support.sandbox import SandboxThread
from tests.support.size import FULL
from tests.support.traces import rows, span, store

pytest_plugins = ["tests.support.dagster_fixtures", "tests.support.injected_fixtures"]
pytestmark = DAGSTER_WARNINGS

PRICE = "GREENLIGHT_MODEL_PRICES"
FREE = '{"sandbox": {"input_usd_per_million": 0, "output_usd_per_million": 0, "search_usd": 0}}'
# All but those that cost more than a second.
QUICK = [scenario.name for scenario in SCENARIOS if scenario.name not in ("pitch", "validate")]


@pytest.fixture
def greenlight(pipeline: Pipeline, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Greenlight:
    """Run a command on the database of the module, whose model costs nothing."""
    monkeypatch.setattr(output.out, "_width", 300)
    monkeypatch.setattr(output.err, "_width", 300)
    # Whether somebody works is not to be read in Dagster's database here.
    monkeypatch.delenv("GREENLIGHT_DAGSTER_DATABASE_URL")
    pipeline.configure(**{PRICE: FREE})

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main.run(["traces", "test", *map(str, arguments)])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def only(*wanted: str) -> list[str]:
    return [argument for name in wanted for argument in ("--only", name)]


def said(ran: Ran) -> Any:
    """Return the JSON that was printed. What went aside is of Dagster, whose runs share this process."""
    return json.loads(ran.out)


def by_name(ran: Ran) -> dict[str, dict[str, Any]]:
    return {result["scenario"]: result for result in said(ran)["results"]}


def trial(pipeline: Pipeline, *wanted: str, **options: Any) -> Trial:
    return Trial(pipeline.db, get_settings(), scenarios.chosen(wanted), Decimal(10), **options)


def count(pipeline: Pipeline, table: str) -> int:
    row = pipeline.db.fetch_one(f"select count(*)::int as n from public.{table}")  # type: ignore[arg-type]
    assert row is not None
    return int(row["n"])


def test_each_scenario_is_a_real_job_that_leaves_a_marked_trace(greenlight: Greenlight, pipeline: Pipeline) -> None:
    before = {table: count(pipeline, table) for table in ("approval_queue", "email_jobs", "users", "outbox")}
    with pipeline.working():
        ran = greenlight(*only(*QUICK), "--json")
    assert ran.code == 0, ran
    results = by_name(ran)
    assert list(results) == QUICK
    assert {result["outcome"] for result in results.values()} == {"ok"}
    for name, result in results.items():
        if name == "refused":
            assert "phase" in result["reason"]
            assert result["job_id"] is None
            continue
        assert result["kept"] == "first", result
        steps = {step["name"]: step for step in result["steps"]}
        assert {"queue:wait", "launch"} < steps.keys()
        assert any(step.startswith("step:") for step in steps)
        assert result["total_ms"] == pytest.approx(result["queue_ms"] + result["launch_ms"] + result["run_ms"])
    assert results["chat"]["model"] == "sandbox"
    assert results["queue-heavy"]["model"] == ""
    assert "Failed as ordered" in results["failing"]["reason"]
    project = UUID(said(ran)["project_id"])
    found = pipeline.db.fetch_all(
        "select t.kind, t.job_id, t.owner_clerk_id, s.scenario from public.pipeline_traces t"
        " join public.synthetic_jobs s on s.job_id = t.job_id where s.run_id = %s",
        [said(ran)["run_id"]],
    )
    assert {row["kind"] for row in found} == {"synthetic"}
    assert {row["scenario"] for row in found} == set(QUICK) - {"refused"}
    # The scan is a job of the studio's own project, and the rest of one that nobody's inbox or dashboard shows.
    assert {row["owner_clerk_id"] for row in found} == {OWNER, "system"}
    assert [job.status for job in queue.find(pipeline.db, project_id=project)].count("failed") == 1
    assert {table: count(pipeline, table) for table in before} == before
    # Others read of what is usual in real work.
    assert not {stats.name for stats in names.table(pipeline.db)} & {"step:noop_realtime", "step:conclude"}
    issues = pipeline.db.fetch_all(
        "select i.status from public.pipeline_issues i join public.pipeline_traces t on t.fingerprint = i.fingerprint"
        " where t.project_id = %s",
        [project],
    )
    assert issues == [{"status": "resolved"}], "an ordered failure is nobody's to mend"


def test_an_ordered_failure_is_nobodys_to_mend_in_whichever_attempt_it_comes(pipeline: Pipeline) -> None:
    def fail(job_id: UUID, claim_no: int) -> str:
        batch = rows(
            trace_id=ids.of_claim(job_id, claim_no),
            ago=timedelta(0),
            spans=[span("job:test.work", 0, 1, error="As ordered.", fingerprint=f"{job_id}:{claim_no}")],
        )
        store(pipeline.db, batch)
        (row,) = pipeline.db.fetch_all(
            "select status from public.pipeline_issues where fingerprint = %s", [batch.spans[0].fingerprint]
        )
        return str(row["status"])

    ordered, other = (pipeline.enqueue("bench.heavy", pipeline.project()) for _ in range(2))
    pipeline.db.execute("update public.agent_jobs set claim_no = 3 where id = any (%s)", [[ordered, other]])
    pipeline.db.execute(
        "insert into public.synthetic_jobs (job_id, run_id, scenario, must_fail) values (%s, %s, 'failing', true)",
        [ordered, ordered],
    )
    assert [fail(ordered, claim_no) for claim_no in (1, 2, 3, 4)] == ["resolved", "resolved", "resolved", "open"]
    assert fail(other, 1) == "open"


def test_a_real_failure_of_the_same_kind_is_an_open_issue_all_the_same(pipeline: Pipeline) -> None:
    with pipeline.working():
        (ordered,) = trial(pipeline, "failing").run().results
    status = _issue(pipeline, ordered)
    assert status == "resolved"
    project = pipeline.project()
    pipeline.db.execute("update public.projects set phase = 4 where id = %s", [project])
    attempt = pipeline.attempt(pipeline.enqueue("phase.generate_packet", project, phase=1))
    assert attempt.trace.kind == "job"
    assert _issue(pipeline, ordered) == "open"
    with pipeline.working():
        (again,) = trial(pipeline, "failing").run().results
    assert again.outcome == "ok"
    assert _issue(pipeline, ordered) == "open", "and stays so until somebody mends it"


def _issue(pipeline: Pipeline, result: Result) -> str:
    row = pipeline.db.fetch_one(
        "select i.status from public.pipeline_issues i join public.pipeline_traces t using (fingerprint)"
        " where t.trace_id = %s",
        [result.trace_id],
    )
    assert row is not None
    return str(row["status"])


def test_a_step_that_is_slower_than_usual_is_named_until_it_is_accepted(
    greenlight: Greenlight, pipeline: Pipeline
) -> None:
    def baseline() -> dict[str, tuple[int, float]]:
        found = baselines.usual(pipeline.db, "queue-standard", "")
        return {name: (usual.runs, usual.median_ms) for name, usual in found.items()}

    pipeline.db.execute("delete from public.synthetic_baselines")
    asked = [*only("queue-standard"), "--floor-ms", "0"]
    with pipeline.working():
        first = greenlight(*asked)
        assert first.code == 0, first
        assert "No baseline yet: stored as the first." in first.said
        pipeline.db.execute("update public.synthetic_baselines set median_ms = 0.0001")
        few = greenlight(*asked)
        assert few.code == 0, "beside so few nothing is slower"
        assert "As it should. 2 of 3 runs needed to compare." in few.said
        # As if it had taken next to nothing before, and the rest for ever.
        pipeline.db.execute(
            "update public.synthetic_baselines set n = 3, samples_ms = samples_ms || samples_ms[1],"
            " samples_micros = samples_micros || samples_micros[1],"
            " median_ms = case when span_name = 'step:noop_standard' then 0.0001 else 1e9 end"
        )
        slower = greenlight(*asked)
        assert slower.code == 1
        assert "Slower than usual: step:noop_standard took" in slower.said
        assert "0 of 1 as they should be" in slower.said
        assert {runs for runs, _ in baseline().values()} == {3}, "what is slower is not what is usual"
        assert greenlight(*only("queue-standard"), "--floor-ms", "60000").code == 0, "a jitter of less is none"
        assert {runs for runs, _ in baseline().values()} == {4}
        accepted = greenlight(*asked, "--accept", "--json")
    assert accepted.code == 0
    (result,) = said(accepted)["results"]
    assert (result["kept"], result["slower"]) == ("accepted", [])
    assert baseline() == {step["name"]: (1, pytest.approx(step["measured"]["ms"])) for step in result["steps"]}


def test_what_fails_says_why_and_what_builds_on_it_is_left_out(
    greenlight: Greenlight, pipeline: Pipeline, model: SandboxThread
) -> None:
    model.fault("status", status=401, times=2)
    with pipeline.working():
        ran = greenlight(*only("chat", "validate"), "--json")
    assert ran.code == 1
    results = by_name(ran)
    assert list(results) == ["chat", "pitch", "validate"]
    for name in ("chat", "pitch"):
        assert results[name]["outcome"] == "failed"
        assert "refuses the key" in results[name]["reason"]
        assert results[name]["kept"] is None
    assert results["validate"]["reason"] == "It builds on pitch, which failed."


def test_nobody_who_works_is_said_soon_and_leaves_nothing_in_the_queue(pipeline: Pipeline) -> None:
    report = trial(pipeline, "queue-heavy", "night", claim_seconds=0.1).run()
    heavy, night = report.results
    assert "Nobody has claimed the job" in heavy.reason
    assert (night.outcome, night.reason) == ("left out", "Nobody picks up jobs.")
    assert not report.good
    assert [job.status for job in queue.find(pipeline.db, project_id=report.project_id)] == ["canceled"]


def test_a_job_is_canceled_that_nobody_waits_for_any_more(
    greenlight: Greenlight, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic.time, "sleep", interrupt)
    ran = greenlight(*only("pitch"), "--json")
    assert (ran.code, ran.out) == (130, "")
    (job,) = queue.find(pipeline.db, limit=1)
    assert (job.job_type, job.status) == ("phase0.generate_packet", "canceled")


def test_where_no_sensor_ticks_nothing_is_sent(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    before = count(pipeline, "projects")
    assert main.run(["traces", "test"]) == 1
    assert "Nobody picks up jobs of the heavy lane: its sensors have never ticked." in capsys.readouterr().err
    assert count(pipeline, "projects") == before


def test_a_model_that_costs_something_is_asked_only_after_a_yes(greenlight: Greenlight, pipeline: Pipeline) -> None:
    pipeline.configure(**{PRICE: '{"sandbox": {"input_usd_per_million": 3, "output_usd_per_million": 15}}'})
    pipeline.db.execute("delete from public.synthetic_baselines")
    before = count(pipeline, "projects")
    greenlight(*only("pitch")).fails("will cost about $", "never more than $20.00", "--yes")
    greenlight(*only("pitch"), "--yes", "--max-usd", "0.1").fails("That does not fit", "--max-usd")
    assert count(pipeline, "projects") == before
    with pipeline.working():
        ran = greenlight(*only("chat"), "--yes")
    assert ran.code == 0, ran
    assert "will cost about" in ran.err
    # From now on the estimate is what it has cost.
    (wanted,) = scenarios.chosen(["chat"])
    spent = pipeline.db.fetch_one(
        "select sum(cost_micros)::int as micros from public.model_calls c join public.synthetic_jobs s using (job_id)"
        " where s.scenario = 'chat' and cost_micros > 0"
    )
    assert spent is not None
    known = baselines.usual_micros(pipeline.db, "chat", "sandbox")
    assert synthetic.estimate(pipeline.db, get_settings(), [wanted]) == known
    assert known == spent["micros"]


def test_the_scenarios_are_listed_with_what_is_left_out(greenlight: Greenlight) -> None:
    ran = greenlight("--list")
    assert ran.code == 0
    assert all(scenario.name in ran.said and scenario.description in ran.said for scenario in SCENARIOS)
    assert all(why in ran.said for why in LEFT_OUT.values())
    greenlight("--only", "nothing").fails("There is no scenario 'nothing'", "queue-realtime")


def test_old_projects_of_tests_go_and_those_at_work_stay(pipeline: Pipeline) -> None:
    old, busy = (trial(pipeline, "night").begin().project_id for _ in range(2))
    pipeline.enqueue("bench.heavy", busy)
    pipeline.db.execute(
        "update public.projects set created_at = now() - interval '31 days' where id = any (%s)", [[old, busy]]
    )
    new = trial(pipeline, "night").begin().project_id
    left = pipeline.db.fetch_all("select id from public.projects where owner_clerk_id = %s", [OWNER])
    assert {row["id"] for row in left} >= {busy, new}
    assert old not in {row["id"] for row in left}


def test_baselines_keep_the_last_runs(pipeline: Pipeline) -> None:
    for number in range(1, baselines.KEPT_RUNS + 6):
        with pipeline.db.transaction() as conn:
            baselines.keep(conn, "rolling", "m", {"step:a": baselines.Measured(1, float(number), number * 10)})
    usual = baselines.usual(pipeline.db, "rolling", "m")["step:a"]
    kept = range(6, baselines.KEPT_RUNS + 6)
    assert (usual.runs, usual.median_ms, usual.median_micros) == (20, 15.5, 155)
    assert usual.p95_ms == pytest.approx(kept[0] + 0.95 * 19)
    assert baselines.usual(pipeline.db, "rolling", "another") == {}


@pytest.mark.parametrize(
    ("ms", "slower"),
    [(1600.0, True), (1500.0, False), (1499.0, False), (400.0, False)],
    ids=["both", "not by so much", "not so many times", "faster"],
)
def test_slower_is_what_takes_so_many_times_its_median_and_so_much_longer(ms: float, slower: bool) -> None:
    known = {"step:a": baselines.Usual(5, 750.0, 800.0, 0)}
    measured = {"step:a": baselines.Measured(1, ms, 0), "step:new": baselines.Measured(1, 1e9, 0)}
    a, new = baselines.compare(measured, known, Limits(factor=2.0, floor_ms=500.0))
    assert (a.slower, a.ratio) == (slower, ms / 750)
    assert (new.slower, new.ratio, new.usual) == (False, None, None)
    (little,) = baselines.compare(
        {"step:a": baselines.Measured(1, 90.0, 0)}, {"step:a": baselines.Usual(5, 1.0, 1.0, 0)}, Limits()
    )
    assert not little.slower, "ninety times its median, and still nothing"


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no scenario 'x'"):
        scenarios.chosen(["x"])
    assert [scenario.name for scenario in scenarios.chosen(["validate"])] == ["pitch", "validate"]
    assert scenarios.chosen() == list(SCENARIOS)


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="two packets with their page and deck; GREENLIGHT_CHAOS=full")
def test_whole_packets_ask_nobody_for_anything(greenlight: Greenlight, pipeline: Pipeline) -> None:
    before = {table: count(pipeline, table) for table in ("approval_queue", "email_jobs", "users", "outbox")}
    with pipeline.working():
        ran = greenlight(*only("validate"), "--json")
    assert ran.code == 0, ran
    assert {table: count(pipeline, table) for table in before} == before
