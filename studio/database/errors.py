"""From PostgreSQL's error codes to the studio's errors. The codes are defined at the top of the migrations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from studio.errors import (
    BudgetExhausted,
    Conflict,
    DatabaseError,
    InvalidInput,
    JobBusy,
    LeaseLost,
    NotFound,
    StudioError,
)

_BY_SQLSTATE: dict[str, tuple[type[StudioError], str]] = {
    "GL001": (LeaseLost, "Another attempt has taken the job over; this one stops."),
    "GL002": (JobBusy, "Wait until it ends, or cancel it first."),
    "GL003": (NotFound, "Check the id (`greenlight jobs list`)."),
    "GL004": (Conflict, "Use another key."),
    "GL010": (BudgetExhausted, "Raise the budget (`greenlight projects budget`)."),
    "GL011": (BudgetExhausted, "Set one (`greenlight projects budget`)."),
}

_PROJECT_OF_A_JOB = "agent_jobs_project_id_fkey"
# Class 08: connection exceptions, which is also what libpq's own without a code are; 57P01 to 57P05: the
# server ends, starts, or has ended the session.
CONNECTION_BROKE = ("08", "57P")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise the studio's error for a database error that is known by its SQLSTATE."""
    try:
        yield
    except psycopg.Error as exc:
        known = translate(exc)
        if known is exc:
            raise
        raise known from exc


def translate(exc: psycopg.Error) -> Exception:
    """Return the studio's error for `exc`, or `exc` itself where it is none of ours."""
    message = (exc.diag.message_primary or str(exc)).strip()
    if exc.sqlstate in _BY_SQLSTATE:
        kind, remedy = _BY_SQLSTATE[exc.sqlstate]
        return kind(message, remedy)
    if isinstance(exc, psycopg.errors.ForeignKeyViolation) and exc.diag.constraint_name == _PROJECT_OF_A_JOB:
        return NotFound("There is no such project.", "Check the id (`greenlight projects list`).")
    if isinstance(exc, psycopg.errors.UntranslatableCharacter | psycopg.errors.CharacterNotInRepertoire):
        return InvalidInput(f"The database cannot store this text: {message}.", "Remove the character it names.")
    if isinstance(exc, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedFunction):
        return DatabaseError(f"The database lacks a part of its schema: {message}.", "Run `greenlight db migrate`.")
    if isinstance(exc, psycopg.OperationalError) and (exc.sqlstate or "08").startswith(CONNECTION_BROKE):
        return DatabaseError(f"The connection to the database broke: {message}.", "It is retried; check the server.")
    return exc
