"""Reports without Dagster: a project, a claimed job, and the steps of `studio.reports.generation` in their order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from studio import queue
from studio.claims import Claim, Json
from studio.job_types import ReportPayload
from studio.queue import NewJob
from studio.reports.generation import Generation
from studio.reports.model import Report
from tests.support.model import Recorder
from tests.support.phase0 import Step, Studio, walk
from tests.support.sandbox import SandboxThread

JOB_TYPE = "research.generate_report"
TOPIC = "Tool libraries that lend drills to neighbours"

_STEPS = (
    Step("plan"),
    Step("research", ("plan",)),
    Step("snapshots", ("research",)),
    Step("claims", ("plan", "research", "snapshots")),
    Step("check", ("plan", "snapshots", "claims")),
    Step("write", ("plan", "research", "snapshots", "check")),
    Step("render", ("write",)),
    Step("record", ("write", "snapshots", "render"), transactional=True),
)
STEPS = tuple(step.name for step in _STEPS)

# One uninterrupted report of nine slides: three questions. What the pages say to the third has been said by then, so
# that nothing of it is read a second time.
QUESTIONS = 3
ASKED = Counter(
    {
        "ReportPlan": 1,
        None: QUESTIONS,
        "QuestionClaims": QUESTIONS,
        "QuoteReview": QUESTIONS - 1,
        "ContradictionFindings": 1,
        "ReportText": 1,
        # The text is made of the statements, which need no other reading; its chart does.
        "SentenceReview": 1,
    }
)

PAGES = {
    "https://lendly.test/about": (
        "Lendly, a tool library",
        "Lendly is a tool library that lends drills to neighbours. Members pay 5 euros a month."
        " In 2024 the tool library lent 1,200 drills to 340 neighbours.",
    ),
    "https://survey.test/tools": (
        "A survey of neighbours and their tools",
        "Of the neighbours asked, 62 % own a drill. Only 9 % of neighbours have used a drill in the last month."
        " Tool libraries are difficult to insure, neighbours say.",
    ),
    "https://times.test/lend": (
        "The Times on tool libraries",
        "The Times counted 48 tool libraries that lend drills in 2024. Tool libraries dispute who pays for damage.",
    ),
}


def write_pages(folder: Path, pages: dict[str, tuple[str, str]]) -> Path:
    """Write documents where the sandbox model finds them; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (url, (title, text)) in enumerate(pages.items()):
        document = f"---\nurl: {url}\ntitle: {title}\n---\n{text}\n"
        (folder / f"{number:02d}.md").write_text(document, encoding="utf-8")
    return folder


class Reporting(Studio):
    """A studio that makes reports."""

    def asked(self, project_id: UUID, topic: str = TOPIC, *, slides: int = 9, format: str = "pptx") -> Claim:
        """Ask for a report and claim its job."""
        payload = {"projectId": str(project_id), "topic": topic, "format": format, "maxSlides": slides}
        with self.db.transaction() as conn:
            job_id = queue.enqueue(conn, NewJob(JOB_TYPE, project_id, {**payload, "occasion": str(uuid4())})).job_id
        return self.claimed(job_id)

    def generation(self, claim: Claim, told: Recorder | None = None, **parts: Any) -> Generation:
        """Return one attempt under `claim`."""
        return Generation(
            **{
                "claim": claim,
                "payload": ReportPayload.model_validate(claim.job.payload),
                "settings": self.settings,
                "model": lambda: self.model,
                "outbound": lambda: self.outbound,
                "progress": told or Recorder(),
                "storage": lambda: self.storage,
                **parts,
            }
        )

    def steps(self, claim: Claim, *, until: str | None = None, told: Recorder | None = None) -> dict[str, Json]:
        """Run the steps, all or those before `until`; return what they gave."""
        return walk(self.generation(claim, told), _STEPS, until=until)  # type: ignore[arg-type]

    def report(self, topic: str = TOPIC, *, until: str | None = None, **wish: Any) -> Report:
        """Have a report written for a new project, to its end or to the step before `until`, and return it."""
        claim = self.asked(self.project(), topic, **wish)
        return Report.model_validate(self.steps(claim, until=until)["write"])


def asked_for(sandbox: SandboxThread) -> Counter[str | None]:
    """Return what the model was asked for, by the schema's title."""
    return Counter(entry["schema_title"] for entry in sandbox.requests())
