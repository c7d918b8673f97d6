"""Which queue of the broker a lane is, and how a broker is talked to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from dagster import DagsterRun
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG
from kombu.utils.url import maybe_sanitize_url

from resources import run_tags
from studio.errors import SettingsError
from studio.job_types import Lane

# A broker is shared with other applications more often than not.
PREFIX = "greenlight."
# Of a run that belongs to no job, such as the upkeep's.
DEFAULT_LANE: Lane = "standard"

# Redis gives a message that nobody has acknowledged to somebody else after this long. A run acknowledges at its end,
# and what a lost worker held comes back by its lease: the broker is not to bring it as well.
VISIBILITY_SECONDS = 24 * 3600
# A broker that is cut off without a word is noticed by this.
SOCKET_SECONDS = 10.0
# RabbitMQ and we take each other for gone after two of them.
AMQP_HEARTBEAT_SECONDS = 20
_REDIS = frozenset({"redis", "rediss"})
_AMQP = frozenset({"amqp", "amqps", "pyamqp"})


def queue_of_lane(lane: str) -> str:
    """Return the name of the lane's queue."""
    return f"{PREFIX}{lane}"


def queue_of_run(run: DagsterRun) -> str:
    """Return the queue of `run`: that of its `dagster-celery/queue` tag, else that of its lane."""
    return run.tags.get(DAGSTER_CELERY_QUEUE_TAG) or queue_of_lane(run.tags.get(run_tags.LANE, DEFAULT_LANE))


def transport_options(broker: str) -> dict[str, Any]:
    """Return how Celery talks to the broker at `broker`; raise `SettingsError` for one that is not supported."""
    scheme = urlsplit(broker).scheme.partition("+")[0]
    if scheme in _REDIS:
        return {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": int(SOCKET_SECONDS),
        }
    if scheme in _AMQP:
        # Without, a message to a broker that is just going down would be lost without an error.
        return {"confirm_publish": True}
    raise SettingsError(
        f"The broker {maybe_sanitize_url(broker)} is of no kind that is supported.",
        "Give the URL of a Redis (redis://host:6379/0) or a RabbitMQ (amqp://user:password@host:5672/vhost).",
    )


def configuration(broker: str) -> dict[str, Any]:
    """Return Celery's configuration, the same for those that hand out runs and for those that take them."""
    return {
        "broker_transport_options": transport_options(broker),
        # JSON alone: a broker that anybody else can write to must not be able to make us unpickle.
        "accept_content": ["json"],
        "task_serializer": "json",
        # What became of a run is in the database; a result backend would be a second, weaker record of it.
        "task_ignore_result": True,
        "result_backend": None,
        # Acknowledged at the end, so that a process asks for a run only when it has nothing to do, and none waits
        # behind another one. A message that comes a second time finds its run taken.
        "task_acks_late": True,
        "task_acks_on_failure_or_timeout": True,
        "task_reject_on_worker_lost": False,
        "worker_prefetch_multiplier": 1,
        # A run goes on without the broker: it needs it again only to acknowledge.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": SOCKET_SECONDS,
        "broker_heartbeat": AMQP_HEARTBEAT_SECONDS,
        # How long whoever hands a run out goes on trying: the daemon has others to launch.
        "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.4, "interval_max": 1},
        "worker_redirect_stdouts": False,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        "worker_enable_remote_control": True,
        # What another application tells all of its workers is not for ours, and the other way round.
        "control_exchange": PREFIX.rstrip("."),
        "timezone": "UTC",
        "enable_utc": True,
    }
