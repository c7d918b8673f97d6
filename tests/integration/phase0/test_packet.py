"""Phase 0 turns an idea into a packet whose every source was retrieved.

Every test drives the steps under a real claim on a real database, with the real client against the sandbox
model. The sandbox's record of requests shows what was really asked, and what was not asked again.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from studio import approvals, memory
from studio.database.connection import Database
from studio.outbound import OutboundClient
from studio.packets.phase0 import Phase0Packet
from studio.packets.phase0_assembly import NOT_MEASURED
from studio.text import sha256_hex
from tests.support.local_web import Nat, html, local_web
from tests.support.model import Recorder, ledger, model_settings, open_model, overheard, scripted_model
from tests.support.phase0 import (
    ASKED,
    LENDLY,
    MARKET,
    PAGES,
    STEPS,
    TOOLBOX,
    Studio,
    asked,
    events,
    gates,
    rows,
    run_steps,
)
from tests.support.sandbox import SandboxThread

SITE = "93.184.216.34"


def sources_in(packet: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every source that stands anywhere in a packet."""
    if isinstance(packet, dict):
        here = [packet] if set(packet) == {"url", "title", "quote", "quote_sha256"} else []
        return here + [found for value in packet.values() for found in sources_in(value)]
    return [found for item in packet for found in sources_in(item)] if isinstance(packet, list) else []


# --- the whole way


def test_an_idea_becomes_a_packet_with_its_gate_memory_and_mail(studio: Studio, sandbox: SandboxThread) -> None:
    told, db = Recorder(), studio.db
    project_id = studio.project(email="founder@example.org")
    outputs = studio.run(project_id, told)

    saved = outputs["save_packet"]
    version = studio.packet(project_id)
    assert (str(version.id), version.version, version.phase) == (saved["packet_version_id"], 1, 0)
    packet = Phase0Packet.model_validate(version.packet)
    assert packet.recommendation == packet.reasoning_synopsis.decision == saved["recommendation"]
    assert version.confidence == packet.reasoning_synopsis.confidence == saved["confidence"]
    assert version.synopsis == version.packet["reasoning_synopsis"]
    assert packet.existing_presence == []

    (latest,) = rows(db, "phase_packets", project_id)
    assert (str(latest["id"]), latest["version_id"]) == (saved["packet_id"], version.id)
    assert latest["packet"] == version.packet

    (gate,) = gates(db, project_id)
    assert (gate["status"], gate["action_type"], gate["type"]) == ("pending", "phase0_packet_review", "phase_advance")
    assert (gate["packet_version_id"], gate["packet_id"]) == (version.id, latest["id"])
    assert gate["risk"] == gate["risk_level"] == approvals.risk_of(version.confidence)
    assert outputs["open_gate"]["outcome"] == "opened"

    remembered = {(item.category, item.key): item for item in memory.recall(db, project_id)}
    assert set(remembered) == {("decision", "phase0_completed"), ("fact", "target_audience")}
    assert packet.recommendation in remembered["decision", "phase0_completed"].value
    audience = remembered["fact", "target_audience"]
    assert packet.target_persona.name in audience.value
    assert audience.confidence == version.confidence / 100

    (mail,) = rows(db, "email_jobs", project_id)
    assert (mail["to_email"], mail["status"]) == ("founder@example.org", "queued")
    assert "phase0_ready" in mail["outbox_key"]
    assert outputs["announce"] == {"mail": "queued"}

    assert asked(sandbox) == ASKED
    assert [event["data"]["version"] for event in events(db, project_id, "phase.packet_generated")] == [1]
    (summary,) = events(db, project_id, "phase0.summary_ready")
    assert summary["data"]["competitors"][0]["url"] in {LENDLY, TOOLBOX}
    tasks = {row["description"]: row["status"] for row in rows(db, "tasks", project_id)}
    assert tasks == dict.fromkeys(
        ["phase0_init", "phase0_research", "phase0_synthesis", "phase0_deck", "phase0_complete"], "completed"
    )


