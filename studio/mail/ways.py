"""Which way a mail leaves, and under whose name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from studio import integrations
from studio.database.connection import Database
from studio.errors import SettingsError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.folder import SENDER, OutboxFolder
from studio.mail.letters import BRAND
from studio.mail.message import Mail
from studio.mail.providers import Provider
from studio.mail.resend import Resend
from studio.settings import Settings

RESEND = "resend"


@dataclass(frozen=True)
class Way:
    """A provider, and the sender's address and name."""

    provider: Provider
    from_email: str
    name: str


class Ways:
    """The ways of an installation, looked up once per run and project."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._studio: Way | None = None
        self._of_projects: dict[UUID, Way] = {}
        # What is wrong with the installation's own account, where a mail has needed it.
        self.refusal: SettingsError | None = None

    def of(self, mail: Mail) -> Way:
        """Return the way of a mail: the project's own account, else the installation's, else the outbox folder.

        Raise `SettingsError` where an account is configured in part, switched off, or cannot be opened.
        """
        if mail.sender == "studio" or mail.project_id == SYSTEM_PROJECT_ID:
            return self.studio()
        if mail.project_id not in self._of_projects:
            self._of_projects[mail.project_id] = self._of_project(mail.project_id)
        return self._of_projects[mail.project_id]

    def studio(self) -> Way:
        """Return the installation's own way. Raise `SettingsError` that names what is missing."""
        if self._studio is None:
            settings = self._settings
            if settings.resend_api_key is None:
                self._studio = Way(OutboxFolder.from_settings(settings), settings.resend_from_email or SENDER, BRAND)
            else:
                try:
                    given = integrations.installation_credentials(settings, RESEND)
                except SettingsError as exc:
                    self.refusal = exc
                    raise
                self._studio = Way(Resend(settings, given["api_key"]), given["from_email"], BRAND)
        return self._studio

    def _of_project(self, project_id: UUID) -> Way:
        row = self._db.fetch_one("select name from public.projects where id = %s", [project_id])
        name = row["name"] if row else BRAND
        own = integrations.own_credentials(self._db, self._settings, project_id, RESEND)
        if own is not None:
            return Way(Resend(self._settings, own["api_key"]), own["from_email"], name)
        studio = self.studio()
        return Way(studio.provider, studio.from_email, name)
