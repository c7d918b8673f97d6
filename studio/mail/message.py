"""A claimed mail, and the MIME message that it becomes.

Nothing in the head of a message is put together from strings: addresses are parsed and headers are set through the
standard library's policy, which refuses line breaks. Rows of other clients pass through the same needle's eye.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from uuid import UUID

from studio.errors import InvalidInput
from studio.mail.addresses import checked_address, mailbox, subject_line
from studio.mail.plaintext import text_of
from studio.text import sha256_hex

log = logging.getLogger(__name__)

# RFC 5322 §2.1.1. Folded earlier, a long link would be encoded as if it were words, which nobody decodes.
_POLICY = SMTP.clone(max_line_length=998)
_NO_SUBJECT = "(no subject)"


@dataclass(frozen=True)
class Mail:
    """A row of `email_jobs` under one claim."""

    id: UUID
    project_id: UUID
    outbox_key: str | None
    to_email: str
    subject: str
    html_body: str
    text_body: str | None
    category: str
    sender: str
    reply_to: str | None
    claim_no: int
    attempts: int
    begun_at: datetime | None
    scheduled_for: datetime
    created_at: datetime
    link_marker: str | None = None
    unsubscribe_reason: str | None = None
    confirms_signup_id: UUID | None = None
    confirms_until: datetime | None = None
    # Not in the row: `studio.mail.personal` makes it.
    unsubscribe_url: str | None = None

    @property
    def dated(self) -> datetime:
        """When it was due, which is the same for every attempt that may have sent it."""
        return max(self.scheduled_for, self.created_at)

    @property
    def key(self) -> str:
        """The name under which a provider is asked for this mail, always the same one."""
        return f"greenlight/{self.project_id}/{sha256_hex(self.outbox_key or str(self.id))[:40]}"


@dataclass(frozen=True)
class Message:
    """A mail whose addresses and head have passed: what a provider is given."""

    key: str
    sender: Address
    to_email: str
    subject: str
    html: str
    text: str
    reply_to: str | None
    headers: dict[str, str]
    category: str
    dated: datetime

    def as_bytes(self) -> bytes:
        """Return the whole as a MIME message; raise `InvalidInput` where no such message can be written."""
        try:
            return self.mime().as_bytes()
        except Exception as exc:  # the standard library raises what it likes, and one mail must not hold up others
            log.exception("Mail %s cannot be written", self.key)
            raise InvalidInput("The mail cannot be written as a message.", "Look at its subject and bodies.") from exc

    def mime(self) -> EmailMessage:
        """Return the whole as a MIME message."""
        message = EmailMessage(policy=_POLICY)
        message["From"] = self.sender
        message["To"] = Address(addr_spec=self.to_email)
        message["Subject"] = self.subject
        message["Date"] = self.dated.astimezone(UTC)
        message["Message-ID"] = f"<{sha256_hex(self.key)[:40]}@{self.sender.domain}>"
        if self.reply_to is not None:
            message["Reply-To"] = Address(addr_spec=self.reply_to)
        for name, value in self.headers.items():
            message[name] = value
        # Quoted-printable keeps any line short enough for every server on the way.
        message.set_content(self.text, cte="quoted-printable")
        message.add_alternative(self.html, subtype="html", cte="quoted-printable")
        return message


def compose(mail: Mail, from_email: str, name: str) -> Message:
    """Return the message of a mail, sent by `name` from `from_email` (`address` or `Name <address>`).

    Raise `InvalidInput` where an address is none.
    """
    headers = {"Auto-Submitted": "auto-generated"}
    if mail.unsubscribe_url:
        # RFC 8058: mail programs show a button of their own, which needs no visit.
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return Message(
        key=mail.key,
        sender=mailbox(from_email, name),
        to_email=checked_address(mail.to_email),
        subject=subject_line(mail.subject) or _NO_SUBJECT,
        html=mail.html_body,
        text=mail.text_body if mail.text_body is not None else text_of(mail.html_body),
        reply_to=None if mail.reply_to is None else checked_address(mail.reply_to),
        headers=headers,
        category=mail.category,
        dated=mail.dated,
    )


def mail_from_row(row: dict[str, Any]) -> Mail:
    """Return a row of `email_jobs` as a mail."""
    return Mail(**{name: row[name] for name in Mail.__dataclass_fields__ if name != "unsubscribe_url"})
