"""What the benchmarks conclude from what they measured: percentiles, ratios, verdicts, table, JSON, exit code."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import (
    burst,
    chats,
    figures,
    goals,
    idle,
    latency,
    machine,
    memory,
    phase0,
    plan,
    processes,
    realtime_during_burst,
    report,
)
from benchmarks.bed import PROFILES
from benchmarks.figures import Figure, Goal, at_least, at_most
from benchmarks.server import Statements
from benchmarks.size import Size
from benchmarks.stock import STOCK
from greenlight_dagster.bench.samples import percentile, ratio, summarise
from greenlight_dagster.stack.profile import DEFAULT
from studio.errors import StackError

NAN = math.nan
SUMMARY = {"n": 30, "p50": 40.0, "p95": 60.0, "p99": 90.0, "worst": 95.0, "not_begun": 0}

# --- numbers


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        ([7.0], 99, 7.0),
        ([1.0, 2.0], 50, 1.5),
        ([3.0, 1.0, 2.0], 0, 1.0),
        ([3.0, 1.0, 2.0], 100, 3.0),
        ([float(n) for n in range(101)], 95, 95.0),
        ([float(n) for n in range(101)], 99, 99.0),
    ],
)
def test_a_percentile_lies_between_its_neighbours(values: list[float], q: float, expected: float) -> None:
    assert percentile(values, q) == pytest.approx(expected)


def test_nothing_measured_has_no_percentiles() -> None:
    nothing = summarise([])
    assert nothing.n == 0
    assert all(math.isnan(value) for value in nothing[1:])


def test_a_summary_is_in_order() -> None:
    found = summarise([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (found.n, found.p50, found.worst) == (5, 3.0, 5.0)
    assert found.p50 <= found.p95 <= found.p99 <= found.worst


@pytest.mark.parametrize(
    ("slow", "fast", "expected"), [(4000.0, 50.0, 80.0), (1.0, 0.0, NAN), (NAN, 1.0, NAN), (1.0, NAN, NAN)]
)
def test_a_ratio_of_what_was_not_measured_is_none(slow: float, fast: float, expected: float) -> None:
    assert ratio(slow, fast) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("value", "said"), [(None, ""), (NAN, "–"), (0.123, "0.12"), (12.34, "12.3"), (4551.2, "4,551"), (1e6, "1,000,000")]
)
def test_a_number_is_shown_with_the_digits_it_deserves(value: float | None, said: str) -> None:
    assert figures.shown(value) == said


# --- verdicts


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (at_most(120, 50), 50, "aim"),
        (at_most(120, 50), 50.1, "ok"),
        (at_most(120, 50), 120, "ok"),
        (at_most(120, 50), 120.1, "MISSED"),
        (at_least(12, 25), 25, "aim"),
        (at_least(12, 25), 12, "ok"),
        (at_least(12, 25), 11.9, "MISSED"),
        # What could not be measured is no success.
        (at_most(120, 50), NAN, "MISSED"),
        (at_least(12, 25), NAN, "MISSED"),
    ],
)
def test_a_goal_judges(goal: Goal, value: float, verdict: str) -> None:
    assert goal.verdict(value) == verdict


def test_every_aim_is_at_least_as_good_as_its_bound() -> None:
    known = {name: goal for name, goal in vars(goals).items() if isinstance(goal, Goal)}
    assert len(known) >= 15
    for name, goal in known.items():
        assert goal.verdict(goal.aim) == "aim", name
        assert goal.verdict(goal.least) != "MISSED", name


def test_a_missed_figure_is_said_in_a_sentence_and_others_are_not() -> None:
    made = [
        Figure("latency", "p50", "ms", 4551, goal=at_most(120, 50)),
        Figure("burst", "runs", "/s", 30, goal=at_least(12, 25)),
        Figure("memory", "daemon", "MB", 1e9),
    ]
    assert figures.missed(made) == ["latency: p50 is 4,551 ms, has to be ≤ 120."]


# --- figures of the stack


def test_each_benchmark_of_the_stack_makes_its_figures_side_by_side() -> None:
    slow = {**SUMMARY, "n": 12, "p50": 4000.0}
    made = {
        figure.what: figure
        for figure in [
            *latency.figures(SUMMARY, slow),
            *burst.figures(
                {"completed": 200, "seconds": 8.0, "per_second": 25.0},
                {"completed": 30, "seconds": 60.0, "per_second": 0.5},
            ),
            *phase0.figures({"seconds": 2.0}, {"seconds": 8.0}),
        ]
    }
    assert made["enqueue → op, p50"].stock == 4000
    assert made["stock p50 / our p50"].ours == 100
    assert made["ours / stock"].ours == 50
    assert made["stock / ours"].ours == 4
    assert "200 in 8.0 s, stock 30 in 60.0 s" in made["no-op runs"].note


def test_what_never_began_is_said() -> None:
    lost = {**SUMMARY, "not_begun": 3}
    for module in (chats, realtime_during_burst):
        assert "3 never begun" in next(iter(module.figures(lost, {}))).note
        assert "never" not in next(iter(module.figures(SUMMARY, {}))).note


def test_parts_that_only_one_way_has_are_listed() -> None:
    ours = {"cpu": 2.0, "cpu.daemon": 1.5, "cpu.launcher": 0.5, "statements": 1.0, "statements.work": 1.0}
    stock = {"cpu": 9.0, "cpu.daemon": 9.0, "statements": 50.0, "statements.ping": 50.0}
    made = {figure.what: figure for figure in idle.figures(ours, stock)}
    assert (made["CPU of launcher"].ours, made["CPU of launcher"].stock) == (0.5, 0.0)
    assert made["statements select 1"].stock == 50.0
    assert made["CPU, all processes"].verdict == "aim"

    held = [*memory.figures({"pss.launcher": 80.0, "count.launcher": 3, "spare": 20.0, "spares": 2}, {})]
    assert [figure.what for figure in held] == ["PSS of launcher", "PSS of the largest spare worker"]
    assert held[-1].verdict == "aim"
    assert [*memory.figures({}, {})] == []


# --- statements


def test_statements_are_counted_by_kind_without_our_own_and_other_databases() -> None:
    counted = Statements()
    for line in (
        "2026-03-01 09:00:00.000 UTC [7] greenlight@ours LOG:  statement: BEGIN",
        "2026-03-01 09:00:00.000 UTC [7] greenlight@ours LOG:  execute _pg3_0: select * from x where a = $1",
        "2026-03-01 09:00:00.000 UTC [7] @ours LOG:  statement: SELECT 1",
        "2026-03-01 09:00:00.000 UTC [7] @ours LOG:  statement: select 1, 2",
        "\tfrom a second line",
        "2026-03-01 09:00:00.000 UTC [7] greenlight@ours LOG:  duration: 3 ms",
        "2026-03-01 09:00:00.000 UTC [7] greenlight@other LOG:  statement: select 3",
        "2026-03-01 09:00:00.000 UTC [7] greenlight-bench@ours LOG:  statement: select 3",
        '2026-03-01 09:00:00.000 UTC [7] LOG:  parameter "log_statement" changed to "all"',
    ):
        counted.add(line, frozenset({"ours"}))
    assert counted.kinds == {"control": 1, "work": 2, "ping": 1}
    assert counted.applications == {"greenlight": 2, "(unnamed)": 2}


# --- the report


def made() -> list[Figure]:
    return [
        Figure("latency", "p50", "ms", 49.5, 4551.0, at_most(120, 50), "300 jobs"),
        Figure("latency", "p99", "ms", 500.0, None, at_most(400, 150)),
        Figure("phase0", "median", "s", NAN),
    ]


def test_the_table_shows_both_ways_the_goals_and_the_verdict() -> None:
    console = Console(file=io.StringIO(), width=200)
    report.show(console, {"cpus": 2, "commit": "abc"}, made())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    assert rows[0] == list(report.COLUMNS)
    assert rows[1] == ["latency", "p50", "4,551", "49.5", "ms", "≤ 120", "≤ 50", "aim", "300 jobs"]
    assert rows[2] == ["p99", "500", "ms", "≤ 400", "≤ 150", "MISSED"]
    assert rows[3] == ["phase0", "median", "–", "s"]
    assert "cpus 2 · commit abc" in text
    assert "Missed: latency: p99 is 500 ms, has to be ≤ 400." in text


def test_the_json_holds_every_figure_and_no_nan(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "latest.json"
    report.write(file, report.as_json({"cpus": 2}, made(), quick=True))
    read = json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (read["machine"], read["quick"]) == ({"cpus": 2}, True)
    first, second, third = read["figures"]
    assert (first["ours"], first["stock"], first["at_least"], first["aim"], first["verdict"]) == (
        *(49.5, 4551.0),
        *(120, 50, "aim"),
    )
    assert (second["stock"], second["verdict"]) == (None, "MISSED")
    assert (third["ours"], third["verdict"], third["aim"]) == (None, None, None)
    assert read["missed"] == ["latency: p99 is 500 ms, has to be ≤ 400."]


def test_the_machine_is_described() -> None:
    facts = machine.facts("18.4")
    assert {"date", "commit", "cpus", "python", "dagster", "postgres"} <= set(facts)
    assert facts["date"].endswith("+00:00")


# --- the command


class NoServer:
    """Stands in for the database server."""

    def __init__(self, _folder: Path) -> None:
        pass

    def __enter__(self) -> NoServer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def version(self) -> str:
        return "18.4"


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command is to measure; it takes down what it was asked for."""
    told: dict[str, Any] = {"figures": made()[:1]}

    def run(_server: NoServer, names: Any, *, quick: bool, say: Any) -> Iterator[Figure]:
        told.update(names=tuple(names), quick=quick)
        yield from told["figures"]

    monkeypatch.setattr(command, "Server", NoServer)
    monkeypatch.setattr(plan, "run", run)
    return told


