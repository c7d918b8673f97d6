"""What a route works with."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from fastapi import Request

from studio.database.connection import Database
from studio.settings import Settings
from studio.storage.choice import folder_storage
from studio.storage.folder import FolderStorage
from web.origins import origin_of
from web.pulse import Pulse
from web.readiness import Readiness

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Site:
    """A studio that is served. Routes find it with `site(request)`."""

    settings: Settings
    db: Database
    # Set when it begins to end.
    stopping: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    _began: float = field(default_factory=time.monotonic, repr=False, compare=False)

    @property
    def uptime_seconds(self) -> float:
        """For how long it has been served."""
        return time.monotonic() - self._began

    @cached_property
    def readiness(self) -> Readiness:
        """Whether it can serve now."""
        return Readiness(self.settings, self.db, self.pulse, self.stopping)

    @cached_property
    def pulse(self) -> Pulse:
        """Whether the database is there."""
        return Pulse(self.db)

    @cached_property
    def files(self) -> FolderStorage | None:
        """The artifacts in the data folder; None where they lie in a bucket."""
        return folder_storage(self.settings) if self.settings.supabase_url is None else None

    def forbids(self, request: Request) -> str | None:
        """Return why a request is refused because of the page that made it: never, where nobody can sign in."""
        return None

    @cached_property
    def origins(self) -> list[str]:
        """The origins that belong to this studio, as far as they are configured."""
        found = []
        for address in (self.settings.pages_base_url, self.settings.app_base_url):
            if (origin := origin_of(address)) is not None and origin not in found:
                found.append(origin)
        return found

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The host names under which this application may be asked."""
        own = urlsplit(self.address or "").hostname
        if own is not None and own not in LOOPBACK_HOSTS:
            return frozenset({own})
        # On one machine the studio and the public pages have different names, and each leaves the other its own.
        return LOOPBACK_HOSTS - (self._names_of_others - {own})

    @cached_property
    def probe_hosts(self) -> frozenset[str]:
        """The host names under which it may be asked how it is, and nothing else."""
        own = self.settings.probe_host
        return LOOPBACK_HOSTS | {own.lower()} if own else LOOPBACK_HOSTS

    @property
    def _names_of_others(self) -> frozenset[str]:
        """The host names of the studio's other application: a browser sends its session there, to every port."""
        return frozenset({urlsplit(self.settings.app_base_url or "").hostname or ""})

    @property
    def address(self) -> str | None:
        """Where this application is; None where nobody has said so."""
        return self.settings.pages_base_url or self.settings.app_base_url


def site(request: Request) -> Site:
    """Return the site that a request is for."""
    found: Site = request.app.state.site
    return found
