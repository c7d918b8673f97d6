"""What a soak run concludes from its samples: what leaks is found, and what is flat, noisy or too short is no finding.

The series are made up; scatter comes from a generator with a fixed seed.
"""

from __future__ import annotations

import io
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.soak import bounds, report
from benchmarks.soak.__main__ import main
from benchmarks.soak.series import Run, Series, run_of
from benchmarks.soak.trend import scatter, slope, thirds, trend
from benchmarks.soak.verdict import BOUNDS, FAULTS, Judgement, bad, bound_of, judge, judged
from studio.errors import StackError

HOUR = [10.0 * n for n in range(1, 361)]
RATE = 2.6


def noise(sigma: float, seed: int = 1) -> list[float]:
    dice = random.Random(seed)
    return [dice.gauss(0, sigma) for _ in HOUR]


def series(kind: str, values: list[float]) -> Series:
    return Series(kind, "daemon", "MB", list(zip(HOUR, values, strict=True)))


def verdict(kind: str, values: list[float]) -> str:
    return judged(series(kind, values), BOUNDS[kind]).verdict


# --- a series


def test_a_flat_series_with_scatter_is_flat() -> None:
    assert verdict("memory", [200 + wobble for wobble in noise(3)]) == "flat"


def test_memory_that_creeps_is_found_in_spite_of_scatter() -> None:
    leak = [200 + 25 * at / 3600 + wobble for at, wobble in zip(HOUR, noise(3), strict=True)]
    found = judged(series("memory", leak), BOUNDS["memory"])
    assert found.verdict == "GROWS"
    # Five sixths of the run count.
    assert found.growth == pytest.approx(25 * 5 / 6, abs=2)


def test_growth_within_ten_percent_is_flat_and_beyond_thirty_megabytes_it_is_not() -> None:
    assert verdict("memory", [400 + 20 * at / 3600 for at in HOUR]) == "flat"
    assert verdict("memory", [4000 + 60 * at / 3600 for at in HOUR]) == "GROWS"


def test_a_small_process_may_not_double_and_may_breathe() -> None:
    assert verdict("process", [12 + 12 * at / 3600 for at in HOUR]) == "GROWS"
    assert verdict("process", [12 + 1.5 * at / 3600 for at in HOUR]) == "flat"


def test_what_comes_during_the_warm_up_is_no_growth() -> None:
    assert verdict("memory", [100 + min(at, 500) / 5 for at in HOUR]) == "flat"


@pytest.mark.parametrize("share", [0.45, 0.5, 0.6])
def test_a_step_is_found_wherever_it_is(share: float) -> None:
    stepped = [200 + (50 if at > 3600 * share else 0) + wobble for at, wobble in zip(HOUR, noise(1), strict=True)]
    assert verdict("memory", stepped) == "GROWS"


def test_a_step_has_no_slope_so_that_thirds_are_needed() -> None:
    points = [(at, 250.0 if at > 2500 else 200.0) for at in HOUR]
    assert slope(points) == 0
    found = trend(points)
    assert found is not None
    assert found.growth == 50


def test_outliers_move_nothing() -> None:
    values = [200 + wobble for wobble in noise(1)]
    values[300:320] = [900.0] * 20
    assert verdict("memory", values) == "flat"


def test_growth_that_scatter_explains_is_said_to_be_noise() -> None:
    scattered = [100 + wobble for wobble in noise(60, seed=4)]
    scattered = [value + 25 * at / 3600 for at, value in zip(HOUR, scattered, strict=True)]
    assert verdict("memory", scattered) == "noise"


def test_scatter_hides_no_leak_that_is_larger() -> None:
    scattered = [100 + 90 * at / 3600 + wobble for at, wobble in zip(HOUR, noise(60, seed=4), strict=True)]
    assert verdict("memory", scattered) == "GROWS"


