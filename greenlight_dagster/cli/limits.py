"""`greenlight projects budget|permissions|audit`: what a project may spend and do, and who changed it."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument, ReasonOption
from studio import grants, projects
from studio import permissions as studio_permissions
from studio.errors import InvalidInput
from studio.model import spend
from studio.model.spend import usd
from studio.proposals import TITLES, Proposal


def budget(
    project: ProjectArgument,
    usd_cap: Annotated[str | None, typer.Option("--usd", help="The cap in dollars.")] = None,
    tokens: Annotated[int | None, typer.Option(min=0, help="The cap in tokens.")] = None,
    calls: Annotated[int | None, typer.Option(min=0, help="The cap in model calls.")] = None,
    reason: ReasonOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a project's spend caps, or set them; what is not given stays as it is."""
    project_id = parse_id(project, "PROJECT")
    with open_database() as (db, settings):
        projects.get(db, project_id)
        if any(value is not None for value in (usd_cap, tokens, calls)):
            dollars = None if usd_cap is None else _dollars(usd_cap)
            with db.transaction() as conn:
                projects.set_budget(
                    conn,
                    settings,
                    project_id,
                    usd=dollars,
                    tokens=tokens,
                    calls=calls,
                    by=settings.owner_clerk_id,
                    reason=reason,
                )
        found = spend.budget(db, project_id)
    if as_json:
        print_json(found)
        return
    rows = [
        ("dollars", _money(found.cap_micros), _money(found.spent_micros), _money(found.reserved_micros)),
        ("tokens", found.cap_tokens, found.spent_tokens, found.reserved_tokens),
        ("calls", found.cap_calls, found.calls, None),
    ]
    print_table(("", "cap", "spent", "reserved"), rows, empty="")


def permissions(
    project: ProjectArgument,
    email_send: Annotated[bool | None, typer.Option(help="Send mails to people.")] = None,
    deploy: Annotated[bool | None, typer.Option(help="Trigger deployments.")] = None,
    repo_write: Annotated[bool | None, typer.Option(help="Push branches to the repository, start workflows.")] = None,
    ads: Annotated[bool | None, typer.Option(help="Create ad campaigns, within the cap.")] = None,
    ads_cap: Annotated[str | None, typer.Option("--ads-cap", metavar="USD", help="The cap in dollars a day.")] = None,
    reason: ReasonOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a project may do in the world, or change it; what is not given stays as it is.

    What a permission that is turned on makes possible in the phases that are there is asked for at once.
    """
    project_id = parse_id(project, "PROJECT")
    switches = {"email_send": email_send, "deploy": deploy, "repo_write": repo_write, "ads_enabled": ads}
    wanted: dict[str, bool | int | Decimal] = {key: value for key, value in switches.items() if value is not None}
    if ads_cap is not None:
        wanted[studio_permissions.ADS_CAP] = _dollars(ads_cap)
    with open_database() as (db, settings):
        found = projects.get(db, project_id).permissions
        changed = False
        proposed: tuple[Proposal, ...] = ()
        withheld: tuple[Proposal, ...] = ()
        if wanted:
            grant = grants.change(db, project_id, settings.owner_clerk_id, permissions=wanted, reason=reason)
            found, changed = grant.limits.permissions, grant.limits.changed
            proposed, withheld = grant.proposed, grant.withheld
    if as_json:
        print_json(
            {
                "project_id": project_id,
                "permissions": found,
                "changed": changed,
                "proposed": proposed,
                "withheld": withheld,
            }
        )
        return
    rows = [(key, "yes" if found.get(key) else "no") for key in studio_permissions.SWITCHES]
    cap = found.get(studio_permissions.ADS_CAP, 0)
    print_table(("may", ""), [*rows, ("ads cap", f"${cap} a day")], empty="")
    if found.get("ads_enabled") and not cap:
        out.print("Ads need a cap above 0 (--ads-cap).")
    if proposed:
        count = "1 approval waits" if len(proposed) == 1 else f"{len(proposed)} approvals wait"
        names = "; ".join(TITLES.get(proposal.action_type, proposal.action_type) for proposal in proposed)
        out.print(f"\n{count} now: {names}.", highlight=False, soft_wrap=True)
        for proposal in proposed:
            out.print(
                f"Look at it with: greenlight approvals show {proposal.approval_id}", highlight=False, soft_wrap=True
            )
    for proposal in withheld:
        title = TITLES.get(proposal.action_type, proposal.action_type)
        out.print(f"\nNot asked for: {title}. {proposal.reason}", highlight=False, soft_wrap=True)


def audit(
    project: ProjectArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 30,
    as_json: JsonFlag = False,
) -> None:
    """List who changed a project's life, permissions, budget, mail and page, the newest first."""
    project_id = parse_id(project, "PROJECT")
    with open_database() as (db, _):
        projects.get(db, project_id)
        found = studio_permissions.audit(db, project_id, limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("when", "who", "what", "from", "to", "why"),
        [(e.created_at, e.actor, e.what, *_from_to(e.before, e.after), e.reason) for e in found],
        empty="Nothing has been changed.",
    )


def _from_to(before: Any, after: Any) -> tuple[str, str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return str(before), json.dumps(after) if isinstance(after, dict) else str(after)
    keys = [key for key in after if before.get(key) != after[key]]
    return tuple(", ".join(f"{key} {json.dumps(side.get(key))}" for key in keys) for side in (before, after))  # type: ignore[return-value]


def _money(micros: int | None) -> str | None:
    return None if micros is None else usd(micros)


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as exc:
        raise InvalidInput(f"{text!r} is not an amount of dollars.", "Give a number like 25 or 0.50.") from exc
    if not amount.is_finite() or amount < 0:
        raise InvalidInput(f"{text!r} is not an amount of dollars.", "Give a number like 25 or 0.50.")
    return amount
