"""Which paths a storage takes, and how Supabase spells them.

The rule is the same everywhere, so that what works with a folder works with a bucket. Supabase accepts only
ASCII letters, figures and some marks in a key, and its client decodes percent signs; whatever else a name may
hold is therefore spelled as in quoted-printable, `=C3=A4` for ä.
"""

from __future__ import annotations

import re
import unicodedata

from studio.errors import StorageRefused

# S3 and with it Supabase end at 1,024 bytes; the bucket and a tenant stand before the path.
MAX_KEY_BYTES = 900
# Linux takes 255 bytes for a name, and a file that is being written has some more.
MAX_NAME_BYTES = 200
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_SPELLED = re.compile(rb"=([0-9A-F]{2})")
# Control characters, format characters (which turn text around), lone surrogates, private use, line ends.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def checked_path(path: str) -> str:
    """Return `path` in Unicode's composed form; raise `StorageRefused` that says what is wrong with it."""
    wrong = _wrong(path)
    if wrong is not None:
        raise StorageRefused(
            f"The path {path[:200]!r} {wrong}.", "Use names joined by slashes, like phase-1/v2/landing.html."
        )
    return unicodedata.normalize("NFC", path)


def checked_prefix(prefix: str) -> str:
    """Return the folder `prefix`, without a slash at its end; an empty one means everywhere."""
    return checked_path(prefix.removesuffix("/")) if prefix else ""


def _wrong(path: str) -> str | None:
    if not path:
        return "is empty"
    if any(unicodedata.category(char) in _UNSEEN for char in path):
        return "contains a character that cannot be seen"
    if "\\" in path:
        return "contains a backslash"
    if path.startswith("/"):
        return "begins with a slash"
    for name in path.split("/"):
        if not name:
            return "contains an empty name"
        if name.startswith("."):
            return "contains a name that begins with a dot"
        if name != name.strip() or name.endswith("."):
            return "contains a name with a space or a dot at its edge"
    composed = unicodedata.normalize("NFC", path)
    if any(len(name.encode()) > MAX_NAME_BYTES for name in composed.split("/")):
        return f"contains a name of more than {MAX_NAME_BYTES} bytes"
    if len(key_of(composed)) > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    return None


def key_of(path: str) -> str:
    """Return `path` as a Supabase key."""
    return "/".join(
        "".join(chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in name.encode()) for name in path.split("/")
    )


def path_of(key: str) -> str:
    """Return the path that `key` spells."""
    raw = _SPELLED.sub(lambda found: bytes.fromhex(found[1].decode()), key.encode())
    return raw.decode(errors="replace")
