"""What the runs of a job type ask of Kubernetes, where they are pods: the tag that Dagster's launcher for it reads.

The registry says the lane and the time limit, the settings say what a lane's pods need. Nothing of Kubernetes is
imported, and no other launcher reads the tag; without the setting there is none, because each tag is a row per run.
"""

from __future__ import annotations

import json

from studio.job_types import JobType
from studio.settings import Settings

CONFIG = "dagster-k8s/config"
# Kubernetes counts from the moment the pod is asked for: a node may have to be made for it, and an image fetched.
START_SECONDS = 900
# From the run's own time limit to its last word: the interrupt, a database that is restarted, the trace.
LAST_WORDS_SECONDS = 120
# A pod of either is found by it: `kubectl get pods -l greenlight/lane=heavy`.
LANE_LABEL = "greenlight/lane"
TYPE_LABEL = "greenlight/job-type"


def deadline_seconds(kind: JobType, settings: Settings) -> int:
    """Return after how many seconds Kubernetes ends a run of `kind` that nothing else has ended.

    The queue's own time limit comes long before; this is for a pod that never starts, or that hangs past its lease.
    """
    milliseconds = settings.worker_job_timeout_ms
    timeout = milliseconds // 1000 if milliseconds else kind.timeout_seconds
    return START_SECONDS + timeout + LAST_WORDS_SECONDS


def pod_tags(kind: JobType, settings: Settings) -> dict[str, str]:
    """Return the tag of runs of `kind`; nothing where the settings know of no Kubernetes."""
    if settings.kubernetes_lanes is None:
        return {}
    config = {
        "job_spec_config": {"active_deadline_seconds": deadline_seconds(kind, settings)},
        "pod_template_spec_metadata": {"labels": {LANE_LABEL: kind.lane, TYPE_LABEL: kind.name}},
    }
    lane = settings.kubernetes_lanes.get(kind.lane)
    if lane is not None:
        config |= {"container_config": lane.container, "pod_spec_config": lane.pod}
    return {CONFIG: json.dumps(config, separators=(",", ":"), sort_keys=True)}
