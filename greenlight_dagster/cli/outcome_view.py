"""What became of a decided approval, as a terminal shows it."""

from __future__ import annotations

from typing import Any

from studio.approvals import Approval
from studio.outcomes import Outcome, Step, StepKind

_SENTENCES: dict[StepKind, str] = {
    "resolve_effect": (
        "Nobody knows whether {what} was done. Look at {where}, then say so:"
        " greenlight outbox resolve {of} --done, or --retry"
    ),
    "held_mails": (
        "Some mails may have left or not. See them with: greenlight outbox list --project {of} --status unknown"
    ),
    "failed_mails": "See why mails failed: greenlight outbox list --project {of} --status failed",
    "follow_job": "Follow it with: greenlight jobs tail {of}",
    "see_pages": "See what is published: greenlight pages list {of}",
    "project_killed": "The project is killed, so nothing more is done in it.",
    "superseded": "The same was approved later; see what became of that: greenlight approvals show {of}",
    "resume_project": "The project is paused. Resume it first: greenlight projects resume {of}",
    "retry_job": "Set right what the error says, then try it again: greenlight jobs retry {of}",
    "propose_anew": "Its job is gone. It may be proposed and approved anew.",
}


def status_of(approval: Approval) -> str:
    """Return the decision, and what became of it where something is carried out."""
    if approval.is_gate or approval.execution_status == "idle":
        return approval.status
    return f"{approval.status}, {approval.execution_status}"


def step_line(step: Step) -> str:
    """Return what a person can do next as a sentence, with its command where there is one."""
    return _SENTENCES[step.kind].format(of=step.of, what=step.what, where=step.where)


def outcome_json(outcome: Outcome | None) -> dict[str, Any] | None:
    """Return it for `--json`, its steps as the sentences that a terminal shows."""
    return None if outcome is None else {**vars(outcome), "steps": [step_line(step) for step in outcome.steps]}


def outcome_rows(outcome: Outcome) -> list[tuple[str, Any]]:
    """Return the rows in which a table shows it."""
    rows: list[tuple[str, Any]] = []
    if outcome.job_id:
        rows.append(("job", f"{outcome.job_id}, {outcome.job_status}"))
    if outcome.detail:
        rows.append(("done", outcome.detail))
    if outcome.error:
        rows.append(("error", outcome.error))
    if outcome.ended_at:
        rows.append(("ended", outcome.ended_at))
    for effect in outcome.effects:
        known = f", the provider's id is {effect.provider_id}" if effect.provider_id else ""
        rows.append(("effect", f"{effect.subject} at {effect.recipient}: {effect.status}{known}"))
        # In a row of its own, so that it can be copied from a narrow terminal.
        rows.append(("its id", effect.id))
    if outcome.mails:
        rows.append(("mails", ", ".join(f"{count} {status}" for status, count in outcome.mails.items())))
    return rows
