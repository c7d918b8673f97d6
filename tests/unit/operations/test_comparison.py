"""A figure is worth a sentence where it is out of the ordinary, and the sentence has both numbers in it."""

from __future__ import annotations

import statistics
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenlight_dagster.cli.moments import parse_stretch
from studio.errors import InvalidInput
from studio.operations.comparison import Measured, differences, findings, metrics, percentile
from studio.operations.figures import counted, dollars, duration, number


def found(run: Measured, *others: Measured) -> list[str]:
    return [one.sentence for one in findings(metrics(run, others), len(others))]


def took(ms: float, own: float | None = None) -> Measured:
    return Measured(durations={"tool:x": ms}, self_times={"tool:x": ms if own is None else own})


@pytest.mark.parametrize(
    ("ms", "usual", "said"),
    [
        (410, [100] * 6, ["tool:x took 4.1 × its median (410 ms instead of 100 ms, of 6 runs)"]),
        (151, [100] * 6, ["tool:x took 1.5 × its median (151 ms instead of 100 ms, of 6 runs)"]),
        (149, [100] * 6, []),
        (49, [10] * 6, []),
        (410, [100] * 4, []),
        (410, [100, 100, 100, 100, 500, 500], []),
        (410, [0] * 6, ["tool:x took 410 ms instead of 0 ms, of 6 runs"]),
    ],
    ids=["slow", "half as long again", "nearly", "little", "too few", "within what happens", "from nothing"],
)
def test_a_duration_is_told_where_it_is_out_of_the_ordinary(ms: float, usual: list[float], said: list[str]) -> None:
    assert found(took(ms), *map(took, usual)) == said


def test_the_time_is_its_own_where_its_own_spans_have_most_of_it() -> None:
    usual = [took(100, 100)] * 6
    (own,) = findings(metrics(took(1000, 900), usual), 6)
    (below,) = findings(metrics(took(1000, 200), usual), 6)
    assert (own.itself, own.excess_ms, own.metric.self_excess_ms) == (True, 900, 800)
    assert not below.itself


@pytest.mark.parametrize(
    ("counts", "usual", "said"),
    [
        ({"retries": 3}, {"retries": 0}, ["3 retries instead of 0"]),
        ({"retries": 1}, {"retries": 0}, ["1 retry instead of 0"]),
        ({"chat calls": 12}, {"chat calls": 4}, ["12 chat calls instead of 4"]),
        ({"chat calls": 5}, {"chat calls": 4}, []),
        ({"agent:a": 3}, {"agent:a": 1}, ["agent:a ran 3 times instead of 1"]),
        ({"agent:a": 1}, {}, ["agent:a ran, as in none of 10 runs"]),
        ({}, {"agent:a": 1}, ["agent:a did not run, as it did in 10 of 10 runs"]),
        ({}, {"retries": 2}, []),
    ],
    ids=["retries", "one", "calls", "about as many", "more often", "new", "missing", "not told of"],
)
def test_a_number_is_told_where_it_is_out_of_the_ordinary(
    counts: dict[str, float], usual: dict[str, float], said: list[str]
) -> None:
    assert found(Measured(counts=counts), *[Measured(counts=usual)] * 10) == said


def measured(**own_ms: tuple[float, float]) -> Measured:
    """Return a run by its names with their time, all and own."""
    names = {name.replace("_", ":"): times for name, times in own_ms.items()}
    return Measured(
        durations={name: whole for name, (whole, _) in names.items()},
        self_times={name: own for name, (_, own) in names.items()},
        counts={name: 1 for name in names if name.startswith(("step", "agent"))},
    )


FAST = {"step_answer": (370, 5), "llm_anthropic": (235, 235)}
SLOW = {"step_answer": (28_100, 8), "llm_anthropic": (27_650, 246), "db_wait": (27_600, 27_600)}


def test_a_name_that_is_new_leads_before_those_that_waited_for_it() -> None:
    said = findings(metrics(measured(**SLOW, agent_new=(60, 60)), [measured(**FAST)] * 8), 8)
    assert [(one.sentence, one.itself) for one in said] == [
        ("db:wait is new: 27.6 s, in none of 8 runs", True),
        ("agent:new is new: 60 ms, in none of 8 runs", True),
        ("step:answer took 75.9 × its median (28.1 s instead of 370 ms, of 8 runs)", False),
        ("llm:anthropic took 117.7 × its median (27.6 s instead of 235 ms, of 8 runs)", False),
    ]
    few = [measured(**FAST)] * 6 + [measured(**FAST, db_wait=(100, 100)), measured(**FAST, db_wait=(300, 300))]
    assert found(measured(**SLOW), *few)[0] == "db:wait took 27.6 s, and 200 ms in the 2 of 8 runs with it"
    assert found(measured(**FAST, db_wait=(320, 320)), *few) == []


