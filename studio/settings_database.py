"""The settings of a database behind a pooler: which connections lead past it."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class PoolerSettings(BaseSettings):
    """A part of `studio.settings.Settings`."""

    db_pooled: bool = Field(
        default=False,
        validation_alias="GREENLIGHT_DB_POOLED",
        description="DATABASE_URL, and Dagster's, lead to a pooler in transaction mode: nothing is prepared, nothing is"
        " set for a session, and nobody LISTENs there.",
    )
    listen_url: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_LISTEN_URL",
        description="A direct connection to the same database, for LISTEN, and for locks that are held while a provider"
        " answers. Unset: DATABASE_URL; where that is pooled, polling does it alone.",
    )
    migrate_url: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_MIGRATE_URL",
        description="A direct connection as the owner of the schema, for `greenlight db`. Unset: GREENLIGHT_LISTEN_URL,"
        " else DATABASE_URL.",
    )
