"""`greenlight doctor`: what is set, reachable and missing. Looks only; changes nothing and calls no model."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import typer
from rich.markup import escape

from greenlight_dagster.cli import doctor_fleet, doctor_pooler, doctor_tools
from greenlight_dagster.cli.context import adopt, reach
from greenlight_dagster.cli.doctor_tools import Finding, State
from greenlight_dagster.cli.output import JsonFlag, out, print_json
from greenlight_dagster.cli.stuck_view import NAMED, told
from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.stack.state import running_state
from greenlight_dagster.stack.ticks import last_ticks
from greenlight_dagster.stack.urls import libpq_url
from studio import links, queue, queue_releases, restores, stuck, tenants
from studio.database import migrations, schema
from studio.database.connection import Database, first_line, redact
from studio.errors import BudgetExhausted, SettingsError, StackError, StudioError
from studio.model.prices import PriceList
from studio.settings import Settings, get_settings
from studio.storage import BUCKET, storage_from_settings
from studio.storage.folder import FolderStorage
from studio.text import printable

SUPPORTED_POSTGRES = range(15, 19)
REACH_SECONDS = 5.0
_ICONS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


def doctor(as_json: JsonFlag = False) -> None:
    """Say what is set, reachable and missing; exit 1 where something is broken."""
    found = list(findings())
    if as_json:
        print_json(found)
    else:
        for finding in found:
            out.print(
                f"{_ICONS[finding.state]} [bold]{finding.what}[/]  {escape(finding.detail)}",
                highlight=False,
                soft_wrap=True,
            )
    if any(finding.state == "problem" for finding in found):
        raise typer.Exit(1)


def findings() -> Iterator[Finding]:
    """Yield every finding, from the interpreter to the queue."""
    yield Finding("python", "ok", sys.version.split()[0])
    yield Finding("dagster", "ok", importlib.metadata.version("dagster"))
    settings = get_settings()
    yield from _stack(settings)
    settings = get_settings()
    yield from _database(settings)
    yield from _sensors(settings)
    yield from _launcher() if settings.broker_url is None else doctor_fleet.findings(settings)
    yield from _model(settings)
    yield Finding(
        "outbound requests",
        "ok" if settings.outbound_enabled else "warning",
        "allowed, to public addresses only" if settings.outbound_enabled else "turned off: presence is not measured",
    )
    yield _studio(settings)
    yield _sign_in(settings)
    yield _web(settings)
    yield _storage(settings)
    yield from doctor_tools.findings(settings)


def _stack(settings: Settings) -> Iterator[Finding]:
    try:
        running = running_state(settings.data_dir)
    except StudioError as exc:
        state: State = "ok" if settings.database_url else "warning"
        yield Finding("stack", state, str(exc))
        return
    addresses = ", ".join(f"{name} {address}" for name, address in running.addresses.items())
    yield Finding("stack", "ok" if running.phase == "running" else "warning", f"{running.phase}: {addresses}")
    if settings.database_url is None and running.phase == "running":
        adopt(running.environment)


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is None:
        yield Finding("database", "warning", "DATABASE_URL is not set; `greenlight up` brings a database of its own")
        return
    try:
        with Database.from_settings(settings, application_name="greenlight-doctor") as db:
            reach(db)
            row = db.fetch_one("select current_setting('server_version_num')::int / 10000 as major")
            major = int(row["major"]) if row else 0
            supported = major in SUPPORTED_POSTGRES
            yield Finding(
                "database",
                "ok" if supported else "problem",
                f"PostgreSQL {major} at {redact(settings.database_url)}"
                + ("" if supported else "; versions 15 to 18 are supported"),
            )
            yield from doctor_pooler.findings(settings, db)
            yield from _schema(db)
    except (StudioError, psycopg.Error) as exc:
        yield Finding("database", "problem", str(exc))


def _schema(db: Database) -> Iterator[Finding]:
    states = [migration.state for migration in migrations.status(db)]
    odd = [state for state in states if state not in ("applied", "pending", "newer")]
    if odd:
        yield Finding("schema", "problem", f"{len(odd)} migrations are {', '.join(sorted(set(odd)))}: see `db status`")
        return
    if "pending" in states:
        yield Finding("schema", "problem", f"{states.count('pending')} migrations are pending: `greenlight db migrate`")
        return
    if "newer" in states:
        try:
            schema.require_usable(db)
        except StudioError as exc:
            yield Finding("schema", "problem", str(exc))
            return
        yield Finding("schema", "warning", f"{states.count('newer')} migrations are of a later release than this one")
    else:
        yield Finding("schema", "ok", f"{len(states)} migrations applied")
    if not restores.is_known(db):
        yield Finding(
            "restore",
            "problem",
            "the database was restored or promoted since it was last used, and gives out no work:"
            " `greenlight db after-restore`",
        )
    depth = queue.depth(db)
    lanes = ", ".join(f"{lane} {n['running']} running, {n['queued']} queued" for lane, n in depth.items())
    yield Finding("queue", "ok", lanes)
    if left := queue_releases.left_for_later(db):
        yield Finding("releases", "warning", f"only a later release can run: {'; '.join(map(str, left))}")
    if near := tenants.at_limit(db):
        more = f", and {len(near) - NAMED} more" if len(near) > NAMED else ""
        yield Finding("limits", "warning", printable(f"near a limit: {'; '.join(map(str, near[:NAMED]))}{more}"))
    troubles = [printable(trouble) for trouble in told(stuck.find(db, limit=NAMED))]
    if troubles:
        yield Finding("outbox", "warning", "; ".join(troubles))
    else:
        yield Finding("outbox", "ok", "nothing is stuck, nothing waits for a person's word")


def _sensors(settings: Settings) -> Iterator[Finding]:
    if settings.dagster_database_url is None:
        return
    try:
        ticks = last_ticks(libpq_url(settings.dagster_database_url))
    except psycopg.Error as exc:
        yield Finding("sensors", "problem", f"Dagster's database cannot be read: {first_line(exc)}")
        return
    if not ticks:
        yield Finding("sensors", "warning", "none has ticked yet: jobs are picked up by the Dagster daemon")
        return
    troubles = [f"{tick.sensor} {tick.trouble}" for tick in ticks if tick.trouble]
    if troubles:
        yield Finding("sensors", "problem", "; ".join(troubles))
        return
    yield Finding(
        "sensors", "ok", f"{len(ticks)} tick, each within the last {max(tick.seconds_ago for tick in ticks):.0f} s"
    )


def _launcher() -> Iterator[Finding]:
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        return
    config = LauncherConfig.found_at(Path(home))
    try:
        found = LauncherClient(config).overview()
    except StackError as exc:
        yield Finding("run launcher", "problem", str(exc))
        return
    if found is None:
        yield Finding("run launcher", "warning", f"does not run: the first run starts it; its log is {config.log}")
        return
    busy = f"{len(found['running'])} of {found['limit']} slots taken, {len(found['waiting'])} runs wait"
    loaded = any(template["loaded"] for template in found["templates"])
    # One that is just loading is ready within seconds; one that cannot load says why in its log.
    state: State = "ok" if loaded and not found["waiting"] else "warning"
    what = f"{len(found['spares'])} spare workers" if loaded else f"no code is loaded, see {config.log}"
    yield Finding("run launcher", state, f"{busy}, {what}")


def _model(settings: Settings) -> Iterator[Finding]:
    if settings.anthropic_api_key is None:
        yield Finding("model", "warning", "ANTHROPIC_API_KEY is not set; `greenlight up` brings a sandbox model")
        return
    try:
        PriceList(settings.model_prices).worst_case(settings.model, request_bytes=1, max_tokens=1, searches=0)
    except BudgetExhausted as exc:
        yield Finding("model", "problem", str(exc))
        return
    where = settings.anthropic_base_url
    if where is None:
        yield Finding("model", "ok", f"{settings.model}, key set (not tried)")
        return
    try:
        httpx.get(where, timeout=REACH_SECONDS)
    except httpx.HTTPError as exc:
        yield Finding("model", "problem", f"{settings.model} at {where} cannot be reached: {exc}")
        return
    yield Finding("model", "ok", f"{settings.model} at {where}")


def _studio(settings: Settings) -> Finding:
    base = settings.app_base_url
    if base is None:
        return Finding(
            "studio", "warning", "APP_BASE_URL is not set: mails and metadata carry no link to a project's page"
        )
    return _answers("studio", "the studio", base.rstrip("/"))


def _sign_in(settings: Settings) -> Finding:
    if settings.clerk_issuer is None:
        return Finding("sign-in", "ok", "by a one-time link (`greenlight sign-in`)")
    where = settings.clerk_jwks_url or f"{settings.clerk_issuer.rstrip('/')}/.well-known/jwks.json"
    try:
        keys = httpx.get(where, timeout=REACH_SECONDS).raise_for_status().json()["keys"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as exc:
        return Finding("sign-in", "problem", f"the keys of {settings.clerk_issuer} cannot be fetched: {exc}")
    known = f"by {settings.clerk_issuer}, which has {len(keys)} keys"
    if not settings.operators:
        return Finding(
            "sign-in",
            "warning",
            f"{known}; GREENLIGHT_OPERATORS is not set, so no project acts under the installation's accounts"
            " (mail excepted)",
        )
    return Finding("sign-in", "ok", known)


def _web(settings: Settings) -> Finding:
    try:
        base = links.base_url(settings)
        links.sign(settings, links.FILE, "doctor")
    except SettingsError as exc:
        return Finding("web", "warning", str(exc))
    if settings.app_base_url and urlsplit(base).netloc == urlsplit(settings.app_base_url).netloc:
        return Finding(
            "web",
            "problem",
            f"published pages would have the studio's own origin {base}, and with it its sessions:"
            " set GREENLIGHT_PAGES_URL to another one",
        )
    return _answers("web", "published pages", base)


def _answers(what: str, name: str, base: str) -> Finding:
    try:
        answer = httpx.get(f"{base}/healthz", timeout=REACH_SECONDS)
        said = answer.json()
    except (httpx.HTTPError, ValueError) as exc:
        return Finding(what, "problem", f"{name} at {base} cannot be reached: {exc}")
    if answer.is_success:
        return Finding(what, "ok", f"{name} at {base}")
    return Finding(what, "problem", f"{base} answers, but its database is {said.get('database', 'in trouble')}")


def _storage(settings: Settings) -> Finding:
    try:
        storage = storage_from_settings(settings)
        if isinstance(storage, FolderStorage):
            found = storage.list("")
            size = sum(file.size_bytes for file in found)
            told = f"{len(found)} files, {size / 1e6:,.1f} MB in {storage.root}"
            if settings.broker_url is not None:
                return Finding("storage", "warning", f"{told}; every worker's machine must mount this very folder")
            return Finding("storage", "ok", told)
        where = f"the bucket {BUCKET} at {settings.supabase_url}"
        public = storage.is_public()
    except StudioError as exc:
        return Finding("storage", "problem", str(exc))
    if public:
        return Finding("storage", "problem", f"{where} is public: everybody reads all artifacts. Make it private")
    return Finding("storage", "ok", where if public is False else f"{where}, which the first upload makes")
