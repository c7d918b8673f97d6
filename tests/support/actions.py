"""Approved actions without Dagster: proposed, decided, claimed, and run step by step as the job's ops do.

`Stage` is a studio with real providers on loopback, its own storage folder, and companies whose packets can be
carried out. `attempt` is one attempt at the job `approval.execute`, in this process or, in `tests.support.crashing`,
in one that is killed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

from pydantic import SecretStr

from studio import approvals, assets, claims, decisions, outbox, queue
from studio.actions.execution import Execution, list_failure
from studio.approvals import Approval
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.errors import LeaseLost, StudioError
from studio.job_types import ApprovalPayload
from studio.outbound import OutboundClient
from studio.outbox import Entry
from studio.queue import Job
from studio.settings import Settings
from studio.storage import Storage, storage_from_settings
from tests.support.approvals import ADS, ALL_ON, DEPLOY, EMAIL, FOUNDER, GUIDANCE, HOOK, REFINE, REPOSITORY, Company
from tests.support.local_web import authority
from tests.support.model import Recorder
from tests.support.providers import HOOK_HOST, HOOK_PATH, Providers

LIFECYCLE = "send_phase2_lifecycle_email"
PHASES = {DEPLOY: 1, EMAIL: 1, ADS: 2, LIFECYCLE: 2, REPOSITORY: 3, HOOK: 3, REFINE: 1}
# Those that leave the house, and of them those whose provider can be asked what it did.
EFFECTS = {ADS: "create_campaign", REPOSITORY: "repository_dispatch", HOOK: "trigger_deploy"}
ASKABLE = {ADS}

META_TOKEN, GITHUB_TOKEN, ACCOUNT = "EAAmetatoken0123456789", "ghp_githubtoken0123456789", "4711"
HOOK_URL = f"https://{HOOK_HOST}{HOOK_PATH}"
# What each action's provider is given and nobody else may see.
SECRETS = {ADS: (META_TOKEN,), REPOSITORY: (GITHUB_TOKEN,), HOOK: (HOOK_PATH, "SecretHookKey42", "prj_9Fh2kLq7")}
LEASE = timedelta(hours=1)
HTML = "<!doctype html><html lang=en><title>Tools for neighbours</title><p>Grüße</p></html>"

_EMAIL = {"day": "Day 0", "subject": "Welcome in", "goal": "Say hello to them", "body": ["Thank you for joining."]}
PACKETS: dict[int, dict[str, Any]] = {
    1: {
        "email_sequence": {"emails": [_EMAIL, {**_EMAIL, "day": "Day 3"}, {**_EMAIL, "day": "Day 7"}]},
        "landing_page": {"headline": "Tools for neighbours"},
    },
    2: {
        "paid_acquisition": {
            "enabled": True,
            "budget_cap_per_day": "12.50",
            "target_audiences": ["Neighbours"],
            "creative_angles": ["Drills", "Ladders"],
            "kill_switch": "Stop when it costs too much.",
        },
        "lifecycle_email": {"journeys": ["One", "Two"], "send_window": "mornings", "emails": [_EMAIL]},
    },
    3: {
        "launch_checklist": ["Check the page", "Check the mail", "Check the hook", "Check the logs"],
        "merge_policy": {"review_required": True, "approvals_required": 1, "protected_branch": "main"},
    },
}


def action_settings(database_url: str, providers: Providers, data_dir: Path, **changes: Any) -> Settings:
    """Return settings under which every action is configured."""
    return Settings(
        **{
            "database_url": database_url,
            "data_dir": data_dir,
            "app_base_url": "https://app.example.org",
            "pages_base_url": "https://pages.example.org",
            "link_secret": "a-link-secret-of-the-tests-0123456789",
            "integration_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "github_token": GITHUB_TOKEN,
            "github_url": providers.url,
            "meta_access_token": META_TOKEN,
            "meta_ad_account_id": ACCOUNT,
            "meta_url": providers.url,
            "vercel_deploy_hook_url": HOOK_URL,
            # Nothing here takes seconds; what waits for it is let wait no longer by `let_time_pass`.
            "provider_timeout_seconds": 10,
            **changes,
        }
    )


def hook_client(address: tuple[str, int]) -> OutboundClient:
    """Return the guarded client of a world in which the deploy host's name leads to this machine."""
    return OutboundClient(allow={(HOOK_HOST, 443): address}, tls=authority())


