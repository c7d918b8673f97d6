"""The settings of what one tenant may take of what all share."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class TenantSettings(BaseSettings):
    """A part of `studio.settings.Settings`. The database learns its figures when it is migrated."""

    # --- tenants
    worker_owner_limit: int | None = Field(
        default=None,
        ge=1,
        validation_alias="GREENLIGHT_OWNER_CONCURRENCY",
        description="How many jobs of one owner run at once, per lane, over all his projects. Unset: as many as fit.",
    )
    project_queue_limit: int = Field(
        default=1000,
        ge=0,
        validation_alias="GREENLIGHT_PROJECT_QUEUE_LIMIT",
        description="How many jobs of one project may be queued at once. 0: as many as there are.",
    )
    project_storage_bytes: int = Field(
        default=5 * 1024**3,
        ge=0,
        validation_alias="GREENLIGHT_PROJECT_STORAGE_BYTES",
        description="How many bytes the files of one project may have, uploads and results. 0: as many as fit.",
    )
    events_per_attempt: int = Field(
        default=50_000,
        ge=100,
        validation_alias="GREENLIGHT_EVENTS_PER_ATTEMPT",
        description="How many events one attempt at a job may write; of what comes then only results are kept.",
    )
