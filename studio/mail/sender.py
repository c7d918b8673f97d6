"""The sender: claims due mails, sends each once, and records what became of it.

Between the last look and the record the process may die at any moment. The next sender then asks the same provider
under the same key, which sends nothing twice; where the provider would not remember, the mail waits for a person.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from studio.database.connection import Database
from studio.errors import InvalidInput, OutcomeUnknown, ProviderRefused, ProviderUnavailable, SettingsError, StudioError
from studio.mail.due import DueMail, Sent
from studio.mail.message import Mail, Message, compose
from studio.mail.personal import personal
from studio.mail.providers import AskAPerson, Busy
from studio.mail.ways import Way, Ways
from studio.settings import Settings
from studio.text import clip

log = logging.getLogger(__name__)

# A claim looks at every project with due mail, so it takes as many as a sender has done in a minute or two.
BATCH = 100
# Resend takes a few mails a second; a busy second is waited for here, a longer silence in the queue.
BUSY_PAUSES = (1.0, 1.0, 2.0, 4.0)
# A provider that was away for so many mails in a row is away for the rest of the run, too.
AWAY_AFTER = 3
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
# With pauses of an hour that is two days, which is what mail servers give each other before they give up.
MAX_ATTEMPTS = 50
# Something a person has to set right; asking every minute would not hurry anybody.
SETTINGS_PAUSE = timedelta(hours=1)
ERROR_CHARS = 500


@dataclass
class Summary:
    """What a run did. `more` says that it ended at its limit, with mails left that may be due."""

    counts: Counter[str] = field(default_factory=Counter)
    more: bool = False
    errors: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many were sent."""
        return self.counts["sent"]

    def as_json(self) -> dict[str, object]:
        """Return every count, also those that are 0, for a checkpoint and an artifact."""
        names = ("sent", "failed", "unknown", "suppressed", "held", "later", "unclear", "lost")
        return {**{name: self.counts[name] for name in names}, "more": self.more, "errors": self.errors}


class Sender:
    """Sends due mails for one run. `keep_going` is asked before each mail."""

    def __init__(
        self, db: Database, settings: Settings, *, run: str, keep_going: Callable[[], bool] = lambda: True
    ) -> None:
        self._settings = settings
        self._keep_going = keep_going
        self._ways = Ways(db, settings)
        lease = timedelta(seconds=settings.mail_lease_seconds)
        self._due = DueMail(db, f"mail:{run}:{uuid4()}", run, lease)
        self._away: Counter[str] = Counter()
        # Accounts that take nothing for the rest of the run, and what is to be said of their mails.
        self._broken: dict[str, StudioError] = {}

    def send_due(self, limit: int, *, seconds: float = 600.0, now: datetime | None = None) -> Summary:
        """Send what is due until `limit` mails were taken on, nothing is due, or `seconds` have passed.

        Raise `SettingsError` at the end where mail waits because the installation's own account is not in order;
        projects with accounts of their own were served. `now` stands for the clock in what is due, in quiet hours and
        in the daily cap.
        """
        summary = self._send_due(limit, seconds, now)
        if self._ways.refusal is not None:
            raise self._ways.refusal
        return summary

    def _send_due(self, limit: int, seconds: float, now: datetime | None) -> Summary:
        summary = Summary()
        deadline = time.monotonic() + seconds
        left = limit
        try:
            while left > 0:
                mails = self._due.claim(min(BATCH, left), now)
                if not mails:
                    return summary
                left -= len(mails)
                for mail in mails:
                    if time.monotonic() > deadline or not self._keep_going():
                        summary.more = True
                        return summary
                    self._one(mail, summary)
            summary.more = True
            return summary
        finally:
            self._due.release()

    def _one(self, mail: Mail, summary: Summary) -> None:
        try:
            way = self._ways.of(mail)
            message = compose(personal(self._settings, mail), way.from_email, way.name)
        except StudioError as exc:
            self._end(mail, _not_sent(mail, exc, certain=mail.begun_at is None), summary)
            return
        account = way.provider.account
        if account in self._broken:
            self._end(mail, _not_sent(mail, self._broken[account], certain=mail.begun_at is None), summary)
            return
        beginning = self._due.begin(mail, account, way.provider.remembers)
        if beginning not in ("go", "again"):
            summary.counts[beginning] += 1
            return
        self._end(mail, self._ask(mail, message, way, certain=beginning == "go"), summary)

    def _ask(self, mail: Mail, message: Message, way: Way, *, certain: bool) -> Sent:
        """Ask the provider. `certain` says that no one has asked for this mail before."""
        account = way.provider.account
        pauses = iter(BUSY_PAUSES)
        while True:
            try:
                found = way.provider.send(message)
            except Busy as exc:
                pause = next(pauses, None)
                if pause is None or not self._keep_going():
                    return _not_sent(mail, exc, certain=certain)
                time.sleep(pause)
            except StudioError as exc:
                if isinstance(exc, SettingsError):
                    self._broken[account] = exc
                elif isinstance(exc, ProviderUnavailable):
                    self._away[account] += 1
                    if self._away[account] >= AWAY_AFTER:
                        self._broken[account] = exc
                return _not_sent(mail, exc, certain=certain)
            else:
                self._away[account] = 0
                return Sent("sent", provider_message_id=found)

    def _end(self, mail: Mail, sent: Sent, summary: Summary) -> None:
        if not self._due.finish(mail, sent):
            # Another sender has it, and asks under the same key.
            summary.counts["lost"] += 1
            return
        summary.counts[sent.end] += 1
        if sent.error is not None:
            log.warning("Mail %s: %s: %s", mail.id, sent.end, sent.error)
            if sent.error not in summary.errors and len(summary.errors) < 10:
                summary.errors.append(sent.error)


def _not_sent(mail: Mail, exc: StudioError, *, certain: bool) -> Sent:
    """Return how a mail ends that met with `exc`; what was asked for before is not certain, whatever is said now."""
    error = _said(exc)
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(mail.attempts, 10))
    if isinstance(exc, AskAPerson):
        return Sent("unknown", error=error)
    if isinstance(exc, OutcomeUnknown):
        return Sent("unclear", error=error, retry_in=pause)
    if isinstance(exc, ProviderRefused | InvalidInput):
        return Sent("failed" if certain else "unknown", error=error)
    if not certain:
        return Sent("unclear", error=error, retry_in=pause)
    if isinstance(exc, SettingsError):
        return Sent("later", error=error, retry_in=SETTINGS_PAUSE)
    if mail.attempts >= MAX_ATTEMPTS:
        return Sent("failed", error=f"Given up after {mail.attempts} attempts. {error}")
    return Sent("later", error=error, retry_in=pause)


def _said(exc: StudioError) -> str:
    return clip(str(exc), ERROR_CHARS)