def test_the_exit_code_is_1_where_a_bound_is_missed(suite: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    assert command.main(["--json", str(file)]) == 0
    assert suite["names"] == plan.NAMES
    suite["figures"] = made()
    assert command.main(["--quick", "--only", "latency", "claims", "--json", str(file)]) == 1
    assert (suite["names"], suite["quick"]) == (("latency", "claims"), True)
    assert json.loads(file.read_text())["quick"] is True


def test_what_cannot_be_measured_is_an_error_in_a_sentence(
    suite: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[Figure]:
        raise StackError("The daemon ended.", "See its log.")
        yield

    monkeypatch.setattr(plan, "run", broken)
    monkeypatch.setattr(command, "err", Console(stderr=True))
    assert command.main(["--json", str(tmp_path / "none.json")]) == 1
    assert "Error: The daemon ended. See its log." in capsys.readouterr().err
    assert not (tmp_path / "none.json").exists()


def test_an_unknown_name_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--only", "everything"])
    assert caught.value.code == 2
    assert "latency" in capsys.readouterr().err


# --- the plan and the two ways


def test_every_benchmark_of_the_stack_says_which_ways_it_measures() -> None:
    for name, benchmark in plan.STACK.items():
        assert "ours" in benchmark.PROFILES, name
        assert set(benchmark.PROFILES) <= set(PROFILES)


def test_both_ways_have_the_same_limits_and_only_stock_polls() -> None:
    ours, stock = PROFILES["ours"], PROFILES["stock"]
    assert stock is STOCK
    assert (ours.dagster_yaml, ours.daemon_command) == (DEFAULT.dagster_yaml, DEFAULT.daemon_command)
    assert set(stock.environment.items()) - set(ours.environment.items()) == {("GREENLIGHT_PICKUP_WAIT_SECONDS", "0")}
    assert stock.dagster_yaml.is_file()
    assert stock.daemon_command(Path("w.yaml"))[1:] == ["-m", "dagster._daemon", "run", "--workspace", "w.yaml"]


def test_the_two_configurations_differ_only_in_how_runs_are_started_and_stored() -> None:
    ours, stock = (yaml.safe_load(PROFILES[way].dagster_yaml.read_text()) for way in ("ours", "stock"))
    compared = {"storage", "run_coordinator", "run_launcher", "sensors", "schedules", "compute_logs"}
    # Whoever spares the one what the other still has to do would compare nothing.
    assert {name: ours.get(name) for name in {*ours, *stock} - compared} == {
        name: stock.get(name) for name in {*ours, *stock} - compared
    }
    assert stock["run_launcher"] == {"module": "dagster._core.launcher", "class": "DefaultRunLauncher"}
    assert stock["run_coordinator"]["class"] == "DefaultRunCoordinator"


def test_time_of_a_child_that_has_ended_still_counts() -> None:
    me = psutil.Process()
    before = processes.cpu_seconds([me])
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    assert processes.cpu_seconds([me]) > before


def test_a_size_is_full_or_quick() -> None:
    size = Size(300, 20)
    assert (size.of(quick=False), size.of(quick=True), size.count(quick=True)) == (300, 20, 20)
