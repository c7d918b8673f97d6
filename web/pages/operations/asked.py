"""What addresses of the operations' pages say: since when, of which project, which of several."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from studio.errors import InvalidInput

# What a person picks from; the key stands in the address.
AGES: dict[str, str] = {
    "1h": "the last hour",
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
}
_AGES: dict[str, timedelta] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
}
TEXT_LIMIT = 200
# A form sends every field, also those that nobody has filled in.
Text = Annotated[str | None, Query(max_length=TEXT_LIMIT)]


def age(since: str | None, otherwise: str) -> tuple[str, timedelta]:
    """Return since when something is looked at, as in the address and as a time; raise `InvalidInput` for no age."""
    key = since or otherwise
    if key not in _AGES:
        raise InvalidInput(f"{key!r} is no age.", f"Take one of {', '.join(_AGES)}.")
    return key, _AGES[key]


def chosen(value: str | None) -> str | None:
    """Return what a field says, None where it is empty."""
    return value.strip() or None if value else None


def project_of(value: str | None) -> UUID | None:
    """Return the project that a field names, None where it is empty or no id."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


def one_of(value: str | None, choices: Mapping[str, str]) -> Any:
    """Return a field's value where it is one that may be picked, None where it is empty; else raise `InvalidInput`."""
    if value is not None and value not in choices:
        raise InvalidInput(f"{value!r} cannot be picked here.", f"Take one of {', '.join(choices)}.")
    return value