def test_the_packets_cost_is_that_of_its_calls(studio: Studio) -> None:
    project_id = studio.project()
    saved = studio.run(project_id)["save_packet"]
    version, calls = studio.packet(project_id), ledger(studio.db, project_id)
    assert (saved["model"], version.model) == ("sandbox", "sandbox")
    assert saved["cost_micros"] == version.cost_micros == sum(call["cost_micros"] for call in calls) > 0
    assert saved["model_calls"] == len(calls) == 5
    assert {call["step"] for call in calls} == {
        "research/competitors",
        "research/competitors_findings",
        "research/market",
        "research/market_findings",
        "synthesize",
    }
    assert all(call["job_id"] == version.source_job_id for call in calls)


def test_a_packet_made_again_costs_what_making_it_again_did(studio: Studio) -> None:
    project_id = studio.project()
    claim = studio.launched(project_id)
    first = run_steps(studio.phase0(claim))["save_packet"]
    claim.complete()
    again = studio.claimed(claim.job_id)
    with again.transaction() as conn:
        again.forget_steps(conn, [step.name for step in STEPS[3:]])
    second = run_steps(studio.phase0(again))["save_packet"]
    calls = ledger(studio.db, project_id)
    assert (first["model_calls"], second["model_calls"]) == (5, 1)
    assert first["cost_micros"] == sum(call["cost_micros"] for call in calls[:5])
    assert second["cost_micros"] == studio.packet(project_id).cost_micros == calls[5]["cost_micros"] > 0


def test_every_source_was_retrieved_stored_and_quoted_as_it_stands(studio: Studio) -> None:
    project_id = studio.project()
    studio.run(project_id)
    version = studio.packet(project_id)
    stored = rows(studio.db, "research_sources", project_id)
    assert {row["url"] for row in stored} == {LENDLY, TOOLBOX, MARKET}
    assert all(row["quote"] in PAGES[row["url"]][1] for row in stored), "a quote is not what the page says"
    assert all(row["quote_sha256"] == sha256_hex(row["quote"]) for row in stored)
    assert all(row["job_id"] == version.source_job_id for row in stored)
    assert len(stored) == len({(row["url"], row["quote"]) for row in stored})
    cited = sources_in(version.packet)
    assert cited
    known = {(row["url"], row["quote"], row["quote_sha256"]) for row in stored}
    assert {(s["url"], s["quote"], s["quote_sha256"]) for s in cited} <= known


def test_what_has_a_passage_is_sourced_and_the_rest_is_marked(studio: Studio) -> None:
    project_id = studio.project()
    studio.run(project_id)
    packet = Phase0Packet.model_validate(studio.packet(project_id).packet)
    assert {rival.name: [s.url for s in rival.sources][:1] for rival in packet.competitor_analysis} == {
        "Lendly": [LENDLY],
        "Toolbox": [TOOLBOX],
    }
    assert packet.market_sizing.figures["tam"].sourced
    assert packet.market_sizing.figures["tam"].sources[0].url == MARKET
    assert "$4.5 billion" in packet.market_sizing.tam
    assert not packet.market_sizing.figures["som"].sourced
    for claim in packet.reasoning_synopsis.evidence:
        assert claim.sourced == bool(claim.sources) == (claim.source != "unsourced")


def test_a_competitor_that_a_model_makes_up_is_marked_unsourced(studio: Studio, sandbox: SandboxThread) -> None:
    made_up = {
        "competitors": [
            {
                "name": name,
                "positioning": "p",
                "gap": "g",
                "pricing": "not found",
                "source_ids": ["S1", "S2", "S3", "S4"],
            }
            for name in ("Lendly", "Drillio")
        ],
        "note": "Two.",
    }
    sandbox.fault("text", match='"title":"CompetitorFindings"', text=json.dumps(made_up))
    project_id = studio.project()
    studio.run(project_id)
    listed = studio.packet(project_id).packet["competitor_analysis"]
    assert [(rival["name"], rival["sourced"]) for rival in listed] == [("Lendly", True), ("Drillio", False)]


def test_without_anything_retrieved_it_abstains(blind: Studio, ignorant: SandboxThread) -> None:
    told, project_id = Recorder(), blind.project()
    blind.run(project_id, told)
    version = blind.packet(project_id)
    packet = Phase0Packet.model_validate(version.packet)
    assert packet.competitor_analysis == []
    assert "searches returned 0 pages" in packet.competitor_note or "search returned 0 pages" in packet.competitor_note
    assert {packet.market_sizing.tam, packet.market_sizing.sam, packet.market_sizing.som} == {NOT_MEASURED}
    assert sources_in(version.packet) == []
    assert rows(blind.db, "research_sources", project_id) == []
    # There was nothing to sort, so nobody was paid for sorting.
    assert asked(ignorant) == Counter({None: 2, "Phase0Synthesis": 1})
    assert told.said.count("retrieved nothing that can be cited") == 2
    assert version.confidence < 40
    assert gates(blind.db, project_id)[0]["risk"] == "high"


