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
HIDDEN = "[hidden]"
OF_THE_STUDIO = "A secret of this studio"


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
    """Return what is found in `files` and in their names, in their order, what blocks first.

    What stood in the same file of `base` already is not new, and no finding. `known` are secrets of this installation:
    wherever one stands, it blocks. A name that holds a secret is shown without it. Raises `UnsafeOutput` where the
    files cannot be looked through in time.
    """
    before = {file.path: file for file in base}
    deadline = time.monotonic() + SECONDS
    guessing = _Guessing()
    findings: set[Finding] = set()
    for file in files:
        label, in_name = _name(file.path, known, deadline)
        if file.path not in before:
            findings |= in_name
        text = _text(file.link.encode() if file.link is not None else file.content)
        old = before.get(file.path)
        known_values = set() if old is None or old.link is not None else _values(_text(old.content), deadline, guessing)
        for line, kind, value, blocks in _all(text, known, deadline, guessing.until(file)):
            new = kind == OF_THE_STUDIO or value not in known_values
            if new and (blocks or guessing.one_more()):
                findings.add(Finding(label, line, kind, blocks))
    return _sorted(findings)


def scan_text(label: str, text: str, known: Sequence[str] = ()) -> list[Finding]:
    """Return what is found in a text that is no file but leaves all the same, such as a commit's message.

    `label` says what it is, and stands where a file's path would. Raises `UnsafeOutput` as `scan` does.
    """
    now = time.monotonic()
    guessing = _Guessing()
    found = _all(text, known, now + SECONDS, now + GUESS_SECONDS)
    return _sorted(
        {Finding(shown(label), line, kind, blocks) for line, kind, _, blocks in found if blocks or guessing.one_more()}
    )


def require_none(findings: Iterable[Finding], what: str = "The code") -> None:
    """Raise `UnsafeOutput` that says where, if one of the findings blocks; `what` is what was looked through."""
    blocking = [finding for finding in findings if finding.blocks]
    if not blocking:
        return
    places = [f"{finding.path}:{finding.line} ({finding.kind})" for finding in blocking[:_NAMED]]
    more = f" and {len(blocking) - _NAMED} more" if len(blocking) > _NAMED else ""
    raise UnsafeOutput(
        f"{what} holds secrets: {', '.join(places)}{more}.", "Have them read from the environment instead."
    )


class _Guessing:
    """How long, and how often, something is noted that only a person can judge."""

    def __init__(self) -> None:
        self.deadline = time.monotonic() + GUESS_SECONDS
        self._left = MAX_GUESSES

    def until(self, file: WorkspaceFile) -> float:
        """Return until when to guess in this file; it is over already where that is of no use."""
        binary = b"\0" in file.content[:8192]
        return 0.0 if binary or file.path.rpartition("/")[2] in _LOCKS or self._left <= 0 else self.deadline

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


def _values(text: str, deadline: float, guessing: _Guessing) -> set[str]:
    return {value for _, _, value in _found(text, deadline, guessing.deadline)}


def _all(text: str, known: Sequence[str], deadline: float, guess_until: float) -> Iterator[tuple[int, str, str, bool]]:
    """Yield line, kind and value of all that is or looks like a secret, and whether it blocks."""
    for secret in known:
        if len(secret) >= SHORTEST_SECRET and (at := text.find(secret)) >= 0:
            yield text.count("\n", 0, at) + 1, OF_THE_STUDIO, secret, True
    for line, detector, value in _found(text, deadline, guess_until):
        yield line, detector.kind, value, detector.blocks and not is_placeholder(value)


def _name(path: str, known: Sequence[str], deadline: float) -> tuple[str, set[Finding]]:
    """Return a path as it may be shown, without the secrets in it, and what blocks in it."""
    found = [(kind, value) for _, kind, value, blocks in _all(path, known, deadline, 0.0) if blocks]
    label = path
    # The longest first: one may hold another.
    for _, value in sorted(found, key=lambda each: -len(each[1])):
        label = label.replace(value, HIDDEN)
    label = shown(label)
    return label, {Finding(label, 1, f"{kind}, in its name", True) for kind, _ in found}


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (not finding.blocks, finding))


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8", errors="replace")
