"""One of everything that an owner can have, by the ids that routes name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx

from studio import assets, shares
from studio.approvals import Approval
from studio.chat import post
from studio.database.connection import Database
from studio.storage import storage_from_settings
from tests.integration.studio_web.conftest import Desk
from tests.support.approvals import DEPLOY, GUIDANCE, REFINE, Company
from tests.support.builders import Made
from tests.support.mail import add_mail
from tests.support.traced_jobs import Fault, Traces, chat
from web.identity.owner import SignedIn
from web.identity.viewer import Viewer

PDF = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n"


@dataclass
class Holdings:
    """A project with a packet, a gate, an action, jobs, a chat, files, a link, an outbox, an account, a trace, code…"""

    company: Company
    gate: Approval
    action: Approval
    job: UUID
    failed_job: UUID
    message: UUID
    suggestion: UUID
    asset: UUID
    upload: UUID
    arrived: UUID
    share: UUID
    effect: UUID
    mail: UUID
    trace: UUID
    span: str
    fingerprint: str
    alert: UUID
    generation: UUID
    report: UUID
    check: UUID

    @property
    def project(self) -> UUID:
        return self.company.id


def no_operator(owner: SignedIn) -> Viewer:
    """Stand in for `viewer`: where owners sign in by link, each is an operator and sees all that is done."""
    return Viewer(owner, is_operator=False)


def company(desk: Desk, owner: str = "ada", phase: int = 1, **columns: object) -> Company:
    """Make a project of an owner whose packets and approvals a test may make as it likes."""
    desk.project(owner)  # so that there is a user
    return Company(desk.db, phase=phase, columns={"owner_clerk_id": owner, **columns})


def say(db: Database, project: UUID, owner: str, text: str = "What about schools?") -> tuple[UUID, UUID]:
    """Post a message; return its id and its job's."""
    with db.transaction() as conn:
        posted = post(conn, project, owner, text)
    return posted.message_id, posted.job.job_id


def suggest(db: Database, project: UUID, owner: str, action: str = REFINE) -> UUID:
    """Let the studio suggest something in the chat; return the message's id."""
    wish = {"action_type": action, "title": "Refine", "rationale": "Schools buy bread.", "phase": 1}
    if action == REFINE:
        wish["guidance"] = GUIDANCE
    row = db.fetch_one(
        "insert into project_chat_messages (project_id, owner_clerk_id, role, content, suggestion, suggestion_state)"
        " values (%s, %s, 'assistant', 'Shall I?', %s::jsonb, 'open') returning id",
        [project, owner, json.dumps(wish)],
    )
    assert row is not None
    return UUID(str(row["id"]))


def unknown_effect(db: Database, project: UUID) -> UUID:
    """List an effect of which nobody knows what became of it, of an action that was approved."""
    row = db.fetch_one(
        "with asked as (insert into approval_queue (project_id, phase, title, description, risk, action_type, status,"
        "  execution_status) values (%(project)s, 1, 'T', 'd', 'low', 'x', 'approved', 'unknown') returning id),"
        " done as (insert into action_executions (approval_id, project_id, action_type, status)"
        "  select id, %(project)s, 'x', 'unknown' from asked returning id, approval_id)"
        " insert into outbox (project_id, approval_id, execution_id, effect, provider, idempotency_key, status,"
        "  attempts, sent_at) select %(project)s, approval_id, id, 'dispatch', 'github', id::text, 'unknown', 1, now()"
        " from done returning id",
        {"project": project},
    )
    assert row is not None
    return UUID(str(row["id"]))


def unknown_mail(db: Database, project: UUID) -> UUID:
    """List a mail of which nobody knows whether it has left."""
    return add_mail(db, project, to_email="ann@example.org", status="unknown")


def stored(
    desk: Desk, project: UUID, name: str = "plan.md", data: bytes = b"# Plan\n", mime: str = "text/markdown"
) -> UUID:
    """Store a file that the studio has made; return its asset's id."""
    made = assets.store(
        assets.writing(desk.db),
        storage_from_settings(desk.web.settings),
        project,
        phase=1,
        kind="release_note",
        path=f"{project}/phase-1/{uuid4()}/{name}",
        data=data,
        filename=name,
        mime_type=mime,
        metadata={},
        created_by="test",
    )
    return made.id


def failed_trace(db: Database, project: UUID, fingerprint: str) -> tuple[UUID, str]:
    """Store an attempt that an error has ended; return its id and that of the span in which it came up."""
    trace = Traces(db, project).store(chat(fault=Fault(fingerprint=fingerprint)))
    row = db.fetch_one(
        "select span_id from pipeline_spans where trace_id = %s and fingerprint is not null limit 1", [trace]
    )
    assert row is not None
    return trace, str(row["span_id"])


def alert(db: Database, project: UUID) -> UUID:
    """Open an alert about a project."""
    row = db.fetch_one(
        "insert into alerts (kind, subject, title, project_id) values ('spend', %s, 'Near its cap', %s) returning id",
        [str(project), project],
    )
    assert row is not None
    return UUID(str(row["id"]))


def announced(client: httpx.Client, project: UUID, data: bytes = PDF, *, arrived: bool = False) -> UUID:
    """Announce an upload, and bring its bytes where it has `arrived`; return its asset's id."""
    said = {"name": "deck.pdf", "size": len(data), "type": "application/pdf"}
    answer = client.post(f"/api/projects/{project}/assets/upload-url", json=said)
    assert answer.status_code == 200, answer.text
    if arrived:
        assert client.put(answer.json()["url"], content=data).status_code == 200
    return UUID(answer.json()["assetId"])


def holdings(desk: Desk, owner: str, client: httpx.Client) -> Holdings:
    """Make one of everything for an owner, who has signed in as `client`."""
    firm = company(desk, owner)
    gate = firm.gate()
    firm.page()
    action = firm.asked(DEPLOY)
    message, job = say(desk.db, firm.id, owner)
    with desk.db.transaction() as conn:
        share = shares.create(conn, firm.id, 1, created_by=owner)
    fingerprint = str(uuid4())
    trace, span = failed_trace(desk.db, firm.id, fingerprint)
    saved = client.put(f"/api/projects/{firm.id}/integrations/github", json={"config": {"token": "ghp_0123456789"}})
    assert saved.status_code == 200, saved.text
    return Holdings(
        company=firm,
        gate=gate,
        action=action,
        job=job,
        failed_job=firm.job(status="failed", phase=1),
        message=message,
        suggestion=suggest(desk.db, firm.id, owner),
        asset=stored(desk, firm.id),
        upload=announced(client, firm.id),
        arrived=announced(client, firm.id, arrived=True),
        share=share.id,
        effect=unknown_effect(desk.db, firm.id),
        mail=unknown_mail(desk.db, firm.id),
        trace=trace,
        span=span,
        fingerprint=fingerprint,
        alert=alert(desk.db, firm.id),
        **Made(desk.db, desk.web.settings, firm.id, owner, files=False).everything(),
    )
