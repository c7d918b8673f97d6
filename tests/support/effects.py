"""The studio's definitions with bench jobs that leave a record of each thing they do, to be counted afterwards."""

from __future__ import annotations

import random
import time

import dagster as dg

from greenlight_dagster import definitions
from jobs.factory import AgentOp, Work, build_agent_job
from schedules.upkeep import upkeep
from sensors.pickup import build_pickup_sensors
from sensors.relays import SENSORS
from sensors.waiting import pace
from sensors.watcher import build_watcher
from studio.claims import Json
from studio.database.connection import Connection
from studio.job_types import JOB_TYPES, LANES
from tests.support.effect_records import LINES


def _effect(op: str) -> AgentOp:
    def act(work: Work, conn: Connection, *_inputs: Json) -> Json:
        # Long enough to be struck in the middle of.
        time.sleep(random.uniform(0.0, 0.2))
        for line in range(LINES):
            work.progress.log(f"{op} line {line}")
        conn.execute(
            "insert into public.effects (job_id, op, claim_no) values (%s, %s, %s)",
            [work.claim.job_id, op, work.claim.claim_no],
        )
        return {"claim": work.claim.claim_no}

    return AgentOp(op, "Write a row and say so.", act, transactional=True)


def _second(op: str, first: str) -> AgentOp:
    made = _effect(op)
    return AgentOp(made.name, made.description, made.compute, needs=[first], transactional=True)


effect_jobs = [
    build_agent_job(JOB_TYPES[f"bench.{lane}"], [_effect(f"first_{lane}"), _second(f"second_{lane}", f"first_{lane}")])
    for lane in LANES
]
_pace = pace(len(SENSORS))

defs = dg.Definitions(
    jobs=[*effect_jobs, upkeep],
    sensors=[*build_pickup_sensors(effect_jobs, _pace), build_watcher(_pace)],
    resources=definitions.defs.resources,
)
