"""Secrets in generated code: what may not leave the studio, and what a person should look at.

Certain kinds block: keys that are told by their form. What only looks random or is called a password does not, for
every second example would. The scan believes no comment that tells it to look away, and what it cannot look through in
time does not leave.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from studio.code.safe_paths import shown
from studio.code.secret_detectors import Detector, detectors, is_placeholder
from studio.code.workspace import WorkspaceFile
from studio.errors import UnsafeOutput
from studio.secrets import SHORTEST_SECRET

# A hundred megabytes of ordinary code take a few seconds.
SECONDS = 60.0
# What does not block is given up much sooner, and beyond this length, where nobody has written a password by hand.
GUESS_SECONDS = 5.0
GUESS_LINE_CHARS = 500
MAX_GUESSES = 100
# Patterns may take time with the square of a line's length. No key is longer than the overlap, but for tokens.
PIECE_CHARS = 4096
OVERLAP_CHARS = 512
# Made by programs, and full of checksums.
_LOCKS = frozenset(
    {
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "Cargo.lock",
        "go.sum",
        "Gemfile.lock",
    }
)
_NAMED = 5


@dataclass(frozen=True, order=True)
class Finding:
    """Something like a secret; what it is stands nowhere. `line` counts from one."""

    path: str
    line: int
    kind: str
    blocks: bool

    def as_json(self) -> dict[str, str | int | bool]:
        """Return it as it is stored and shown."""
        return {"path": self.path, "line": self.line, "kind": self.kind, "blocks": self.blocks}


def scan(
    files: Iterable[WorkspaceFile], *, base: Iterable[WorkspaceFile] = (), known: Sequence[str] = ()
) -> list[Finding]:
    """Return what is found in `files`, in their order, what blocks first.

    What stood in the same file of `base` already is not new, and no finding. `known` are secrets of this installation:
    wherever one stands, it blocks. Raises `UnsafeOutput` where the files cannot be looked through in time.
    """
    before = {file.path: file for file in base}
    deadline = time.monotonic() + SECONDS
    guessing = _Guessing()
    findings: set[Finding] = set()
    for file in files:
        text = _text(file.link.encode() if file.link is not None else file.content)
        old = before.get(file.path)
        known_values = set() if old is None or old.link is not None else _values(_text(old.content), deadline)
        for secret in known:
            if len(secret) >= SHORTEST_SECRET and (at := text.find(secret)) >= 0:
                findings.add(Finding(shown(file.path), text.count("\n", 0, at) + 1, "A secret of this studio", True))
        for line, detector, value in _found(text, deadline, guessing.until(file)):
            if value in known_values:
                continue
            blocks = detector.blocks and not is_placeholder(value)
            if blocks or guessing.one_more():
                findings.add(Finding(shown(file.path), line, detector.kind, blocks))
    return sorted(findings, key=lambda finding: (not finding.blocks, finding))


def require_none(findings: Iterable[Finding]) -> None:
    """Raise `UnsafeOutput` that says where, if one of the findings blocks."""
    blocking = [finding for finding in findings if finding.blocks]
    if not blocking:
        return
    places = [f"{finding.path}:{finding.line} ({finding.kind})" for finding in blocking[:_NAMED]]
    more = f" and {len(blocking) - _NAMED} more" if len(blocking) > _NAMED else ""
    raise UnsafeOutput(
        f"The code holds secrets: {', '.join(places)}{more}.", "Have them read from the environment instead."
    )


class _Guessing:
    """How long, and how often, something is noted that only a person can judge."""

    def __init__(self) -> None:
        self._until = time.monotonic() + GUESS_SECONDS
        self._left = MAX_GUESSES

    def until(self, file: WorkspaceFile) -> float:
        """Return until when to guess in this file; it is over already where that is of no use."""
        binary = b"\0" in file.content[:8192]
        return 0.0 if binary or file.path.rpartition("/")[2] in _LOCKS or self._left <= 0 else self._until

    def one_more(self) -> bool:
        """Whether there is room for another."""
        self._left -= 1
        return self._left >= 0


def _found(text: str, deadline: float, guess_until: float) -> Iterator[tuple[int, Detector, str]]:
    """Yield line, detector and value of all that looks like a secret."""
    lowered = text.lower()
    concerned = [found for found in detectors() if found.concerns(lowered)]
    for number, piece in _pieces(text) if concerned else ():
        now = time.monotonic()
        if now > deadline:
            raise UnsafeOutput(
                f"The code could not be looked through for secrets within {SECONDS:g} seconds.",
                "Leave out large files.",
            )
        small = piece.lower()
        for detector in concerned:
            asked = detector.blocks or (now < guess_until and len(piece) <= GUESS_LINE_CHARS)
            if asked and detector.concerns(small):
                for value in detector.find(piece):
                    yield number, detector, value


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; long ones in pieces that overlap, and each with a part of what follows it."""
    number, at = 1, 0
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if end - at > PIECE_CHARS:
            yield number, text[at : at + PIECE_CHARS]
            at += PIECE_CHARS - OVERLAP_CHARS
            continue
        # A private key's first line means nothing without its second.
        further = 100 if "PRIVATE KEY" in text[at:end] else 0
        yield number, text[at : end + further]
        number, at = number + 1, end + 1


def _values(text: str, deadline: float) -> set[str]:
    return {value for _, _, value in _found(text, deadline, deadline)}


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8", errors="replace")
