"""Phase 0 survives its own crashes: nothing is paid twice, nothing is shown as done that was not."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from studio import queue, research
from studio.database.connection import Database
from studio.errors import (
    LeaseLost,
    ModelAnswerInvalid,
    ModelUnavailable,
    NotFound,
)
from studio.model import spend
from studio.packets import versions
from studio.packets.fields import Source
from studio.packets.versions import PacketVersion
from studio.phases.common import list_failure
from studio.queue import NewJob
from studio.settings import Settings
from studio.text import sha256_hex
from tests.support.model import Recorder, ledger, model_settings, open_model
from tests.support.phase0 import (
    ASKED,
    STEPS,
    Studio,
    asked,
    events,
    gates,
    rows,
    run_steps,
)
from tests.support.sandbox import SandboxThread

# --- crashes


def test_an_attempt_after_each_step_repeats_none(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project(email="founder@example.org")
    claim = studio.launched(project_id)
    outputs: list[dict[str, Any]] = []
    for step in STEPS[1:]:
        outputs.append(run_steps(studio.phase0(claim), until=step.name))
        claim = studio.reclaimed(claim)
    outputs.append(run_steps(studio.phase0(claim)))
    claim.complete()
    # Each attempt sees what the earlier ones had made, and makes nothing anew.
    assert all(
        later[name] == value for earlier, later in itertools.pairwise(outputs) for name, value in earlier.items()
    )
    assert asked(sandbox) == ASKED
    assert len(ledger(studio.db, project_id)) == 5
    assert len(versions.history(studio.db, project_id, 0)) == 1
    assert len(gates(studio.db, project_id)) == 1
    assert len(rows(studio.db, "email_jobs", project_id)) == 1
    assert len(events(studio.db, project_id, "phase.packet_generated")) == 1
    tasks = Counter(row["description"] for row in rows(studio.db, "tasks", project_id))
    assert tasks == Counter(["phase0_init", "phase0_research", "phase0_synthesis", "phase0_deck", "phase0_complete"])


@pytest.mark.parametrize(
    ("broken", "kept"),
    [
        ('"title":"MarketFindings"', Counter({None: 2, "CompetitorFindings": 1})),
        ('"title":"CompetitorFindings"', Counter({None: 2, "MarketFindings": 1})),
    ],
)
def test_what_was_paid_for_inside_a_step_is_not_paid_for_again(
    studio: Studio, sandbox: SandboxThread, broken: str, kept: Counter[str | None]
) -> None:
    project_id = studio.project()
    claim = studio.launched(project_id)
    sandbox.fault("status", status=503, match=broken)
    with pytest.raises(ModelUnavailable):
        run_steps(studio.phase0(claim))
    refused = Counter(entry["schema_title"] for entry in sandbox.requests() if entry["status"] != 200)
    assert asked(sandbox) - refused == kept
    run_steps(studio.phase0(studio.reclaimed(claim)))
    assert asked(sandbox) - refused == ASKED


def test_breaks_in_a_search_do_not_use_up_the_default_budget_at_real_prices(
    sandbox: SandboxThread, db: Database
) -> None:
    defaults = Settings(_env_file=None)  # type: ignore[call-arg]
    with open_model(sandbox.url, db, model=defaults.model, model_prices={}) as model:
        studio = Studio(db, model_settings(sandbox.url, model=defaults.model, model_prices={}), model)
        project_id = studio.project()
        claim = studio.launched(project_id)
        # What it used is unknown each time, so a full context after each search is counted.
        for _ in range(claim.job.max_attempts - 1):
            sandbox.fault("drop", match="size of the idea's market")
            with pytest.raises(ModelUnavailable):
                run_steps(studio.phase0(claim))
            claim = studio.reclaimed(claim)
        run_steps(studio.phase0(claim))
    broken = [row for row in ledger(db, project_id) if row["error"]]
    assert [row["cost_micros"] == row["reserved_micros"] > 1_000_000 for row in broken] == [True, True]
    budget = spend.budget(db, project_id)
    assert budget.cap_micros is not None
    assert sum(row["cost_micros"] for row in broken) < budget.spent_micros < budget.cap_micros
    assert {row["model"] for row in ledger(db, project_id)} == {defaults.model}
    assert studio.packet(project_id).version == 1


def test_an_address_of_any_length_is_kept(studio: Studio) -> None:
    claim = studio.launched(studio.project())
    # Nothing repeats, so that no compression makes it fit into an index.
    long = "https://long.test/" + "".join(sha256_hex(str(number)) for number in range(100))
    passages = [Source(url=long, title="Long", quote="It says so.", quote_sha256=sha256_hex("It says so."))]
    for expected in (1, 0):
        with claim.transaction() as conn:
            assert research.store(conn, claim.job.project_id, claim.job_id, passages, "web_search") == expected
    (stored,) = rows(studio.db, "research_sources", claim.job.project_id)
    assert stored["url"] == long


def test_a_packet_that_a_newer_one_overtook_does_not_take_its_place(studio: Studio) -> None:
    project_id = studio.project()
    slow = studio.launched(project_id)
    run_steps(studio.phase0(slow), until="open_gate")
    with studio.db.transaction() as conn:
        new = NewJob("phase0.generate_packet", project_id, slow.job.payload, key="another")
        quick = queue.enqueue(conn, new).job_id
    claim = studio.claimed(quick)
    run_steps(studio.phase0(claim))
    claim.complete()
    newer = studio.packet(project_id)
    assert newer.version == 2

    told = Recorder()
    outputs = run_steps(studio.phase0(studio.reclaimed(slow), told))

    assert outputs["open_gate"]["outcome"] == "overtaken"
    assert "overtaken" in told.said
    (gate,) = gates(studio.db, project_id)
    assert (gate["status"], gate["packet_version_id"]) == ("pending", newer.id)
    remembered = {row["key"]: row for row in rows(studio.db, "agent_memory", project_id)}["phase0_completed"]
    assert remembered["value"].startswith("Phase 0 packet version 2")


def test_a_failure_is_listed_each_time_and_forgotten_with_success(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project()
    claim = studio.launched(project_id)
    for _ in range(2):
        claim.fail(
            "The budget is exhausted.",
            permanent=True,
            retry_base=timedelta(0),
            also=lambda conn, _status, held=claim: list_failure(conn, project_id, held.job_id, "The same."),
        )
        queue.retry(studio.db, claim.job_id)
        claim = studio.claimed(claim.job_id)
    failures = [row for row in rows(studio.db, "task_log", project_id) if row["step"] == "phase0_failed"]
    assert [row["status"] for row in failures] == ["failed", "failed"]
    assert "phase0_failed" in {row["description"] for row in rows(studio.db, "tasks", project_id)}
    run_steps(studio.phase0(claim))
    claim.complete()
    assert {row["status"] for row in rows(studio.db, "tasks", project_id)} == {"completed"}


def test_a_worker_that_lost_its_claim_changes_nothing_and_asks_nothing(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project()
    stale = studio.launched(project_id)
    zombie = studio.phase0(stale)
    outputs = run_steps(zombie, until="save_packet")
    current = studio.reclaimed(stale)
    sandbox.clear()
    with pytest.raises(LeaseLost):
        stale.once_in_transaction("save_packet", lambda conn: zombie.save_packet(conn, outputs["synthesize"]))
    with pytest.raises(LeaseLost):
        zombie.synthesize(outputs["load_context"], outputs["measure_presence"], outputs["research"])
    assert versions.latest(studio.db, project_id, 0) is None
    assert asked(sandbox) == Counter()
    run_steps(studio.phase0(current))
    assert studio.packet(project_id).version == 1


def test_an_invalid_answer_fails_the_job_without_a_packet(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project()
    claim = studio.launched(project_id)
    sandbox.fault("not_json", match='"title":"Phase0Synthesis"', times=2)
    with pytest.raises(ModelAnswerInvalid) as caught:
        run_steps(studio.phase0(claim))
    said = str(caught.value)
    ended = claim.fail(
        said,
        permanent=True,
        retry_base=timedelta(0),
        also=lambda conn, _status: list_failure(conn, project_id, claim.job_id, said),
    )
    assert ended == "failed"
    assert versions.latest(studio.db, project_id, 0) is None
    assert gates(studio.db, project_id) == []
    tasks = {row["description"]: (row["status"], row["error"]) for row in rows(studio.db, "tasks", project_id)}
    assert tasks["phase0_synthesis"] == ("failed", said)
    assert tasks["phase0_failed"] == ("failed", said)
    assert tasks["phase0_research"] == ("completed", None)


def test_both_researches_end_before_an_error_is_raised(studio: Studio, sandbox: SandboxThread) -> None:
    project_id = studio.project()
    claim = studio.launched(project_id)
    sandbox.fault("status", status=401, match="size of the idea's market")
    with pytest.raises(Exception, match="refuses the key"):
        run_steps(studio.phase0(claim))
    # The other one was not abandoned in the middle: what it found is there for the next attempt.
    found, _ = claim.saved_step("research/competitors_findings")
    assert found


def test_a_packet_version_that_is_none_is_said_to_be_none(studio: Studio) -> None:
    with pytest.raises(NotFound, match="no packet version"):
        versions.get(studio.db, UUID(int=7))
    assert versions.latest(studio.db, studio.project(), 0) is None


def test_a_packet_version_never_changes(studio: Studio) -> None:
    project_id = studio.project()
    studio.run(project_id)
    version: PacketVersion = studio.packet(project_id)
    with pytest.raises(Exception, match="immutable"):
        studio.db.execute("update public.phase_packet_versions set confidence = 1 where id = %s", [version.id])
    assert versions.get(studio.db, version.id) == version
