"""An optional part that fails is listed with the reason and costs no gate; what concerns the job ends it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from studio import assets
from studio.errors import (
    BudgetExhausted,
    DatabaseError,
    LeaseLost,
    StorageRefused,
    StorageUnavailable,
    StudioError,
)
from studio.phases.parts import DECK_NAMES, NO_IMAGES
from studio.storage import Storage
from tests.support.model import Recorder
from tests.support.phase0 import asked, events, folder_storage, gates, rows
from tests.support.phases import Founding, run_steps
from tests.support.sandbox import SandboxThread


class Refusing:
    """A storage that refuses the files whose path ends in `ending`, the first `times` times."""

    def __init__(self, storage: Storage, ending: str, error: StudioError, times: int = 10**6) -> None:
        self._storage, self._ending, self._error, self._times = storage, ending, error, times

    def upload(self, path: str, data: bytes, **options: Any) -> Any:
        if path.endswith(self._ending) and self._times > 0:
            self._times -= 1
            raise self._error
        return self._storage.upload(path, data, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def refusing(studio: Founding, ending: str, error: StudioError, **options: Any) -> Founding:
    return dataclasses.replace(studio, storage=Refusing(folder_storage(), ending, error, **options))


TOO_LARGE = StorageRefused("The deck has 30 MiB; at most 25 are stored.", "Make it smaller.")
AWAY = StorageUnavailable("The storage cannot be reached.", "Try again.")


@pytest.mark.parametrize(
    ("phase", "ending", "label", "task"),
    [
        (1, "packet.pptx", "Validation deck, PowerPoint", "phase1_deck"),
        (1, "brand-brief.html", "Brand brief", "phase1_brand_brief"),
        (2, "social-marketing-plan.html", "Distribution plan", "phase2_plan_document"),
        (3, "launch-checklist.md", "Launch checklist, Markdown", "phase3_launch_checklist"),
    ],
)
def test_a_part_that_fails_is_listed_with_the_reason(
    studio: Founding, phase: int, ending: str, label: str, task: str
) -> None:
    told, broken = Recorder(), refusing(studio, ending, TOO_LARGE)
    project_id = broken.in_phase(phase)
    outputs = broken.generate(project_id, phase, told)
    assert outputs["open_gate"]["outcome"] == "opened"
    entry = broken.deliverables(project_id, phase)[label]
    assert (entry["status"], entry["error"]) == ("failed", TOO_LARGE.message)
    assert "asset_id" not in entry
    tasks = {row["description"]: (row["status"], row["detail"]) for row in rows(broken.db, "tasks", project_id)}
    assert tasks[task] == ("failed", str(TOO_LARGE))
    assert tasks[f"phase{phase}_complete"][0] == "completed"
    assert f"{label} could not be made" in told.said
    failed = [event["data"]["label"] for event in events(broken.db, project_id, "deliverable.failed")]
    assert label in failed
    # What was stored before is not lost: what is listed as failed or missing has no file, all else has one.
    for other in broken.deliverables(project_id, phase).values():
        assert (other["status"] == "stored") == ("asset_id" in other) == ("error" not in other)
    if label.endswith(("PowerPoint", "Markdown")):
        assert broken.deliverables(project_id, phase)[label.split(",")[0]]["status"] == "stored"


def test_a_landing_page_that_fails_is_not_proposed(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(1, permissions={"email_send": True})
    sandbox.fault("text", match="<direction>", text="I would rather not draw a page.", times=6)
    outputs = studio.generate(project_id, 1)
    assert studio.deliverables(project_id, 1)["Landing page"]["status"] == "failed"
    assert outputs["open_gate"]["outcome"] == "opened"
    proposed = {entry["action_type"]: entry["outcome"] for entry in outputs["open_gate"]["proposals"]}
    assert proposed == {"deploy_landing_page": "refused", "send_welcome_email_sequence": "created"}


def test_the_landing_page_is_a_draft_whose_very_bytes_are_proposed(studio: Founding) -> None:
    project_id = studio.in_phase(1)
    outputs = studio.generate(project_id, 1)
    entry = studio.deliverables(project_id, 1)["Landing page"]
    (approval,) = [row for row in gates(studio.db, project_id) if row["action_type"] == "deploy_landing_page"]
    assert (str(approval["asset_id"]), approval["content_hash"]) == (entry["asset_id"], entry["content_hash"])
    data = assets.content(studio.storage, assets.get(studio.db, approval["asset_id"]))
    assert hashlib.sha256(data).hexdigest() == approval["content_hash"]
    assert outputs["landing"] == [{**outputs["landing"][0], "status": "stored", "kind": "landing_html"}]
    project = studio.db.fetch_one("select live_url, deploy_status from public.projects where id = %s", [project_id])
    assert project == {"live_url": None, "deploy_status": "idle"}
    deployed = studio.db.fetch_all("select 1 from public.project_deployments where project_id = %s", [project_id])
    assert deployed == []


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_what_is_stored_is_listed_with_path_and_hash(studio: Founding, phase: int) -> None:
    project_id = studio.in_phase(phase)
    studio.generate(project_id, phase)
    version = studio.latest(project_id, phase)
    listed = studio.deliverables(project_id, phase)
    stored = {label: entry for label, entry in listed.items() if entry["status"] == "stored"}
    for entry in stored.values():
        asset = assets.get(studio.db, entry["asset_id"])
        assert (asset.storage_path, asset.content_hash) == (entry["storage_path"], entry["content_hash"])
        assert asset.storage_path.startswith(f"{project_id}/phase-{phase}/v1/")
        assert asset.metadata["packet_version"] == version.version
        assert assets.content(studio.storage, asset)
    lacking = {label: entry["error"] for label, entry in listed.items() if entry["status"] != "stored"}
    assert set(lacking.values()) == ({NO_IMAGES} if phase < 3 else set())
    assert {DECK_NAMES[phase], f"{DECK_NAMES[phase]}, PowerPoint"} <= set(stored)


def test_a_failure_that_may_pass_is_tried_again_while_there_are_attempts(studio: Founding) -> None:
    broken = refusing(studio, "phase-3-packet.html", AWAY, times=1)
    project_id = broken.in_phase(3)
    claim = broken.enqueued(project_id, 3)
    with pytest.raises(StorageUnavailable):
        run_steps(broken.phase(claim))
    assert gates(broken.db, project_id) == []
    run_steps(broken.phase(broken.reclaimed(claim)))
    assert broken.deliverables(project_id, 3)["Go-live deck"]["status"] == "stored"


def test_a_failure_that_does_not_pass_costs_no_gate_at_the_last_attempt(studio: Founding) -> None:
    broken = refusing(studio, "phase-3-packet.html", AWAY)
    project_id = broken.in_phase(3)
    claim = broken.last_attempt(broken.enqueued(project_id, 3))
    outputs = run_steps(broken.phase(claim))
    assert outputs["open_gate"]["outcome"] == "opened"
    assert broken.deliverables(project_id, 3)["Go-live deck"]["error"] == AWAY.message


def test_an_answer_that_fits_nothing_costs_the_brief_and_nothing_else(studio: Founding, sandbox: SandboxThread) -> None:
    project_id = studio.in_phase(1)
    sandbox.fault("not_json", match='"title":"BrandDeckSpec"', times=2)
    outputs = studio.generate(project_id, 1)
    listed = studio.deliverables(project_id, 1)
    assert {listed[label]["status"] for label in ("Brand brief", "Brand brief, PowerPoint")} == {"failed"}
    assert "does not fit BrandDeckSpec" in listed["Brand brief"]["error"]
    assert listed["Validation deck"]["status"] == "stored"
    assert outputs["open_gate"]["outcome"] == "opened"


@pytest.mark.parametrize(
    ("error", "spoil"),
    [
        (BudgetExhausted, lambda studio, claim: exhaust(studio, claim)),
        (LeaseLost, lambda studio, claim: studio.reclaimed(claim)),
    ],
)
def test_what_concerns_the_job_is_not_taken_for_a_failed_part(
    studio: Founding, sandbox: SandboxThread, error: type[StudioError], spoil: Callable[[Founding, Any], Any]
) -> None:
    project_id = studio.in_phase(1)
    claim = studio.last_attempt(studio.enqueued(project_id, 1))
    attempt = studio.phase(claim)
    outputs = run_steps(attempt, until="brand_brief")
    before = studio.deliverables(project_id, 1)
    spoil(studio, claim)
    sandbox.clear()
    with pytest.raises(error):
        attempt.brand_brief(outputs["load_context"], outputs["save_packet"])
    assert studio.deliverables(project_id, 1) == before
    assert not asked(sandbox)


def test_an_absent_database_is_not_taken_for_a_failed_part(studio: Founding) -> None:
    broken = refusing(studio, "phase-3-packet.html", DatabaseError("The database is away."))
    claim = broken.last_attempt(broken.enqueued(broken.in_phase(3), 3))
    with pytest.raises(DatabaseError):
        run_steps(broken.phase(claim))


def test_a_new_version_starts_a_new_list(studio: Founding) -> None:
    project_id = studio.in_phase(3)
    studio.generate(project_id, 3)
    before = studio.deliverables(project_id, 3)
    broken = refusing(studio, ".md", TOO_LARGE)
    broken.generate(project_id, 3, forceRegenerate=True)
    after = studio.deliverables(project_id, 3)
    assert after["Launch checklist, Markdown"]["status"] == "failed"
    assert after["Go-live deck"]["storage_path"] == before["Go-live deck"]["storage_path"].replace("/v1/", "/v2/")
    # What was reviewed stays what it was.
    kept = assets.get(studio.db, before["Go-live deck"]["asset_id"])
    assert kept.content_hash == before["Go-live deck"]["content_hash"]


def exhaust(studio: Founding, claim: Any) -> None:
    studio.db.execute("update public.project_budgets set cap_calls = 0 where project_id = %s", [claim.job.project_id])
