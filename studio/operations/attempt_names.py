"""What the attempts at a job are called: an interruption burns no attempt, so several of them may have one number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from studio.operations.trace import Trace

# After these the job had ended, and who took it up again began to count anew.
_ENDS = ("completed", "failed", "canceled")


def attempt_names(traces: Sequence[Trace]) -> list[str]:
    """Return what to call each of a job's traces, the first one first: `attempt 1, interrupted`. No two are alike."""
    found = [_name(traces, place) for place in range(len(traces))]
    many = Counter(found)
    return [
        f"{name} (claim {trace.claim_no or place})" if many[name] > 1 else name
        for place, (name, trace) in enumerate(zip(found, traces, strict=True), start=1)
    ]


def _name(traces: Sequence[Trace], place: int) -> str:
    name = f"attempt {traces[place].attempt or place + 1}"
    before = 0
    while before < place and _interrupted(traces, place - before - 1):
        before += 1
    if place + 1 < len(traces) and _interrupted(traces, place):
        again = "" if not before else " again" if before == 1 else f" {before + 1} times"
        return f"{name}, interrupted{again}"
    return f"{name}, taken up again" if before else name


def _interrupted(traces: Sequence[Trace], place: int) -> bool:
    """Say whether the attempt after this one is the same one."""
    trace, after = traces[place], traces[place + 1]
    return trace.attempt is not None and trace.attempt == after.attempt and trace.outcome not in _ENDS
