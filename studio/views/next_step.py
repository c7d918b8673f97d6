"""What comes next in a project, as one sentence and one thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from studio.projects import Project
from studio.views.project import Overview, PhaseView

NAMES = {0: "pitch", 1: "validation", 2: "distribution plan", 3: "launch plan"}

# launch: Phase 0 can be launched; retry: job `id` can be tried again; go: `href` leads on; none: nothing to do here.
Kind = Literal["launch", "retry", "go", "none"]
Tone = Literal["go", "run", "warn", "stop", "quiet"]


@dataclass(frozen=True)
class NextStep:
    """One thing to do, or to wait for."""

    kind: Kind
    tone: Tone
    title: str
    text: str
    href: str | None = None
    label: str | None = None
    id: UUID | None = None
    # It changes with the next line of a log, and with nothing else.
    starting: bool = False


def next_step(project: Project, shown: Overview) -> NextStep:
    """Return what comes next: what is in the way first, then what waits for the owner, then what is being done."""
    base = f"/projects/{project.id}"
    if project.status == "killed":
        return NextStep("none", "stop", "This project has ended", "It can be read, and nothing more happens in it.")
    if project.status == "paused":
        return NextStep(
            "go", "warn", "This project is paused", "Nothing happens in it until you resume it.",
            f"{base}/settings#life", "Resume it",
        )  # fmt: skip
    for view in shown.phases:
        if (found := _of_phase(view, base)) is not None:
            return found
    first = next((one for one in shown.asked if not one.changes_nothing), None)
    if first is not None:
        return NextStep(
            "go", "warn", "An action waits for your yes", f"{first.title}. Nothing is done before you approve it.",
            f"/inbox/{first.id}", "Look at it",
        )  # fmt: skip
    if shown.asked:
        return NextStep(
            "go", "quiet", "Nothing new waits for you",
            f"{shown.asked[0].title}: this very page is live already, so a yes changes nothing.",
            f"/inbox/{shown.asked[0].id}", "Look at it",
        )  # fmt: skip
    if project.phase > max(view.phase for view in shown.phases):
        return NextStep(
            "none", "go", "All four phases are approved", "What the studio proposes next waits in the inbox."
        )
    return NextStep("none", "quiet", "Nothing waits for you", "The next packet appears here when it is made.")


def _of_phase(view: PhaseView, base: str) -> NextStep | None:
    name = NAMES[view.phase]
    if view.state == "waiting" and view.gate is not None:
        return NextStep(
            "go", "warn", f"Read the {name}, then decide",
            "Agents have finished it. Nothing goes on before you approve it, ask for changes, or say no.",
            f"{base}/phases/{view.phase}", "Read it",
        )  # fmt: skip
    if view.state == "working" and view.job is not None and view.job.starting:
        return NextStep(
            "none", "run", f"The {name} is being picked up",
            "Its run begins in a moment. You can leave this page; the inbox tells you when it is done.",
            starting=True,
        )  # fmt: skip
    if view.state == "working":
        return NextStep(
            "none", "run", f"The {name} is being made",
            "You can leave this page. It goes on without you, and the inbox tells you when it is done.",
        )  # fmt: skip
    if view.state == "failed" and view.job is not None:
        why = view.job.last_error or "Nobody has said why."
        stopped = view.job.status == "canceled"
        return NextStep(
            "retry", "quiet" if stopped else "stop", f"The {name} was {'stopped' if stopped else 'not made'}",
            why if not stopped else "What was finished is kept and is not done again.", id=view.job.id,
        )  # fmt: skip
    if view.state == "empty" and view.phase == 0:
        return NextStep(
            "launch", "go", "Launch the pitch",
            "Agents look for competitors and for the size of the market, with their sources, and write a first packet."
            " It costs model calls from the project's budget.",
        )  # fmt: skip
    if view.state == "denied":
        return NextStep(
            "go", "quiet", f"You said no to the {name}",
            "It goes no further as it is. Read it again and ask for another version, or end the project.",
            f"{base}/phases/{view.phase}", "Read it again",
        )  # fmt: skip
    return None
