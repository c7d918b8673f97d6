"""The studio's own application on loopback, with two owners: one server and one database for a module."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from studio.database.connection import Database
from tests.support.postgres import TestServer
from tests.support.web import StudioThread
from web.limits import OwnerLimits, Rate

# Secrets of programs, and the key of the projects' own credentials.
SECRETS = {
    "integration_key": base64.b64encode(bytes(32)).decode(),
    "cron_secret": "the secret of a scheduler",
    "night_shift_secret": "the secret of another scheduler",
    "worker_health_secret": "the secret of a monitor",
}
# A module asks in a second what nobody does in an hour.
_ENDLESS = Rate(1_000_000, 1_000_000)


class Desk:
    """A running studio, `ada` who has signed in, and `bob` whose things she must not see."""

    def __init__(self, web: StudioThread) -> None:
        self.web = web
        self.db: Database = web.database
        self.ada: httpx.Client = web.sign_in("ada")
        self.bob: httpx.Client = web.sign_in("bob")
        self.stranger: httpx.Client = web.stranger()

    @property
    def app(self) -> FastAPI:
        """The application that the server runs."""
        app = self.web._server.config.app
        assert isinstance(app, FastAPI)
        return app

    def project(self, owner: str = "ada", name: str = "Wheels & Bread") -> UUID:
        """Make a project of an owner."""
        with self.db.transaction() as conn:
            conn.execute("insert into users (clerk_id) values (%s) on conflict do nothing", [owner])
            row = conn.execute(
                "insert into projects (owner_clerk_id, user_id, name, idea_description)"
                " select clerk_id, id, %s, 'Bread by bicycle to offices before nine' from users where clerk_id = %s"
                " returning id",
                [name, owner],
            ).fetchone()
        assert row is not None
        return UUID(str(row["id"]))

    def close(self) -> None:
        """Close the clients."""
        for client in (self.ada, self.bob, self.stranger):
            client.close()


@pytest.fixture(scope="module")
def desk(postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("studio") / "data"
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as database:
        with StudioThread(database, folder, **SECRETS) as web:
            desk = Desk(web)
            desk.app.state.owner_limits = OwnerLimits(_ENDLESS, _ENDLESS)
            yield desk
            desk.close()
