"""Phases 1 to 3 without Dagster: a project with earlier packets, a claimed job, and the steps of `studio.phases.phase`.

Earlier packets are stored as they are, so that a test of Phase 3 does not pay for three phases.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from studio import queue
from studio.claims import Claim, Json
from studio.job_types import PhasePayload
from studio.model.spend import Spent
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.phases.phase import Phase
from studio.queue import NewJob
from studio.text import sha256_hex
from tests.support.model import Recorder
from tests.support.phase0 import Step, Studio, walk

JOB_TYPE = "phase.generate_packet"

STEPS = (
    Step("load_context", ends=lambda context: context["already"] is not None),
    Step("research", ("load_context",)),
    Step("generate", ("load_context", "research")),
    Step("save_packet", ("load_context", "generate"), transactional=True),
    Step("landing", ("load_context", "save_packet")),
    Step("brand_brief", ("load_context", "save_packet")),
    Step("deck", ("save_packet",)),
    Step("document", ("save_packet",)),
    Step("open_gate", ("save_packet", "landing"), transactional=True),
    Step("remember", ("save_packet",), transactional=True),
    Step("announce", ("save_packet", "open_gate"), transactional=True),
)

PARTS = Counter(["LandingCopy", "BrandKit", "WaitlistPlan", "EmailSequence", "SocialStrategy"])

QUOTE = "Lendly is a tool library that lends power tools to neighbours. It costs 5 euros a month."
SOURCE = {"url": "https://lendly.test/about", "title": "Lendly", "quote": QUOTE, "quote_sha256": sha256_hex(QUOTE)}


def synopsis(**changes: Any) -> dict[str, Any]:
    """Return a verdict as it is stored."""
    return {
        "decision": "greenlight",
        "confidence": 62,
        "rationale": ["Neighbours own drills.", "They rarely use them.", "A locker is cheap."],
        "risks": ["Damage"],
        "next_actions": ["Ask ten neighbours."],
        "evidence": [{"claim": "Lendly lends tools", "source": SOURCE["url"], "sourced": True, "sources": [SOURCE]}],
        **changes,
    }


PACKETS: dict[int, dict[str, Any]] = {
    0: {
        "tagline": "Tools next door",
        "elevator_pitch": "Neighbours lend each other drills and ladders from a locker in the hallway.",
        "confidence_breakdown": {"market": 40, "competition": 50, "feasibility": 80, "timing": 60},
        "competitor_analysis": [
            {
                "name": "Lendly",
                "positioning": "A tool library",
                "gap": "No locker",
                "pricing": "5 euros a month",
                "sourced": True,
                "sources": [SOURCE],
            }
        ],
        "competitor_note": "One was found.",
        "market_sizing": {
            "tam": "not measured",
            "sam": "not measured",
            "som": "not measured",
            "figures": {
                key: {"text": "not measured", "sourced": False, "sources": []} for key in ("tam", "sam", "som")
            },
            "notes": [],
        },
        "target_persona": {"name": "Home fixers", "description": "They own a flat.", "pain_points": ["No drill"]},
        "mvp_scope": {"in_scope": ["Locker", "Calendar"], "deferred": ["Insurance"]},
        "existing_presence": [],
        "recommendation": "greenlight",
        "reasoning_synopsis": synopsis(),
    },
    1: {
        "summary": "A landing page and a welcome sequence are ready to be shown to neighbours.",
        "landing_page": {
            "headline": "Borrow a drill from the hallway",
            "subheadline": "A locker in your house with the tools of your neighbours.",
            "primary_cta": "Join the waitlist",
            "sections": ["The drill you need once", "How it works", "What comes later"],
            "section_copy": [
                {"title": "The drill you need once", "body": "Most drills lie in a cupboard."},
                {"title": "How it works", "body": "You book a tool, the locker opens, you bring it back."},
                {"title": "What comes later", "body": "Insurance is not part of the first version."},
            ],
            "launch_notes": ["Name the house", "Say who answers mails"],
        },
        "waitlist": {
            "capture_stack": "The studio's own form",
            "double_opt_in": True,
            "form_fields": ["E-mail", "Which tool do you miss?"],
            "target_conversion_rate": "Set after the first hundred visits",
        },
        "analytics": {
            "provider": "The studio's own events",
            "events": ["visit", "signup", "confirmed"],
            "dashboard_views": ["Signups by day", "Tools that are missed"],
        },
        "brand_kit": {
            "voice": "Calm, practical and neighbourly",
            "color_palette": ["#F4F0E6 paper, background", "#1F2A24 ink, text", "#D9622B signal, accent"],
            "font_pairing": "Georgia and Helvetica",
            "logo_prompt": "A hallway locker with one open door",
        },
        "social_strategy": {
            "channels": ["Notice board in the hallway", "Neighbourhood forum"],
            "content_pillars": ["Repairs", "What a tool costs", "Stories of the house"],
            "posting_cadence": "One post a week",
        },
        "email_sequence": {
            "emails": [
                {
                    "day": f"Day {day}",
                    "subject": subject,
                    "goal": "Learn which tool they miss",
                    "body": ["Thank you for your interest.", "Which tool did you miss last?"],
                    "cta_label": None,
                }
                for day, subject in ((0, "You are on the list"), (3, "How the locker works"), (10, "One question"))
            ]
        },
        "recommendation": "greenlight",
        "reasoning_synopsis": synopsis(proposed_actions=[]),
    },
    2: {
        "summary": "Three houses are approached first, by people who live in them.",
        "distribution_strategy": {
            "north_star_metric": "Tools lent per house and week",
            "channel_plan": [
                {"channel": "Hallway notices", "objective": "Ten signups a house", "weekly_budget": 0},
                {"channel": "House managers", "objective": "Two lockers", "weekly_budget": 20},
            ],
        },
        "paid_acquisition": {
            "enabled": False,
            "budget_cap_per_day": 0,
            "target_audiences": ["People who have moved in"],
            "creative_angles": ["The drill you need once", "The locker in the hallway"],
            "kill_switch": "Stop after 50 dollars without a signup",
        },
        "outreach": {"sequence_type": "House managers", "target_segments": ["House managers"], "daily_send_cap": 5},
        "lifecycle_email": {
            "journeys": ["First loan", "Second loan"],
            "send_window": "Weekdays, 9 to 17",
            "emails": [
                {
                    "day": "Day 0",
                    "subject": "Your first loan",
                    "goal": "Make the first loan happen",
                    "body": ["Choose a tool for the weekend."],
                    "cta_label": None,
                }
            ],
        },
        "weekly_experiments": ["A notice with a photo", "A notice by name", "A drill on the first day"],
        "guardrails": ["No mail without consent", "No ads above the cap", "No promise of insurance"],
        "recommendation": "greenlight",
        "reasoning_synopsis": synopsis(proposed_actions=[]),
    },
}


# A plan of Phase 3 that says of the project what is not its to say.
GO_LIVE: dict[str, Any] = {
    "architecture_review": {
        "runtime_mode": "attached",
        "system_components": ["Locker", "Calendar", "Payments"],
        "critical_dependencies": ["Lock maker", "Payment service"],
    },
    "build_plan": {
        "milestones": [
            {"name": f"Milestone {n}", "owner": "Founder", "exit_criteria": "Ten neighbours have lent something"}
            for n in range(3)
        ]
    },
    "qa_plan": {"test_suites": ["Loan", "Return", "Deposit"], "acceptance_gates": ["One", "Two", "Three"]},
    "launch_checklist": ["Imprint", "Privacy", "Support", "Rollback"],
    "rollback_plan": {"triggers": ["Lost deposit", "Locker stuck"], "steps": ["Close", "Return", "Tell"]},
    "merge_policy": {"review_required": False, "approvals_required": 1, "protected_branch": "everything"},
    "operational_readiness": ["Pager", "Log", "Backup"],
}


class Founding(Studio):
    """A studio whose projects stand in a later phase."""

    def in_phase(self, phase: int, *, permissions: dict[str, Any] | None = None, **fields: Any) -> UUID:
        """Create a project that has reached `phase`, with the packets of all earlier ones."""
        project_id = self.project(**fields)
        for earlier in range(phase):
            self.packet_of(project_id, earlier)
        self.set(project_id, phase=phase)
        if permissions:
            self.permit(project_id, **permissions)
        return project_id

    def packet_of(self, project_id: UUID, phase: int, **changes: Any) -> PacketVersion:
        """Store a packet of a phase as another job has made it."""
        packet = {**PACKETS[phase], **changes}
        with self.db.transaction() as conn:
            return versions.save(
                conn,
                project_id,
                phase,
                packet,
                synopsis=packet["reasoning_synopsis"],
                job_id=None,  # type: ignore[arg-type]
                claim_no=1,
                model="sandbox",
                prompt_version="test",
                spent=Spent(0, 0, 0, 0, 0),
                provenance={},
            )

    def set(self, project_id: UUID, **columns: Any) -> None:
        """Change columns of the project."""
        for name, value in columns.items():
            with self.db.transaction() as conn:
                conn.execute(f"update public.projects set {name} = %s where id = %s".encode(), [value, project_id])

    def permit(self, project_id: UUID, **permissions: Any) -> None:
        """Give the project permissions, as its founder would have."""
        for name, value in permissions.items():
            self.db.execute(
                "update public.projects set permissions = permissions || jsonb_build_object(%s::text, %s)"
                " where id = %s",
                [name, value, project_id],
            )

    def enqueued(self, project_id: UUID, phase: int, key: str | None = None, **wish: Any) -> Claim:
        """Enqueue the phase's job under a key of its own and claim it."""
        payload = {"projectId": str(project_id), "phase": phase, **wish}
        with self.db.transaction() as conn:
            new = NewJob(JOB_TYPE, project_id, payload, key=key or f"phasegen:{project_id}:{phase}:{uuid4()}")
            job_id = queue.enqueue(conn, new).job_id
        return self.claimed(job_id)

    def phase(self, claim: Claim, told: Recorder | None = None) -> Phase:
        """Return one attempt under `claim`."""
        return Phase(
            claim=claim,
            payload=PhasePayload.model_validate(claim.job.payload),
            settings=self.settings,
            model=lambda: self.model,
            outbound=lambda: self.outbound,
            progress=told or Recorder(),
            storage=lambda: self.storage,
        )

    def generate(
        self, project_id: UUID, phase: int, told: Recorder | None = None, *, until: str | None = None, **wish: Any
    ) -> dict[str, Json]:
        """Generate the phase's packet to its end, or to the step before `until`; return what the steps gave."""
        claim = self.enqueued(project_id, phase, **wish)
        outputs = run_steps(self.phase(claim, told), until=until)
        claim.complete()
        return outputs

    def saved(self, project_id: UUID, phase: int, told: Recorder | None = None, **wish: Any) -> dict[str, Json]:
        """Generate the phase's packet without what comes beside it; return what the steps gave."""
        return self.generate(project_id, phase, told, until="landing", **wish)

    def last_attempt(self, claim: Claim) -> Claim:
        """Let the claim be the job's last attempt, after which nobody tries again."""
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute("update public.agent_jobs set attempts = max_attempts where id = %s", [claim.job_id])
        return Claim(self.db, queue.get(self.db, claim.job_id))

    def latest(self, project_id: UUID, phase: int) -> PacketVersion:
        """Return the latest packet of a phase."""
        found = versions.latest(self.db, project_id, phase)
        assert found is not None, f"there is no packet of phase {phase}"
        return found

    def deliverables(self, project_id: UUID, phase: int) -> dict[str, dict[str, Any]]:
        """Return what is listed with the latest packet of a phase, by label."""
        row = self.db.fetch_one(
            "select deliverables from public.phase_packets where project_id = %s and phase = %s", [project_id, phase]
        )
        assert row is not None
        return {entry["label"]: entry for entry in row["deliverables"]}


def run_steps(phase: Phase, *, until: str | None = None) -> dict[str, Json]:
    """Run the steps of an attempt, all or those before `until`, and return what they gave."""
    return walk(phase, STEPS, until=until)
