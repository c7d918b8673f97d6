"""Credentials of the services that the studio acts through: a project's own, else the installation's.

Under the installation's accounts only projects of operators act (see `studio.operators`). Mail is the exception: it
leaves through the installation's account for everybody, in the installation's name.

A project's own are encrypted at rest and shown masked. Where a project has some that are switched off or cannot be
opened, that is an error: silently acting under somebody else's account is what nobody wants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from studio.addresses import literal_address, parse_url, require_public, shown
from studio.database.connection import Connection, Database
from studio.errors import InvalidInput, NotFound, OutboundRefused, SettingsError
from studio.operators import is_operator
from studio.outbound import ALLOWED_PORTS
from studio.project_events import record
from studio.secrets import Keys, mask
from studio.settings import Settings
from studio.text import require_storable

# No credential is longer; it would be a mistake of pasting.
VALUE_LIMIT = 4096


@dataclass(frozen=True)
class Field:
    """A field of a provider's credentials, with the setting that holds the installation's.

    Whoever knows a `secret` one can act at the provider: it is shown masked only, and never typed into a command.
    """

    setting: str
    is_url: bool = False
    secret: bool = True

    @property
    def variable(self) -> str:
        """The environment variable of the installation's value."""
        return str(Settings.model_fields[self.setting].validation_alias)


# Domain specification §7.
PROVIDERS: dict[str, dict[str, Field]] = {
    "resend": {"api_key": Field("resend_api_key"), "from_email": Field("resend_from_email", secret=False)},
    "meta": {
        "access_token": Field("meta_access_token"),
        "ad_account_id": Field("meta_ad_account_id", secret=False),
    },
    "github": {"token": Field("github_token")},
    "vercel": {"deploy_hook_url": Field("vercel_deploy_hook_url", is_url=True)},
}

# Whose installation's account serves every project: mail is part of what the studio itself offers.
FOR_EVERYBODY = frozenset({"resend"})
# Whose account an action needs; mail has its own ways, and the landing page needs none.
ACCOUNTS = {
    "activate_meta_ads_campaign": "meta",
    "trigger_phase3_repo_workflow": "github",
    "trigger_phase3_deploy": "vercel",
}


@dataclass(frozen=True)
class Integration:
    """A project's own credentials as their owner may see them."""

    project_id: UUID
    provider: str
    enabled: bool
    config_masked: dict[str, Any]
    updated_at: datetime


def credentials(db: Database, settings: Settings, project_id: UUID, provider: str) -> Mapping[str, str]:
    """Return the credentials under which the project acts at `provider`: its own, else the installation's.

    Raises `SettingsError` where its own are switched off or do not open, where the installation's are not for it, and
    where neither is there: then it names the environment variables that would do.
    """
    own = own_credentials(db, settings, project_id, provider)
    if own is not None:
        return own
    row = db.fetch_one("select owner_clerk_id from public.projects where id = %s", [project_id])
    if not may_use_installation(settings, row["owner_clerk_id"] if row else "", provider):
        raise SettingsError(
            f"The project needs an account of its own at {provider}: the installation's is for projects of operators.",
            "Save one in the project's settings.",
        )
    return installation_credentials(settings, provider)


def may_use_installation(settings: Settings, owner_clerk_id: str, provider: str) -> bool:
    """Say whether an owner's projects may act under the installation's account at `provider`, if there is one."""
    _fields(provider)
    return provider in FOR_EVERYBODY or is_operator(settings, owner_clerk_id)


def serves(settings: Settings, owner_clerk_id: str, provider: str) -> bool:
    """Say whether there is an installation's account at `provider` under which an owner's projects may act."""
    try:
        installation_credentials(settings, provider)
    except SettingsError:
        return False
    return may_use_installation(settings, owner_clerk_id, provider)


def lacking(db: Database, settings: Settings, project_id: UUID, action_type: str) -> str | None:
    """Return why an action would fail now for want of an account that can be used, and what to do; None where not."""
    provider = ACCOUNTS.get(action_type)
    if provider is None:
        return None
    try:
        credentials(db, settings, project_id, provider)
    except SettingsError as exc:
        return str(exc)
    return None


def own_credentials(db: Database, settings: Settings, project_id: UUID, provider: str) -> Mapping[str, str] | None:
    """Return the project's own credentials, None where it has none.

    Raises `SettingsError` where they are switched off, incomplete or do not open.
    """
    fields = _fields(provider)
    row = db.fetch_one(
        "select enabled, config_encrypted from public.project_integrations where project_id = %s and provider = %s",
        [project_id, provider],
    )
    if row is None:
        return None
    if not row["enabled"]:
        raise SettingsError(
            f"The project's own {provider} integration is switched off.",
            "Switch it on, or remove it where the installation's account will do.",
        )
    try:
        stored = json.loads(Keys.from_settings(settings).open(row["config_encrypted"], _context(project_id, provider)))
    except ValueError as exc:
        raise SettingsError(f"The project's own {provider} credentials are not readable.", "Save them again.") from exc
    except SettingsError as exc:
        raise SettingsError(f"The project's own {provider} integration: {exc.message}", exc.remedy) from exc
    missing = [name for name in fields if not (isinstance(stored, dict) and isinstance(stored.get(name), str))]
    if missing:
        raise SettingsError(
            f"The project's own {provider} integration lacks {', '.join(missing)}.", "Save it again, complete."
        )
    return {name: stored[name] for name in fields}


