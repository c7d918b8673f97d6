"""`greenlight launch` and `greenlight enqueue` put work into the queue, or say why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from studio import queue
from studio.database.connection import Database
from tests.support.cli import NOBODY, Greenlight, bring_to
from tests.support.queue import (
    make_project,
)

# --- launch

pytest_plugins = ["tests.support.job_types"]


def test_a_launch_says_what_became_of_it(greenlight: Greenlight, db: Database, project: UUID) -> None:
    first = greenlight("launch", project, "--json").json
    assert (first["started"], first["outcome"], first["status"]) == (True, "created", "queued")
    again = greenlight("launch", project)
    assert "Already there" in again.out
    assert f"greenlight jobs tail {first['job_id']}" in again.out
    greenlight("launch", project, "--guidance", "Aim it at schools.").fails("already queued", "jobs tail")
    bring_to(db, UUID(first["job_id"]), "failed")
    assert greenlight("launch", project, "--json").json["outcome"] == "revived"
    bring_to(db, UUID(first["job_id"]), "completed")
    assert "Give --guidance for a revision" in greenlight("launch", project).said
    assert greenlight("launch", project, "--force-new-approval", "--json").json["started"]


def test_guidance_is_checked_at_launch(greenlight: Greenlight, project: UUID) -> None:
    greenlight("launch", project, "--guidance", "x" * 2001).fails("revisionGuidance")
    greenlight("launch", project, "--guidance", "\udcff").fails("lone surrogate")


def test_a_paused_project_is_not_launched(greenlight: Greenlight, db: Database) -> None:
    greenlight("launch", make_project(db, status="paused")).fails("is paused", "Make it active")


# --- enqueue


def test_a_job_is_enqueued_as_asked(greenlight: Greenlight, db: Database, project: UUID, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text('{"ownerClerkId": "local-owner", "revisionGuidance": "Für Schulen"}', encoding="utf-8")
    later = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    made = greenlight(
        *("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}"),
        *("--key", "my-key", "--priority", "-7", "--run-after", later.isoformat(), "--json"),
    ).json
    assert made["outcome"] == "created"
    job = queue.get(db, UUID(made["job_id"]))
    assert (job.idempotency_key, job.priority, job.run_after) == ("my-key", -7, later)
    assert job.payload["revisionGuidance"] == "Für Schulen"
    again = greenlight(
        *("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}", "--key", "my-key")
    )
    assert again.code == 0
    assert f"Already there: job {job.id} (queued)" in again.said


def test_the_keys_and_priorities_of_the_registry_are_the_default(
    greenlight: Greenlight, db: Database, project: UUID
) -> None:
    made = greenlight(
        "enqueue",
        "phase0.generate_packet",
        "--project",
        project,
        "--payload",
        '{"ownerClerkId": "local-owner"}',
        "--json",
    ).json
    job = queue.get(db, UUID(made["job_id"]))
    assert job.priority == 100
    assert job.idempotency_key.startswith(f"phase0:{project}:")


def test_a_type_that_nothing_can_run_yet_says_so(
    greenlight: Greenlight, project: UUID, type_without_handler: str
) -> None:
    greenlight("enqueue", type_without_handler, "--project", project).fails(
        f"Job type '{type_without_handler}' has no handler yet.", "Can be enqueued today: phase0.generate_packet, "
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--payload", "{"], ["--payload is not JSON", "line 1, column 2"]),
        (["--payload", ""], ["--payload is not JSON"]),
        (["--payload", "[1]"], ["--payload is not a JSON object"]),
        (["--payload", '{"ownerClerkId": ' + "1" * 5_000 + "}"], ["--payload holds a number that is too long"]),
        (["--payload", "null"], ["--payload is not a JSON object"]),
        (["--payload", "{}"], ["does not fit phase0.generate_packet", "ownerClerkId", "Its fields:"]),
        (["--payload", '{"ownerClerkId": "o", "surprise": 1}'], ["surprise"]),
        (["--payload", '{"ownerClerkId": "\\u0000"}'], ["NUL"]),
        (["--payload", f'{{"ownerClerkId": "o", "projectId": "{NOBODY}"}}'], [f"names project {NOBODY}"]),
        (["--payload", "[" * 100_000], ["--payload"]),
        (["--payload", "@/nowhere/payload.json"], ["/nowhere/payload.json cannot be read", "Check its path"]),
        (["--payload", "@/tmp"], ["/tmp cannot be read"]),
        (["--key", ""], ["idempotency key has 1 to 500 characters"]),
        (["--key", "x" * 501], ["501"]),
        (["--priority", str(10**9)], ["A priority lies between"]),
        (["--run-after", "tomorrow"], ["--run-after 'tomorrow' is not a moment", "2026-03-01T09:00:00Z"]),
        (["--run-after", "2026-03-01T09:00:00"], ["has no time zone", "trailing Z"]),
        (["--run-after", "0001-01-01T00:00:00+14:00"], ["is not a moment"]),
        (["--run-after", "9999-12-31T23:59:59-14:00"], ["is not a moment"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_what_cannot_be_enqueued_is_refused(
    greenlight: Greenlight, db: Database, project: UUID, options: list[str], said: list[str]
) -> None:
    if "--payload" not in options:
        options = [*options, "--payload", '{"ownerClerkId": "local-owner"}']
    greenlight("enqueue", "phase0.generate_packet", "--project", project, *options).fails(*said)
    assert queue.find(db, project_id=project) == []


def test_a_file_that_is_not_text_is_refused(greenlight: Greenlight, project: UUID, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_bytes(b"\xff\xfe{}")
    greenlight("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}").fails(
        "cannot be read"
    )
    file.write_text("nope", encoding="utf-8")
    greenlight("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}").fails(
        f"file {file} is not JSON"
    )


def test_a_job_for_no_project_is_refused(greenlight: Greenlight) -> None:
    greenlight("enqueue", "phase0.generate_packet", "--project", NOBODY, "--payload", '{"ownerClerkId": "o"}').fails(
        "no such project"
    )
