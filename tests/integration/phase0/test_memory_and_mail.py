"""The verdict is remembered for later agents, and the founder is told once."""

from __future__ import annotations

import pytest

from studio import approvals, decisions, memory, research
from studio.database.connection import Database
from studio.model import spend
from studio.packets import versions
from studio.packets.fields import Source
from studio.text import sha256_hex
from tests.support.model import model_settings, open_model, overheard, scripted_model
from tests.support.phase0 import (
    GUIDANCE,
    Studio,
    events,
    rows,
    run_steps,
)
from tests.support.queue import InBackground, separate_connection, wait_until_blocked
from tests.support.sandbox import SandboxThread

# --- memory


def test_the_next_run_is_told_what_was_remembered(sandbox: SandboxThread, db: Database) -> None:
    with scripted_model(overheard(sandbox.url)) as (url, requests), open_model(url, db) as model:
        studio = Studio(db, model_settings(url), model)
        project_id = studio.project()
        with db.transaction() as conn:
            memory.remember(conn, project_id, "preference", "tone", "Dry and short", agent_key="ceo")
        studio.run(project_id)
        studio.run(project_id, guidance=GUIDANCE)
    first, last = requests[0]["messages"][0]["content"], requests[-1]["messages"][0]["content"]
    assert "<memory>\npreference:\n- tone: Dry and short\n</memory>" in first
    assert "- phase0_completed: Phase 0 packet version 1: " in last
    assert "<prior_packet>" in last
    assert f"<guidance>\n{GUIDANCE}\n</guidance>" in last
    (decision,) = [m for m in memory.recall(db, project_id) if m.category == "decision"]
    assert "version 2" in decision.value, "the newest value did not win"


def test_memory_keeps_one_value_per_key_and_shows_the_newest(studio: Studio) -> None:
    project_id = studio.project()
    for number in range(memory.PROMPT_LIMIT + 2):
        with studio.db.transaction() as conn:
            memory.remember(conn, project_id, "fact", f"key-{number:03d}", f"value {number}", agent_key="ceo")
    with studio.db.transaction() as conn:
        memory.remember(conn, project_id, "fact", "key-000", "x\x00" * memory.VALUE_LIMIT, agent_key="research")
    recalled = memory.recall(studio.db, project_id)
    assert len(recalled) == memory.PROMPT_LIMIT + 2
    assert (recalled[0].key, recalled[0].agent_key) == ("key-000", "research")
    assert len(recalled[0].value) == memory.VALUE_LIMIT
    assert "\x00" not in recalled[0].value
    block = memory.prompt_block(recalled)
    assert block.count("\n- ") == memory.PROMPT_LIMIT
    assert "key-001:" not in block, "an old memory pushed out a newer one"
    assert len(memory.recall(studio.db, project_id, limit=3)) == 3
    assert memory.prompt_block([]) == ""


def test_researches_that_find_the_same_pages_do_not_block_each_other(studio: Studio) -> None:
    project_id = studio.project()
    job_id = studio.launched(project_id).job_id
    first, second = (
        Source(url=f"https://page.test/{n}", title="T", quote=str(n), quote_sha256=sha256_hex(str(n))) for n in (1, 2)
    )
    with separate_connection(studio.db) as ours, separate_connection(studio.db) as theirs:
        with ours.transaction():
            research.store(ours, project_id, job_id, [first], "web_search")
            pid = theirs.info.backend_pid
            other = InBackground(lambda: research.store(theirs, project_id, job_id, [second, first], "web_search"))
            wait_until_blocked(studio.db, pid)
            # The other one, which waits for our first page, must not hold the second already.
            research.store(ours, project_id, job_id, [second], "web_search")
        assert other.result() == 0
    assert len(rows(studio.db, "research_sources", project_id)) == 2


# --- the mail


def test_the_founder_is_told_once(studio: Studio) -> None:
    project_id = studio.project(email="founder@example.org")
    assert studio.run(project_id)["announce"] == {"mail": "queued"}
    first = rows(studio.db, "email_jobs", project_id)
    assert studio.run(project_id, guidance=GUIDANCE)["announce"] == {"mail": "already queued"}
    assert rows(studio.db, "email_jobs", project_id) == first
    # The ledger tells of both packets.
    assert len(events(studio.db, project_id, "phase0.summary_ready")) == 2


@pytest.mark.parametrize("why", ["overtaken", "passed", "denied"])
def test_a_packet_without_a_gate_is_not_announced(studio: Studio, why: str) -> None:
    project_id = studio.project(email="founder@example.org")
    claim = studio.launched(project_id)
    run_steps(studio.phase0(claim), until="open_gate")
    version = studio.packet(project_id)
    if why == "passed":
        studio.db.execute("update public.projects set phase = 1 where id = %s", [project_id])
    elif why == "denied":
        with studio.db.transaction() as conn:
            approvals.open_gate(conn, version, title="Gate", description="Look", supersede=False, job_id=claim.job_id)
        (gate,) = rows(studio.db, "approval_queue", project_id)
        decisions.decide(studio.db, gate["id"], "denied", version=gate["version"], decided_by="ada")
    else:
        with studio.db.transaction() as conn:
            versions.save(
                conn,
                project_id,
                0,
                version.packet,
                synopsis=version.packet["reasoning_synopsis"],
                job_id=claim.job_id,
                claim_no=claim.claim_no,
                model="sandbox",
                prompt_version="1",
                spent=spend.spent_by_job_in(conn, claim.job_id),
                provenance={},
            )
    outputs = run_steps(studio.phase0(claim))
    assert outputs["open_gate"]["outcome"] == why
    assert outputs["announce"] == {"mail": "no gate"}
    assert events(studio.db, project_id, "phase0.summary_ready") == []
    assert rows(studio.db, "email_jobs", project_id) == []
    assert "phase0_complete" in {row["description"] for row in rows(studio.db, "tasks", project_id)}


def test_a_job_that_runs_again_does_not_send_again(studio: Studio) -> None:
    project_id = studio.project(email="founder@example.org")
    claim = studio.launched(project_id)
    run_steps(studio.phase0(claim))
    again = studio.reclaimed(claim)
    with studio.db.transaction() as conn:
        again.forget_steps(conn, None)
    assert run_steps(studio.phase0(again))["announce"] == {"mail": "already queued"}
    assert len(rows(studio.db, "email_jobs", project_id)) == 1


def test_the_mail_is_readable_and_takes_nothing_for_markup(sandbox: SandboxThread, db: Database) -> None:
    settings = model_settings(sandbox.url, app_base_url="https://studio.test/")
    with open_model(sandbox.url, db) as model:
        studio = Studio(db, settings, model)
        project_id = studio.project("<b>Tools</b> & ladders for <i>neighbours</i>.", email="founder@example.org")
        # Other clients store names as they were typed.
        db.execute("update public.projects set name = %s where id = %s", ["Tools\r\nBcc: all@example.org", project_id])
        studio.run(project_id)
    (mail,) = rows(db, "email_jobs", project_id)
    assert mail["subject"] == "Tools Bcc: all@example.org: your Phase 0 packet is ready for review"
    assert f'<a href="https://studio.test/projects/{project_id}">' in mail["html_body"]
    assert "<b>" not in mail["html_body"]
    assert "<i>" not in mail["html_body"]
