"""Everything Dagster loads: the jobs of the registry, pickup, watcher, upkeep, and the resources they share."""

from __future__ import annotations

import dagster as dg

from jobs.approval_execute import approval_execute
from jobs.bench import bench_jobs
from jobs.browser_check_page import browser_check_page
from jobs.chat_reply import chat_reply
from jobs.code_generate_mvp import code_generate_mvp
from jobs.drip_process_digests import drip_process_digests
from jobs.drip_process_nudges import drip_process_nudges
from jobs.email_process_due import email_process_due
from jobs.nightshift_cycle_project import nightshift_cycle_project
from jobs.onboarding_scan import onboarding_scan
from jobs.phase0_generate_packet import phase0_generate_packet
from jobs.phase_generate_packet import phase_generate_packet
from jobs.research_generate_report import research_generate_report
from resources.agent_job import AgentJobResource
from resources.database import StudioDatabase
from resources.model import AnthropicResource, OutboundResource
from resources.step_io import step_io_manager
from schedules.mail import mail_schedules
from schedules.night_shift import night_shift_schedules
from schedules.operations import operations_schedules
from schedules.upkeep import upkeep, upkeep_schedule
from sensors.pickup import build_pickup_sensors
from sensors.relays import SENSORS
from sensors.waiting import pace
from sensors.watcher import build_watcher

_database = StudioDatabase()
_agent_jobs = [
    phase0_generate_packet,
    phase_generate_packet,
    approval_execute,
    nightshift_cycle_project,
    chat_reply,
    email_process_due,
    drip_process_digests,
    drip_process_nudges,
    onboarding_scan,
    code_generate_mvp,
    research_generate_report,
    browser_check_page,
    *bench_jobs,
]
_pace = pace(len(SENSORS))

defs = dg.Definitions(
    jobs=[*_agent_jobs, upkeep],
    sensors=[*build_pickup_sensors(_agent_jobs, _pace), build_watcher(_pace)],
    schedules=[upkeep_schedule, *night_shift_schedules, *mail_schedules, *operations_schedules],
    resources={
        "studio_database": _database,
        "agent_job": AgentJobResource.configure_at_launch(database=_database),
        "agent_job_steps": step_io_manager,
        "anthropic": AnthropicResource(database=_database),
        "outbound": OutboundResource(),
    },
)
