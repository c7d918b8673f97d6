"""The statements that are worth reading as SQL, one file each."""

from __future__ import annotations

import functools
from importlib import resources
from typing import LiteralString

from studio.errors import NotFound


@functools.cache
def load(name: str) -> LiteralString:
    """Return the text of `studio/sql/<name>.sql`. Raise `NotFound` where there is no such file."""
    try:
        # Part of the program, as much as a literal is: nothing from outside reaches this folder.
        return (resources.files(__name__) / f"{name}.sql").read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise NotFound(f"There is no statement {name!r} in studio/sql.", "Check the name.") from exc
