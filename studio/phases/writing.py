"""The model's part of phases 1 to 3: parts side by side, plans, revisions. Each paid call is its own checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError

from studio import research
from studio.agents.ceo import Ceo
from studio.agents.researcher import Researcher
from studio.agents.strategist import PARTS, Part, Strategist
from studio.agents.synthesizer import Synthesizer
from studio.claims import Json
from studio.errors import InvalidInput
from studio.kpis import counted
from studio.model.answers import Answer
from studio.packets import versions
from studio.packets.assembly import PATCHES, PROMPT_VERSIONS, assemble, patched, validated
from studio.packets.fields import Source
from studio.packets.phase1 import PhaseSynopsis
from studio.packets.revision import changed_keys
from studio.parallel import side_by_side
from studio.phases.common import CEO, Attempt
from studio.phases.context import SOURCES, told
from studio.research import Dossier, for_prompt, numbered

# What is looked for before a phase is planned. Phase 1 builds on what Phase 0 has retrieved.
TASKS = {
    2: "Find where the people this idea is for can be reached: communities, publications, marketplaces, searches; what"
    " comparable products do to reach them, and what that costs.",
    3: "Find what a launch of this product has to take care of: services and platforms it depends on and their terms,"
    " rules and privacy law where it operates, and what went wrong at comparable launches.",
}
# Who is listed for a plan, and under which name.
PLANNERS = {2: ("growth_agent", "phase2_distribution_strategy"), 3: (CEO, "phase3_launch_readiness")}


def look_up(attempt: Attempt, context: Json) -> Json:
    """Research what the phase needs to know; a dossier, or None where there is nothing to look up.

    Phase 1 and a revision look nothing up.
    """
    task = TASKS.get(attempt.phase)
    if task is None:
        return None
    if context["prior_version_id"]:
        attempt.progress.log("A revision keeps the research of its prior packet.")
        return None
    listed_as = ("research_agent", f"phase{attempt.phase}_research")
    attempt.task(*listed_as, "running")
    facts = {name: context[name] for name in ("project", "idea", "memory", "packets", "guidance")}
    researcher = Researcher(attempt.model(), attempt.spender, attempt.progress)
    step = "research/dossier"
    found = Dossier.model_validate(
        attempt.claim.once(step, lambda: researcher.run(task, step, facts).model_dump(mode="json"))
    )
    if found.empty:
        attempt.progress.log("The research retrieved nothing that can be cited, so the plan rests on none of it.")
    else:
        attempt.claim.write(
            lambda conn: research.store(conn, attempt.project_id, attempt.claim.job_id, found.passages, "web_search")
        )
    brought = f"{counted(found.searches, 'search')}, {counted(len(found.passages), 'cited passage')}"
    attempt.task(*listed_as, "completed", brought)
    return found.model_dump()


def write(attempt: Attempt, context: Json, found: Json) -> dict[str, Json]:
    """Return the phase's packet as the model wrote it, the model's name, and the provenance."""
    if context["prior_version_id"]:
        return _revise(attempt, context)
    if attempt.phase == 1:
        return _write_parts(attempt, context)
    return _plan(attempt, context, found)


def _write_parts(attempt: Attempt, context: Json) -> dict[str, Json]:
    facts = told(context)
    strategist = Strategist(attempt.model(), attempt.spender, attempt.progress)

    def write_part(part: Part) -> Json:
        listed_as = (part.agent, f"phase1_{part.listed_as}")
        attempt.task(*listed_as, "running")
        done = _paid(attempt, f"generate/{part.name}", lambda step: strategist.run(part, step, facts))
        attempt.task(*listed_as, "completed")
        return done

    written = side_by_side(*(_bound(write_part, part) for part in PARTS))
    parts = _phase1_parts({part.name: done["answer"] for part, done in zip(PARTS, written, strict=True)})
    sources = _sources(context, None)
    attempt.task(CEO, "phase1_synthesis", "running")
    synthesizer = Synthesizer(attempt.model(), attempt.spender, attempt.progress)
    weighed = {**facts, "sources": for_prompt(sources) or None, "parts": parts}
    verdict = _paid(attempt, "generate/synopsis", lambda step: synthesizer.run(1, step, weighed))
    packet = assemble(1, parts, PhaseSynopsis.model_validate(verdict["answer"]), sources)
    calls = [call for done in (*written, verdict) for call in done["calls"]]
    return _written(attempt, packet, verdict["model"], {"sources": len(sources), "calls": calls})


def _plan(attempt: Attempt, context: Json, found: Json) -> dict[str, Json]:
    dossier = Dossier.model_validate(found) if found else None
    sources = _sources(context, dossier)
    attempt.task(*PLANNERS[attempt.phase], "running")
    ceo = Ceo(attempt.model(), attempt.spender, attempt.progress)
    facts = {
        **told(context),
        "sources": for_prompt(sources) or None,
        "research": dossier.notes if dossier and not dossier.empty else None,
    }
    written = _paid(attempt, "generate/plan", lambda step: ceo.plan(attempt.phase, step, facts))
    attempt.task(*PLANNERS[attempt.phase], "completed")
    parts = {name: part for name, part in written["answer"].items() if name != "synopsis"}
    packet = assemble(attempt.phase, parts, PhaseSynopsis.model_validate(written["answer"]["synopsis"]), sources)
    searched = {"searches": dossier.searches} if dossier else {}
    return _written(attempt, packet, written["model"], {"sources": len(sources), **searched, "calls": written["calls"]})


def _revise(attempt: Attempt, context: Json) -> dict[str, Json]:
    prior = versions.get(attempt.db, UUID(context["prior_version_id"]))
    before = _prior_packet(prior)
    attempt.task(CEO, f"phase{attempt.phase}_revision", "running")
    ceo = Ceo(attempt.model(), attempt.spender, attempt.progress)
    schema = PATCHES[attempt.phase]
    facts = {**told(context), "prior_packet": before}
    revised = _paid(attempt, "generate/revision", lambda step: ceo.revise(step, facts, schema))
    patch = schema.model_validate(revised["answer"])
    changed = changed_keys(patch)
    attempt.progress.log(f"The revision of version {prior.version} changes {', '.join(changed)}.")
    attempt.task(CEO, f"phase{attempt.phase}_revision", "completed", f"changes {', '.join(changed)}")
    written = _written(
        attempt,
        patched(attempt.phase, before, patch),
        revised["model"],
        {"revision_of": str(prior.id), "changed": changed, "calls": revised["calls"]},
    )
    return {**written, "page_direction": getattr(patch, "page_direction", None)}


def _paid(attempt: Attempt, step: str, ask: Callable[[str], tuple[BaseModel, Answer]]) -> Json:
    """Return a model's answer with its model and calls, asked for once: it is a checkpoint of the job."""

    def work() -> Json:
        answer, call = ask(step)
        return {"answer": answer.model_dump(mode="json"), "model": call.model, "calls": list(call.call_ids)}

    return attempt.claim.once(step, work)


