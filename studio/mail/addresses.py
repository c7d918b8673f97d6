"""Mail addresses and header texts from outside: what may become part of a message's head."""

from __future__ import annotations

import re
import unicodedata
from email.headerregistry import Address
from email.utils import parseaddr

import idna

from studio.errors import InvalidInput
from studio.text import clip, require_storable

# RFC 5321 §4.5.3.1: octets before the @, and of the whole path.
LOCAL_PART_CHARS = 64
ADDRESS_CHARS = 254
# RFC 5322 §2.1.1 allows 998 with the header's name; mail programs show far fewer.
SUBJECT_CHARS = 150
NAME_CHARS = 70

# RFC 5322 §3.2.3, dot-atom. Quoted local parts and those beyond ASCII are legal, and delivered nearly nowhere.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")


def checked_address(text: str) -> str:
    """Return a mail address with its domain in lower case and ASCII; raise `InvalidInput` for what is none.

    Only the address itself: no name, no brackets, no list, nothing that could begin another header.
    """
    address = require_storable(text, "The mail address").strip()
    local, at, domain = address.rpartition("@")
    try:
        domain = (domain if domain.isascii() else idna.encode(domain, uts46=True).decode()).lower()
    except idna.IDNAError:
        domain = ""
    fits = len(local) <= LOCAL_PART_CHARS and len(local) + 1 + len(domain) <= ADDRESS_CHARS
    if not at or not fits or not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise InvalidInput(
            f"{clip(one_line(text), 80)!r} is not a mail address.", "Write it like name@example.org, and only one."
        )
    return f"{local}@{domain}"


def mailbox(text: str, name: str | None = None) -> Address:
    """Return the sender that a setting names: `address` or `Name <address>`; `name` stands before the setting's own.

    Raise `InvalidInput` where the address is none.
    """
    own, address = parseaddr(one_line(text))
    username, _, domain = checked_address(address or text).rpartition("@")
    return Address(display_name=display_name(name or own), username=username, domain=domain)


def display_name(text: str) -> str:
    """Return a name as it may stand before an address: on one line, bounded, and never an address by looks."""
    return clip(one_line(text).replace("<", "").replace(">", "").replace("@", " at "), NAME_CHARS)


def subject_line(text: str) -> str:
    """Return a subject on one line of bounded length."""
    return clip(one_line(text), SUBJECT_CHARS)


def one_line(text: str) -> str:
    """Return `text` on one line, without what steers a mail program: controls, and marks that turn its direction."""
    kept = (" " if char.isspace() or unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in text)
    # Cf is where the direction marks are, and the joiners that some scripts and emoji need.
    visible = (c for c in kept if unicodedata.category(c) not in ("Cf", "Cs") or c in "\u200c\u200d")
    return " ".join("".join(visible).split())
