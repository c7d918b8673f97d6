"""The deployment files, read: what the tests of their claims have in common."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from studio.paths import ROOT
from studio.settings import Settings

sys.path.insert(0, str(ROOT / "scripts"))
import dockerfile

DEPLOY = ROOT / "deploy"
COMPOSE = ("compose.yaml", "compose.fleet.yaml", "compose.worker.yaml")
HEALTH = "/srv/greenlight/app/deploy/health.py"
# What others than the studio read: Caddy's file, PostgreSQL and its tools, Redis, Compose, Render.
OTHERS = {
    *("CADDY_GLOBAL", "CADDY_IMAGE", "CADDY_TLS", "DAGSTER_PORT", "PAGES_HOST", "STUDIO_HOST"),
    *("PGHOST", "PGPASSWORD", "PGUSER", "POSTGRES_CONNECTIONS", "POSTGRES_DB", "POSTGRES_IMAGE"),
    *("POSTGRES_INITDB_ARGS", "POSTGRES_PASSWORD", "POSTGRES_USER"),
    *("REDISCLI_AUTH", "REDIS_IMAGE", "REDIS_PASSWORD"),
    *(
        "ARTIFACTS_DIR",
        "BACKUP_DIR",
        "BACKUP_HOURS",
        "BACKUP_KEEP",
        "KEEP",
        "FRONT_RANGE",
        "FRONT_SUBNET",
        "GREENLIGHT_IMAGE",
        "GREENLIGHT_MEMORY",
    ),
    *("PRIVATE_ADDRESS", "PROXY_ADDRESS", "WORKER_LANES", "WORKER_NAME"),
    "PORT",
}
SETTINGS = {str(field.validation_alias or name).upper() for name, field in Settings.model_fields.items()}


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in COMPOSE:
        for service, told in loaded(DEPLOY / name)["services"].items():
            yield f"{name}: {service}", told


RENDER: dict[str, Any] = loaded(ROOT / "render.yaml")
IMAGE = dockerfile.parse(text("Dockerfile"))
LAST = {one.name: one.rest for one in IMAGE.stages[-1].instructions}


def words_of(command: str | list[str]) -> list[str]:
    plain = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", command) if isinstance(command, str) else command
    return shlex.split(plain) if isinstance(plain, str) else list(plain)
