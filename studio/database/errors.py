"""From PostgreSQL's error codes to the studio's errors. The codes are defined at the top of the migrations."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import psycopg

from studio.errors import (
    BudgetExhausted,
    Conflict,
    DatabaseError,
    DatabaseRestored,
    DecisionConflict,
    InvalidInput,
    JobBusy,
    LeaseLost,
    LimitReached,
    NotFound,
    PermissionRefused,
    StudioError,
)

_BY_SQLSTATE: dict[str, tuple[type[StudioError], str]] = {
    "GL001": (LeaseLost, "Another attempt has taken the job over; this one stops."),
    "GL002": (JobBusy, "Wait until it ends, or cancel it first."),
    "GL003": (NotFound, "Check the id (`greenlight jobs list`)."),
    "GL004": (Conflict, "Use another key."),
    "GL010": (BudgetExhausted, "Raise the budget (`greenlight projects budget`)."),
    "GL011": (BudgetExhausted, "Set one (`greenlight projects budget`)."),
    "GL030": (NotFound, "Check the id (`greenlight approvals list`)."),
    "GL032": (PermissionRefused, "See `greenlight projects show`."),
    "GL033": (InvalidInput, "Correct it."),
    "GL034": (Conflict, "Look at it again (`greenlight approvals show`)."),
    "GL040": (NotFound, "Check the id (`greenlight approvals list`, `greenlight outbox list`)."),
    "GL041": (InvalidInput, "Only an approved action can be carried out (`greenlight approvals list`)."),
    "GL042": (JobBusy, "Wait until it ends, or cancel it first."),
    "GL043": (Conflict, "See what became of it: `greenlight outbox show`."),
    "GL050": (InvalidInput, "Use a name like Europe/Berlin."),
    "GL051": (NotFound, "Check the id (`greenlight outbox list`)."),
    "GL052": (Conflict, "See what became of it: `greenlight outbox show`."),
    "GL060": (InvalidInput, "Approve the page again; only what was approved is published."),
    "GL061": (Conflict, "See what there is: `greenlight pages list`."),
    "GL062": (Conflict, "Come back later."),
    "GL063": (NotFound, "Check the id (`greenlight projects list`)."),
    "GL070": (DatabaseRestored, "Stop everything, and run `greenlight db after-restore`."),
    "GL071": (InvalidInput, "Give the moment it was restored to, with its time zone, or leave --to out."),
    "GL080": (LimitReached, "Wait until some have run, or cancel some (`greenlight jobs list`, `greenlight limits`)."),
    "GL081": (LimitReached, "Delete files that are not needed (`greenlight limits` says what there is)."),
}

# Their functions know better than a table what is to be done, and say so in the hint.
_HINTED = frozenset({"GL030", "GL032", "GL033", "GL034", "GL041"})
# Its detail says which version a decision should have named.
DECISION_CONFLICT = "GL031"

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
    if exc.sqlstate == DECISION_CONFLICT:
        detail = json.loads(exc.diag.message_detail or "{}")
        return DecisionConflict(
            message,
            exc.diag.message_hint or "",
            expected_version=int(detail["expectedVersion"]),
            status=str(detail["status"]),
        )
    if exc.sqlstate in _BY_SQLSTATE:
        kind, remedy = _BY_SQLSTATE[exc.sqlstate]
        if exc.sqlstate in _HINTED:
            remedy = exc.diag.message_hint or remedy
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
