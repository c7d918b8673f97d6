"""What the ops of `onboarding.scan` do. Each returns JSON, which is the job's checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.claims import Json
from studio.database.connection import Connection
from studio.job_types import ScanPayload
from studio.onboarding import cache
from studio.onboarding.repository import RepositoryLook, read_repository
from studio.onboarding.scan import Scan, scan_site, with_repository, without_site
from studio.outbound import OutboundClient
from studio.presence import Note
from studio.settings import Settings

# The name of the op whose checkpoint is the scan.
LAST_OP = "conclude"
# Together less than the job's minute, which is for what nobody foresaw.
SITE_SECONDS = 25.0
REPOSITORY_SECONDS = 20.0


@dataclass(frozen=True)
class Scanning:
    """One scan under way. `note` writes a line into the job's stream."""

    payload: ScanPayload
    settings: Settings
    outbound: Callable[[], OutboundClient]
    note: Note

    def look_at_site(self) -> Json:
        """Return the scan of the domain, or of nothing where none was given."""
        domain = self.payload.domain
        if domain is None:
            return without_site().model_dump(mode="json")
        return scan_site(domain, self.outbound(), seconds=SITE_SECONDS, note=self.note).model_dump(mode="json")

    def read_repository(self) -> Json:
        """Return the look at the repository, None where none was given."""
        return None if self.payload.repo_url is None else self.look_at_repository().model_dump(mode="json")

    def look_at_repository(self) -> RepositoryLook:
        """Return the look at the repository that was given."""
        address = self.payload.repo_url or ""
        return read_repository(self.settings, address, seconds=REPOSITORY_SECONDS, note=self.note)

    def conclude(self, conn: Connection, site: Json, repository: Json) -> Json:
        """Return the whole scan; of a domain alone it is kept, in the caller's transaction, where it may be."""
        scan = Scan.model_validate(site)
        if self.payload.repo_url is None:
            cache.store(conn, scan)
        else:
            scan = with_repository(scan, self.payload.repo_url, RepositoryLook.model_validate(repository))
        return scan.model_dump(mode="json")
