"""`greenlight outbox`: what has left, what waits, and what nobody knows of until a person looks."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.names import project_names, short_name
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from studio import outbox
from studio.errors import InvalidInput
from studio.mail import dispatch
from studio.mail.due import waits_because
from studio.outbox import Listed
from studio.text import clip

# A line or two of a narrow terminal; `show` has all of it.
WHAT_CHARS = 40

app = typer.Typer(no_args_is_help=True, help="Look at mails and effects that leave, and settle what nobody knows of.")

# Those of mails and of effects.
STATUSES = ("queued", "pending", "sending", "sent", "done", "failed", "suppressed", "canceled", "unknown")
EntryArgument = Annotated[str, typer.Argument(metavar="ID", help="The id of a mail or an effect.")]


@app.command("list", epilog="Example: greenlight outbox list --status unknown")
def list_entries(
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    status: Annotated[str | None, typer.Option(help="Only with this status, for instance unknown or sent.")] = None,
    kind: Annotated[Literal["effect", "mail"] | None, typer.Option(help="Only effects, or only mails.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 30,
    as_json: JsonFlag = False,
) -> None:
    """List the newest mails and effects."""
    if status is not None and status not in STATUSES:
        raise InvalidInput(f"There is no status {status!r}.", f"One of: {', '.join(STATUSES)}.")
    with open_database() as (db, _):
        found = outbox.find(
            db,
            project_id=parse_id(project, "--project") if project else None,
            status=status,
            kind=kind,
            limit=limit,
        )
        names = project_names(db, [e.project_id for e in found])
    if as_json:
        print_json([{**vars(e), "project_name": names.get(e.project_id)} for e in found])
        return
    print_table(
        ("id", "kind", "status", "made", "sent", "what", "to", "project"),
        [
            (
                e.id,
                e.kind,
                e.status,
                e.created_at,
                e.sent_at,
                clip(e.subject or "", WHAT_CHARS),
                e.recipient,
                short_name(names, e.project_id),
            )
            for e in found
        ],
        empty="Nothing in the outbox.",
        below=("what", "to", "project"),
    )
    held = [e for e in found if e.status == "unknown"]
    if held:
        out.print()
        out.print(
            "Nobody knows what became of those that are unknown. Look at the provider, then say so:"
            " greenlight outbox resolve ID --done, or --retry.",
            highlight=False,
            soft_wrap=True,
        )


@app.command(epilog="Example: greenlight outbox show 7b0e1c9a-…")
def show(entry: EntryArgument, as_json: JsonFlag = False) -> None:
    """Show a mail or an effect: what was asked for, and what became of it."""
    entry_id = parse_id(entry, "ID")
    with open_database() as (db, _):
        listed = outbox.listed(db, entry_id)
        details = outbox.get(db, entry_id) if listed.kind == "effect" else None
        mail = outbox.mail(db, entry_id) if listed.kind == "mail" else None
        waits = waits_because(db, entry_id) if mail is not None else None
    if as_json:
        print_json(details if details is not None else mail)
        return
    rows = _common(listed)
    if details is not None:
        rows += [
            ("request", json.dumps(details.request, ensure_ascii=False)),
            ("response", None if details.response is None else json.dumps(details.response, ensure_ascii=False)),
            ("settled", details.settled_at),
            ("resolved by", details.resolved_by),
            ("note", details.note),
        ]
    elif mail is not None:
        rows += [("scheduled for", mail["scheduled_for"]), ("category", mail["category"]), ("waits because", waits)]
    print_table(("", ""), rows, empty="")
    if mail is not None:
        out.print()
        out.print(mail["text_body"] or "No text part.", markup=False, highlight=False, soft_wrap=True)


@app.command(epilog="Example: greenlight outbox send")
def send(as_json: JsonFlag = False) -> None:
    """Send the mails that are due now, instead of with the next hour's round."""
    with open_database() as (db, _):
        job_id = dispatch.send_soon(db)
    if as_json:
        print_json({"job_id": job_id})
        return
    out.print(f"Queued: job {job_id}. Follow it with: greenlight jobs tail {job_id}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: greenlight outbox resolve 7b0e1c9a-… --done --provider-id 1203 --note 'It is there'")
def resolve(
    entry: EntryArgument,
    done: Annotated[bool, typer.Option("--done", help="It happened: it is not done again.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="It did not happen: it is done again, where the project still lives.")
    ] = False,
    provider_id: Annotated[str | None, typer.Option(help="The provider's id of it, where there is one.")] = None,
    note: Annotated[str | None, typer.Option(help="What you have seen.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what became of something that nobody knows of, after you have looked; its job goes on from there."""
    if done == retry:
        raise InvalidInput("Say what became of it.", "Give --done where it happened, --retry where it did not.")
    with open_database() as (db, settings):
        resolved = outbox.resolve(
            db,
            parse_id(entry, "ID"),
            "done" if done else "retry",
            by=settings.owner_clerk_id,
            provider_id=provider_id,
            note=note,
        )
    if as_json:
        print_json(resolved)
        return
    out.print(f"It is {resolved.status} now.", highlight=False, soft_wrap=True)
    if retry and resolved.status == "failed":
        why = "its job cannot go on" if resolved.job_id else "its job is gone, or its project is killed"
        out.print(f"It is not done again: {why}.", highlight=False, soft_wrap=True)
    if resolved.job_outcome == "revived":
        out.print(
            f"Its job goes on. Follow it with: greenlight jobs tail {resolved.job_id}", highlight=False, soft_wrap=True
        )


def _common(entry: Listed) -> list[tuple[str, object]]:
    return [
        (entry.kind, entry.id),
        ("status", entry.status),
        ("what", entry.subject),
        ("to", entry.recipient),
        ("project", entry.project_id),
        ("approval", entry.approval_id),
        ("key", entry.idempotency_key),
        ("attempts", entry.attempts),
        ("provider's id", entry.provider_id),
        ("created", entry.created_at),
        ("sent", entry.sent_at),
        ("error", entry.error),
    ]
