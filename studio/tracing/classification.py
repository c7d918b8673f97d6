"""Which class an error belongs to: by the studio's own tree of errors, and by name for those of libraries.

Nothing is imported to tell: a class that is not loaded has no errors.

Where it is the studio itself that says no, it is `validation`: input that cannot be used, a permission or a budget that
does not cover it, settings that are missing, a thing that is not there or has changed. Doing the same again does not
help there, correcting does.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from studio.errors import (
    BrowserUnavailable,
    BudgetExhausted,
    Conflict,
    DatabaseError,
    InvalidInput,
    LeaseLost,
    ModelError,
    NoHandler,
    NoSandbox,
    NotFound,
    OutboundFailed,
    OutboundRefused,
    PayloadTooNew,
    PermissionRefused,
    ProviderError,
    RateLimited,
    RepositoryError,
    SandboxBroken,
    SettingsError,
    StorageError,
    UnknownJobType,
    UnsafeOutput,
)
from studio.tracing.rows import ErrorClass

# An error that leads to more errors than this says enough without the rest.
CHAIN = 32

_TREE: tuple[tuple[type[BaseException], ErrorClass], ...] = (
    (LeaseLost, "lost worker"),
    (DatabaseError, "database"),
    # An answer that does not fit its schema is the model's failure, not that of anybody's input.
    (ModelError, "model"),
    (ProviderError, "provider"),
    (StorageError, "provider"),
    (RepositoryError, "provider"),
    # Programs that the studio works through, as it does through services.
    (SandboxBroken, "provider"),
    (BrowserUnavailable, "provider"),
    (OutboundFailed, "provider"),
    (InvalidInput, "validation"),
    (PermissionRefused, "validation"),
    (BudgetExhausted, "validation"),
    (SettingsError, "validation"),
    (NotFound, "validation"),
    (Conflict, "validation"),
    (RateLimited, "validation"),
    (OutboundRefused, "validation"),
    (UnknownJobType, "validation"),
    (PayloadTooNew, "validation"),
    (NoHandler, "validation"),
    (NoSandbox, "validation"),
    (UnsafeOutput, "validation"),
    (KeyboardInterrupt, "cancelled"),
    (SystemExit, "cancelled"),
    (GeneratorExit, "cancelled"),
)
_CANCELLED = frozenset({"CancelledError", "Cancelled", "DagsterExecutionInterruptedError"})
_TIMEOUT = frozenset({"TimeoutError", "TimeoutException", "Timeout", "TimeoutExpired"})
_TIMEOUT |= {"APITimeoutError", "RequestTimeoutError", "GatewayTimeoutError", "DeadlineExceeded"}
_VALIDATION = frozenset({"ValidationError", "DagsterInvalidConfigError"})
_MODULES: dict[str, ErrorClass] = {
    "psycopg": "database",
    "psycopg_pool": "database",
    "psycopg2": "database",
    "sqlalchemy": "database",
    "sqlite3": "database",
    # The SDK of the model, and what it speaks HTTP with; nothing else here does.
    "anthropic": "model",
    "httpx2": "model",
    "httpcore2": "model",
    "httpx": "provider",
    "httpcore": "provider",
    "storage3": "provider",
    "smtplib": "provider",
    "ssl": "provider",
    "socket": "provider",
}


def classified(exc: BaseException) -> ErrorClass:
    """Return the class of an error: that of the outermost one in its chain that has any.

    So a wrapper that means something decides, and one that means nothing does not. Where a model or a service failed
    because of a time limit it is `timeout`; a database that was too slow is `database`, for there the cause is.
    """
    found = [kind for error in chain(exc) if (kind := _own(error)) != "unknown"]
    if not found:
        return "unknown"
    # Of several that failed together, one may have been cancelled because another had failed.
    kind = found[0] if not isinstance(exc, BaseExceptionGroup) else min(found, key=lambda kind: kind == "cancelled")
    if kind in ("model", "provider") and any(_own(error) == "timeout" for error in _caused(exc)):
        return "timeout"
    return kind


def chain(exc: BaseException, *, hidden: bool = False) -> list[BaseException]:
    """Return an error and what led to it, outermost first; behind a group its members.

    `hidden` includes what `raise … from None` keeps out of sight.
    """
    found: list[BaseException] = []
    waiting = [exc]
    while waiting and len(found) < CHAIN:
        error = waiting.pop(0)
        if any(error is other for other in found):
            continue
        found.append(error)
        waiting[:0] = _led_to(error, hidden)
    return found


def _led_to(error: BaseException, hidden: bool) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        yield from error.exceptions
    if error.__cause__ is not None:
        yield error.__cause__
    elif error.__context__ is not None and (hidden or not error.__suppress_context__):
        yield error.__context__


def _caused(exc: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes: those that are named, and those that `from None` hides in a translation.

    What merely went wrong before, and is the context of a second attempt, is no cause.
    """
    error: BaseException | None = exc
    for _ in range(CHAIN):
        if error is None:
            return
        yield error
        if error.__cause__ is None and not error.__suppress_context__:
            return
        error = error.__context__ if error.__cause__ is None else error.__cause__


def led_to(exc: BaseException) -> list[BaseException]:
    """Return an error with what led to it: its causes, as `_caused` tells them, and groups' members with theirs."""
    found: list[BaseException] = []
    waiting = [exc]
    while waiting and len(found) < CHAIN:
        for error in _caused(waiting.pop(0)):
            if any(error is other for other in found):
                break
            found.append(error)
            if isinstance(error, BaseExceptionGroup):
                waiting += error.exceptions
    return found


def _own(error: BaseException) -> ErrorClass:
    if isinstance(error, OutboundFailed) and getattr(error, "reason", "") == "timeout":
        return "timeout"
    kind: Any = type(error)
    return _of_kind(kind)


@functools.lru_cache(maxsize=1024)
def _of_kind(kind: Any) -> ErrorClass:
    for known, error_class in _TREE:
        if issubclass(kind, known):
            return error_class
    names = {base.__name__ for base in kind.__mro__}
    libraries = [_MODULES.get(str(base.__module__).partition(".")[0]) for base in kind.__mro__]
    if "database" in libraries:
        return "database"
    if names & _CANCELLED:
        return "cancelled"
    if names & _TIMEOUT:
        return "timeout"
    if names & _VALIDATION:
        return "validation"
    fallback: ErrorClass = "provider" if issubclass(kind, ConnectionError) else "unknown"
    return next((found for found in libraries if found), fallback)
