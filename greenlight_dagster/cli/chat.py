"""`greenlight chat`: say something to the studio and hear its answer word by word, confirm what it suggests."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import EXIT_INTERRUPTED, INTERRUPTS, JsonFlag, err, out, print_error, print_json
from studio import chat as conversation
from studio import events, projects, queue
from studio.chat import ChatMessage, Suggestion
from studio.chat.messages import PAGE_LIMIT, answer_to, get
from studio.database.connection import Database
from studio.errors import InvalidInput
from studio.settings import Settings
from studio.text import printable

_SPEAKERS = {"user": "You", "assistant": "Studio", "system": "Mail or notice"}


def chat(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="The project's id.")],
    message: Annotated[
        str | None, typer.Argument(metavar="MESSAGE", help="What to say; without it the conversation is shown.")
    ] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="ANSWER", help="Ask for what this answer suggests; an approval opens.")
    ] = None,
    dismiss: Annotated[str | None, typer.Option(metavar="ANSWER", help="Put aside what this answer suggests.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_LIMIT, help="How many messages to show.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Talk with the studio about a project; Ctrl-C stops the answer, and what was said of it is kept."""
    if sum(given is not None for given in (message, confirm, dismiss)) > 1:
        raise InvalidInput("A message, --confirm and --dismiss exclude each other.", "Give one of them.")
    project_id = parse_id(project, "PROJECT")
    with open_database() as (db, settings):
        projects.get(db, project_id)
        if confirm is not None:
            _confirm(db, settings, project_id, parse_id(confirm, "--confirm"), as_json)
        elif dismiss is not None:
            _dismiss(db, settings, project_id, parse_id(dismiss, "--dismiss"), as_json)
        elif message is not None:
            _talk(db, settings, project_id, message, as_json)
        else:
            _show(db, project_id, limit, as_json)


def _talk(db: Database, settings: Settings, project_id: UUID, message: str, as_json: bool) -> None:
    seen = events.last_seq(db, project_id)
    with db.transaction() as conn:
        posted = conversation.post(conn, project_id, settings.owner_clerk_id, message)
    try:
        _hear(db, settings, project_id, posted.job.job_id, seen, quiet=as_json)
    except INTERRUPTS:
        queue.cancel(db, posted.job.job_id, "Stopped at the command line.")
        err.print("\nStopped.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    question, answer = get(db, project_id, posted.message_id), answer_to(db, project_id, posted.message_id)
    if as_json:
        print_json({"message": question, "answer": answer})
    elif question.job_status != "completed":
        print_error(
            f"There is no answer: the job is {question.job_status}. {question.job_error or ''}".strip(),
            f"Try again with: greenlight jobs retry {posted.job.job_id}",
        )
    elif answer is not None and answer.suggestion is not None:
        _say(f"\n{_suggested(project_id, answer.id, answer.suggestion)}")
    if question.job_status != "completed":
        raise typer.Exit(1)


def _hear(db: Database, settings: Settings, project_id: UUID, job_id: UUID, seen: int, *, quiet: bool) -> None:
    """Print the words of the job as they come, until it ends."""

    def ended() -> bool:
        return queue.get(db, job_id).ended and events.last_seq_of_job(db, job_id) <= seen

    poll = None if settings.listens else settings.worker_poll_ms / 1000
    attempt, spoken = 0, False
    for event in events.follow(
        db, project_id, seen, job_id=job_id, listen=settings.listens, stop=ended, poll_seconds=poll
    ):
        seen = event.seq
        if quiet or event.type != "delta":
            continue
        if spoken and event.attempt != attempt:
            sys.stdout.write("\n\n(Once more from the beginning.)\n\n")
        attempt, spoken = event.attempt, True
        sys.stdout.write(printable(event.message or ""))
        sys.stdout.flush()
    if spoken:
        sys.stdout.write("\n")


def _confirm(db: Database, settings: Settings, project_id: UUID, message_id: UUID, as_json: bool) -> None:
    with db.transaction() as conn:
        made = conversation.confirm(conn, project_id, message_id, by=settings.owner_clerk_id)
    if as_json:
        print_json(made)
    elif made.outcome == "refused":
        print_error(f"It cannot be asked now: {made.reason}", "Confirm it again when that is settled.")
    else:
        _say(f"Approval {made.approval_id} waits for a decision. See it: greenlight approvals show {made.approval_id}")
    if made.outcome == "refused":
        raise typer.Exit(1)


def _dismiss(db: Database, settings: Settings, project_id: UUID, message_id: UUID, as_json: bool) -> None:
    with db.transaction() as conn:
        conversation.dismiss(conn, project_id, message_id, settings.owner_clerk_id)
    if as_json:
        print_json({"messageId": message_id, "state": "dismissed"})
    else:
        _say("Put aside. Nothing is asked.")


def _show(db: Database, project_id: UUID, limit: int, as_json: bool) -> None:
    page = conversation.page(db, project_id, limit=limit)
    if as_json:
        print_json(page)
        return
    if not page.messages:
        _say(f'Nothing was said yet. Begin: greenlight chat {project_id} "What should we do next?"')
    if page.has_more:
        _say("(There are older messages; show more with --limit.)\n")
    for message in page.messages:
        out.print(f"[bold]{_SPEAKERS[message.role]}[/] [dim]{message.created_at:%Y-%m-%d %H:%M}[/]", highlight=False)
        _say(f"{message.content}{_state(message)}")
        if message.suggestion is not None:
            _say(_suggested(project_id, message.id, message.suggestion))
        out.print()


def _state(message: ChatMessage) -> str:
    if message.stopped:
        return "\n(Stopped.)"
    if message.job_status in (None, "completed"):
        return ""
    return f"\n(The answer is {message.job_status}{f': {message.job_error}' if message.job_error else ''})"


def _suggested(project_id: UUID, message_id: UUID, suggestion: Suggestion) -> str:
    lines = [f"Suggests: {suggestion.title}. {suggestion.rationale}"]
    if suggestion.guidance:
        lines.append(f"With the guidance: {suggestion.guidance}")
    if suggestion.note:
        lines.append(f"It could not be asked: {suggestion.note}")
    if suggestion.decidable:
        lines.append(f"Confirm it: greenlight chat {project_id} --confirm {message_id}")
    elif suggestion.approval_id is not None:
        lines.append(f"Confirmed: greenlight approvals show {suggestion.approval_id}")
    else:
        lines.append(f"It was {suggestion.state}.")
    return "\n".join(lines)


def _say(text: str) -> None:
    out.print(escape(printable(text)), highlight=False, soft_wrap=True)
