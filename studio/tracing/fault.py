"""What went wrong, as it is stored with a span: its type, its class, its place, and a fingerprint.

Nothing here raises: an error that cannot be described is described as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from studio.text import clip, printable
from studio.tracing import fingerprint as fingerprints
from studio.tracing.classification import chain, classified
from studio.tracing.fingerprint import normalised as normalised
from studio.tracing.fingerprint import type_name
from studio.tracing.payload import serialised
from studio.tracing.redaction import Redactor
from studio.tracing.rows import ErrorClass

MESSAGE_CHARS = 2_000
MESSAGE_LINES = 12
STACK_BYTES = 4_096
CAUSE_CHARS = 200
# What is kept of a result's message until secrets are cut out of it: more than is looked at for them.
_HELD_CHARS = 50_000

RETURNED = "ReturnedFailure"
LOST = "LostWorker"
SILENT = "It returned a failure and did not say why."
# What an error says that has only broken the work off, and says nothing itself.
INTERRUPTED = "interrupted"
# An error in the middle of an answer carries the status of its beginning, and only its dictionary says what it is.
_FAILURE_STATUS = 400

# The usual results, of which there is nothing to be asked.
_NO_VERDICT = frozenset({str, bytes, bool, int, float, list, tuple, set, frozenset})
_NOTHING = frozenset({"[]", "{}", '""', "null", "false", "0"})
_FAILED = frozenset({"failed", "error"})


@dataclass(frozen=True)
class Fault:
    """An error as it is stored. `stack` is shortened, innermost frame last; `message` holds no secret."""

    type: str
    message: str
    error_class: ErrorClass
    fingerprint: str
    stack: str


def fault_of(exc: BaseException, redactor: Redactor) -> Fault:
    """Return the fault that an error is."""
    kind: str = printable(type_name(type(exc)))
    try:
        error_class, places, stack = classified(exc), fingerprints.places(exc), _stack(exc, redactor)
    except Exception:  # noqa: BLE001 - an error may be broken itself, and still has a name
        error_class, places, stack = "unknown", [], ""
    message = _message(exc, redactor) or (INTERRUPTED if error_class == "cancelled" else kind)
    return Fault(kind, message, error_class, fingerprints.fingerprint(kind, message, places), stack)


def fault_of_return(message: str, where: str, redactor: Redactor) -> Fault:
    """Return the fault of something that has returned a failure, and said `message`, instead of raising an error.

    `where` is the name of its span. What such a message means nobody knows: its class is unknown.
    """
    said = _readable(message, redactor) or SILENT
    place = _readable(where, redactor)
    return Fault(RETURNED, said, "unknown", fingerprints.fingerprint(RETURNED, said, [place]), place)


def lost_worker(job_type: str, in_flight: Sequence[str], why: str, redactor: Redactor) -> Fault:
    """Return the fault of an attempt whose process is gone; `in_flight` are the open spans' names, innermost last.

    What was in flight is chance, and not part of the fingerprint.
    """
    reason = _readable(why, redactor)
    names = [_readable(name, redactor) for name in in_flight]
    message = " ".join(
        part
        for part in (
            f"The process that worked on {_readable(job_type, redactor)} is gone.",
            reason,
            f"In flight: {', '.join(names)}." if names else "",
        )
        if part
    )
    return Fault(
        LOST,
        clip(message, MESSAGE_CHARS),
        "lost worker",
        fingerprints.fingerprint(LOST, reason, [job_type]),
        _within("\n".join(names), STACK_BYTES),
    )


def returned_failure(result: object) -> str | None:
    """Return what a result says that is a failure, None for any other.

    A failure has `success` or `ok` that is False itself, or neither of them and a `status` of failed or error.
    """
    if result is None or type(result) in _NO_VERDICT:
        return None
    verdicts = [verdict for name in ("success", "ok") if isinstance(verdict := _read(result, name), bool)]
    if all(verdicts) and (verdicts or _status(result) not in _FAILED):
        return None
    said = (_text_of(_read(result, name)) for name in ("error", "message", "reason"))
    return next(filter(None, said), SILENT)


# --- what an error says


def _message(exc: BaseException, redactor: Redactor) -> str:
    try:
        said = _of_service(exc) or str(exc)
    except Exception:  # noqa: BLE001 - what cannot say what it is has at least a type
        return "<unreadable>"
    return _readable(said, redactor)


def _of_service(exc: BaseException) -> str | None:
    """Return the sentence of the service whose answer an SDK's error is, which prints all of it as a dictionary."""
    status, body = getattr(exc, "status_code", None), getattr(exc, "body", None)
    error = body.get("error") if isinstance(body, Mapping) else None
    message = error.get("message") if isinstance(error, Mapping) else None
    if not isinstance(status, int) or status < _FAILURE_STATUS or not isinstance(message, str) or not message.strip():
        return None
    return f"{message.strip().rstrip('.')} (HTTP {status})"


def _readable(text: str, redactor: Redactor) -> str:
    """Return text of few lines and bounded length, without secrets and without what steers a terminal."""
    lines = (line.rstrip() for line in redactor.beginning(text, MESSAGE_CHARS).strip().splitlines())
    kept = [line for line in lines if line]
    if len(kept) > MESSAGE_LINES:
        kept[MESSAGE_LINES:] = ["…"]
    found: str = printable("\n".join(kept))
    return clip(found, MESSAGE_CHARS)


def _stack(exc: BaseException, redactor: Redactor) -> str:
    lines: list[str] = []
    for error in chain(exc):
        if error is not exc:
            said = _message(error, redactor).partition("\n")[0]
            lines.append(clip(f"caused by {type_name(type(error))}: {said}", CAUSE_CHARS))
        lines += fingerprints.shown(fingerprints.frames(error.__traceback__))
    found: str = printable("\n".join(lines))
    return _within(found, STACK_BYTES)


def _within(text: str, limit: int) -> str:
    """Return whole lines of `text` of at most `limit` bytes: the last ones, for there it came up."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return text
    tail = encoded[-(limit - len("…\n".encode())) :].decode("utf-8", "ignore")
    return f"…\n{tail.partition(chr(10))[2] or tail}"


# --- what a result says


def _read(result: object, name: str) -> Any:
    """Return an item of a mapping or an attribute of an object, None where there is none or it cannot be had."""
    try:
        return result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
    except Exception:  # noqa: BLE001 - a result may compute what it is asked for, and fail at it
        return None


def _status(result: object) -> str:
    status = _read(result, "status")
    status = status.value if isinstance(status, Enum) else status
    return status.lower() if isinstance(status, str) else ""


def _text_of(value: Any) -> str:
    if value is None or callable(value):
        return ""
    try:
        if isinstance(value, Mapping) and isinstance(value.get("message"), str):
            value = value["message"]
        said = str(value).strip() if isinstance(value, str | BaseException) else serialised(value)
    except Exception:  # noqa: BLE001 - as above
        return ""
    return "" if said in _NOTHING else clip(said, _HELD_CHARS)
