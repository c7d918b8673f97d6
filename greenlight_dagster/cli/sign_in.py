"""`greenlight sign-in`: a one-time link into the studio, for whoever may run commands on its machine."""

from __future__ import annotations

from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, out, print_json
from studio import sign_in as links
from studio.database.connection import Database
from studio.errors import SettingsError
from studio.settings import Settings


def sign_in(
    owner: Annotated[str | None, typer.Option(help="Whose studio it opens; by default GREENLIGHT_OWNER.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print a link that opens the studio in a browser: once, within an hour."""
    with open_database() as (db, settings):
        link = new_link(settings, db, owner)
    if as_json:
        print_json({"sign_in": link})
    else:
        out.print(link, highlight=False, soft_wrap=True, markup=False)


def link_to(settings: Settings) -> str:
    """Return a new link into the studio that `settings` describe."""
    with Database.from_settings(settings, application_name="greenlight-sign-in") as db:
        return new_link(settings, db, None)


def new_link(settings: Settings, db: Database, owner: str | None) -> str:
    """Return a new one-time link; raise `SettingsError` where nobody signs in by one, or nobody knows where."""
    base = settings.app_base_url
    if base is None:
        raise SettingsError("It is not configured where the studio is.", "Set APP_BASE_URL, or start `greenlight up`.")
    if settings.clerk_issuer is not None:
        return f"{base.rstrip('/')}/sign-in"
    return f"{base.rstrip('/')}/sign-in/{links.make_link_token(db, owner or settings.owner_clerk_id)}"
