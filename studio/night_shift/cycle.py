"""One project's cycle: what its ops do, in order.

    look → propose → report → write_overview

`look` reads the figures and counts what happened since the last cycle; `propose` settles what is proposed, in one
transaction; `report` writes activity list, ledger and memory, in one transaction; `write_overview` queues the mail of
the day. Each is a checkpoint of its own, so a worker that is killed anywhere repeats nothing.

A pending gate stops none of it: what waits for the founder is exactly what the mail has to say.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from studio import integrations, memory, projects
from studio.claims import Claim, Json
from studio.database.connection import Connection
from studio.job_types import NightShiftPayload
from studio.kpis import Kpis, kpis
from studio.mail.overview import OverviewFacts, queue_overview
from studio.night_shift.candidates import Situation, from_figures, from_packets, in_words
from studio.night_shift.proposing import Desk, Outcome, settle
from studio.night_shift.report import Activity, last_cycle, recommendations, said
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.progress import Progress
from studio.project_events import record
from studio.projects import Project
from studio.settings import Settings
from studio.tasks import forget_task, log_task
from studio.text import clip

AGENT = "night_shift"
SUMMARY_TASK = (AGENT, "nightshift_summary")
FAILED_TASK = (AGENT, "nightshift_failed")
MEMORY_CHARS = 500

_KEY = re.compile(r"nightshift:[0-9a-f-]{36}:(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True)
class NightShift:
    """One attempt at a project's cycle: the claim it works under, and what it works with."""

    claim: Claim
    payload: NightShiftPayload
    settings: Settings
    progress: Progress

    @property
    def project_id(self) -> UUID:
        """The project the job belongs to."""
        return self.claim.job.project_id

    @property
    def day(self) -> date:
        """The UTC day of the night: that of the schedule, however late the job runs."""
        if self.payload.day is not None:
            return self.payload.day
        # Other clients name it in the key alone; without that, the day of its birth.
        found = _KEY.fullmatch(self.claim.job.idempotency_key)
        try:
            return date.fromisoformat(found.group(1)) if found else self.claim.job.created_at.date()
        except ValueError:
            return self.claim.job.created_at.date()

    # --- steps

    def look(self) -> Json:
        """Return what the night starts from: why it is skipped (`skip`), the figures, and what has happened."""
        with self.claim.db.transaction() as conn:
            conn.execute("set transaction isolation level repeatable read, read only")
            project = projects.get_in(conn, self.project_id)
            packets = _latest(conn, self.project_id)
            since = last_cycle(conn, self.project_id) or project.created_at
            activity = Activity.between(conn, self.project_id, since)
            figures = kpis(conn, self.project_id)
        skip = _skip(project, packets)
        if skip:
            self.progress.log(f"Nothing is proposed: {skip}")
        else:
            self.progress.log(f"{activity.sentence()} {figures.lines()[0]}.")
        return {
            "day": self.day.isoformat(),
            "skip": skip,
            "phase": project.phase,
            "activity": activity.json(),
            "figures": {name: str(value) for name, value in asdict(figures).items()},
            "missing": {} if skip else self._missing(),
        }

    def propose(self, conn: Connection, seen: Json) -> Json:
        """Settle every candidate; return the outcomes. Runs in the caller's transaction."""
        project = projects.get_in(conn, self.project_id)
        packets = _latest(conn, self.project_id)
        # It may have been paused since, and a pause asks for nothing.
        skip = seen["skip"] or _skip(project, packets)
        if skip:
            return {"skip": skip, "outcomes": []}
        newest_first = [packets[phase] for phase in sorted(packets, reverse=True)]
        typed, unreadable = from_packets(newest_first)
        situation = Situation(project.phase, _figures(seen["figures"]), _published(conn, self.project_id))
        desk = Desk(conn, self.project_id, project.phase, packets, self.claim.job_id, seen["day"])
        outcomes = settle(desk, [*from_figures(situation), *typed, *in_words(newest_first)], unreadable)
        return {"skip": None, "outcomes": [outcome.json() for outcome in outcomes]}

    def report(self, conn: Connection, seen: Json, proposed: Json) -> Json:
        """Write activity list, ledger and memory in the caller's transaction; return the summary."""
        outcomes = [Outcome(**outcome) for outcome in proposed["outcomes"]]
        activity = Activity.from_json(seen["activity"])
        counts = Counter(outcome.ending for outcome in outcomes)
        skip = proposed["skip"]
        summary = f"Skipped: {skip}" if skip else f"{activity.sentence()} {said(outcomes)}"
        log_task(conn, self.project_id, self.claim.job_id, *SUMMARY_TASK, "completed", summary)
        forget_task(conn, self.claim.job_id, *FAILED_TASK)
        data = {
            "day": seen["day"],
            "since": seen["activity"]["since"],
            "until": seen["activity"]["until"],
            "skip": skip,
            "approvals_queued": counts["proposed"],
            "pending": counts["pending"],
            "skipped": counts["skipped"],
            "activity": seen["activity"],
            "outcomes": [] if skip else [outcome.json() for outcome in outcomes],
            "missing": _missing_of(outcomes, seen["missing"]),
        }
        record(conn, self.project_id, "nightshift.cycle_completed", summary, data)
        if not skip:
            self._remember(conn, seen["day"], summary, outcomes)
        return {
            "day": seen["day"],
            "skip": skip,
            "summary": summary,
            "proposed": counts["proposed"],
            "pending": counts["pending"],
            "skipped": counts["skipped"],
            "recommended": counts["recommended"],
        }

    def write_overview(self, conn: Connection, seen: Json, proposed: Json) -> Json:
        """Queue the overview mail of the day in the caller's transaction, once per project and UTC day.

        Returns what became of it. A night that was skipped, or that has nothing to say, writes none.
        """
        if proposed["skip"]:
            return {"mail": "none", "why": proposed["skip"]}
        outcomes = [Outcome(**outcome) for outcome in proposed["outcomes"]]
        happened = Activity.from_json(seen["activity"]).happened()
        facts = OverviewFacts(
            figures=_figures(seen["figures"]),
            # What waits now, with what this night has added.
            waiting=_waiting(conn, self.project_id),
            page_live=_published(conn, self.project_id),
            activity=happened,
            proposed=[outcome.description for outcome in outcomes if outcome.ending == "proposed"],
            # The next steps of a packet are the same every night; whoever wants them reads the packet.
            recommended=[o.description for o in outcomes if o.ending == "recommended" and o.source.startswith("rule:")],
        )
        if not (happened or facts.waiting or facts.proposed or facts.recommended):
            return {"mail": "none", "why": "Nothing has happened, and nothing waits."}
        queued = queue_overview(conn, self.settings, self.project_id, date.fromisoformat(seen["day"]), facts)
        return {"mail": queued.outcome, "why": None}

    # --- helpers

    def _remember(self, conn: Connection, day: str, summary: str, outcomes: list[Outcome]) -> None:
        listed = recommendations(outcomes)
        record(
            conn,
            self.project_id,
            "nightshift.recommendations_generated",
            f"{len(listed)} recommendations",
            {"day": day, "recommendations": listed},
        )
        top = "; ".join(f"{entry['priority']}. {entry['description']}" for entry in listed)
        for category, key, value in (
            ("context", "last_nightshift", f"Night of {day}: {summary}"),
            ("decision", "nightshift_top_recommendations", top or "None this night."),
        ):
            memory.remember(
                conn,
                self.project_id,
                category,  # type: ignore[arg-type]
                key,
                clip(value, MEMORY_CHARS),
                agent_key=AGENT,
                job_id=self.claim.job_id,
            )

    def _missing(self) -> dict[str, str]:
        """Return, by action, what it would fail for today: an account that is not configured, switched off, sealed."""
        found = {
            action: integrations.lacking(self.claim.db, self.settings, self.project_id, action)
            for action in integrations.ACCOUNTS
        }
        return {action: why for action, why in found.items() if why is not None}


