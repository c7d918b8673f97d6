"""How the command line prints: tables for people, JSON for programs, errors as one sentence."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from studio.text import printable

out = Console()
err = Console(stderr=True)

# Ctrl-C while something runs, and at a question.
INTERRUPTS = (KeyboardInterrupt, typer.Abort)
INTERRUPTED = "interrupted"
# What a shell reports for a process that Ctrl-C ended.
EXIT_INTERRUPTED = 130

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

# What a column that breaks needs at least, to break between words mostly.
BROKEN_CHARS = 8
# How far the second line of a row is set in.
SECOND_LINE = 2

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


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str, below: Collection[str] = ()
) -> None:
    """Print a table, or the sentence `empty` where there are no rows.

    Where the terminal is too narrow for it, the columns that are named `below` stand on a second line of each row.
    """
    listed = list(rows)
    if not listed:
        out.print(empty)
        return
    cells = [[cell(value) for value in row] for row in listed]
    widths = [max(_width(text) for text in (column, *texts)) for column, *texts in zip(columns, *cells, strict=True)]
    if below and sum(widths) + 2 * (len(widths) - 1) > out.width:
        _print_in_two_lines(columns, cells, widths, below)
        return
    gap = 2 if sum(widths) + 2 * (len(widths) - 1) <= out.width else 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    whole = _whole(columns, widths, out.width - gap * (len(widths) - 1))
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=index in whole)
    for row in cells:
        table.add_row(*row)
    out.print(table)


def _print_in_two_lines(
    columns: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], below: Collection[str]
) -> None:
    """Print two lines per row, in which nothing is broken: what is too wide is cut, the widest first, an id never."""
    places = [[n for n, name in enumerate(columns) if (name in below) is second] for second in (False, True)]
    fitted = list(widths)
    for second, line in enumerate(places):
        room = out.width - SECOND_LINE * second - 2 * (len(line) - 1)
        giving = [n for n in line if columns[n] != "id"]
        while sum(fitted[n] for n in line) > room and any(fitted[n] > 1 for n in giving):
            fitted[max(giving, key=lambda n: fitted[n])] -= 1
    for style, row in (("bold", columns), *(("", row) for row in cells)):
        for second, line in enumerate(places):
            text = Text(" " * SECOND_LINE * second, style=style)
            for n in line:
                value = Text.from_markup(row[n])
                value.truncate(fitted[n], overflow="ellipsis", pad=True)
                text.append_text(value).append("  ")
            text.rstrip()
            out.print(text, no_wrap=True, overflow="ignore", crop=False, highlight=False)


def _whole(columns: Sequence[str], widths: Sequence[int], room: int) -> set[int]:
    """Return which columns are not broken: ids, which are there to be copied, then the shortest while there is room."""
    whole = {index for index, column in enumerate(columns) if column == "id"}
    room -= sum(widths[index] for index in whole)
    others = sorted(set(range(len(columns))) - whole, key=lambda index: widths[index])
    for count, index in enumerate(others, start=1):
        kept_free = BROKEN_CHARS * (len(others) - count)
        if widths[index] > room - kept_free:
            break
        room -= widths[index]
        whole.add(index)
    return whole


def _width(markup: str) -> int:
    return cell_len(Text.from_markup(markup).plain)


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
