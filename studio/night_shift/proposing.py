"""From candidates to approvals that can really be executed: what is proposed, and why the rest is not.

Every candidate ends with an outcome that the founder can read. An approval is pinned to the packet version of the
action's phase, and to the very draft where it publishes one, so that what is approved is what is carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

from studio import permissions, projects, proposals
from studio.company import PHASES
from studio.database.connection import Connection
from studio.night_shift.candidates import Candidate, Unreadable
from studio.obstacles import obstacle
from studio.packets.versions import PacketVersion

# Somebody who is asked for more than three things in a morning answers none (domain specification §5).
NEW_PER_NIGHT = 3
# The figures look back over seven days: until then they still show what was before an action.
COOLDOWN_DAYS = 7
AGENT = "night_shift"

Ending = Literal["proposed", "pending", "skipped", "recommended"]


@dataclass(frozen=True)
class Outcome:
    """What became of a candidate: `why` says why it was not proposed, or where it stands."""

    source: str
    description: str
    reason: str
    action_type: str | None
    ending: Ending
    why: str
    approval_id: str | None = None

    def json(self) -> dict[str, Any]:
        """Return it as a checkpoint and the ledger hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Desk:
    """What proposing works with: a transaction, the project's phase and its latest packets by phase."""

    conn: Connection
    project_id: UUID
    phase: int
    packets: dict[int, PacketVersion]
    job_id: UUID
    night: str


@dataclass(frozen=True)
class _Pin:
    """What an approval fixes beside the packet version."""

    asset_id: UUID | None = None
    content_hash: str | None = None
    payload: dict[str, Any] | None = None


def settle(desk: Desk, candidates: Sequence[Candidate], unreadable: Sequence[Unreadable] = ()) -> list[Outcome]:
    """Propose what can be, at most three new ones a night, and return the outcome of every candidate in order."""
    room = NEW_PER_NIGHT - _proposed_already(desk)
    seen: set[str] = set()
    outcomes: list[Outcome] = []
    for candidate in candidates:
        if candidate.action_type is None:
            outcomes.append(_outcome(candidate, "recommended", "It is for a person to do."))
            continue
        if candidate.action_type in seen:
            continue  # what is asked for once a night is asked for by whoever came first
        seen.add(candidate.action_type)
        outcome = _settled(desk, candidate, room)
        room -= outcome.ending == "proposed"
        outcomes.append(outcome)
    outcomes += [
        Outcome(u.source, u.description, "", None, "skipped", f"It is no action that the studio knows ({u.problem}).")
        for u in unreadable
    ]
    return outcomes


def _proposed_already(desk: Desk) -> int:
    """How many this night has proposed before: a re-execution does not start counting anew."""
    row = desk.conn.execute(
        "select count(*)::int as n from public.approval_queue where project_id = %s and agent_source = %s"
        " and payload ->> 'night' = %s",
        [desk.project_id, AGENT, desk.night],
    ).fetchone()
    return row["n"] if row else 0


def _settled(desk: Desk, candidate: Candidate, room: int) -> Outcome:
    action = candidate.action_type
    assert action is not None and candidate.phase is not None  # noqa: S101, PT018 - typed candidates have both
    if candidate.phase > desk.phase:
        name = PHASES[candidate.phase]
        return _outcome(candidate, "skipped", f"Phase {candidate.phase} ({name}) is not reached yet.")
    if (why := permissions.refusal(desk.conn, desk.project_id, action)) is not None:
        return _outcome(candidate, "skipped", why)
    packet = desk.packets.get(candidate.phase)
    if packet is None:
        return _outcome(candidate, "skipped", f"There is no phase {candidate.phase} packet that it could carry out.")
    if (why := _cooling(desk, action)) is not None:
        return _outcome(candidate, "skipped", why)
    # Before the room: what could not be carried out takes none, and waits for no other night.
    if (why := obstacle(action, projects.get_in(desk.conn, desk.project_id), packet.packet)) is not None:
        return _outcome(candidate, "skipped", why)
    pin = _pin(desk, candidate)
    if isinstance(pin, str):
        return _outcome(candidate, "skipped", pin)
    if room <= 0:
        return _without_room(desk, candidate)
    done = proposals.propose(
        desk.conn,
        desk.project_id,
        action,
        phase=candidate.phase,
        packet=packet,
        # The title says what will happen, in the studio's words; the description repeats what a model has written.
        title=_title(desk, action),
        description=f"{candidate.description.rstrip('.')}. {candidate.reason}",
        agent_source=AGENT,
        asset_id=pin.asset_id,
        content_hash=pin.content_hash,
        payload={"derived_action": candidate.source, "night": desk.night, **(pin.payload or {})},
        job_id=desk.job_id,
    )
    endings: dict[str, Ending] = {"created": "proposed", "pending": "pending"}
    return _outcome(candidate, endings.get(done.outcome, "skipped"), done.reason, done.approval_id)


