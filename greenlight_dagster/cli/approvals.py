"""`greenlight approvals`: list, show, approve, deny, revise."""

from __future__ import annotations

import sys
from typing import Annotated, Any, cast

import typer
from rich.markup import escape

from greenlight_dagster.cli.approval_view import carried_out, packet_of, panel, see_also, summary
from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.names import project_names, short_name
from greenlight_dagster.cli.outcome_view import outcome_json, outcome_rows, status_of, step_line
from greenlight_dagster.cli.output import JsonFlag, err, out, print_error, print_json, print_table
from studio import approvals, decisions
from studio.approvals import Approval, ApprovalStatus
from studio.database.connection import Database
from studio.decisions import Decision, DecisionKind
from studio.errors import Conflict, NotFound
from studio.model import spend
from studio.model.spend import usd
from studio.outcomes import outcome_of
from studio.text import printable
from studio.views.inbox import shown_version

app = typer.Typer(no_args_is_help=True, help="Look at what waits for a decision, and decide.")

ApprovalArgument = Annotated[str, typer.Argument(metavar="APPROVAL", help="The approval's id.")]
VersionOption = Annotated[
    int | None,
    typer.Option(min=1, help="The version that was looked at; without it a terminal shows the present one and asks."),
]

LIVE_PHASE = 4
_VERBS: dict[DecisionKind, str] = {"approved": "approve", "denied": "deny", "revised": "revise"}