def installation_credentials(settings: Settings, provider: str) -> Mapping[str, str]:
    """Return the installation's credentials; raise `SettingsError` that names each variable that is not set."""
    values = {name: _value(settings, field) for name, field in _fields(provider).items()}
    missing = [field.variable for name, field in _fields(provider).items() if not values[name]]
    if missing:
        raise SettingsError(
            f"{provider} is not configured: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.",
            f"Set {' and '.join(missing)}, or give the project credentials of its own.",
        )
    return values


def save(
    conn: Connection, settings: Settings, project_id: UUID, provider: str, config: Mapping[str, Any], *, by: str
) -> Integration:
    """Store a project's own credentials, encrypted, in the caller's transaction; they are switched on.

    Raises `InvalidInput` that names a missing, unknown or unusable field, `OutboundRefused` for an address that the
    guard would not visit, `SettingsError` where no encryption key is configured.
    """
    fields = _fields(provider)
    unknown = sorted(set(config) - set(fields))
    if unknown:
        raise InvalidInput(f"{provider} has no field {', '.join(unknown)}.", f"Its fields: {', '.join(fields)}.")
    values = {name: _checked(provider, name, field, config.get(name)) for name, field in fields.items()}
    sealed = Keys.from_settings(settings).seal(json.dumps(values).encode(), _context(project_id, provider))
    row = conn.execute(
        "insert into public.project_integrations (project_id, provider, config_encrypted, config_masked)"
        " values (%s, %s, %s, %s::jsonb) on conflict (project_id, provider) do update set enabled = true,"
        " config_encrypted = excluded.config_encrypted, config_masked = excluded.config_masked, updated_at = now()"
        " returning project_id, provider, enabled, config_masked, updated_at",
        [project_id, provider, sealed, json.dumps(masked(values))],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    _record(conn, project_id, provider, "saved", by)
    return Integration(**row)


def set_enabled(conn: Connection, project_id: UUID, provider: str, enabled: bool, *, by: str) -> Integration:
    """Switch a project's own credentials on or off, in the caller's transaction; raise `NotFound` without any."""
    row = conn.execute(
        "update public.project_integrations set enabled = %s, updated_at = now() where project_id = %s"
        " and provider = %s returning project_id, provider, enabled, config_masked, updated_at",
        [enabled, project_id, provider],
    ).fetchone()
    if row is None:
        raise NotFound(f"The project has no {provider} integration of its own.", "Save one first.")
    _record(conn, project_id, provider, "switched on" if enabled else "switched off", by)
    return Integration(**row)


def remove(conn: Connection, project_id: UUID, provider: str, *, by: str) -> None:
    """Forget a project's own credentials, in the caller's transaction; the installation's counts from then on."""
    gone = conn.execute(
        "delete from public.project_integrations where project_id = %s and provider = %s", [project_id, provider]
    ).rowcount
    if not gone:
        raise NotFound(f"The project has no {provider} integration of its own.", "There is nothing to remove.")
    _record(conn, project_id, provider, "removed", by)


def find(db: Database, project_id: UUID) -> list[Integration]:
    """Return a project's own integrations, masked."""
    rows = db.fetch_all(
        "select project_id, provider, enabled, config_masked, updated_at from public.project_integrations"
        " where project_id = %s order by provider",
        [project_id],
    )
    return [Integration(**row) for row in rows]


def masked(value: Any) -> Any:
    """Return a configuration with every text in it masked, however deep."""
    if isinstance(value, Mapping):
        return {str(name): masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value if value is None or isinstance(value, bool) else mask(str(value))


def require_provider(provider: str) -> None:
    """Raise `InvalidInput` that lists the providers where there is no such one."""
    _fields(provider)


def require_hook_address(url: str) -> str:
    """Return the address of a hook unchanged, or raise `OutboundRefused`: https, a usual port, no private address.

    What its name leads to is looked up, and checked again, whenever it is used.
    """
    try:
        target = parse_url(url)
    except OutboundRefused as exc:
        # Who knows the address may deploy, so no message repeats it.
        raise OutboundRefused(exc.message.replace(shown(url), "The hook's address"), exc.remedy) from None
    if target.scheme != "https":
        raise OutboundRefused("The hook's address is not https.", "Give its https address.")
    if target.port not in ALLOWED_PORTS:
        raise OutboundRefused(f"The hook is on port {target.port}.", "Only the web's usual ports are visited.")
    address = literal_address(target.host)
    if address is not None:
        require_public(str(address), target.host)
    return url


def _fields(provider: str) -> dict[str, Field]:
    try:
        return PROVIDERS[provider]
    except KeyError:
        raise InvalidInput(f"There is no provider {provider!r}.", f"One of: {', '.join(PROVIDERS)}.") from None


def _value(settings: Settings, field: Field) -> str:
    value = getattr(settings, field.setting)
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def _checked(provider: str, name: str, field: Field, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{provider}.{name} is missing.", f"Give {', '.join(_fields(provider))} as text.")
    value = require_storable(value.strip(), f"{provider}.{name}")
    # Only a sender's name is text; everything else stands in a header or an address.
    plain = (
        value.isprintable() if name == "from_email" else value.isascii() and value.isprintable() and " " not in value
    )
    if len(value) > VALUE_LIMIT or not plain:
        # The value is not repeated: it may be nearly right.
        raise InvalidInput(
            f"{provider}.{name} holds white space, control or foreign characters, or more than {VALUE_LIMIT} of them.",
            "Copy it again.",
        )
    return require_hook_address(value) if field.is_url else value


def _context(project_id: UUID, provider: str) -> str:
    return f"{project_id}:{provider}"


def _record(conn: Connection, project_id: UUID, provider: str, what: str, by: str) -> None:
    record(conn, project_id, "integration.updated", f"{provider}: {what}", {"provider": provider, "by": by})