def _without_room(desk: Desk, candidate: Candidate) -> Outcome:
    row = desk.conn.execute(
        "select id from public.approval_queue where project_id = %s and action_type = %s and type = 'execution'"
        " and status = 'pending'",
        [desk.project_id, candidate.action_type],
    ).fetchone()
    if row is not None:
        return _outcome(candidate, "pending", "It waits for a decision already.", row["id"])
    return _outcome(candidate, "skipped", f"{NEW_PER_NIGHT} are proposed this night already; it waits for the next.")


def _title(desk: Desk, action: str) -> str:
    row = desk.conn.execute("select title from public.action_types where action_type = %s", [action]).fetchone()
    return row["title"] if row else action


def _cooling(desk: Desk, action: str) -> str | None:
    """Return why it is too early to do the same again; None where it is not."""
    row = desk.conn.execute(
        "select max(e.updated_at) as at from public.action_executions e where e.project_id = %s and e.action_type = %s"
        " and e.status = 'completed' and e.updated_at > now() - make_interval(days => %s)",
        [desk.project_id, action, COOLDOWN_DAYS],
    ).fetchone()
    if row is None or row["at"] is None:
        return None
    return f"It was carried out on {row['at']:%Y-%m-%d}; the figures need {COOLDOWN_DAYS} days to show what it did."


def _pin(desk: Desk, candidate: Candidate) -> _Pin | str:
    """Return what the approval fixes, or why there is nothing that could be carried out."""
    if candidate.action_type == "deploy_landing_page":
        return _draft(desk)
    if candidate.action_type == "send_welcome_email_sequence":
        audience = _audience(desk)
        # It also serves whoever joins later; but somebody has to be able to.
        if audience["readers"] or audience["published"]:
            return _Pin()
        return "Nobody has joined the waitlist, and no page is published to join it on."
    if candidate.action_type == "send_phase2_lifecycle_email":
        return _Pin() if _audience(desk)["readers"] else "Nobody has confirmed a place on the waitlist to write to."
    if candidate.action_type == "refine_phase_assets":
        guidance = f"{candidate.description}. {candidate.reason}"
        return _Pin(payload={"guidance": guidance, "phase": candidate.phase})
    return _Pin()


def _draft(desk: Desk) -> _Pin | str:
    draft = desk.conn.execute(
        "select d.id, d.metadata ->> 'sha256' as hash,"
        " p.status = 'ready' and p.metadata ->> 'content_hash' = d.metadata ->> 'sha256' as published"
        " from public.landing_draft(%s) d left join public.project_deployments p using (project_id)",
        [desk.project_id],
    ).fetchone()
    if draft is None:
        return "No draft of the landing page has been chosen yet."
    if draft["published"]:
        return "This very page is published already."
    return _Pin(asset_id=draft["id"], content_hash=draft["hash"])


def _audience(desk: Desk) -> dict[str, Any]:
    row = desk.conn.execute(
        "select exists (select from public.waitlist_signups where project_id = %(project)s and status = 'confirmed')"
        " as readers, exists (select from public.project_deployments where project_id = %(project)s"
        " and status = 'ready') as published",
        {"project": desk.project_id},
    ).fetchone()
    assert row is not None  # noqa: S101 - two exists are a row
    return row


def _outcome(candidate: Candidate, ending: Ending, why: str, approval_id: UUID | None = None) -> Outcome:
    return Outcome(
        source=candidate.source,
        description=candidate.description,
        reason=candidate.reason,
        action_type=candidate.action_type,
        ending=ending,
        why=why,
        approval_id=str(approval_id) if approval_id else None,
    )