@pytest.mark.parametrize("kind", ["descriptors", "threads", "processes", "sessions"])
def test_what_leaks_with_each_phase_0_is_found(kind: str) -> None:
    assert verdict(kind, [40 + at // 300 for at in HOUR]) == "GROWS"
    assert verdict(kind, [40 + round(at) // 10 % 3 for at in HOUR]) == "flat"


@pytest.mark.parametrize(
    ("kind", "filled", "leaking"),
    [
        ("process", [6 + min(3, at / 1000) for at in HOUR], [6 + 6 * at / 3600 for at in HOUR]),
        ("descriptors", [1800 + min(300, at / 4) for at in HOUR], [1800 + at / 4 for at in HOUR]),
    ],
)
def test_sessions_of_postgres_fill_their_caches_and_no_more(
    kind: str, filled: list[float], leaking: list[float]
) -> None:
    def of(part: str, values: list[float]) -> str:
        made = Series(kind, part, "", list(zip(HOUR, values, strict=True)))
        return judged(made, bound_of(made)).verdict

    assert of("postgres 10730" if kind == "process" else "postgres", filled) == "flat"
    assert of("postgres 10730" if kind == "process" else "postgres", leaking) == "GROWS"
    assert of("daemon", filled) == "GROWS"
    assert bound_of(Series(kind, "load 17", "", [])) is None


def test_a_queue_that_gets_longer_is_found() -> None:
    assert verdict("queued", [at / 100 for at in HOUR]) == "GROWS"
    assert verdict("queued", [float(round(at) // 10 % 2) for at in HOUR]) == "flat"


def test_a_table_of_fixed_rows_may_level_off_and_no_more() -> None:
    assert verdict("fixed table", [min(0.2, at / 3000) for at in HOUR]) == "flat"
    assert verdict("fixed table", [0.1 + at / 3600 for at in HOUR]) == "GROWS"


def test_bytes_a_row_may_fall_and_not_rise() -> None:
    assert verdict("bytes a row", [900 + 90_000 / at for at in HOUR]) == "flat"
    assert verdict("bytes a row", [900 + at / 4 for at in HOUR]) == "GROWS"


def test_a_series_that_is_too_short_is_not_judged() -> None:
    points = [(at, at) for at in HOUR[:8]]
    assert judged(Series("memory", "daemon", "MB", points), BOUNDS["memory"]).verdict == "short"


def test_rows_are_told_and_not_judged() -> None:
    found = judged(series("rows", [at * 2.6 for at in HOUR]), BOUNDS.get("rows"))
    assert (found.verdict, found.bound) == ("", "")
    assert found.growth > 0


def test_scatter_is_blind_to_steps_and_slopes() -> None:
    assert scatter([0.0] * 50 + [100.0] * 50) == 0
    assert scatter([at + wobble for at, wobble in zip(HOUR, noise(50), strict=True)]) == pytest.approx(50, rel=0.25)


def test_thirds_are_of_time_and_not_of_points() -> None:
    first, second, last = thirds([(0, 1), (1, 1), (2, 1), (3, 1), (50, 1), (90, 1)])
    assert [len(first), len(second), len(last)] == [4, 1, 1]


# --- a run


def sample(at: float, **changes: Any) -> dict[str, Any]:
    part = {"memory": 200.0, "largest": 200.0, "processes": 1, "fds": 30, "threads": 8}
    return {
        "kind": "sample",
        "at": at,
        "parts": {"daemon": part, "load": {**part, "memory": at}},
        "processes": {"daemon 7 1000": 200.0, f"runs {at:.0f} {at:.0f}": at},
        "sessions": {"greenlight-dagster": 10},
        "tables": {
            "studio.agent_jobs": {"bytes": 1000 * at, "live": at, "dead": 100},
            "dagster.instigators": {"bytes": 80_000, "live": 20, "dead": 500},
        },
        "wal": {"written": at * 1e6, "kept": 5e8},
        "queue": {"standard": {"queued": 0, "running": 1}},
        "machine": {"cpu": 30.0, "work_ms": 8.0},
        **changes,
    }


def load(at: float, wait: float = 90.0, **counts: int) -> dict[str, Any]:
    done = {"sent": int(RATE * at), "completed": int(RATE * at), "phase0": 4, "chats": 5, "streams": 6}
    none = dict.fromkeys((fault for fault in FAULTS if fault != "unfinished"), 0)
    last = {"unfinished": 0} if at == HOUR[-1] else {}
    return {"kind": "load", "at": at, "counts": {**done, **none, **last, **counts}, "waits": {"standard": [wait] * 15}}


def healthy() -> Run:
    return run_of([line for at in HOUR for line in (load(at), sample(at))])


def failing(run: Run, **options: bool) -> list[str]:
    return [f"{one.kind}: {one.what}" for one in bad(judge(run, RATE, **options))]


def test_a_healthy_hour_passes() -> None:
    found = judge(healthy(), RATE)
    assert bad(found) == []
    assert {"flat", "ok", ""} == {one.verdict for one in found}


def test_the_loads_own_memory_is_not_the_stacks() -> None:
    found = {(one.kind, one.what): one for one in judge(healthy(), RATE)}
    assert found["memory", "load"].growth > 1000
    assert found["memory", "load"].verdict == ""
    assert found["memory", "all"].growth == 0


def test_each_process_that_lives_long_is_judged_alone() -> None:
    samples = [
        sample(
            at,
            processes={
                "daemon 7 1000": 200.0,
                "postgres 8 1000": 20 + at / 100,
                "load 9 1000": at,
                f"runs {at} 1": 1.0,
            },
        )
        for at in HOUR
    ]
    run = Run(samples, healthy().load)
    assert failing(run) == ["process: postgres 8"]
    assert {one.what for one in judge(run, RATE) if one.kind == "process"} == {"daemon 7", "postgres 8", "load 9"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_single_fault_fails_a_run(fault: str) -> None:
    run = healthy()
    run.load[-1] = load(HOUR[-1], **{fault: 1})
    assert failing(run) == [f"count: {fault}"]


@pytest.mark.parametrize("work", ["completed", "phase0", "chats", "streams"])
def test_a_run_without_its_work_proves_nothing(work: str) -> None:
    run = healthy()
    run.load[-1] = load(HOUR[-1], **{work: 0})
    assert failing(run) == [f"count: {work}"]


def test_a_load_that_sends_too_little_proves_nothing() -> None:
    run = healthy()
    run.load[-1] = load(HOUR[-1], sent=int(0.7 * RATE * HOUR[-1]))
    assert failing(run) == ["count: sent a second"]


def test_jobs_that_had_not_ended_are_no_fault_of_an_interrupted_run() -> None:
    run = healthy()
    del run.load[-1]["counts"]["unfinished"]
    assert failing(run) == ["count: unfinished"]
    assert failing(run, interrupted=True) == []


def test_latency_is_judged_by_the_last_third_and_the_second() -> None:
    run = healthy()
    run.load[:] = [load(at, wait=90 if at < 2400 else 120) for at in HOUR]
    assert failing(run) == ["latency: standard p50"]
    # Slow at the beginning, or a fifth slower at the end.
    run.load[:] = [load(at, wait=500 if at < 1200 else 90 if at < 2400 else 105) for at in HOUR]
    assert failing(run) == []


def test_latency_of_few_is_not_judged() -> None:
    run = healthy()
    run.load[:] = [
        {**line, "waits": {"heavy": [at]} if at % 300 == 0 else {}} for line in run.load if (at := line["at"])
    ]
    assert {one.verdict for one in judge(run, RATE) if one.what == "heavy p50"} == {"short"}


def test_dead_rows_have_a_level_that_autovacuum_has_to_hold() -> None:
    run = healthy()
    for one in run.samples:
        one["tables"]["dagster.instigators"]["dead"] = 10 * (one["at"] % 60)
    assert failing(run) == []
    for one in run.samples:
        one["tables"]["dagster.instigators"]["dead"] = 10 * one["at"]
    assert failing(run) == ["dead rows: dagster.instigators"]


def test_a_part_that_comes_late_and_stays_is_growth() -> None:
    run = healthy()
    for one in run.samples[180:]:
        one["sessions"]["nobody-knows"] = 5
    assert failing(run) == ["sessions: nobody-knows", "sessions: all"]


def test_nothing_sampled_is_an_error() -> None:
    with pytest.raises(StackError, match="Nothing was sampled"):
        judge(Run([], []), RATE)


# --- what is told


def test_every_judged_kind_has_a_bound_that_says_so() -> None:
    for one in judge(healthy(), RATE):
        assert bool(one.bound) == bool(one.verdict), one
    assert str(bounds.MEMORY) == "≤ 10 % and 30"
    assert str(bounds.SESSIONS) == "≤ 3"
    assert str(bounds.PER_ROW) == "≤ 20 %"


def test_the_json_has_neither_nan_nor_infinity() -> None:
    new = Judgement("sessions", "x", "", 0.0, 5.0, 5.0, math.inf, "≤ 3", "GROWS")
    written = report.as_json({}, {"way": "ours"}, [new])
    assert json.loads(json.dumps(written, allow_nan=False))["judgements"][0]["percent"] is None
    assert written["failed"] == ["Grows: sessions of x, from 0.00 to 5.00  (≤ 3 allowed)."]


def test_a_log_is_judged_again_and_a_line_that_was_cut_off_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "soak.jsonl"
    lines = [line for at in HOUR for line in (load(at), sample(at))]
    whole = "".join(json.dumps(line) + "\n" for line in [*lines, {"kind": "ended", "at": 1, "interrupted": False}])
    log.write_text(whole + '{"kind": "sam', encoding="utf-8")
    assert main(["--judge", str(log)]) == 0
    assert json.loads(log.with_suffix(".json").read_text(encoding="utf-8"))["failed"] == []
    lines[-2]["counts"]["lost"] = 1
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert main(["--judge", str(log)]) == 1
    capsys.readouterr()


def test_the_table_shows_all_that_fails_and_of_processes_the_largest_growth() -> None:
    many = [
        Judgement("process", f"postgres {n}", "MB", 10.0, 10.0 + n, float(n), 10.0 * n, "≤ 10 % and 30", "flat")
        for n in range(20)
    ]
    many[0] = many[0]._replace(verdict="GROWS")
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report.table(many))
    text = console.export_text()
    assert "postgres 19" in text
    assert "postgres 0 " in text
    assert "postgres 5 " not in text
