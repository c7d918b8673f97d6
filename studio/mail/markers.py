"""What stands in a stored mail where its receiver's own links go; `studio.mail.personal` makes them when it is sent."""

from __future__ import annotations

import secrets


def new_marker() -> str:
    """Return a marker that no text holds by chance, nor because its author has seen another."""
    return secrets.token_hex(16)


def unsubscribe_place(marker: str) -> str:
    """Return what stands where the unsubscribe link goes."""
    return f"https://unsubscribe.invalid/{marker}"


def confirm_place(marker: str) -> str:
    """Return what stands where the confirmation link goes."""
    return f"https://confirm.invalid/{marker}"
