"""The settings of a fleet: the broker between machines, and the workers on them."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from studio.release import release


class FleetSettings(BaseSettings):
    """What matters where runs are carried out on several machines."""

    broker_url: SecretStr | None = Field(
        default=None,
        validation_alias="GREENLIGHT_BROKER_URL",
        description="Redis or RabbitMQ that carries runs to workers on other machines. Unset: runs stay on this one.",
    )
    worker_heartbeat_seconds: float = Field(
        default=5.0,
        gt=0,
        # The health check counts who was heard of within half a minute.
        le=20,
        validation_alias="GREENLIGHT_WORKER_HEARTBEAT_SECONDS",
        description="How often workers of a fleet say that they live. Four silent ones, and nothing is given to them.",
    )
    worker_max_runs: int = Field(
        default=50,
        ge=1,
        validation_alias="GREENLIGHT_WORKER_MAX_RUNS",
        description="A process of a fleet's worker is replaced after so many runs.",
    )
    worker_max_mb: int = Field(
        default=800,
        ge=100,
        validation_alias="GREENLIGHT_WORKER_MAX_MB",
        description="A process of a fleet's worker that has grown beyond this is replaced when its run has ended.",
    )
    build: str = Field(
        default_factory=release,
        validation_alias="GREENLIGHT_BUILD",
        description="Which build this is, such as a commit: shown beside workers. Unset: the release.",
    )
