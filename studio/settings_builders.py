"""The settings of the builders and the checker: where generated code runs, and what a browser may take."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

# Of the ten minutes that a check's job has. Its links are followed besides, the longer the longer a browser lives, and
# there is the start of its run before, and its record after it.
MAX_BROWSER_SECONDS = 420

SandboxSetting = Literal["auto", "bubblewrap", "namespaces", "none"]


class BuilderSettings(BaseSettings):
    """A part of `studio.settings.Settings`."""

    # --- code.generate_mvp
    code_sandbox: SandboxSetting = Field(
        default="auto",
        validation_alias="GREENLIGHT_CODE_SANDBOX",
        description="What generated code runs in: bubblewrap where it is there, else user namespaces. `none` runs it"
        " unprotected, with all that this account may do.",
    )
    code_network_hosts: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_CODE_NETWORK_HOSTS",
        description="Hosts of package registries, comma-separated, that generated code may reach over HTTPS"
        " (`npm config get registry`, `pip config get global.index-url`). Unset: no network.",
    )
    code_memory_mb: int = Field(
        default=2048,
        ge=128,
        validation_alias="GREENLIGHT_CODE_MEMORY_MB",
        description="Memory of generated code, all its processes together.",
    )
    code_processes: int = Field(
        default=256,
        ge=8,
        validation_alias="GREENLIGHT_CODE_PROCESSES",
        description="Processes and threads of generated code at once.",
    )
    code_disk_mb: int = Field(
        default=1024,
        ge=16,
        validation_alias="GREENLIGHT_CODE_DISK_MB",
        description="What generated code may keep in its workspace, held in memory while it runs.",
    )
    code_file_mb: int = Field(
        default=256, ge=1, validation_alias="GREENLIGHT_CODE_FILE_MB", description="The largest file it may write."
    )
    code_command_seconds: float = Field(
        default=300,
        gt=0,
        validation_alias="GREENLIGHT_CODE_COMMAND_SECONDS",
        description="How long one command of an agent, a build or a test run may take.",
    )
    code_budget_usd: Decimal = Field(
        default=Decimal(5),
        ge=0,
        le=10**9,
        validation_alias="GREENLIGHT_CODE_BUDGET_USD",
        description="A code generation that has spent so much on the model begins no further turn; the project's own"
        " cap holds beside it.",
    )

    # --- browser
    browser_path: str | None = Field(
        default=None,
        validation_alias="GREENLIGHT_BROWSER_PATH",
        description="The Chromium that checks pages and prints reports. Unset: the system's"
        " `chromium-headless-shell` or `chromium`, else Playwright's own.",
    )
    browser_seconds: float = Field(
        default=240,
        gt=0,
        le=MAX_BROWSER_SECONDS,
        validation_alias="GREENLIGHT_BROWSER_SECONDS",
        description="How long a browser may live for one page, all its windows together; each step's share of it grows"
        f" with it. At most {MAX_BROWSER_SECONDS}: a job has ten minutes.",
    )
