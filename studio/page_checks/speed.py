"""`web_vitals`: how soon the page is there, how still it stands, and how long it keeps a visitor waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.job_types import CheckName
from studio.page_checks.results import CheckResult, judged, unseen
from studio.page_checks.seen import Seen

# What Google calls good (web.dev/articles/vitals). Total blocking time stands in for the delay of real visitors'
# input, which a laboratory has none of.
LARGEST_PAINT_MS = 2500
LAYOUT_SHIFT = 0.1
BLOCKING_MS = 200
# What a task may take before it counts as blocking (the Long Tasks specification).
_TASK_MS = 50
_LAB = "on the studio's own machine"
CAVEAT = f"measured {_LAB} and connection, not with real visitors"


def web_vitals(seen: Seen) -> CheckResult:
    """Pass where all three lie within what is called good."""
    check: CheckName = "web_vitals"
    if silence := seen.silence("desktop", "vitals"):
        return unseen(check, silence)
    # A machine that had other things to do makes a page slow, and none makes it faster than it is.
    vitals, again = seen.desktop["vitals"], seen.desktop.get("vitals_again") or seen.desktop["vitals"]
    blocking = min(blocked_ms(vitals), blocked_ms(again))
    paints = [run["largest_paint_ms"] for run in (vitals, again) if run["largest_paint_ms"] is not None]
    paint, shift = min(paints, default=None), vitals["layout_shift"]
    problems: list[str] = []
    if paint is None:
        problems.append("Nothing that counts as content was ever painted")
    elif paint > LARGEST_PAINT_MS:
        problems.append(
            f"The largest part is painted after {_seconds(paint)} {_LAB}, more than {_seconds(LARGEST_PAINT_MS)}"
        )
    if shift > LAYOUT_SHIFT:
        moved = f": {vitals['moved'][0]} moves" if vitals["moved"] else ""
        problems.append(f"The layout shifts by {shift:.2f}, more than {LAYOUT_SHIFT}{moved}")
    if blocking > BLOCKING_MS:
        problems.append(f"Scripts block the page for {blocking:.0f} ms {_LAB}, more than {BLOCKING_MS} ms")
    well = f"Largest paint {_seconds(paint or 0)}, layout shift {shift:.2f}, blocked {blocking:.0f} ms; {CAVEAT}."
    return judged(
        check,
        problems,
        well,
        largest_paint_ms=paint,
        largest_element=vitals["largest_element"],
        first_paint_ms=vitals["first_paint_ms"],
        response_ms=vitals["response_ms"],
        layout_shift=shift,
        moved=vitals["moved"],
        blocking_ms=blocking,
        long_tasks=len(vitals["long_tasks"]),
        visits=2 if "vitals_again" in seen.desktop else 1,
        limits={"largest_paint_ms": LARGEST_PAINT_MS, "layout_shift": LAYOUT_SHIFT, "blocking_ms": BLOCKING_MS},
        caveat=CAVEAT,
    )


def blocked_ms(vitals: Mapping[str, Any]) -> float:
    """Return for how long the page kept its thread after its first paint, beyond what a visitor does not notice.

    Until the first words are there, nobody tries to use the page; that time is in the largest paint.
    """
    since: float = vitals["first_paint_ms"] or 0
    blocked = 0.0
    for task in vitals["long_tasks"]:
        felt = task["start"] + task["duration"] - max(since, task["start"])
        blocked += max(0.0, felt - _TASK_MS)
    return blocked


def is_slow(vitals: Mapping[str, Any]) -> bool:
    """Say whether a page is slower than good."""
    return (vitals["largest_paint_ms"] or 0) > LARGEST_PAINT_MS or blocked_ms(vitals) > BLOCKING_MS


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s"