def _written(attempt: Attempt, packet: dict[str, Any], model: str, provenance: dict[str, Any]) -> dict[str, Json]:
    return {
        "packet": packet,
        "model": model,
        "provenance": {**provenance, "prompt_version": PROMPT_VERSIONS[attempt.phase]},
        "page_direction": None,
    }


def _phase1_parts(written: dict[str, Any]) -> dict[str, Any]:
    """Return the parts by the packet's keys: waitlist and analytics were planned in one."""
    plan = written.pop("waitlist")
    return {**written, **plan}


def _sources(context: Json, dossier: Dossier | None) -> dict[str, Source]:
    """Return the numbered passages of a prompt: what was retrieved now, then what earlier packets rest on."""
    passages = [*(dossier.passages if dossier else []), *map(Source.model_validate, context["passages"])]
    unique = {(passage.url, passage.quote_sha256): passage for passage in passages}
    return numbered(list(unique.values())[:SOURCES])


def _prior_packet(prior: versions.PacketVersion) -> dict[str, Any]:
    try:
        return validated(prior.phase, prior.packet)
    except ValidationError as exc:
        raise InvalidInput(
            f"Version {prior.version} of the Phase {prior.phase} packet was written by another client and cannot be"
            " revised.",
            "Regenerate it without guidance for a new one.",
        ) from exc


def _bound(work: Any, part: Part) -> Any:
    return lambda: work(part)
