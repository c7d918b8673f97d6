"""A run leaves nothing on its machine that another one would need: outputs go to the database, or nowhere."""

from __future__ import annotations

import dagster as dg
import pytest
import yaml

from studio.job_types import JOB_TYPES
from studio.paths import ROOT
from tests.support.dagster import DAGSTER_WARNINGS, defs

pytestmark = DAGSTER_WARNINGS
JOBS = sorted({"upkeep"} | {kind.dagster_job for kind in JOB_TYPES.values() if kind.has_handler})


@pytest.mark.parametrize("name", JOBS)
def test_outputs_of_ops_are_in_the_database_or_nowhere(name: str) -> None:
    job = defs.resolve_job_def(name)
    assert job.executor_def is dg.in_process_executor, "its ops would be in several processes"
    for node in job.nodes:
        for output in node.output_dict.values():
            assert output.dagster_type.is_nothing or output.io_manager_key == "agent_job_steps", node.name


def test_a_fleet_captures_output_where_every_machine_reads_it() -> None:
    told = yaml.safe_load((ROOT / "dagster.celery.yaml").read_text())
    assert told["compute_logs"]["class"] == "DatabaseComputeLogManager"


def test_a_fleet_differs_from_one_machine_in_who_runs_and_where_output_goes() -> None:
    alone = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    fleet = yaml.safe_load((ROOT / "dagster.celery.yaml").read_text())
    assert alone.keys() == fleet.keys()
    assert {key for key in alone if alone[key] != fleet[key]} == {"run_launcher", "compute_logs"}
