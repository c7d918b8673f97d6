"""The owner's settings: `GET /settings`: who has signed in where, and what this installation works with."""

from __future__ import annotations

from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio import links, sign_in
from studio.errors import BudgetExhausted, SettingsError
from studio.integrations import installation_credentials
from studio.mail.ways import RESEND
from studio.model.prices import PriceList
from studio.settings import Settings
from web.identity.owner import SignedIn
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

# Most call themselves by the names of others as well: whoever is more particular comes first.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)

State = Literal["ok", "stand-in", "missing"]


class Finding(NamedTuple):
    """Something that the studio works with, and whether it is there, is stood in for, or is missing."""

    what: str
    state: State
    detail: str


@router.get("/settings")
def settings(request: Request, owner: SignedIn) -> Response:
    """Show the account and the installation."""
    here = studio_site(request)
    browsers = sign_in.sessions(here.db, owner.clerk_id) if owner.via == "link" else []
    return page(
        request,
        "settings.html",
        owner,
        browsers=browsers,
        browser_name=browser_name,
        findings=list(findings(here)),
        issuer=_issuer(here),
    )


def browser_name(user_agent: str | None) -> str:
    """Return which browser on which system sent a User-Agent, in words; of a program its own name."""
    said = user_agent or ""
    browser = next((name for mark, name in _BROWSERS if mark in said), None)
    system = next((name for mark, name in _SYSTEMS if mark in said), None)
    if browser is None:
        program = said.split("/")[0].strip()
        return program if program and program != "Mozilla" else "An unknown browser"
    return f"{browser} on {system}" if system else browser


def findings(here: StudioSite) -> list[Finding]:
    """Return what `greenlight doctor` can say without asking anybody outside."""
    settings = here.settings
    return [
        _model(settings),
        _mail(settings),
        _storage(settings),
        _database(here),
        _pages(settings),
        _outbound(settings),
    ]


def _model(settings: Settings) -> Finding:
    if settings.anthropic_api_key is None:
        return Finding("Model", "missing", "ANTHROPIC_API_KEY is not set, so no agent can work.")
    try:
        PriceList(settings.model_prices).worst_case(settings.model, request_bytes=1, max_tokens=1, searches=0)
    except BudgetExhausted as exc:
        return Finding("Model", "missing", f"{settings.model}: {exc}")
    if settings.model.startswith("sandbox"):
        return Finding(
            "Model",
            "stand-in",
            "The sandbox model writes everything, and knows nothing of the world. Set ANTHROPIC_API_KEY for another.",
        )
    where = f" at {settings.anthropic_base_url}" if settings.anthropic_base_url else ""
    return Finding("Model", "ok", f"{settings.model}{where}")


def _mail(settings: Settings) -> Finding:
    if settings.resend_api_key is None:
        return Finding(
            "Mail",
            "stand-in",
            "Mails are written to the outbox folder; only those of projects with an account of their own leave this"
            " machine. Set RESEND_API_KEY and RESEND_FROM_EMAIL to send the others.",
        )
    try:
        sender = installation_credentials(settings, RESEND)["from_email"]
    except SettingsError as exc:
        return Finding("Mail", "missing", str(exc))
    return Finding("Mail", "ok", f"Resend, as {sender}")


def _storage(settings: Settings) -> Finding:
    if settings.supabase_url is None and settings.supabase_service_role_key is None:
        return Finding("Files", "ok", "In the data folder of this machine.")
    if settings.supabase_url is None or settings.supabase_service_role_key is None:
        return Finding("Files", "missing", "Only one of SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY is set.")
    return Finding("Files", "ok", f"In a private bucket at {urlsplit(settings.supabase_url).hostname}.")


def _database(here: StudioSite) -> Finding:
    row = here.db.fetch_one("select current_setting('server_version') as version")
    return Finding("Database", "ok", f"PostgreSQL {row['version'] if row else ''}")


def _pages(settings: Settings) -> Finding:
    try:
        base = links.base_url(settings)
        links.sign(settings, links.FILE, "settings")
    except SettingsError as exc:
        return Finding("Public pages", "missing", str(exc))
    if settings.app_base_url and urlsplit(base).netloc == urlsplit(settings.app_base_url).netloc:
        return Finding(
            "Public pages",
            "missing",
            f"They would have the studio's own origin {base}, and with it its sessions. Set GREENLIGHT_PAGES_URL.",
        )
    return Finding("Public pages", "ok", base)


def _outbound(settings: Settings) -> Finding:
    if settings.outbound_enabled:
        return Finding("Requests to the web", "ok", "Allowed, to public addresses only.")
    return Finding("Requests to the web", "missing", "Turned off: domains and repositories are not looked at.")


def _issuer(here: StudioSite) -> str | None:
    return urlsplit(here.settings.clerk_issuer or "").hostname if here.clerk is not None else None
