"""The variables that make another process part of a stack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from greenlight_dagster.stack.databases import Databases
from greenlight_dagster.stack.descent import MARKER
from greenlight_dagster.stack.folders import Folders
from greenlight_dagster.stack.parts import Sandbox, Ui, Web
from greenlight_dagster.stack.ports import LOOPBACK
from greenlight_dagster.stack.secrets import Secrets
from sensors.code_server import SIZES
from studio.settings import SANDBOX_KEY, Settings

SANDBOX_MODEL = "sandbox"
# A sensor that waits for work holds a thread of the code server meanwhile; the default of cpu + 4 would leave none
# for the others and for the UI.
CODE_SERVER_THREADS = 24
# They would make `dagster api grpc` listen somewhere else, or refuse to.
_UNWANTED = frozenset({"DAGSTER_GRPC_HOST", "DAGSTER_GRPC_PORT", "DAGSTER_GRPC_SOCKET"})


def code_server_variables() -> dict[str, str]:
    """Return what makes a code server, and a proxy before it, large enough for sensors that wait."""
    return dict.fromkeys(SIZES, str(CODE_SERVER_THREADS))


def model_key(settings: Settings) -> str:
    """Return the user's key for the model, or an empty string."""
    return settings.anthropic_api_key.get_secret_value() if settings.anthropic_api_key else ""


def needs_sandbox(settings: Settings) -> bool:
    """Say whether no model is configured, so that the sandbox has to stand in.

    The key of a sandbox, in a shell that took `greenlight env` over, is no configuration: the server it
    belongs to has another port by now.
    """
    return model_key(settings) == SANDBOX_KEY or not (settings.anthropic_base_url or model_key(settings))


def of_pages(settings: Settings, studio: Web | None, web: Web | None, ui: Ui | None) -> dict[str, str]:
    """Return where the studio and the public pages are: where the user says, else where the stack serves them.

    Where the folder's last stack served them is no wish of the user's: a shell that took `greenlight env` over
    still has that address, and the port may be another by now.
    """

    def where(said: str | None, own: Web | None) -> str | None:
        stale = {own.url, own.last_url} if own is not None else set()
        asked = None if said is None or said.rstrip("/") in stale else said
        return asked or (own.url if own is not None else None)

    found = {
        "APP_BASE_URL": where(settings.app_base_url, studio),
        "GREENLIGHT_PAGES_URL": where(settings.pages_base_url, web),
        # One on loopback is that of an earlier stack; any other is the proxy's, which has a sign-in.
        "GREENLIGHT_DAGSTER_UI_URL": where_ui(settings.dagster_ui_url, ui),
    }
    return {name: address for name, address in found.items() if address}


def where_ui(said: str | None, ui: Ui | None) -> str | None:
    """Return where people reach the Dagster UI: at the address that the user says, else where the stack serves it."""
    own = ui.url if ui is not None else None
    elsewhere = said is not None and urlsplit(said).hostname not in (LOOPBACK, "localhost")
    return said if elsewhere or own is None else own


def of_secrets(settings: Settings, made: Secrets, *, secret: bool) -> dict[str, str]:
    """Return what signs and encrypts: what the user set, if that may be told (`secret`), else what the stack made."""
    own = {
        "GREENLIGHT_LINK_SECRET": settings.link_secret,
        "PROJECT_INTEGRATION_ENCRYPTION_KEY": settings.integration_key,
    }
    found = {}
    for name, value in made.variables().items():
        theirs = own[name]
        if theirs is None or theirs.get_secret_value() == value:
            found[name] = value
        elif secret:
            found[name] = theirs.get_secret_value()
    return found


def exports(
    settings: Settings, folders: Folders, databases: Databases, sandbox: Sandbox | None, *, secret: bool
) -> dict[str, str]:
    """Return what another shell has to export. The user's own model key is among it only if `secret` may be.

    Raise `StackError` before there is a database.
    """
    variables = {
        "DATABASE_URL": databases.require_studio_url(),
        "GREENLIGHT_DAGSTER_DATABASE_URL": str(databases.dagster_url),
        "DAGSTER_HOME": str(folders.dagster_home),
        "GREENLIGHT_DATA_DIR": str(folders.root),
        **code_server_variables(),
        **_of_pooler(settings, databases),
        "CLAUDE_DIRECT_MODEL": settings.model,
    }
    if settings.broker_url is not None:
        variables["GREENLIGHT_BROKER_URL"] = settings.broker_url.get_secret_value()
    if sandbox is not None:
        variables["ANTHROPIC_BASE_URL"] = sandbox.url or ""
        variables["ANTHROPIC_API_KEY"] = SANDBOX_KEY
        variables["CLAUDE_DIRECT_MODEL"] = SANDBOX_MODEL
        return variables
    if settings.anthropic_base_url:
        variables["ANTHROPIC_BASE_URL"] = settings.anthropic_base_url
    if secret and (key := model_key(settings)):
        variables["ANTHROPIC_API_KEY"] = key
    return variables


def _of_pooler(settings: Settings, databases: Databases) -> dict[str, str]:
    said = {
        "GREENLIGHT_DB_POOLED": "true" if settings.db_pooled else None,
        "GREENLIGHT_LISTEN_URL": settings.listen_url,
        "GREENLIGHT_MIGRATE_URL": settings.migrate_url,
    }
    # Before an embedded server there is no pooler: whatever the shell says is about another one.
    return {name: "" if databases.is_embedded else value for name, value in said.items() if value}


def of_child(variables: Mapping[str, str], stack_id: str) -> dict[str, str]:
    """Return the environment of a part: this process's own, `variables`, and the mark of the stack.

    The mark is for children alone: whatever carries it is ended with the stack.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    return {**inherited, **variables, MARKER: stack_id}
