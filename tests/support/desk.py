"""A studio full of rows for its pages: projects in every state, what waits, runs, failed and was held, mails, a night.

Made by the studio's own functions where there is one for it; what only a worker or a provider would leave behind is
written as they leave it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from studio import approvals, assets, decisions, events, grants, integrations, lifecycle
from studio.approvals import Approval
from studio.database.connection import Database
from studio.events import NewEvent
from studio.mail import quiet_hours
from studio.model import spend
from studio.model.spend import Spent
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.settings import Settings
from studio.storage import storage_from_settings
from tests.support import mail, night
from tests.support.approvals import ADS, ALL_ON, DEPLOY, EMAIL, HOOK, REFINE, REPOSITORY, Company
from tests.support.phases import GO_LIVE, PACKETS, synopsis

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Borrow a drill</title><style>
body{margin:0;font:18px/1.6 Georgia,serif;background:#f4f0e6;color:#1f2a24}
main{max-width:40rem;margin:auto;padding:4rem 2rem}h1{font-size:3rem;line-height:1.1;margin:0 0 1rem}p{margin:0 0 2rem}
a{background:#a8431a;color:#fff;padding:.9rem 1.6rem;border-radius:2rem;text-decoration:none;font-family:sans-serif}
</style><main><h1>Borrow a drill from the hallway</h1><p>A locker in your house with the tools of your neighbours.</p>
<a href="#list">Join the waitlist</a></main></html>"""
_ADS = {
    "enabled": True,
    "budget_cap_per_day": "12.50",
    "target_audiences": ["People who have moved in", "House managers"],
    "creative_angles": ["The drill you need once", "The locker in the hallway"],
    "kill_switch": "Stop after 50 dollars without a signup",
}
_CONTENT: dict[int, dict[str, Any]] = {**PACKETS, 3: {**GO_LIVE, "summary": "Everything is named that must work."}}


