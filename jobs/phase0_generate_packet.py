"""`phase0.generate_packet`: the ops of Phase 0, one per step of `studio.phase0`."""

from __future__ import annotations

from jobs.attempts import attempt_of
from jobs.factory import AgentOp, Work, build_agent_job
from jobs.packets import materialize_deliverables, materialize_packet, send_notice
from studio.job_types import JOB_TYPES
from studio.phase0 import PHASE, Phase0
from studio.phases.common import list_failure


def _phase0(work: Work) -> Phase0:
    return attempt_of(Phase0, work)


OPS = (
    AgentOp(
        "load_context",
        "Check ownership; load the project, its memory and, for a revision, the prior packet.",
        lambda work: _phase0(work).load_context(),
    ),
    AgentOp(
        "measure_presence",
        "Look at the project's domain through the guarded client; never asked of a model.",
        lambda work, context: _phase0(work).measure_presence(context),
        needs=("load_context",),
    ),
    AgentOp(
        "research",
        "Research competitors and market side by side, each a search call and a structuring call.",
        lambda work, context: _phase0(work).research(context),
        needs=("load_context",),
    ),
    AgentOp(
        "synthesize",
        "Let the CEO agent weigh the findings into a packet, or patch the prior one on guidance.",
        lambda work, context, presence, found: _phase0(work).synthesize(context, presence, found),
        needs=("load_context", "measure_presence", "research"),
    ),
    AgentOp(
        "save_packet",
        "Save the packet as an immutable version and make it the latest.",
        lambda work, conn, synthesized: _phase0(work).save_packet(conn, synthesized),
        needs=("synthesize",),
        transactional=True,
        after=lambda work, saved: materialize_packet(work, PHASE, saved),
    ),
    AgentOp(
        "deck",
        "Make the pitch deck, as an editable file and as a page; a failure is listed and ends nothing.",
        lambda work, saved: _phase0(work).deck(saved),
        needs=("save_packet",),
        after=lambda work, made: materialize_deliverables(work, PHASE, made),
    ),
    AgentOp(
        "open_gate",
        "Make sure that one gate approval is pending and shows this packet.",
        lambda work, conn, saved, _deck: _phase0(work).open_gate(conn, saved),
        needs=("save_packet", "deck"),
        transactional=True,
    ),
    AgentOp(
        "remember",
        "Remember the verdict for later agents.",
        lambda work, conn, saved, _gate: _phase0(work).remember(conn, saved),
        needs=("save_packet", "open_gate"),
        transactional=True,
    ),
    AgentOp(
        "announce",
        "Tell the founder, once, that the packet is ready.",
        lambda work, conn, saved, gate, _remembered: _phase0(work).announce(conn, saved, gate),
        needs=("save_packet", "open_gate", "remember"),
        transactional=True,
        after=send_notice,
    ),
)

phase0_generate_packet = build_agent_job(JOB_TYPES["phase0.generate_packet"], OPS, on_failure=list_failure)
