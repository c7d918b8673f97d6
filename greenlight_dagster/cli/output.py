"""How the command line prints: tables for people, JSON for programs, errors as one sentence."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from studio.text import printable

out = Console()
err = Console(stderr=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

# The longest name of a job type has 23 characters, and more than that may be a sentence.
SHORT_CHARS = 24

STATUS_STYLE = {
    "queued": "cyan",
    "running": "yellow",
    "completed": "green",
    "failed": "red",
    "canceled": "magenta",
    "cancel_requested": "magenta",
}


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: times in ISO 8601, ids and money as text."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Decimal | Path):
        return str(value)
    return value


def print_json(value: Any) -> None:
    """Print `value` as one line of JSON on standard output, untouched by the terminal's width."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print a table, or the sentence `empty` where there are no rows."""
    listed = list(rows)
    if not listed:
        out.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        # An id is there to be copied, and a short word is not read in pieces: other columns give way.
        short = column == "id" or all(len(str(row[index])) <= SHORT_CHARS for row in listed)
        table.add_column(column, overflow="fold", no_wrap=short)
    for row in listed:
        table.add_row(*[cell(value) for value in row])
    out.print(table)


def cell(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return since(value)
    text = escape(printable(str(value)))
    style = STATUS_STYLE.get(text)
    return f"[{style}]{text}[/]" if style else text


def since(moment: datetime) -> str:
    """Return how long ago a moment was, or how far ahead it lies, in the largest fitting unit."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    size, unit = abs(seconds), "s"
    for limit, name in ((60, "m"), (60, "h"), (24, "d")):
        if size < limit:
            break
        size, unit = size / limit, name
    return f"{size:.0f} {unit} ago" if seconds >= 0 else f"in {size:.0f} {unit}"


def print_error(message: str, remedy: str = "") -> None:
    """Print an error on standard error: what is wrong in red, what to do behind it."""
    err.print(
        f"[bold red]Error:[/] {escape(printable(message))} {escape(remedy)}".rstrip(), soft_wrap=True, highlight=False
    )
