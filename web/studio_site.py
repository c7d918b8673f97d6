"""What a route of the studio's own application works with: event streams, artifacts and sign-in beside the rest."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import cached_property

from fastapi import Request

from studio.event_hub import EventHub
from studio.listener import Listener
from studio.storage import Storage, storage_from_settings
from web.identity import origin
from web.identity.clerk import ClerkVerifier
from web.origins import origin_of
from web.site import Site
from web.stream.changes import Changes
from web.stream.frames import Frames
from web.stream.response import Streams

# Each takes up to three times its 25 MiB of memory until it is stored.
UPLOADS = 6


@dataclass(frozen=True)
class StudioSite(Site):
    """A studio whose owners are served. Routes find it with `studio_site(request)`; `close` it at the end."""

    @cached_property
    def listener(self) -> Listener:
        """The process's ear at the database."""
        return Listener(self.db, listen=self.settings.listens)

    @cached_property
    def hub(self) -> EventHub:
        """Everybody's event streams."""
        return EventHub(self.db, self.listener)

    @cached_property
    def streams(self) -> Streams:
        """What all event streams share. Asked for in the loop's thread alone."""
        return Streams(self.hub, Changes(self.listener, listens=self.settings.listens), Frames())

    @cached_property
    def uploads(self) -> asyncio.Semaphore:
        """The places for files on their way to here. Asked for in the loop's thread alone."""
        return asyncio.Semaphore(UPLOADS)

    @cached_property
    def drawing(self) -> threading.Semaphore:
        """The place for a paper that is being drawn: it keeps the interpreter busy, and the streams waiting."""
        return threading.Semaphore()

    @cached_property
    def clerk(self) -> ClerkVerifier | None:
        """Who verifies session tokens; None where browsers sign in by link."""
        return ClerkVerifier(self.settings) if self.settings.clerk_issuer else None

    @property
    def storage(self) -> Storage:
        """The artifacts; raise `SettingsError` where their storage is half configured."""
        return storage_from_settings(self.settings)

    @cached_property
    def front_ends(self) -> frozenset[str]:
        """The origins whose pages may speak for a signed-in owner."""
        named = (self.settings.clerk_authorized_parties or "").split(",")
        origins = [origin_of(address) for address in (*named, self.settings.app_base_url)]
        return frozenset(origin for origin in origins if origin is not None)

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the studio over TLS; that is the proxy's to say, or the address's."""
        return (self.settings.app_base_url or "").lower().startswith("https://")

    @property
    def address(self) -> str | None:
        """Where this application is; None where nobody has said so."""
        return self.settings.app_base_url

    @property
    def _names_of_others(self) -> frozenset[str]:
        """None: whoever asks for the studio under the public name is led to its own when he signs in."""
        return frozenset()

    def forbids(self, request: Request) -> str | None:
        """Return why a request is refused: a page of another origin may change nothing in a session's name."""
        return "A page of another site may not do this." if origin.is_foreign(request, self.front_ends) else None

    def close(self) -> None:
        """End every stream, and the connection that hears of news."""
        self.hub.close()
        self.listener.close()


def studio_site(request: Request) -> StudioSite:
    """Return the site that a request is for."""
    found: StudioSite = request.app.state.site
    return found