def test_the_ceo_is_given_what_the_researchers_found(sandbox: SandboxThread, db: Database) -> None:
    with scripted_model(overheard(sandbox.url)) as (url, requests), open_model(url, db) as model:
        Studio(db, model_settings(url), model).run(Studio(db, model_settings(url), model).project())
    (question,) = [
        body["messages"][0]["content"]
        for body in requests
        if body.get("output_config", {}).get("format", {}).get("schema", {}).get("title") == "Phase0Synthesis"
    ]
    rivals = json.loads(question.split("<competitors>")[1].split("</competitors>")[0])
    assert {rival["name"] for rival in rivals["competitors"]} == {"Lendly", "Toolbox"}
    assert "$4.5 billion" in question.split("<market>")[1].split("</market>")[0]
    sources = json.loads(question.split("<sources>")[1].split("</sources>")[0])
    assert [source["id"] for source in sources] == [f"S{n + 1}" for n in range(len(sources))]
    assert {source["url"] for source in sources} == {LENDLY, TOOLBOX, MARKET}


def test_one_connection_is_enough(sandbox: SandboxThread, db: Database) -> None:
    with Database(db.url, pool_size=1) as narrow, open_model(sandbox.url, narrow) as model:
        studio = Studio(narrow, model_settings(sandbox.url), model)
        assert studio.run(studio.project())["announce"] == {"mail": "no address"}


# --- the domain


def test_a_domain_that_may_not_be_looked_at_is_not_measured(studio: Studio) -> None:
    project_id = studio.project(domain="https://Example.org/about")
    studio.run(project_id)
    (presence,) = studio.packet(project_id).packet["existing_presence"]
    assert (presence["domain"], presence["status"], presence["scanned_at"]) == ("example.org", "not_measured", None)
    assert "turned off" in presence["detail"]


def test_a_domain_is_really_looked_at(sandbox: SandboxThread, db: Database) -> None:
    page = html("<html><head><title>Tools for all</title></head><body><p>Borrow a drill today.</p></body></html>")
    with local_web({"/": page}) as web, open_model(sandbox.url, db) as model:
        internet = Nat({(SITE, 80): web.address})
        client = OutboundClient(resolver=lambda _host: [SITE], network=internet)
        studio = Studio(db, model_settings(sandbox.url), model, client)
        project_id = studio.project(domain="shop.example")
        told = Recorder()
        outputs = run_steps(studio.phase0(studio.launched(project_id), told), until="research")
    (presence,) = outputs["measure_presence"]
    assert (presence["domain"], presence["status"]) == ("shop.example", "live")
    assert "Tools for all" in presence["detail"]
    assert presence["scanned_at"]
    assert (SITE, 80) in internet.connections
    assert told.calls == [("look_at_domain", {"domain": "shop.example"})]
    assert told.results[0][1]["status"] == "live"
    # What it rests on is kept like any other passage.
    (source,) = presence["sources"]
    assert (source["url"], source["title"]) == ("http://shop.example/", "Tools for all")
    assert source["quote"] == "Borrow a drill today."
    (stored,) = [row for row in rows(db, "research_sources", project_id) if row["retrieved_by"] == "look_at_domain"]
    assert {name: stored[name] for name in source} == source
    assert source["quote_sha256"] == sha256_hex(source["quote"])


@pytest.mark.parametrize("stored", ["localhost", "not a domain", "127.0.0.1", "user:secret@example.org"])
def test_a_domain_that_is_none_is_no_reason_to_have_no_packet(studio: Studio, stored: str) -> None:
    project_id = studio.project()
    studio.db.execute("update public.projects set domain = %s where id = %s", [stored, project_id])
    outputs = run_steps(studio.phase0(studio.launched(project_id)), until="research")
    (presence,) = outputs["measure_presence"]
    assert (presence["status"], presence["scanned_at"]) == ("not_measured", None)
    assert presence["detail"].startswith("Not measured: ")
