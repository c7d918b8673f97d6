"""What runs print, kept in the database so that every machine can show it.

A key is Dagster's log key: the run's id, then names. Output is for people who look into a run, so of what is very
long the beginning and the end are kept.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.database.connection import Database

# A run that prints more than this has said it before.
HEAD_BYTES = 256 * 1024
TAIL_BYTES = 768 * 1024


@dataclass(frozen=True)
class RunOutput:
    """Captured output, as `read` gives it. It is `complete` when the run has ended."""

    stdout: bytes
    stderr: bytes
    complete: bool


def read(path: Path) -> bytes:
    """Return what is in a file, or its beginning and its end with a line between them that says how much is left out.

    Of what is very long no more is read. Nothing where there is no such file.
    """
    try:
        with path.open("rb") as file:
            left_out = os.fstat(file.fileno()).st_size - HEAD_BYTES - TAIL_BYTES
            if left_out <= 0:
                return file.read(HEAD_BYTES + TAIL_BYTES)
            head = file.read(HEAD_BYTES)
            file.seek(HEAD_BYTES + left_out)
            return head + f"\n… {left_out:,} bytes are left out …\n".encode() + file.read(TAIL_BYTES)
    except FileNotFoundError:
        return b""


def save(db: Database, key: Sequence[str], output: RunOutput) -> None:
    """Keep the output under `key`; what was kept before gives way, unless it was complete and this is not."""
    db.execute(
        "insert into public.run_outputs as o (log_key, stdout, stderr, complete) values (%s, %s, %s, %s)"
        " on conflict (log_key) do update set stdout = excluded.stdout, stderr = excluded.stderr,"
        " complete = excluded.complete, stored_at = now() where excluded.complete or not o.complete",
        [_text(key), output.stdout, output.stderr, output.complete],
    )


def load(db: Database, key: Sequence[str]) -> RunOutput | None:
    """Return what is kept under `key`; None where nothing is."""
    row = db.fetch_one("select stdout, stderr, complete from public.run_outputs where log_key = %s", [_text(key)])
    return RunOutput(bytes(row["stdout"]), bytes(row["stderr"]), row["complete"]) if row else None


def is_complete(db: Database, key: Sequence[str]) -> bool:
    """Return whether the whole output is kept under `key`."""
    row = db.fetch_one("select complete from public.run_outputs where log_key = %s", [_text(key)])
    return bool(row and row["complete"])


def delete(db: Database, prefix: Sequence[str]) -> int:
    """Delete what is kept under `prefix` and below, such as a run's id; return how many."""
    whole = _text(prefix)
    # Compared byte by byte, as the column is: "0" follows "/".
    return db.execute(
        "delete from public.run_outputs where log_key = %(key)s"
        " or (log_key > %(key)s || '/' and log_key < %(key)s || '0')",
        {"key": whole},
    )


def _text(key: Sequence[str]) -> str:
    return "/".join(part.replace("/", "_") for part in key)
