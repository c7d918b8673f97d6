"""The answers follow from record and workload, say what they are made of, and stand in the document as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.simulation import chart, document, fleet, measured, workload
from benchmarks.simulation.ceilings import claim_seconds
from benchmarks.simulation.demand import NIGHT
from benchmarks.simulation.scales import PROJECTS, Study
from benchmarks.simulation.sizing import CELL, FULL
from studio.errors import InvalidInput


@pytest.fixture(scope="module")
def study() -> Study:
    # The fit takes some seconds, and nothing here changes it.
    return Study(measured.load(), workload.load())


def test_the_document_holds_what_the_record_says(study: Study) -> None:
    text = document.FILE.read_text(encoding="utf-8")
    assert document.written(text, document.arithmetic(study)) == text
    assert document.FILE.with_suffix(".svg").read_text(encoding="utf-8") == chart.draw(study.ceilings())


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no place for the table 'kinds'"):
        document.written("<!-- begin needs -->\n<!-- end needs -->", {"kinds": "| a |"})


def test_more_projects_need_no_less_of_anything(study: Study) -> None:
    small, large = (study.sizing(projects) for projects in (1_000, 90_000))
    for name in ("worker_cores", "database_cores", "connections", "stream_processes", "wal_per_day", "runs_per_day"):
        assert getattr(small, name) <= getattr(large, name)
    assert all(small.slots[lane] <= large.slots[lane] for lane in small.slots)


def test_cells_share_all_projects(study: Study) -> None:
    sized = study.sizing(PROJECTS[-1])
    assert sized.cells * sized.per_cell == PROJECTS[-1]
    assert sized.per_cell <= CELL
    assert sized.daemon <= FULL


def test_a_fit_gives_back_what_it_was_fitted_to(study: Study) -> None:
    costs = study.costs
    assert costs.worker_seconds > 0
    # Nothing of a part's CPU is lost between its path and what is beside it.
    one = study.measured.base()
    assert costs.worker_seconds == pytest.approx(one.cpu_ms(measured.WORKERS) / 1_000)
    assert costs.daemon_seconds == pytest.approx(one.cpu_ms(measured.DAEMON) / 1_000)
    assert costs.database_seconds == pytest.approx(one.cpu_ms(measured.DATABASE) / 1_000, rel=0.05)


def test_a_day_has_all_of_its_work() -> None:
    given = workload.load()
    assert sum(given.by_hour()) == pytest.approx(1.0)
    assert given.at_hour(given.busiest) == max(given.at_hour(hour) for hour in range(24))


def test_arithmetic_and_simulation_agree_on_a_small_cell(study: Study) -> None:
    sized = study.sizing(20_000)
    cell = study.demand(20_000)
    seen = fleet.observe(study.costs, study.shape(sized), cell, "people", chats=150)
    assert seen.launched == pytest.approx(seen.expected["launched"], rel=0.25)
    assert seen.database == pytest.approx(seen.expected["database"], rel=0.35)


def test_the_night_comes_to_its_end_and_chats_go_on_meanwhile(study: Study) -> None:
    cell = study.demand(2_000)
    seen = fleet.observe(study.costs, study.shape(study.sizing(2_000)), cell, "night", chats=10)
    assert len(seen.waits_ms["chat"]) > 0
    assert 0 < fleet.night_hours(seen, cell) < 24
    assert cell.rate(study.kinds[0].kind, NIGHT) > 0


def test_claims_between_two_measurements_cost_something_in_between(study: Study) -> None:
    few, some, many = (claim_seconds(study.measured, running) for running in (10, 130, 250))
    assert min(few, many) <= some <= max(few, many)
    assert claim_seconds(study.measured, 10**6) == claim_seconds(study.measured, 10_000)


@pytest.mark.parametrize("content", ["no json", "{}", '{"rounds": [{}]}'])
def test_what_is_no_record_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "record.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match="no record of measurements"):
        measured.load(file)


def test_a_workload_needs_all_hours(tmp_path: Path) -> None:
    given = json.loads(workload.FILE.read_text(encoding="utf-8"))
    given["hours"]["value"].pop()
    file = tmp_path / "workload.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    with pytest.raises(InvalidInput, match="23 hours in a day"):
        workload.load(file)
