"""Two histories of one database: a copy as it was at some moment, while the original goes on and is then lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from studio import restores
from studio.database.connection import Database
from studio.restores import Restored
from studio.settings import Settings
from tests.support.actions import Stage, action_settings, hook_client
from tests.support.mail import ResendServer, resend_settings
from tests.support.postgres import TestServer
from tests.support.providers import Providers
from tests.support.sessions import cut_off_others


def acting_settings(url: str, providers: Providers, resend: ResendServer, data_dir: Path) -> Settings:
    """Return settings under which every action is configured, and mail leaves through `resend`."""
    mail = resend_settings(data_dir, resend)
    sent_by = {name: getattr(mail, name) for name in ("resend_api_key", "resend_from_email", "resend_url")}
    return action_settings(url, providers, data_dir, **sent_by)


@dataclass
class Histories:
    """A studio that acts, and the copies of its database that are made on the way."""

    server: TestServer
    stage: Stage
    resend: ResendServer
    left: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def copied(self) -> Callable[..., Stage]:
        """Copy the database as it is now; what is returned sets it back to that: the studio after the restore."""
        with self.stage.db.connection() as conn:
            moment = conn.execute("select clock_timestamp() as now").fetchone()
            assert moment is not None
            cut_off_others(conn)
        name = self.stage.db.url.rpartition("/")[2].partition("?")[0]
        self.stage.db.close()
        copy = self.left.enter_context(self.server.temporary(name))
        # The original goes on.
        self.stage.db = self.left.enter_context(Database(self.stage.db.url))

        def restored(**said: Any) -> Stage:
            db = self.left.enter_context(Database(self.server.url(copy)))
            settle(db, restored_to=moment["now"], **said)
            # What is in doubt is asked for when a provider has had its time since the restore's moment.
            changes = {"database_url": db.url, "provider_timeout_seconds": 0.5}
            settings = self.stage.settings.model_copy(update=changes)
            return replace(self.stage, db=db, settings=settings)

        return restored


def settle(db: Database, **said: Any) -> Restored:
    """Say what follows from a restore; a copy within one server cannot tell that it is one."""
    return restores.settle(db, **{"by": "the operator", "anyway": True, **said})


@contextlib.contextmanager
def histories(
    server: TestServer, url: str, providers: Providers, resend: ResendServer, folder: Path
) -> Iterator[Histories]:
    """Lend a studio on the database behind `url`, whose artifacts and settings are in `folder`."""
    settings = acting_settings(url, providers, resend, folder)
    with contextlib.ExitStack() as left:
        stage = Stage(Database(url), settings, providers, hook_client(providers.hook_address))
        made = Histories(server, stage, resend, left)
        left.callback(lambda: made.stage.db.close())
        yield made


def age(db: Database, by: timedelta) -> None:
    """Let the last restore have been to a moment that lies so much further back: the time in between is lost, too."""
    db.execute("update public.database_restores set restored_to = restored_to - %s", [by])
