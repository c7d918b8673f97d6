"""A report, from its topic to its stored file. Each method is one step; Dagster ops call them in order.

    plan → research → snapshots → claims → check → write → render → record

Steps hand JSON to each other, because a step's output is its checkpoint. Whatever costs money is a checkpoint of its
own below its step, so that an attempt that was interrupted in the middle pays for nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from studio import projects, research
from studio.claims import Claim as Held
from studio.claims import Json
from studio.database.connection import Connection
from studio.errors import PermissionRefused
from studio.job_types import ReportPayload
from studio.kpis import counted
from studio.model.answers import Passage
from studio.outbound import OutboundClient
from studio.packets.fields import Source
from studio.progress import Progress
from studio.projects import Project
from studio.reports import assembly, checking, claims, contradictions, recording, snapshots
from studio.reports.assembly import Brought
from studio.reports.checking import Checked, Verdict
from studio.reports.claims import Stated
from studio.reports.model import Claim, Report
from studio.reports.paid import PaidCalls, in_batches
from studio.reports.snapshots import Keeper, Snapshot
from studio.settings import Settings
from studio.storage import Storage
from studio.tasks import TaskStatus, log_task
from studio.text import clip

if TYPE_CHECKING:
    from studio.model.client import Model

AGENT = recording.AGENT
# A stored idea may be longer; a research needs to know what it is for, not all of it.
IDEA_CHARS = 4_000
# Each question that searches has its worst case set aside, so few run at once; the other calls are small.
SEARCHES_AT_ONCE = 2
CALLS_AT_ONCE = 4


@dataclass(frozen=True)
class Generation:
    """One attempt at a report: the claim it works under, and what it works with."""

    claim: Held
    payload: ReportPayload
    settings: Settings
    model: Callable[[], Model]
    outbound: Callable[[], OutboundClient]
    progress: Progress
    storage: Callable[[], Storage]

    # --- the steps

    def plan(self) -> Json:
        """Break the topic into questions. Raise `PermissionRefused` where the project is not active."""
        project = self._active_project()
        self._task("report_plan", "running")
        planned = self._paid.plan(self._facts(project), self.payload.max_slides)
        self._task("report_plan", "completed", counted(len(planned["questions"]), "question"))
        for number, question in enumerate(planned["questions"], 1):
            self.progress.log(f"Question {number}: {question}")
        return {**planned, "project": project.name, "asked_at": datetime.now(UTC).isoformat()}

    def research(self, planned: Json) -> Json:
        """Look each question up on the web; return what each brought, in their order."""
        self._task("report_research", "running")
        facts, keeper, paid = self._facts(self._active_project()), self._keeper(), self._paid

        def look_up(number: int, question: str) -> Callable[[], Json]:
            return lambda: paid.look_up(number, {**facts, "question": question}, keeper)

        work = [look_up(number, question) for number, question in enumerate(planned["questions"], 1)]
        found = in_batches(work, SEARCHES_AT_ONCE)
        searches, passages = sum(one["searches"] for one in found), sum(len(one["passages"]) for one in found)
        told = f"{counted(searches, 'search')}, {counted(passages, 'cited passage')}"
        self._task("report_research", "completed", told)
        return found

    def snapshots(self, found: Json) -> Json:
        """Store the text of each cited page; return the snapshots in the order in which pages are cited."""
        everything = _brought(found)
        cited = [Passage(**passage) for one in everything for passage in one.passages]
        for tool in ("web_search", "web_fetch"):
            its = [assembly.source_of(passage) for passage in cited if passage.tool == tool]
            self.claim.write(_storing(self.project_id, self.claim.job_id, its, tool))
        taken = snapshots.take(
            self._keeper(),
            self.outbound,
            list(dict.fromkeys(cited)),
            [snapshot for one in everything for snapshot in one.fetched],
            max((one.at for one in everything), default=datetime.now(UTC)),
            self.progress.log,
        )
        self.progress.log(f"{counted(len(taken), 'snapshot')} of cited pages are stored.")
        return [snapshot.model_dump(mode="json") for snapshot in taken]

    def claims(self, planned: Json, found: Json, taken: Json) -> Json:
        """Let the statements be made of the stored pages; return them by question, unchecked.

        None stands for a question to which the model gave no usable answer.
        """
        self._task("report_claims", "running")
        pages, facts, paid = self._pages(taken), self._facts(self._active_project()), self._paid

        def state(number: int, question: str, brought: Brought) -> Callable[[], Json]:
            materials = assembly.materials(brought, pages)
            if not materials:
                return list
            shown = [claims.shown(material, pages[material.key][1]) for material in materials]
            return lambda: paid.state(number, {**facts, "question": question, "research": brought.notes}, shown)

        answered = zip(planned["questions"], _brought(found), strict=True)
        work = [state(number, question, brought) for number, (question, brought) in enumerate(answered, 1)]
        stated = in_batches(work, CALLS_AT_ONCE)
        self._task("report_claims", "completed", counted(sum(len(its or ()) for its in stated), "statement"))
        return stated

    def check(self, planned: Json, taken: Json, stated: Json) -> Json:
        """Check each statement against its page, and look for contradictions; return claims and contradictions."""
        self._task("report_check", "running")
        language, paid = planned["language"], self._paid
        statements = [[Stated.model_validate(one) for one in its or ()] for its in stated]
        by_question = assembly.checked(statements, self._pages(taken), language)

        def second_reading(number: int, standing: Sequence[Checked]) -> Callable[[], Json]:
            return (lambda: paid.review(number, standing)) if standing else list

        second = in_batches(
            [
                second_reading(number, [one for one in its if one.claim.outcome == "supported"])
                for number, its in enumerate(by_question, 1)
            ],
            CALLS_AT_ONCE,
        )
        judged: list[Claim] = []
        for its, verdicts in zip(by_question, second, strict=True):
            given = None if verdicts is None else [Verdict.model_validate(one) for one in verdicts]
            judged += checking.judged(its, given, language)
        standing = [claim for claim in judged if claim.outcome == "supported"]
        found = paid.contrary(standing) if len(standing) > 1 else []
        contrary = contradictions.contradictions(judged, found, language)
        for claim in judged:
            if claim.outcome != "supported":
                self.progress.log(f"Claim {claim.number} is {claim.outcome}: {claim.reason}", statement=claim.statement)
        told = f"{len(standing)} of {counted(len(judged), 'statement')} stand"
        self._task("report_check", "completed", f"{told}, {counted(len(contrary), 'contradiction')}")
        return {
            "claims": [claim.model_dump(mode="json") for claim in judged],
            "contradictions": [one.model_dump(mode="json") for one in contrary],
            "unread": sum(verdicts is None for verdicts in second),
            "unstated": [number for number, its in enumerate(stated, 1) if its is None],
            "repeated": assembly.repeated(statements, by_question, judged),
            "stated": [number for number, its in enumerate(statements, 1) if its],
        }

    def write(self, planned: Json, found: Json, taken: Json, checked: Json) -> Json:
        """Write title, summary and headings of what stands; return the whole report."""
        self._task("report_text", "running")
        judged = [Claim.model_validate(one) for one in checked["claims"]]
        standing = [claim for claim in judged if claim.outcome == "supported"]
        report = assembly.report(
            self.payload.topic,
            planned,
            _brought(found),
            _keyed(taken),
            checked,
            self._paid.write(planned["questions"], standing, planned["language"]) if standing else None,
        )
        self._task("report_text", "completed", report.title)
        return report.model_dump(mode="json")

    def render(self, written: Json) -> Json:
        """Draw the report and store the file; return what the storage has, with a small picture where there is one."""
        self._task("report_file", "running")
        look = recording.brand(self.claim.db, self.project_id, self.progress.log)
        report = Report.model_validate(written)
        made = recording.render(report, self.payload, self.settings, look, self._keeper(), self.claim.db)
        self._task("report_file", "completed", f"{counted(made['pages'], 'page')}, {made['filename']}")
        return made

    def record(self, conn: Connection, written: Json, taken: Json, made: Json) -> Json:
        """Write the report down: its row, its claims, what is remembered of it. Return what the run shows."""
        return recording.record(conn, self.claim, self.payload, Report.model_validate(written), _keyed(taken), made)

    # --- what they need

    @property
    def project_id(self) -> UUID:
        """The project the job belongs to."""
        return self.claim.job.project_id

    @property
    def _paid(self) -> PaidCalls:
        return PaidCalls(self.claim, self.model, self.progress, self.payload.topic)

    def _keeper(self) -> Keeper:
        return Keeper(self.claim.write, self.storage(), self.project_id, self.claim.job_id)

    def _active_project(self) -> Project:
        project = projects.get(self.claim.db, self.project_id)
        if project.status != "active":
            raise PermissionRefused(f"Project {project.id} is {project.status}.", "Make it active first.")
        return project

    def _facts(self, project: Project) -> dict[str, Any]:
        return {
            "topic": self.payload.topic,
            "project": {"name": project.name},
            "idea": clip(project.idea_description, IDEA_CHARS),
        }

    def _pages(self, taken: Json) -> assembly.Pages:
        keeper = self._keeper()
        return {key: (snapshot, keeper.text_of(snapshot)) for key, snapshot in _keyed(taken).items()}

    def _task(self, description: str, status: TaskStatus, detail: str | None = None) -> None:
        self.claim.write(
            lambda conn: log_task(conn, self.project_id, self.claim.job_id, AGENT, description, status, detail)
        )


def _brought(found: Json) -> list[Brought]:
    return [Brought.model_validate(one) for one in found]


def _keyed(taken: Json) -> dict[str, Snapshot]:
    return assembly.keyed([Snapshot.model_validate(one) for one in taken])


def _storing(project_id: UUID, job_id: UUID, passages: Sequence[Source], tool: str) -> Callable[[Connection], int]:
    return lambda conn: research.store(conn, project_id, job_id, passages, tool)
