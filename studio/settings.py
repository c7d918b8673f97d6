"""Everything that can be configured, as one typed object read from environment variables.

The seed's variable names are kept where they still mean something; our own begin with `GREENLIGHT_`.
Durations are seconds unless the name ends in `_MS`.
"""

from __future__ import annotations

import functools
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from studio.errors import SettingsError
from studio.settings_builders import BuilderSettings
from studio.settings_database import PoolerSettings
from studio.settings_fleet import FleetSettings
from studio.settings_kubernetes import KubernetesSettings
from studio.settings_tenants import TenantSettings

# What the embedded stack gives as the key to its sandbox model: a name, and no secret.
SANDBOX_KEY = "sandbox"


class ModelPrice(BaseModel):
    """What a model costs, for models the price list does not know. Dollars per million tokens."""

    input_usd_per_million: Decimal = Field(ge=0)
    output_usd_per_million: Decimal = Field(ge=0)
    search_usd: Decimal = Field(default=Decimal("0.01"), ge=0)
    context_window: int = Field(default=200_000, gt=0)


class Settings(TenantSettings, BuilderSettings, FleetSettings, KubernetesSettings, PoolerSettings):
    """The settings of every Greenlight process."""

    model_config = SettingsConfigDict(
        extra="ignore", case_sensitive=False, populate_by_name=True, env_ignore_empty=True
    )

    # --- database
    database_url: str | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 to 18. Unset: the embedded server of the data folder.",
    )
    dagster_database_url: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_DAGSTER_DATABASE_URL",
        description="Where Dagster keeps runs and events. Unset: database `dagster` on the same server.",
    )
    data_dir: Path = Field(
        default=Path(".greenlight"),
        validation_alias="GREENLIGHT_DATA_DIR",
        description="The stack's persistent folder: database, Dagster home, logs.",
    )
    db_pool_size: int = Field(
        default=8, ge=1, validation_alias="GREENLIGHT_DB_POOL_SIZE", description="Connections per process."
    )
    db_prepare: bool = Field(
        default=True,
        validation_alias="GREENLIGHT_DB_PREPARE",
        description="Server-side prepared statements. Turn off behind a pooler in transaction mode.",
    )
    db_listen: bool = Field(
        default=True,
        validation_alias="GREENLIGHT_DB_LISTEN",
        description="Wake-ups by LISTEN. Turn off behind a pooler in transaction mode: polling does it alone.",
    )

    # --- owner of what the command line creates
    owner_clerk_id: str = Field(
        default="local-owner",
        validation_alias="GREENLIGHT_OWNER",
        description="Whom projects belong to that the command line creates.",
    )

    # --- workers (names of the seed)
    worker_id: str = Field(
        default="greenlight", validation_alias="WORKER_ID", description="How this installation signs its claims."
    )
    worker_concurrency: int = Field(
        default=3,
        ge=1,
        le=256,
        validation_alias="WORKER_CONCURRENCY",
        description="How many jobs of the standard lane run at once.",
    )
    worker_heavy_concurrency: int = Field(
        default=2,
        ge=1,
        le=256,
        validation_alias="WORKER_HEAVY_CONCURRENCY",
        description="How many jobs of the heavy lane run at once.",
    )
    worker_realtime_concurrency: int = Field(
        default=8,
        ge=1,
        le=256,
        validation_alias="GREENLIGHT_REALTIME_CONCURRENCY",
        description="How many jobs of the realtime lane run at once.",
    )
    worker_project_limit: int = Field(
        default=2,
        ge=1,
        validation_alias="GREENLIGHT_PROJECT_CONCURRENCY",
        description="How many jobs of one project run at once, per lane.",
    )
    worker_claim_batch: int = Field(
        default=5,
        ge=1,
        le=500,
        validation_alias="WORKER_CLAIM_BATCH",
        description="How many jobs a pickup claims at most.",
    )
    worker_poll_ms: int = Field(
        default=1000,
        ge=50,
        validation_alias="WORKER_POLL_MS",
        description="How long a follower without LISTEN waits between looks.",
    )
    pickup_wait_seconds: float = Field(
        default=45.0,
        ge=0,
        le=50,
        validation_alias="GREENLIGHT_PICKUP_WAIT_SECONDS",
        description="How long a sensor waits for a job before its tick ends. 0: it looks once and asks every second.",
    )
    stopping_file: Path | None = Field(
        default=None,
        validation_alias="GREENLIGHT_STOPPING_FILE",
        description="While this file exists, no job is picked up. `greenlight up` uses it to stop.",
    )
    worker_job_timeout_ms: int | None = Field(
        default=None,
        ge=1000,
        validation_alias="WORKER_JOB_TIMEOUT_MS",
        description="One timeout for every job type, instead of the registry's own.",
    )
    lease_seconds: float = Field(
        default=60.0,
        gt=0,
        validation_alias="GREENLIGHT_LEASE_SECONDS",
        description="How long a claim lasts without being renewed.",
    )
    lease_renew_seconds: float = Field(
        default=15.0,
        gt=0,
        validation_alias="GREENLIGHT_LEASE_RENEW_SECONDS",
        description="How often a run renews its claim.",
    )
    launch_lease_seconds: float = Field(
        default=60.0,
        gt=0,
        validation_alias="GREENLIGHT_LAUNCH_LEASE_SECONDS",
        description="How long a claimed job may wait for its run to start.",
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        validation_alias="GREENLIGHT_DRAIN_SECONDS",
        description="How long runs in flight may finish when the stack stops.",
    )
    run_owns_process: bool = Field(
        default=True,
        validation_alias="GREENLIGHT_RUN_OWNS_PROCESS",
        description="Whether a run may interrupt its process (cancel, lost lease, timeout). Off where runs share it.",
    )
    retry_base_seconds: float = Field(
        default=30.0,
        ge=0,
        validation_alias="GREENLIGHT_RETRY_SECONDS",
        description="A failed attempt is tried again after this, times the attempt, ± 20 %.",
    )

    # --- events
    event_flush_ms: int = Field(
        default=100,
        ge=1,
        validation_alias="GREENLIGHT_EVENT_FLUSH_MS",
        description="How long streamed text is gathered before it is written.",
    )
    delta_retention_hours: float = Field(
        default=24.0,
        ge=0,
        validation_alias="GREENLIGHT_DELTA_RETENTION_HOURS",
        description="How long the streamed text of ended jobs is kept.",
    )
    event_retention_days: float | None = Field(
        default=None,
        ge=1,
        validation_alias="GREENLIGHT_EVENT_RETENTION_DAYS",
        description="How long the events of ended jobs are kept. Unset: for ever, but for streamed text.",
    )
    run_retention_days: float = Field(
        default=30.0,
        ge=0,
        validation_alias="GREENLIGHT_RUN_RETENTION_DAYS",
        description="How long finished Dagster runs are kept.",
    )

    # --- model
    anthropic_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="ANTHROPIC_API_KEY",
        description="Unset: the embedded stack brings a sandbox model.",
    )
    anthropic_base_url: str | None = Field(
        default=None, validation_alias="ANTHROPIC_BASE_URL", description="Another server that speaks the Messages API."
    )
    model: str = Field(
        default="claude-sonnet-5", validation_alias="CLAUDE_DIRECT_MODEL", description="The model that the agents use."
    )
    model_max_retries: int = Field(
        default=2,
        ge=0,
        validation_alias="GREENLIGHT_MODEL_RETRIES",
        description="How often an overloaded model is asked again.",
    )
    model_timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        validation_alias="GREENLIGHT_MODEL_TIMEOUT",
        description="One timeout for every model call, instead of the agent profile's own.",
    )
    model_prices: dict[str, ModelPrice] = Field(
        default_factory=lambda: {
            "sandbox": ModelPrice(
                input_usd_per_million=Decimal(0), output_usd_per_million=Decimal(0), search_usd=Decimal(0)
            )
        },
        validation_alias="GREENLIGHT_MODEL_PRICES",
        description="JSON: prices of models that the price list does not know. An unknown price refuses the call.",
    )
    project_budget_usd: Decimal = Field(
        default=Decimal(60),
        ge=0,
        validation_alias="GREENLIGHT_PROJECT_BUDGET_USD",
        description="What a new project may spend on models.",
    )
    project_token_cap: int = Field(
        default=60_000_000,
        ge=0,
        validation_alias="GREENLIGHT_PROJECT_TOKEN_CAP",
        description="How many tokens a new project may use.",
    )
    project_call_cap: int = Field(
        default=2_000,
        ge=0,
        validation_alias="GREENLIGHT_PROJECT_CALL_CAP",
        description="How many model calls a new project may make.",
    )

    # --- outbound requests
    outbound_enabled: bool = Field(
        default=True,
        validation_alias="GREENLIGHT_OUTBOUND",
        description="Whether the studio may fetch user-given addresses at all.",
    )

    # --- where pages live
    app_base_url: str | None = Field(
        default=None,
        validation_alias="APP_BASE_URL",
        description="Where the studio is, for links in mails and metadata. The embedded stack says so by itself.",
    )
    pages_base_url: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_PAGES_URL",
        description="Another origin for published pages and files, which never carries a session. Unset: APP_BASE_URL.",
    )
    link_secret: SecretStr | None = Field(
        default=None,
        validation_alias="GREENLIGHT_LINK_SECRET",
        description="Signs links to files, confirmations and unsubscriptions. The embedded stack makes one.",
    )

    # --- the studio in the browser
    clerk_issuer: str | None = Field(
        default=None,
        validation_alias="CLERK_ISSUER",
        description="Who signs session tokens, such as https://clerk.example.org. Unset: sign-in by a one-time link.",
    )
    clerk_jwks_url: str | None = Field(
        default=None,
        validation_alias="CLERK_JWKS_URL",
        description="Where its public keys are. Unset: `/.well-known/jwks.json` of the issuer.",
    )
    clerk_audience: str | None = Field(
        default=None, validation_alias="CLERK_AUDIENCE", description="The `aud` that a session token must have."
    )
    clerk_authorized_parties: str | None = Field(
        default=None,
        validation_alias="CLERK_AUTHORIZED_PARTIES",
        description="Origins of the front ends, comma-separated: a token's `azp` must be one. Unset: APP_BASE_URL.",
    )
    clerk_publishable_key: str | None = Field(
        default=None,
        validation_alias="CLERK_PUBLISHABLE_KEY",
        description="Lets the sign-in page of the studio load Clerk's own script.",
    )
    operators: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_OPERATORS",
        description="Clerk user ids, comma-separated: their projects may act under the installation's accounts, and"
        " they raise budgets. Without Clerk: every owner.",
    )
    projects_per_owner: int = Field(
        default=25,
        ge=0,
        validation_alias="GREENLIGHT_PROJECTS_PER_OWNER",
        description="How many projects that are not killed an owner may have in the browser who is no operator.",
    )
    clock_leeway_seconds: float = Field(
        default=10.0,
        ge=0,
        le=300,
        validation_alias="GREENLIGHT_CLOCK_LEEWAY_SECONDS",
        description="How far the clock of whoever signs tokens may be off.",
    )
    session_days: float = Field(
        default=30.0,
        gt=0,
        le=365,
        validation_alias="GREENLIGHT_SESSION_DAYS",
        description="How long a browser that signed in by link stays so without being used.",
    )
    stream_seconds: float = Field(
        default=25.0,
        gt=0,
        validation_alias="GREENLIGHT_STREAM_SECONDS",
        description="How long an event stream lasts before the browser connects again.",
    )
    stream_ping_seconds: float = Field(
        default=5.0,
        gt=0,
        validation_alias="GREENLIGHT_STREAM_PING_SECONDS",
        description="How often a silent event stream says that it lives.",
    )
    dagster_ui_url: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_DAGSTER_UI_URL",
        description="Where the Dagster UI is, for the links from jobs to their runs.",
    )
    cron_secret: SecretStr | None = Field(
        default=None,
        validation_alias="CRON_SECRET",
        description="Lets a foreign scheduler call `/api/nightshift/run`. Unset: nobody can.",
    )
    night_shift_secret: SecretStr | None = Field(
        default=None,
        validation_alias="NIGHT_SHIFT_SECRET",
        description="The same by the header `x-night-shift-secret`.",
    )
    worker_health_secret: SecretStr | None = Field(
        default=None,
        validation_alias="WORKER_HEALTH_SECRET",
        description="Lets a monitor read `/metrics` and `/api/worker/health`. Unset: nobody can.",
    )

    trusted_proxies: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_TRUSTED_PROXIES",
        description="Addresses of proxies, comma-separated, whose word about a visitor's address counts. Unset: none.",
    )
    probe_host: str | None = Field(
        default=None,
        validation_alias="RENDER_EXTERNAL_HOSTNAME",
        description="Set by Render: the name under which it asks how a service without a domain of its own is. Nothing"
        " else is answered under it.",
    )

    # --- artifacts
    supabase_url: str | None = Field(
        default=None,
        validation_alias="SUPABASE_URL",
        description="Supabase project whose storage holds artifacts. Unset: the folder `artifacts` in the data folder.",
    )
    supabase_service_role_key: SecretStr | None = Field(
        default=None, validation_alias="SUPABASE_SERVICE_ROLE_KEY", description="The key to its storage."
    )

    # --- providers: where the studio acts in the world
    integration_key: SecretStr | None = Field(
        default=None,
        validation_alias="PROJECT_INTEGRATION_ENCRYPTION_KEY",
        description="Encrypts the projects' own credentials at rest. The embedded stack makes one.",
    )
    resend_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="RESEND_API_KEY",
        description="Sends mail through Resend. Unset: mails are written to the folder `outbox` in the data folder.",
    )
    resend_from_email: str | None = Field(
        default=None, validation_alias="RESEND_FROM_EMAIL", description="The sender's address; Resend must know it."
    )
    resend_url: str = Field(
        default="https://api.resend.com",
        validation_alias="GREENLIGHT_RESEND_URL",
        description="Another server that speaks Resend's API.",
    )
    github_token: SecretStr | None = Field(
        default=None,
        validation_alias="GITHUB_TOKEN",
        description="Starts workflows, pushes branches and opens pull requests in repositories on GitHub.",
    )
    github_url: str = Field(
        default="https://api.github.com",
        validation_alias="GREENLIGHT_GITHUB_URL",
        description="Another server that speaks GitHub's API.",
    )
    meta_access_token: SecretStr | None = Field(
        default=None, validation_alias="META_ACCESS_TOKEN", description="Creates campaigns (paused) at Meta."
    )
    meta_ad_account_id: str | None = Field(
        default=None, validation_alias="META_AD_ACCOUNT_ID", description="The ad account of these campaigns."
    )
    meta_url: str = Field(
        default="https://graph.facebook.com",
        validation_alias="GREENLIGHT_META_URL",
        description="Another server that speaks Meta's Marketing API.",
    )
    vercel_deploy_hook_url: SecretStr | None = Field(
        default=None, validation_alias="VERCEL_DEPLOY_HOOK_URL", description="The hook that deploys a finished product."
    )
    provider_timeout_seconds: float = Field(
        default=20.0,
        gt=0,
        validation_alias="GREENLIGHT_PROVIDER_TIMEOUT",
        description="How long a provider may take to answer.",
    )

    # --- mail
    mail_lease_seconds: float = Field(
        default=60.0,
        gt=0,
        validation_alias="GREENLIGHT_MAIL_LEASE_SECONDS",
        description="How long a sender may hold a mail before another one looks what became of it.",
    )
    mail_postal_address: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_MAIL_POSTAL_ADDRESS",
        description="The sender's postal address, for the foot of every mail where the law wants one.",
    )

    # --- traces and operations
    trace_enabled: bool = Field(
        default=True, validation_alias="GREENLIGHT_TRACING", description="Whether jobs are traced at all."
    )
    trace_flush_ms: int = Field(
        default=1000,
        ge=10,
        validation_alias="GREENLIGHT_TRACE_FLUSH_MS",
        description="How long spans are gathered before they are written: what a killed process loses at most.",
    )
    trace_shutdown_seconds: float = Field(
        default=5.0,
        ge=0,
        validation_alias="GREENLIGHT_TRACE_SHUTDOWN_SECONDS",
        description="How long a run that is over waits for its spans to be written; the rest is spilled to the disk.",
    )
    trace_slow_query_ms: float = Field(
        default=100.0,
        ge=0,
        validation_alias="GREENLIGHT_TRACE_SLOW_QUERY_MS",
        description="Waits for the database that are longer become spans.",
    )
    trace_retention_days: float = Field(
        default=30.0, ge=0, validation_alias="GREENLIGHT_TRACE_RETENTION_DAYS", description="How long traces are kept."
    )
    trace_payload_days: float = Field(
        default=7.0,
        ge=0,
        validation_alias="GREENLIGHT_TRACE_PAYLOAD_DAYS",
        description="How long the inputs and outputs of their spans are kept.",
    )
    trace_error_days: float = Field(
        default=90.0,
        ge=0,
        validation_alias="GREENLIGHT_TRACE_ERROR_DAYS",
        description="How long failed traces and slow outliers are kept.",
    )
    insforge_url: str | None = Field(
        default=None,
        validation_alias="INSFORGE_URL",
        description="An InsForge project that keeps a copy of the traces. Unset: none.",
    )
    insforge_api_key: SecretStr | None = Field(
        default=None, validation_alias="INSFORGE_API_KEY", description="The key to its records API."
    )
    alert_email: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_ALERT_EMAIL",
        description="Who is told by mail when something is wrong. Unset: alerts stand in the studio alone.",
    )
    alert_webhook_url: SecretStr | None = Field(
        default=None,
        validation_alias="GREENLIGHT_ALERT_WEBHOOK_URL",
        description="Where alerts are posted as JSON. Unset: nowhere.",
    )
    alert_queue_seconds: float = Field(
        default=120.0,
        gt=0,
        validation_alias="GREENLIGHT_ALERT_QUEUE_SECONDS",
        description="A job that is due and waits for longer is an alert.",
    )
    alert_spend_percent: float = Field(
        default=80.0,
        gt=0,
        le=100,
        validation_alias="GREENLIGHT_ALERT_SPEND_PERCENT",
        description="A project that has spent more of a cap is an alert.",
    )
    alert_slower_factor: float = Field(
        default=2.0,
        gt=1,
        validation_alias="GREENLIGHT_ALERT_SLOWER_FACTOR",
        description="A p95 that has grown by more than this is an alert.",
    )

    @property
    def listens(self) -> bool:
        """Whether there is a connection that can LISTEN."""
        return self.db_listen and (self.listen_url is not None or not self.db_pooled)

    @model_validator(mode="after")
    def _lease_outlives_renewals(self) -> Settings:
        # One renewal may be missed, for instance while the database restarts, without losing the job.
        if self.lease_renew_seconds * 2 > self.lease_seconds:
            raise ValueError("GREENLIGHT_LEASE_RENEW_SECONDS must be at most half of GREENLIGHT_LEASE_SECONDS")
        return self


@functools.cache
def get_settings() -> Settings:
    """Return the settings of this process, read once. Raise `SettingsError` that names each bad variable."""
    try:
        return Settings()
    except ValidationError as exc:
        problems = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or 'settings'}: {e['msg'].removeprefix('Value error, ')}"
            for e in exc.errors()
        )
        raise SettingsError(f"The configuration cannot be read: {problems}.", "Correct these variables.") from exc