def list_failure(conn: Connection, project_id: UUID, job_id: UUID, error: str) -> None:
    """List that a cycle has failed for good, and why, in the transaction in which it does."""
    forget_task(conn, job_id, *FAILED_TASK)
    log_task(conn, project_id, job_id, *FAILED_TASK, "failed", error)


def _skip(project: Project, packets: dict[int, PacketVersion]) -> str | None:
    if project.status != "active":
        return f"The project is {project.status}."
    if not project.night_shift:
        return "The project's night shift is turned off."
    if not packets:
        return "There is no packet yet."
    return None


def _latest(conn: Connection, project_id: UUID) -> dict[int, PacketVersion]:
    rows = conn.execute("select version_id from public.phase_packets where project_id = %s", [project_id]).fetchall()
    packets = [versions.get_in(conn, row["version_id"]) for row in rows]
    return {packet.phase: packet for packet in packets}


def _published(conn: Connection, project_id: UUID) -> bool:
    row = conn.execute(
        "select exists (select from public.project_deployments where project_id = %s and status = 'ready') as yes",
        [project_id],
    ).fetchone()
    return bool(row and row["yes"])


def _waiting(conn: Connection, project_id: UUID) -> int:
    row = conn.execute(
        "select count(*)::int as n from public.approval_queue where project_id = %s and status = 'pending'",
        [project_id],
    ).fetchone()
    return row["n"] if row else 0


def _figures(stored: dict[str, str]) -> Kpis:
    """Return the figures of a checkpoint."""
    return Kpis(
        **{
            name: value if name == "currency" else Decimal(value) if name.startswith("conversion") else int(value)
            for name, value in stored.items()
        }  # type: ignore[arg-type]
    )


def _missing_of(outcomes: list[Outcome], missing: dict[str, str]) -> list[str]:
    """Return what stands between the actions of this night and their execution."""
    asked = {outcome.action_type for outcome in outcomes if outcome.ending in ("proposed", "pending")}
    return [why for action, why in missing.items() if action in asked]
