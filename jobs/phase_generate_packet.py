"""`phase.generate_packet`: the ops of phases 1 to 3, one per step of `studio.phases.phase`."""

from __future__ import annotations

from jobs.attempts import attempt_of
from jobs.factory import AgentOp, Work, build_agent_job
from jobs.packets import materialize_deliverables, materialize_packet, send_notice, table
from studio.claims import Json
from studio.job_types import JOB_TYPES
from studio.phases.common import list_failure
from studio.phases.parts import missing_images
from studio.phases.phase import Phase

# The ops that make deliverables, in the order in which they are shown.
PARTS = ("landing", "brand_brief", "deck", "document")


def _phase(work: Work) -> Phase:
    return attempt_of(Phase, work)


def _show_made(work: Work, made: Json) -> None:
    materialize_deliverables(work, _phase(work).phase, made)


def _show_packet(work: Work, gate: Json) -> None:
    """Show the packet once its deliverables and its gate are known."""
    phase = _phase(work).phase
    _, saved = work.claim.saved_step("save_packet")
    made = [entry for step in PARTS for entry in work.claim.saved_step(step)[1]]
    missing = [entry.model_dump(mode="json") for entry in missing_images(phase)]
    materialize_packet(
        work,
        phase,
        saved,
        gate=gate["outcome"],
        approval_id=gate["approval_id"] or "",
        deliverables=table([*made, *missing]),
    )


OPS = (
    AgentOp(
        "load_context",
        "Check that the project is in this phase; load packets, memory, company context and figures.",
        lambda work: _phase(work).load_context(),
        ends=lambda context: context["already"] is not None,
    ),
    AgentOp(
        "research",
        "Look up what phases 2 and 3 need to know; Phase 1 builds on Phase 0's research.",
        lambda work, context: _phase(work).research(context),
        needs=("load_context",),
    ),
    AgentOp(
        "generate",
        "Let the agents write the packet: Phase 1 in five parts side by side, phases 2 and 3 as one plan.",
        lambda work, context, found: _phase(work).generate(context, found),
        needs=("load_context", "research"),
    ),
    AgentOp(
        "save_packet",
        "Force the project's permissions into the packet and save it as an immutable version.",
        lambda work, conn, context, generated: _phase(work).save_packet(conn, context, generated),
        needs=("load_context", "generate"),
        transactional=True,
    ),
    AgentOp(
        "landing",
        "Phase 1: design the landing page in up to three rounds and keep the best as a draft.",
        lambda work, context, saved: _phase(work).landing(context, saved),
        needs=("load_context", "save_packet"),
        after=_show_made,
    ),
    AgentOp(
        "brand_brief",
        "Phase 1: specify and draw the brand brief.",
        lambda work, context, saved: _phase(work).brand_brief(context, saved),
        needs=("load_context", "save_packet"),
        after=_show_made,
    ),
    AgentOp(
        "deck",
        "Make the pitch deck, as an editable file and as a page.",
        lambda work, saved: _phase(work).deck(saved),
        needs=("save_packet",),
        after=_show_made,
    ),
    AgentOp(
        "document",
        "Make Phase 2's plan or Phase 3's launch checklist as a document.",
        lambda work, saved: _phase(work).document(saved),
        needs=("save_packet",),
        after=_show_made,
    ),
    AgentOp(
        "open_gate",
        "Make sure that one gate is pending and shows this packet, and propose what the phase could do in the world.",
        lambda work, conn, saved, landing, *_parts: _phase(work).open_gate(conn, saved, landing),
        needs=("save_packet", *PARTS),
        transactional=True,
        after=_show_packet,
    ),
    AgentOp(
        "remember",
        "Remember the verdict and what the agents have learned.",
        lambda work, conn, saved, _gate: _phase(work).remember(conn, saved),
        needs=("save_packet", "open_gate"),
        transactional=True,
    ),
    AgentOp(
        "announce",
        "Tell the founder that the packet waits at its gate.",
        lambda work, conn, saved, gate, _remembered: _phase(work).announce(conn, saved, gate),
        needs=("save_packet", "open_gate", "remember"),
        transactional=True,
        after=send_notice,
    ),
)

phase_generate_packet = build_agent_job(JOB_TYPES["phase.generate_packet"], OPS, on_failure=list_failure)