def test_what_spent_most_itself_leads_whatever_waited_for_it() -> None:
    usual = [measured(step_a=(1000, 0), agent_a=(1000, 500), llm_a=(500, 500))] * 6
    said = findings(metrics(measured(step_a=(9000, 0), agent_a=(9000, 6000), llm_a=(3000, 3000)), usual), 6)
    assert [(one.metric.name, one.itself) for one in said] == [("agent:a", True), ("llm:a", True), ("step:a", False)]


def test_beside_a_slower_run_the_rest_is_one_line_and_what_is_gone_another() -> None:
    slow = measured(**SLOW, agent_new=(60, 60), step_short=(9, 9))
    assert [one.sentence for one in differences(metrics(measured(**FAST), [slow]))] == [
        "db:wait (27.6 s), agent:new (60 ms) and step:short ran only in the other run",
        "step:answer and llm:anthropic took less, because what they waited for did",
    ]
    (said, *_) = differences(metrics(slow, [measured(**FAST)]))
    assert said.sentence == "db:wait is new: 27.6 s"
    assert [one.sentence for one in differences(metrics(took(11), [took(9000)]))] == [
        "tool:x took less than 0.1 × as long (11 ms instead of 9.0 s)"
    ]


def test_what_some_runs_do_and_some_do_not_is_neither_new_nor_missing() -> None:
    others = [Measured(counts={"agent:a": 1})] * 5 + [Measured()] * 5
    assert found(Measured(), *others) == []
    assert found(Measured(counts={"agent:a": 1}), *others) == []


def test_between_two_runs_both_directions_are_told_the_slower_first() -> None:
    one = Measured(durations={"a": 1000, "b": 100, "c": 500, "d": 1}, tokens={"input tokens": 10})
    two = Measured(durations={"a": 100, "b": 1000, "c": 480}, tokens={"input tokens": 20})
    assert [each.sentence for each in differences(metrics(one, [two]))] == [
        "a took 10.0 × as long (1.0 s instead of 100 ms)",
        "b took 0.1 × as long (100 ms instead of 1.0 s)",
        "input tokens were 0.5 × as many (10 instead of 20)",
    ]


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30))
def test_a_percentile_is_interpolated_as_the_database_does(values: list[float]) -> None:
    values.sort()
    hundredths = statistics.quantiles(values, n=100, method="inclusive")
    for place in (50, 95, 99):
        assert percentile(values, place / 100) == pytest.approx(hundredths[place - 1])


def test_figures_are_written_as_a_person_says_them() -> None:
    assert [duration(ms) for ms in (0, 0.44, 9.94, 9.96, 340, 999.4)] == [
        "0 ms", "0.4 ms", "9.9 ms", "10 ms", "340 ms", "999 ms"
    ]  # fmt: skip
    assert [duration(ms) for ms in (999.6, 12_449, 59_960, 185_000, 7_440_000)] == [
        "1.0 s", "12.4 s", "1 min 0 s", "3 min 5 s", "2 h 4 min"
    ]  # fmt: skip
    assert [number(value) for value in (4, 4.5, 12_000)] == ["4", "4.5", "12,000"]
    assert [dollars(micros) for micros in (0, 3_100, 50_000, 420_000, 1_234_567_890)] == [
        "$0.00", "$0.0031", "$0.05", "$0.42", "$1,234.57"
    ]  # fmt: skip
    assert (counted(1, "run"), counted(2, "run")) == ("1 run", "2 runs")


def test_a_stretch_of_time_is_read_as_it_is_typed() -> None:
    typed = ("250ms", "30s", " 90M ", "1.5h", "7d", "2w")
    hours = [parse_stretch(text, "--since") / timedelta(hours=1) for text in typed]
    assert hours == pytest.approx([0.25 / 3600, 30 / 3600, 1.5, 1.5, 168, 336])
    for text in ("", "h", "5", "-1h", "0s", "1y", "1e9d", "1h30m"):
        with pytest.raises(InvalidInput, match="--since"):
            parse_stretch(text, "--since")
