"""Where an error came up in our own code, and the fingerprint under which its like is gathered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple

from studio.text import clip
from studio.tracing.classification import chain

OURS = frozenset({"studio", "web", "jobs", "sensors", "schedules", "resources", "greenlight_dagster"})
# Through these everything passes; where an error of theirs comes from is whoever called them.
_PLUMBING = "studio.database."
# A recursion that has no end leaves a thousand frames.
FRAMES = 24
NORMALISED_CHARS = 300
# What is read of a message; the rest decides nothing.
_READ_CHARS = 4_000

# What differs between two errors of the same kind. The order counts: an address holds paths, a moment numbers.
_VARIABLE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), f"<{name}>")
    for pattern, name in (
        (r"\b[a-z][a-z0-9+.-]{0,20}://[^\s\"'<>]+", "url"),
        (r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+", "email"),
        (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "uuid"),
        (r"\b\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:z|[+-]\d\d:?\d\d)?)?", "time"),
        (r"\b\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?\b", "time"),
        (r"\"[^\"\n]*\"|`[^`\n]*`|“[^”\n]*”|«[^»\n]*»|(?<!\w)['‘][^'’\n]*['’](?!\w)", "text"),
        (r"(?<![\w<>])(?:~|\.{1,2})?/(?:[\w.@+-]+/)*[\w.@+-]*[\w]", "path"),
        (r"\b0x[0-9a-f]+\b|\b(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}\b", "hex"),
        (r"[+-]?\d+(?:[.,_]\d+)*", "n"),
    )
)


class Frame(NamedTuple):
    """A place in code."""

    module: str
    function: str
    line: int

    @property
    def ours(self) -> bool:
        """Whether it is in the studio's own code, but not in what merely traces it."""
        return self.module.partition(".")[0] in OURS and not self.module.startswith("studio.tracing")

    @property
    def place(self) -> str:
        """Return module and function: what an edit elsewhere in the file does not change."""
        return f"{self.module}.{self.function}"


def normalised(message: str) -> str:
    """Return a message with placeholders for what varies: numbers, ids, moments, quoted text, paths, addresses."""
    text = message[:_READ_CHARS]
    for pattern, placeholder in _VARIABLE:
        text = pattern.sub(placeholder, text)
    return clip(" ".join(text.split()), NORMALISED_CHARS)


def fingerprint(kind: str, message: str, places: Iterable[str]) -> str:
    """Return 16 hexadecimal digits that errors of the same kind have in common, in every process and version."""
    parts = (kind, normalised(message), *places)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def frames(trace: TracebackType | None) -> list[Frame]:
    """Return the frames of a traceback, the innermost last."""
    found: list[Frame] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        module = trace.tb_frame.f_globals.get("__name__")
        found.append(Frame(str(module or "?"), _function(code.co_qualname), trace.tb_lineno))
        trace = trace.tb_next
    return found


def places(exc: BaseException) -> list[str]:
    """Return where an error came up: the kinds of its causes, and the innermost function of ours that it passed.

    Where it has passed none, the innermost of all. Of errors that came up side by side, whose order is chance, all.
    """
    errors = chain(exc)
    kinds = [type_name(type(error)) for error in errors[1:]]
    stacks = [frames(error.__traceback__) for error in errors]
    passed = [place for stack in stacks if (place := _innermost(stack))]
    if any(isinstance(error, BaseExceptionGroup) for error in errors):
        return sorted({*kinds, *passed})
    return [*kinds, *(passed[-1:] or [frame.place for frame in stacks[0][-1:]])]


def _innermost(stack: list[Frame]) -> str:
    ours = [frame.place for frame in stack if frame.ours]
    return next((place for place in reversed(ours) if not place.startswith(_PLUMBING)), ours[-1] if ours else "")


def type_name(kind: type[BaseException]) -> str:
    """Return the name of an error's type: with its module, unless it is Python's or ours."""
    module = str(kind.__module__)
    name = kind.__qualname__.rpartition("<locals>.")[2]
    return name if module == "builtins" or module.partition(".")[0] in OURS else f"{module}.{name}"


def shown(found: list[Frame]) -> list[str]:
    """Return frames as lines: ours, and between them the innermost of each stretch through libraries."""
    if not found:
        return []  # an error that was never raised
    begins = next((at for at, frame in enumerate(found) if frame.ours), 0)
    kept = [
        frame
        for frame, inner in zip(found[begins:], [*found[begins + 1 :], None], strict=True)
        if frame.ours or inner is None or inner.ours
    ]
    lines = [f"{frame.place}:{frame.line}" for frame in kept]
    if len(lines) > FRAMES:
        half = FRAMES // 2
        lines[half:-half] = [f"… {len(lines) - FRAMES} more"]
    return lines


def _function(qualified: str) -> str:
    # Since 3.12 a comprehension has no frame of its own.
    return re.sub(r"\.<locals>\.<(?:list|set|dict)comp>", "", qualified).replace(".<locals>", "")