@app.command("list", epilog="Example: greenlight approvals list --status pending")
def list_approvals(
    project: Annotated[str | None, typer.Option(help="Only approvals of this project.")] = None,
    status: Annotated[
        str | None, typer.Option(help=f"Only approvals that are {', '.join(approvals.STATUSES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 30,
    as_json: JsonFlag = False,
) -> None:
    """List the newest approvals."""
    with open_database() as (db, _):
        found = approvals.find(
            db,
            project_id=parse_id(project, "--project") if project else None,
            status=cast("ApprovalStatus | None", status),
            limit=limit,
        )
        names = project_names(db, [a.project_id for a in found])
    if as_json:
        print_json([{**vars(a), "project_name": names.get(a.project_id)} for a in found])
        return
    print_table(
        ("id", "status", "risk", "asked", "action", "version", "project"),
        [
            (a.id, status_of(a), a.risk, a.created_at, a.action_type, shown_version(a), short_name(names, a.project_id))
            for a in found
        ],
        empty="No approvals.",
        below=("action", "version", "project"),
    )


@app.command(epilog="Example: greenlight approvals show 7b0e1c9a-…")
def show(approval: ApprovalArgument, as_json: JsonFlag = False) -> None:
    """Show an approval: what it is about, what exactly a yes carries out, what became of it, and what to do next."""
    approval_id = parse_id(approval, "APPROVAL")
    with open_database() as (db, _):
        found = approvals.get(db, approval_id)
        packet = packet_of(db, found)
        spent = _spent(db, found)
        outcome = outcome_of(db, found)
    if as_json:
        print_json({"approval": found, "packet": packet, "spent_micros": spent, "outcome": outcome_json(outcome)})
        return
    rows: list[tuple[str, Any]] = [
        ("approval", found.id),
        ("title", found.title),
        ("about", found.description),
        ("kind", f"gate of phase {found.phase}" if found.is_gate else f"action {found.action_type}"),
        ("risk", found.risk),
        ("status", status_of(found)),
        ("version", shown_version(found)),
        ("project", found.project_id),
        ("asked", found.created_at),
    ]
    if packet is not None:
        rows.append(("packet", f"phase {packet.phase}, version {packet.version}, confidence {packet.confidence}"))
        rows.append(("says", summary(packet)))
        rows.append(("packet cost", None if packet.cost_micros is None else f"${usd(packet.cost_micros)}"))
    rows.append(("project cost", None if spent is None else f"${usd(spent)}"))
    if found.content_hash:
        rows.append(("SHA-256", found.content_hash))
    if found.asset_id:
        rows.append(("file", f"{found.asset_id} {_file(found)}".strip()))
    if found.decided_by:
        rows += [("decided by", found.decided_by), ("decided", found.decided_at), ("guidance", found.guidance)]
    if outcome is not None:
        rows += outcome_rows(outcome)
    print_table(("", ""), rows, empty="")
    executes = found.payload.get("executes")
    if executes:
        out.print("\nCarries out", style="bold cyan")
        for line in carried_out(executes):
            out.print(line)
    if outcome is not None and outcome.steps:
        _say("")
        for step in outcome.steps:
            _say(escape(printable(step_line(step))))
    commands = see_also(found)
    if commands or found.status == "pending":
        _say("")
    for command in commands:
        _say(command)
    if found.status == "pending":
        if packet is not None:
            _say(
                f"Read it with: greenlight projects show {found.project_id} --phase {packet.phase}"
                f" --version {packet.version}"
            )
        _say(f"Decide with: greenlight approvals approve|deny|revise {found.id} --version {found.version}")


def _spent(db: Database, approval: Approval) -> int | None:
    try:
        return spend.budget(db, approval.project_id).spent_micros
    except NotFound:
        return None  # a project that another client made has none until somebody sets one


def _file(approval: Approval) -> str:
    asset = approval.payload.get("asset")
    return str(asset.get("storage_path", "")) if isinstance(asset, dict) else ""


@app.command(epilog="Example: greenlight approvals approve 7b0e1c9a-… --version 2")
def approve(approval: ApprovalArgument, version: VersionOption = None, as_json: JsonFlag = False) -> None:
    """Approve: a gate moves the project on, an action is carried out."""
    _decide(approval, "approved", version, None, as_json=as_json)


@app.command(
    epilog="Example: greenlight approvals deny 7b0e1c9a-… --version 2 --reason 'Not before the name is settled'"
)
def deny(
    approval: ApprovalArgument,
    reason: Annotated[str | None, typer.Option(help="Why not; agents read it later.")] = None,
    version: VersionOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Deny: nothing happens, and the same is not proposed again."""
    _decide(approval, "denied", version, reason, as_json=as_json)


@app.command(epilog="Example: greenlight approvals revise 7b0e1c9a-… --version 2 --guidance 'Aim it at schools'")
def revise(
    approval: ApprovalArgument,
    guidance: Annotated[str, typer.Option(help="What the next version should change.")],
    version: VersionOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask for another version: the packet of the phase is generated anew with the guidance, and asked again."""
    _decide(approval, "revised", version, guidance, as_json=as_json)


def _decide(approval: str, decision: DecisionKind, version: int | None, guidance: str | None, *, as_json: bool) -> None:
    approval_id = parse_id(approval, "APPROVAL")
    with open_database() as (db, settings):
        asked = approvals.get(db, approval_id)
        if version is None and asked.status == "pending":
            _confirm(db, asked, decision)
        # A yes is one to what was shown above, whatever the approval shows by now.
        seen = asked.version if version is None else version
        made = decisions.decide(
            db, approval_id, decision, version=seen, decided_by=settings.owner_clerk_id, guidance=guidance
        )
    if as_json:
        print_json({"decided_version": seen, **vars(made)})
        return
    _say(f"{decision.capitalize()} version {seen} of “{escape(printable(asked.title))}”. {_follows(asked, made)}")


def _confirm(db: Database, asked: Approval, decision: DecisionKind) -> None:
    verb = _VERBS[decision]
    if not sys.stdin.isatty():
        print_error(
            f"A decision names the version that was looked at, and nobody can be asked here. Approval {asked.id} is at"
            f" version {asked.version} now.",
            f"Look at it (`greenlight approvals show {asked.id}`), then give --version:"
            f" `greenlight approvals {verb} {asked.id} --version {asked.version}`.",
        )
        raise typer.Exit(2)
    # Beside the result, which a program may read.
    err.print(panel(db, asked))
    if not typer.confirm(f"{verb.capitalize()} version {asked.version} of “{printable(asked.title)}”?", err=True):
        raise Conflict("Nothing was decided.", f"Say yes, or give --version {asked.version}.")


def _follows(asked: Approval, made: Decision) -> str:
    if made.status == "denied":
        return "It is not proposed again."
    follow = f"Follow it with: greenlight jobs tail {made.job_id}"
    if made.status == "revised":
        return f"A new packet is on its way. {follow}"
    if not asked.is_gate:
        return f"It is carried out now. {follow}"
    if made.project_phase >= LIVE_PHASE:
        return "The project is live."
    return f"The project is in phase {made.project_phase} now. {follow}"


def _say(text: str) -> None:
    out.print(text, highlight=False, soft_wrap=True)