@dataclass
class Stage:
    """A studio that may act, and what it acts on."""

    db: Database
    settings: Settings
    providers: Providers
    outbound: OutboundClient
    told: Recorder = field(default_factory=Recorder)

    @property
    def storage(self) -> Storage:
        return storage_from_settings(self.settings)

    def company(self, action: str, **columns: Any) -> Company:
        """Make a company that may do everything, in the action's phase."""
        columns = {"repo_url": "https://github.com/acme/shop", **columns}
        return Company(self.db, PHASES[action], dict(ALL_ON), columns)

    def page(self, company: Company, html: str = HTML) -> tuple[UUID, str]:
        """Store a landing page that could be published; return its asset and hash."""
        asset = assets.store(
            assets.writing(self.db),
            self.storage,
            company.id,
            phase=1,
            kind="landing_html",
            path=f"{company.id}/phase-1/v1/landing.html",
            data=html.encode(),
            filename="landing.html",
            mime_type="text/html",
            metadata={"selected_variant": True},
            created_by="designer",
        )
        assert asset.content_hash is not None
        return asset.id, asset.content_hash

    def approved(self, action: str, company: Company | None = None, **packet: Any) -> tuple[Company, Approval]:
        """Let an action be proposed and approved; return its company and approval."""
        company = company or self.company(action)
        phase = PHASES[action]
        version = company.packet(phase, **{**PACKETS[phase], **packet})
        more: dict[str, Any] = {"packet": version, "asked_by": FOUNDER}
        if action == REFINE:
            more["payload"] = {"guidance": GUIDANCE}
        if action == DEPLOY:
            more["asset_id"], more["content_hash"] = self.page(company)
        asked = company.asked(action, **more)
        decisions.decide(self.db, asked.id, "approved", version=asked.version, decided_by=FOUNDER)
        return company, self.approval(asked.id)

    def approval(self, approval_id: UUID) -> Approval:
        return approvals.get(self.db, approval_id)

    def job(self, approval: Approval) -> Job:
        row = self.db.fetch_one("select execution_job_id as id from public.approval_queue where id = %s", [approval.id])
        assert row is not None
        return queue.get(self.db, row["id"])

    def claimed(self, approval: Approval) -> Claim:
        """Claim the approval's job, as a first or a further attempt."""
        job_id = self.job(approval).id
        with self.db.transaction() as conn:
            return claims.claim_by_id(conn, self.db, job_id, "worker", f"run-{uuid4()}", LEASE)

    def lose(self, job_id: UUID) -> None:
        """Let the worker of a running job be lost, and the job be taken back."""
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute(
                "update public.agent_jobs set leased_until = now() - interval '1 second'"
                " where id = %s and status = 'running'",
                [job_id],
            )
        queue.reclaim_stale(self.db)
        self.let_time_pass(job_id)

    def let_time_pass(self, job_id: UUID) -> None:
        """Let what was sent have been sent an hour ago: a provider has its answer by then."""
        self.db.execute(
            "update public.outbox set sent_at = sent_at - interval '1 hour' where job_id = %s and status = 'sending'",
            [job_id],
        )

    def execution(self, claim: Claim, **changes: Any) -> Execution:
        return execution(claim, self.settings, self.outbound, self.told, **changes)

    def run(self, approval: Approval, claim: Claim | None = None) -> str:
        """Run one attempt; return the status that the job has afterwards."""
        return attempt(self.execution(claim or self.claimed(approval)))

    def run_to_end(self, approval: Approval) -> str:
        """Run attempts until the job has ended; return its last status."""
        for _ in range(8):
            job = self.job(approval)
            if job.ended:
                return job.status
            if job.status == "running":
                self.lose(job.id)
                continue
            self.let_time_pass(job.id)
            self.run(approval)
        raise AssertionError(f"the job goes on for ever: {self.job(approval).last_error}")

    def order(self, claim: Claim) -> dict[str, Any]:
        """Return what a process of its own needs for an attempt under `claim`; see `tests.support.crashing`."""
        given = {name: getattr(self.settings, name) for name in self.settings.model_fields_set}
        plain = {name: v.get_secret_value() if isinstance(v, SecretStr) else v for name, v in given.items()}
        return {"settings": plain, "job_id": claim.job_id, "hook": self.providers.hook_address}

    def sign_up(self, company: Company, *emails: str) -> None:
        """Let people have confirmed that they want to hear from a company."""
        for email in emails:
            self.db.execute(
                "insert into public.waitlist_signups (project_id, email, status, confirmed_at)"
                " values (%s, %s, 'confirmed', now())",
                [company.id, email],
            )

    # --- what became of it

    def happened(self, approval: Approval) -> int:
        """How often what was approved has really happened."""
        if approval.action_type == HOOK:
            return self.providers.effects_for(str(approval.project_id))
        if approval.action_type == ADS:
            return self.providers.effects_for(f"gl-{approval.id.hex}")
        if approval.action_type == REPOSITORY:
            return self.providers.effects_for(str(approval.id))
        counted: LiteralString = {
            DEPLOY: "select count(*) as n from public.page_publications where approval_id = %s",
            EMAIL: "select count(*) / 6 as n from public.email_jobs where approval_id = %s",
            LIFECYCLE: "select count(*) / 2 as n from public.email_jobs where approval_id = %s",
            REFINE: "select count(*) as n from public.agent_jobs where idempotency_key = 'phase-refine:1:' || %s",
        }[approval.action_type]
        row = self.db.fetch_one(counted, [approval.id])
        return int(row["n"]) if row else 0

    def status(self, approval: Approval) -> str:
        """Return the approval's execution status."""
        row = self.db.fetch_one("select execution_status as s from public.approval_queue where id = %s", [approval.id])
        assert row is not None
        return str(row["s"])

    def executed(self, approval: Approval) -> dict[str, Any]:
        """Return the row of the approval's execution."""
        row = self.db.fetch_one("select * from public.action_executions where approval_id = %s", [approval.id])
        assert row is not None, "there is no execution"
        return row

    def effect(self, approval: Approval) -> Entry:
        """Return the one row of the outbox that belongs to the approval."""
        rows = outbox.find(self.db, approval_id=approval.id, kind="effect")
        assert len(rows) == 1
        return outbox.get(self.db, rows[0].id)


def execution(
    claim: Claim, settings: Settings, outbound: OutboundClient, told: Recorder | None = None, **changes: Any
) -> Execution:
    """Return one attempt under `claim`."""
    return Execution(
        **{
            "claim": claim,
            "payload": ApprovalPayload.model_validate(claim.job.payload),
            "settings": settings,
            "outbound": lambda: outbound,
            "storage": lambda: storage_from_settings(settings),
            "progress": told or Recorder(),
            **changes,
        }
    )


def attempt(work: Execution) -> str:
    """Run the ops of `approval.execute` and end the job as a run does; return the job's status."""
    claim = work.claim
    try:
        begun = claim.once_in_transaction("begin", work.begin)
        done = claim.once("perform", lambda: work.perform(begun))

        def record(conn: Connection) -> Any:
            return work.record(conn, done)

        claim.once_in_transaction("record", record)
    except LeaseLost:
        return "lost"
    except StudioError as exc:
        said = str(exc)

        def also(conn: Connection, status: str) -> None:
            if status == "failed":
                list_failure(conn, claim.job.project_id, claim.job_id, said)

        return claim.fail(said, permanent=exc.permanent, retry_base=timedelta(0), also=also)
    claim.complete()
    return "completed"
