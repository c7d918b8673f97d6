"""A project's own accounts at the services that the studio acts through; their values are shown masked only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Request
from pydantic import Field, model_validator

from studio import integrations
from studio.database.connection import Connection
from studio.integrations import PROVIDERS, VALUE_LIMIT, Integration
from studio.settings import Settings
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Done, Object, SeedBody, Text
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import studio_site

router = owner_router("integrations")

# As in `studio.integrations.PROVIDERS`.
Provider = Literal["resend", "meta", "github", "vercel"]


class FieldAnswer(Answer):
    """A value that the provider's account needs."""

    name: str
    secret: bool
    is_url: bool


class IntegrationAnswer(Answer):
    """A provider. `own`: the project has an account of its own; `installation`: the studio has one that it may use."""

    provider: Provider
    own: bool
    enabled: bool
    config_masked: Object
    updated_at: datetime | None
    installation: bool
    fields: list[FieldAnswer]


class IntegrationsAnswer(Answer):
    """Every provider there is."""

    integrations: list[IntegrationAnswer]


class IntegrationBody(SeedBody):
    """The account's values, whole; or only whether it is to be used."""

    config: dict[Text, Annotated[Text, Field(max_length=VALUE_LIMIT)]] | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.config is None and self.enabled is None:
            raise ValueError("give config, enabled, or both")
        return self


class SavedAnswer(Done):
    """The account as it is now."""

    integration: IntegrationAnswer


@router.get("/api/projects/{project_id}/integrations", responses=NAMED)
def list_integrations(project: OwnProject, owner: SignedIn, request: Request) -> IntegrationsAnswer:
    """Return every provider, with the project's own account where it has one."""
    here = studio_site(request)
    own = {entry.provider: entry for entry in integrations.find(here.db, project.id)}
    return IntegrationsAnswer(
        integrations=[_answer(here.settings, owner.clerk_id, provider, own.get(provider)) for provider in PROVIDERS]
    )


@router.get("/api/projects/{project_id}/integrations/{provider}", responses=NAMED)
def show_integration(project: OwnProject, owner: SignedIn, provider: Provider, request: Request) -> IntegrationAnswer:
    """Return a provider, with the project's own account where it has one."""
    here = studio_site(request)
    own = {entry.provider: entry for entry in integrations.find(here.db, project.id)}
    return _answer(here.settings, owner.clerk_id, provider, own.get(provider))


@router.put("/api/projects/{project_id}/integrations/{provider}", responses=CHANGING)
def save_integration(
    project: OwnProject, owner: SignedIn, provider: Provider, request: Request, body: IntegrationBody
) -> SavedAnswer:
    """Save the project's own account at a provider, encrypted, or switch it on or off."""
    here = studio_site(request)
    saved = committed(here.db, lambda conn: _save(conn, here.settings, project.id, provider, body, owner.clerk_id))
    return SavedAnswer(integration=_answer(here.settings, owner.clerk_id, provider, saved))


@router.delete("/api/projects/{project_id}/integrations/{provider}", responses=CHANGING)
def remove_integration(project: OwnProject, owner: SignedIn, provider: Provider, request: Request) -> Done:
    """Forget the project's own account; the installation's counts from then on, where it may be used."""
    committed(
        studio_site(request).db,
        lambda conn: integrations.remove(conn, project.id, provider, by=owner.clerk_id),
    )
    return Done()


def _save(
    conn: Connection, settings: Settings, project_id: UUID, provider: Provider, body: IntegrationBody, by: str
) -> Integration | None:
    saved: Integration | None = None
    if body.config is not None:
        saved = integrations.save(conn, settings, project_id, provider, body.config, by=by)
    if body.enabled is not None and (saved is None or saved.enabled is not body.enabled):
        saved = integrations.set_enabled(conn, project_id, provider, body.enabled, by=by)
    return saved


def _answer(settings: Settings, owner_clerk_id: str, provider: str, own: Integration | None) -> IntegrationAnswer:
    return IntegrationAnswer.model_validate(
        {
            "provider": provider,
            "own": own is not None,
            "enabled": own is not None and own.enabled,
            "config_masked": {} if own is None else own.config_masked,
            "updated_at": None if own is None else own.updated_at,
            "installation": integrations.serves(settings, owner_clerk_id, provider),
            "fields": [
                {"name": name, "secret": field.secret, "is_url": field.is_url}
                for name, field in PROVIDERS[provider].items()
            ],
        }
    )