@dataclass
class Scene:
    """The rows of one owner."""

    db: Database
    settings: Settings
    owner: str

    # --- projects

    def company(self, name: str, phase: int, **columns: Any) -> Company:
        """Make a project of the owner that may do everything, with a budget."""
        company = Company(self.db, phase, dict(ALL_ON), {"owner_clerk_id": self.owner, "name": name, **columns})
        with self.db.transaction() as conn:
            spend.set_budget(conn, company.id, Decimal(60), 60_000_000, 2_000)
        return company

    def packet(self, company: Company, phase: int, confidence: int = 62, **changes: Any) -> PacketVersion:
        """Save a packet of a phase as a phase leaves it behind."""
        content = {"summary": "", "recommendation": "greenlight", **_CONTENT[phase], **changes}
        with self.db.transaction() as conn:
            return versions.save(
                conn,
                company.id,
                phase,
                content,
                synopsis=synopsis(confidence=confidence, proposed_actions=[]),
                job_id=company.job(),
                claim_no=1,
                model="sandbox",
                prompt_version="p",
                spent=Spent(4, 412_000, 30_000, 9_000, 6),
                provenance={},
            )

    def page(self, company: Company, html: str = PAGE) -> tuple[UUID, str]:
        """Store a landing page that was chosen."""
        asset = assets.store(
            assets.writing(self.db),
            storage_from_settings(self.settings),
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

    # --- what a worker leaves behind

    def running(self, company: Company, job_type: str, step: str, *, seconds: int = 95, agent: str = "ceo") -> UUID:
        """Let a job of the project run, which has said what it does."""
        job = company.job(job_type, "queued", phase=company.phase)
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute(
                "update public.agent_jobs set status = 'running', attempts = 1, claim_no = 1, locked_by = 'worker',"
                " agent_key = %s, dagster_run_id = %s, leased_until = now() + interval '1 hour',"
                " started_at = now() - make_interval(secs => %s) where id = %s",
                [agent, str(uuid4()), seconds, job],
            )
            events.append(conn, job, [NewEvent("log", step)])
        return job

    def failed(self, company: Company, job_type: str, error: str, *, hours: int = 2) -> UUID:
        """Let a job of the project have failed."""
        job = company.job(job_type, "queued", phase=company.phase)
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute(
                "update public.agent_jobs set status = 'failed', attempts = 3, last_error = %s, dagster_run_id = %s,"
                " started_at = now() - make_interval(hours => %s), completed_at = now() - make_interval(hours => %s)"
                " where id = %s",
                [error, str(uuid4()), hours, hours, job],
            )
        return job

    def spent(self, company: Company, micros: int, *, days: int = 0, model: str = "sandbox") -> None:
        """Let a model call have cost something, so many days ago."""
        self.db.execute(
            "insert into public.model_calls (project_id, step, agent, model, status, reserved_micros, reserved_tokens,"
            " cost_micros, input_tokens, output_tokens, created_at, settled_at) values (%s, 'generate', 'strategist',"
            " %s, 'settled', %s, 1000, %s, 800, 200, now() - make_interval(days => %s), now())",
            [company.id, model, micros, micros, days],
        )
        self.db.execute(
            "update public.project_budgets set spent_micros = spent_micros + %s, spent_tokens = spent_tokens + 1000,"
            " calls = calls + 1 where project_id = %s",
            [micros, company.id],
        )

    def reader(self, company: Company, email: str) -> None:
        """Put somebody on the waitlist who has confirmed."""
        self.db.execute(
            "insert into public.waitlist_signups (project_id, email, status, confirmed_at)"
            " values (%s, %s, 'confirmed', now())",
            [company.id, email],
        )

    def night(self, company: Company) -> None:
        """Let a night have worked on the project."""
        night.Nights(self.db, self.settings).run(company.id, datetime.now(UTC).date())

    # --- what was asked and decided

    def gate(self, company: Company, packet: PacketVersion, *, supersede: bool = False) -> Approval:
        """Open the gate of a packet, as its phase does."""
        with self.db.transaction() as conn:
            opened = approvals.open_gate(
                conn,
                packet,
                title=f"Review the Phase {packet.phase} packet",
                description=packet.packet["summary"] or packet.packet["tagline"],
                supersede=supersede,
                job_id=packet.source_job_id or UUID(int=0),
            )
        assert opened.approval_id is not None
        return approvals.get(self.db, opened.approval_id)

    def asked(self, company: Company, action: str, **more: Any) -> Approval:
        """Let an action be asked for by name, in its own words."""
        titles = {
            DEPLOY: "Publish the landing page",
            EMAIL: "Send the welcome sequence",
            ADS: "Create the ad campaign, paused",
            REPOSITORY: "Start the launch workflow of the repository",
            HOOK: "Trigger the deployment",
            REFINE: "Refine what phase 1 has made",
        }
        given = {"title": titles.get(action, action), "asked_by": self.owner, "agent_source": "ceo_agent"}
        return company.asked(action, **{**given, **more})

    def approved(self, approval: Approval) -> Approval:
        """Let the owner say yes."""
        decisions.decide(self.db, approval.id, "approved", version=approval.version, decided_by=self.owner)
        return approvals.get(self.db, approval.id)

    def ended(
        self,
        approval: Approval,
        status: str,
        *,
        detail: str | None = None,
        effect: tuple[str, str] | None = None,
        error: str | None = None,
    ) -> UUID | None:
        """Let the execution of an approved action have ended, with an effect at a provider; return the effect's id."""
        job_status = {"completed": "completed", "running": "running"}.get(status, "failed")
        job_id = approval.execution_job_id
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute(
                "update public.agent_jobs set status = %s, attempts = 1, started_at = now() - interval '4 minutes',"
                " completed_at = case when %s <> 'running' then now() - interval '3 minutes' end, last_error = %s,"
                " dagster_run_id = %s where id = %s",
                [job_status, job_status, error, str(uuid4()), job_id],
            )
            conn.execute("update public.approval_queue set execution_status = %s where id = %s", [status, approval.id])
            conn.execute(
                "insert into public.action_executions (approval_id, project_id, action_type, status, detail, job_id)"
                " values (%s, %s, %s, %s, %s, %s)",
                [approval.id, approval.project_id, approval.action_type, status, detail or error, job_id],
            )
            if effect is None:
                return None
            row = conn.execute(
                "insert into public.outbox (project_id, approval_id, effect, provider, idempotency_key, request,"
                " status, attempts, job_id, error, sent_at)"
                " values (%s, %s, %s, %s, %s, %s::jsonb, %s, 1, %s, %s, now()) returning id",
                [
                    approval.project_id,
                    approval.id,
                    *effect,
                    f"gl-{approval.id.hex}",
                    json.dumps({"event_type": "greenlight_phase3_launch", "client_payload": {"phase": 3}}),
                    {"completed": "done"}.get(status, status),
                    job_id,
                    error,
                ],
            ).fetchone()
        assert row is not None
        return UUID(str(row["id"]))

    # --- a whole studio

    def everything(self) -> dict[str, Any]:
        """Make a studio in full work; return the ids of what it holds by name."""
        made: dict[str, Any] = {}
        made |= self._validating()
        made |= self._distributing()
        made |= self._going_live()
        made |= self._others()
        return made

    def _validating(self) -> dict[str, Any]:
        """A project in phase 1: a superseded gate and its follower, a page, mails, a refinement, a night, figures."""
        company = self.company("Toolhaus", 1, live_url=f"{self.settings.pages_base_url}/launch/toolhaus")
        old = self.gate(company, self.packet(company, 1, 48))
        packet = self.packet(company, 1, 64)
        gate = self.gate(company, packet, supersede=True)
        asset, digest = self.page(company)
        for name in ("ines", "tomas", "wanda"):
            self.reader(company, f"{name}@example.org")
        page = self.asked(
            company,
            DEPLOY,
            packet=packet,
            asset_id=asset,
            content_hash=digest,
            description="Publishes exactly the page that was reviewed.",
        )
        letters = self.asked(
            company,
            EMAIL,
            packet=packet,
            description="Sends these mails to everybody who has confirmed an address, day by day.",
        )
        refine = self.asked(
            company,
            REFINE,
            packet=packet,
            agent_source="chat",
            description="Asked for in the chat.",
            payload={"guidance": "Say in the first line what a loan costs, and drop the word community."},
        )
        for name, count in (("traffic", 412), ("lead", 19)):
            night.track(self.db, company.id, name, count)
        for day, micros in enumerate((1_240_000, 310_000, 0, 2_870_000, 940_000, 150_000, 2_100_000)):
            if micros:
                self.spent(company, micros, days=day)
        self.running(company, "phase.generate_packet", "Searching the web for prices of tool libraries")
        company.job("chat.reply", "queued")
        self.night(company)
        return {"tools": company, "gate": gate, "old_gate": old, "page": page, "letters": letters, "refine": refine}

    def _distributing(self) -> dict[str, Any]:
        """A project in phase 2: ads to be decided, mails in every status, accounts of its own, a failed job."""
        company = self.company("Wheels & Bread", 2)
        packet = self.packet(company, 2, 71, paid_acquisition=_ADS)
        self.gate(company, packet)
        ads = self.asked(
            company,
            ADS,
            packet=packet,
            agent_source="night_shift",
            description="Creates a campaign at Meta within the cap, paused.",
        )
        body = {
            "html_body": "<p>Which tool did you <b>miss</b> last?</p>",
            "text_body": "Which tool did you miss last?",
        }
        sent = mail.add_mail(self.db, company.id, to_email="ines@example.org", subject="You are on the list", **body)
        mail.send(self.db, self.settings)
        held = mail.add_mail(
            self.db,
            company.id,
            to_email="tomas@example.org",
            subject="How the locker works",
            status="unknown",
            error="The connection to Resend broke before its answer came.",
            **body,
        )
        bounced = mail.add_mail(
            self.db,
            company.id,
            to_email="nobody@example.org",
            subject="One question",
            status="failed",
            error="Resend refuses the address: mailbox unavailable.",
            **body,
        )
        later = mail.add_mail(
            self.db,
            company.id,
            to_email="wanda@example.org",
            subject="A word in a week",
            scheduled_for="2126-05-01T08:00:00Z",
            category="sequence",
            **body,
        )
        with self.db.transaction() as conn:
            quiet_hours.change(
                conn,
                company.id,
                {"timezone": "Europe/Berlin", "start": time(22), "end": time(7), "daily_cap": 0},
                by=self.owner,
            )
        waiting = mail.add_mail(self.db, company.id, to_email="karl@example.org", subject="Your first loan", **body)
        if self.settings.integration_key is not None:
            with self.db.transaction() as conn:
                integrations.save(
                    conn,
                    self.settings,
                    company.id,
                    "resend",
                    {"api_key": "re_1234567890abcdef", "from_email": "Wheels <hello@wheels.example>"},
                    by=self.owner,
                )
                integrations.save(
                    conn,
                    self.settings,
                    company.id,
                    "meta",
                    {"access_token": "EAAmetatoken0123456789", "ad_account_id": "4711"},
                    by=self.owner,
                )
                integrations.set_enabled(conn, company.id, "meta", False, by=self.owner)
        failed = self.failed(
            company,
            "phase.generate_packet",
            "The model did not answer in 180 s, three times in a row. Try again later.",
        )
        self.spent(company, 54_900_000, days=9)
        return {
            "bread": company,
            "ads": ads,
            "sent": sent,
            "held_mail": held,
            "bounced": bounced,
            "later": later,
            "waiting": waiting,
            "failed_job": failed,
        }

    def _going_live(self) -> dict[str, Any]:
        """A project in phase 3: a risky gate, an effect nobody knows of, one that failed, one that was done."""
        company = self.company("Quiet Harbour", 3)
        packet = self.packet(company, 3, 35)
        gate = self.gate(company, packet)
        unknown = self.approved(
            self.asked(
                company, REPOSITORY, packet=packet, description="Tells the repository to start its launch workflow."
            )
        )
        effect = self.ended(
            unknown,
            "unknown",
            effect=("repository_dispatch", "github"),
            error="GitHub closed the connection before it answered.",
        )
        failed = self.approved(self.asked(company, HOOK, packet=packet, description="Calls the deploy hook."))
        self.ended(failed, "failed", effect=("trigger_deploy", "vercel"), error="Vercel answers 403: no such hook.")
        done = self.approved(self.asked(company, EMAIL, packet=self.packet(company, 1)))
        self.ended(done, "completed", detail="Welcome sequence: 6 mails queued for 2 confirmed addresses")
        denied = self.asked(company, REFINE, packet=packet, payload={"guidance": "Make it shorter, and say who pays."})
        decisions.decide(
            self.db, denied.id, "denied", version=denied.version, decided_by=self.owner, guidance="Not now."
        )
        return {
            "harbour": company,
            "risky_gate": gate,
            "unknown": unknown,
            "effect": effect,
            "failed": failed,
            "done": done,
            "denied": denied,
        }

    def _others(self) -> dict[str, Any]:
        """A paused project, a killed one, and one that has just begun."""
        paused = self.company("Night Market", 0)
        lifecycle.set_status(self.db, paused.id, "paused", self.owner, "Until the licence is settled")
        killed = self.company("Old Idea", 0)
        lifecycle.set_status(self.db, killed.id, "killed", self.owner, "Nobody wanted it")
        begun = self.company("Letters by Ferry", 0)
        grants.change(self.db, begun.id, self.owner, permissions={"email_send": False}, reason="Not before the pitch")
        self.running(begun, "phase0.generate_packet", "Reading eight sources on island post", seconds=22)
        slept = self.company("Slow Post", 1, night_shift=True)
        self.reader(slept, "hanne@example.org")
        night.packet(
            self.db,
            slept.id,
            1,
            night.action(EMAIL, "Write to whoever is on the list", "They have waited for three weeks"),
            night.action(DEPLOY, "Publish the landing page"),
            words=["Ask two ferry crews what they carry today"],
        )
        self.night(slept)
        return {"paused": paused, "killed": killed, "begun": begun, "slept": slept}
