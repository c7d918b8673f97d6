"""What the sender asks of whoever carries the mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from studio.errors import OutcomeUnknown, ProviderUnavailable
from studio.mail.message import Message


class Provider(Protocol):
    """A way for mail to leave. Asked twice for the same key, it sends once, for as long as it remembers keys.

    `account` names provider and account, as only a provider that is asked under the same account remembers.
    `remembers` is how long it certainly does; None is for ever.
    """

    @property
    def account(self) -> str:
        """Provider and account, without any secret."""

    @property
    def remembers(self) -> timedelta | None:
        """For how long the same key is certainly not sent twice."""

    def send(self, message: Message) -> str:
        """Send a message, or find that it was sent; return the provider's id for it.

        Raise `ProviderUnavailable` where it certainly was not sent now, `ProviderRefused` where it never will be,
        `SettingsError` where the account is not in order, and `OutcomeUnknown` where nobody knows.
        """


class Busy(ProviderUnavailable):
    """The provider takes so many a second and no more; in a moment it takes this one."""


class AskAPerson(OutcomeUnknown):
    """Nobody knows, and asking the provider again would not tell."""
