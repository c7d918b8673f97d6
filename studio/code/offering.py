"""How generated code is offered: the words of its commit and its pull request, made from what was found.

What the agent says of its own work stands apart, as its words. What the checks said, what was left out, and that it is
unfinished, nobody has to look for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from studio.claims import Json
from studio.code.workspace import WorkspaceFile
from studio.projects import Project
from studio.text import clip, one_line

SKIP_CI = "[skip ci]"
SUBJECT_CHARS = 72
REQUEST_CHARS = 2_000
LEFT_OUT_SHOWN = 30
FINDINGS_SHOWN = 20

_LANGUAGES = {
    ".py": "Python",
    ".js": "JavaScript",
    ".mjs": "JavaScript",
    ".jsx": "JavaScript",
    ".ts": "TypeScript",
    ".tsx": "TypeScript",
    ".go": "Go",
    ".rs": "Rust",
    ".rb": "Ruby",
    ".php": "PHP",
    ".java": "Java",
    ".kt": "Kotlin",
    ".swift": "Swift",
    ".c": "C",
    ".cs": "C#",
    ".sql": "SQL",
    ".html": "HTML",
    ".css": "CSS",
    ".sh": "shell",
}
_MARKS = {"passed": "✅ passed", "failed": "❌ failed", "could not run": "⚪ could not run"}


def title(project: Project, request: str) -> str:
    """Return the title of the pull request."""
    return one_line(f"{project.name}: {request}", SUBJECT_CHARS)


def commit_message(project: Project, request: str, job_id: UUID) -> str:
    """Return the message of the commit; the same job always gets the same.

    GitHub and others start no workflow for a commit that says so: what an agent has written would run there with the
    repository's secrets before anybody has looked at it.
    """
    asked = clip(request.strip(), REQUEST_CHARS)
    return f"{title(project, request)}\n\n{asked}\n\n{SKIP_CI}\n\nGreenlight-Job: {job_id}\n"


def body(request: str, written: Json, inspected: Json, checks: Json, sandbox: str) -> str:
    """Return the text of the pull request, in Markdown in which foreign words can form nothing."""
    parts = ["An agent wrote this. Nothing is merged until a person has read it."]
    if written["reason"] is not None:
        parts.append(f"**It is unfinished.** {_plain(written['reason'])}")
    parts += ["## What was asked", _quoted(clip(request.strip(), REQUEST_CHARS))]
    parts += ["## What the agent says", _quoted(written["summary"] or "Nothing.")]
    parts += ["## What its own checks said", _checks(checks, sandbox)]
    if inspected["findings"]:
        lines = [
            f"- `{_code(f['path'])}`, line {f['line']}: {_plain(f['kind'])}"
            for f in inspected["findings"][:FINDINGS_SHOWN]
        ]
        parts += ["## What may be a secret, and should be looked at", "\n".join(lines)]
    if inspected["left_out"]:
        shown = inspected["left_out"][:LEFT_OUT_SHOWN]
        lines = [f"- `{_code(left['path'])}`: {_plain(left['reason'])}" for left in shown]
        more = len(inspected["left_out"]) - len(shown)
        parts += ["## What was left out", "\n".join([*lines, *([f"- and {more} more"] if more else [])])]
    return "\n\n".join(parts) + "\n"


def told(written: Json, inspected: Json, checks: Json, pushed: Json, pull_request: Json) -> str:
    """Return in a sentence or two what came of it."""
    outcomes = Counter(check["outcome"] for check in checks)
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "it declares none"
    state = "" if written["reason"] is None else f" Unfinished: {written['reason']}"
    where = pull_request["url"] if pull_request else f"branch {pushed['branch']}"
    return f"{len(inspected['changes'])} files at {where}, commit {pushed['sha'][:12]}. Build and tests: {said}.{state}"


def stack(files: Iterable[WorkspaceFile]) -> str:
    """Return what a code base is made of, counted: "Python (12 files), HTML (3 files)"."""
    counts = Counter(
        language
        for file in files
        if file.link is None and (language := _LANGUAGES.get(PurePosixPath(file.path).suffix.lower())) is not None
    )
    named = [f"{language} ({count} {'file' if count == 1 else 'files'})" for language, count in counts.most_common()]
    return ", ".join(named) or "no source files of a known kind"


def _checks(checks: Json, sandbox: str) -> str:
    if not checks:
        return "It declares neither a build nor tests, so nothing was run."
    how = "without a sandbox" if sandbox == "none" else f"in a sandbox ({sandbox})"
    rows = [
        f"| `{_code(check['command'])}` | {_MARKS[check['outcome']]} | {check['seconds']:g} s |" for check in checks
    ]
    table = "\n".join(["| command | result | took |", "| --- | --- | --- |", *rows])
    unrun = f"The repository's own workflows have not run on it: its commit says `{SKIP_CI}`."
    return f"{table}\n\nThey ran {how}, on exactly this commit. {unrun}"


def _quoted(text: str) -> str:
    """Return foreign words as a block in which Markdown, mentions and references mean nothing."""
    longest = max((len(run) for run in _runs_of_ticks(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _runs_of_ticks(text: str) -> Iterable[str]:
    run = ""
    for sign in text:
        if sign == "`":
            run += sign
        elif run:
            yield run
            run = ""
    if run:
        yield run


def _code(text: Any) -> str:
    return one_line(str(text), 200).replace("`", "'").replace("|", "\\|")


def _plain(text: Any) -> str:
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#@!|" else sign for sign in one_line(str(text), 400))
