"""What Dagster loads: the jobs of the registry, their sensors and schedules, each of them described.

Names are part of the contract: cursors, run history, bookmarks and other people's scripts hang on them.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import dagster as dg
import pytest
import yaml

from greenlight_dagster.stack.folders import CODE_LOCATION
from resources import run_tags
from studio.job_types import JOB_TYPES, LANES
from studio.paths import ROOT
from tests.support.code import STEPS as CODE_STEPS
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, STEPS, defs
from tests.support.phases import STEPS as PHASE_STEPS
from tests.support.reports import STEPS as REPORT_STEPS

pytestmark = DAGSTER_WARNINGS

NAMES: dict[str, Any] = {
    "jobs": {
        JOB_NAME: sorted(STEPS),
        "phase_generate_packet": sorted(step.name for step in PHASE_STEPS),
        "approval_execute": ["begin", "perform", "record"],
        "email_process_due": ["enroll", "send_due"],
        "drip_process_digests": ["queue_digests"],
        "drip_process_nudges": ["queue_nudges"],
        "nightshift_cycle_project": ["look", "propose", "report", "write_overview"],
        "chat_reply": ["answer", "store"],
        "onboarding_scan": ["conclude", "look_at_site", "read_repository"],
        "code_generate_mvp": sorted(CODE_STEPS),
        "research_generate_report": sorted(REPORT_STEPS),
        "browser_check_page": ["follow_up", "look", "record"],
        "upkeep": ["sweep"],
        **{f"bench_{lane}": [f"noop_{lane}"] for lane in LANES},
    },
    "sensors": [
        *("pickup_heavy_1", "pickup_heavy_2"),
        *("pickup_realtime_1", "pickup_realtime_2", "pickup_realtime_3"),
        *("pickup_standard_1", "pickup_standard_2", "pickup_standard_3"),
        "watcher",
    ],
    "schedules": [
        *("digests_daily", "due_mail_hourly", "night_shift", "night_shift_rest", "nudges_daily"),
        *("operations_every_minute", "upkeep_hourly"),
    ],
    "resources": ["agent_job", "agent_job_steps", "anthropic", "outbound", "studio_database"],
}
SOME_ID = "7e0a7d3c-4c52-4a4b-9a0e-1f3f3f0f0001"


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    dg.Definitions.validate_loadable(defs)
    return defs.get_repository_def()


@pytest.fixture(scope="module")
def agent_jobs(repository: dg.RepositoryDefinition) -> dict[str, dg.JobDefinition]:
    """The Dagster jobs behind job types, by the type's name."""
    jobs = repository.get_all_jobs()
    return {job.run_tags[run_tags.JOB_TYPE]: job for job in jobs if run_tags.JOB_TYPE in job.run_tags}


def fields_of(job: dg.JobDefinition) -> dict[str, Any]:
    """Return the fields of what a person writes as the job's configuration."""
    assert job.config_mapping is not None
    return dict(job.config_mapping.config_schema.config_type.fields)


def test_the_names_are_the_known_ones(repository: dg.RepositoryDefinition) -> None:
    assert {
        "jobs": {job.name: sorted(node.name for node in job.nodes) for job in repository.get_all_jobs()},
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
        "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
        "resources": sorted(repository.get_top_level_resources()),
    } == NAMES


def test_there_is_a_dagster_job_for_each_job_type_with_a_handler(agent_jobs: dict[str, dg.JobDefinition]) -> None:
    handled = {kind.name: (kind.dagster_job, kind.lane) for kind in JOB_TYPES.values() if kind.has_handler}
    assert {name: (job.name, job.run_tags["greenlight/lane"]) for name, job in agent_jobs.items()} == handled


def test_each_lane_has_pickups_that_may_launch_every_agent_job(
    repository: dg.RepositoryDefinition, agent_jobs: dict[str, dg.JobDefinition]
) -> None:
    for lane in LANES:
        pickups = [sensor for sensor in repository.sensor_defs if sensor.name.startswith(f"pickup_{lane}_")]
        # One alone could not wait while another is submitting.
        assert len(pickups) > 1
        for sensor in pickups:
            assert {job.name for job in sensor.jobs} == {job.name for job in agent_jobs.values()}


def test_everything_is_described(repository: dg.RepositoryDefinition, agent_jobs: dict[str, dg.JobDefinition]) -> None:
    described = {}
    for job in repository.get_all_jobs():
        described[job.name] = job.description
        described |= {f"{job.name}.{node.name}": node.definition.description for node in job.nodes}
    for job in agent_jobs.values():
        described |= {f"{job.name} {name}": field.description for name, field in fields_of(job).items()}
    described |= {sensor.name: sensor.description for sensor in repository.sensor_defs}
    described |= {schedule.name: schedule.description for schedule in repository.schedule_defs}
    # The jobs with their ops, three fields for each agent job, sensors and schedules.
    jobs = sum(1 + len(ops) for ops in NAMES["jobs"].values())
    assert len(described) == jobs + 3 * len(agent_jobs) + len(NAMES["sensors"]) + len(NAMES["schedules"])
    assert [name for name, text in described.items() if not (text or "").rstrip().endswith((".", ")"))] == []


def test_sensors_and_schedules_run_without_anybody_turning_them_on(repository: dg.RepositoryDefinition) -> None:
    assert {sensor.default_status for sensor in repository.sensor_defs} == {dg.DefaultSensorStatus.RUNNING}
    assert {schedule.default_status for schedule in repository.schedule_defs} == {dg.DefaultScheduleStatus.RUNNING}


def test_a_person_configures_a_run_by_a_job_id_or_by_project_and_payload(
    agent_jobs: dict[str, dg.JobDefinition],
) -> None:
    for job in agent_jobs.values():
        assert {name: field.is_required for name, field in fields_of(job).items()} == {
            "job_id": False,
            "project_id": False,
            "payload": False,
        }


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"job_id": SOME_ID},
        {"project_id": SOME_ID, "payload": {"ownerClerkId": "anna", "nested": {"list": [1, None]}}},
    ],
)
def test_dagster_accepts_the_configuration(config: dict[str, Any], agent_jobs: dict[str, dg.JobDefinition]) -> None:
    for job in agent_jobs.values():
        accepted = dg.validate_run_config(job, config)["resources"]["agent_job"]["config"]
        assert {name: value for name, value in accepted.items() if value is not None} == config


@pytest.mark.parametrize("config", [{"jobId": SOME_ID}, {"job_id": 7}, {"payload": "text"}, {"ops": {}}])
def test_dagster_refuses_any_other(config: dict[str, Any], agent_jobs: dict[str, dg.JobDefinition]) -> None:
    for job in agent_jobs.values():
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(job, config)


def test_workspace_and_stack_use_one_name_for_the_code_location() -> None:
    [entry] = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    assert entry["python_module"] == {
        "module_name": "greenlight_dagster.definitions",
        # Dagster keeps cursors and the state of schedules under it.
        "location_name": CODE_LOCATION,
    }


def test_who_only_reads_the_definitions_does_not_import_the_sdk_and_the_launcher_has_it_ready() -> None:
    script = (
        "import sys, greenlight_dagster.definitions\n"
        "assert 'anthropic' not in sys.modules\n"
        "from greenlight_dagster.launcher import loading\n"
        "loading.import_what_runs_use()\n"
        "assert 'anthropic' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
