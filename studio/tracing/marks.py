"""The mark that an error bears from the span it came up in: further out it is the same error, and no second one."""

from __future__ import annotations

from uuid import UUID

from studio.tracing.classification import led_to
from studio.tracing.fault import Fault

_MARK = "__greenlight_fault__"


def mark(exc: BaseException, trace_id: UUID, fault: Fault) -> None:
    """Note that an error has come up in a trace, and as what."""
    # Past what its class makes of setting attributes: every error has a dictionary.
    object.__setattr__(exc, _MARK, (trace_id, fault))


def marked(exc: BaseException, trace_id: UUID) -> Fault | None:
    """Return as what an error has come up in the trace before, None where it is new there.

    What is raised from a marked error, also where `from None` hides it, and a group it is in, is the same failure, for
    it has the same root; it is marked as well. What merely fails after it, as a second way does, is another one.
    """
    for error in led_to(exc):
        found = _mark_of(error)
        if found is not None and found[0] == trace_id:
            mark(exc, *found)
            return found[1]
    return None


def _mark_of(exc: BaseException) -> tuple[UUID, Fault] | None:
    try:
        found: tuple[UUID, Fault] = object.__getattribute__(exc, _MARK)
    except AttributeError:
        return None
    return found
