"""`greenlight nightshift` runs nights now, shows what they did and why not, and turns them on and off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from studio import queue
from studio.database.connection import Database
from studio.settings import Settings
from tests.support.cli import Greenlight
from tests.support.night import Nights, action, draft, packet, reader, rows
from tests.support.night import project as night_project
from tests.support.queue import make_project

UNKNOWN = UUID("7e0a7d3c-4c52-4a4b-9a0e-1f3f3f0f0001")


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def test_a_round_queues_every_project_and_the_mail_once(greenlight: Greenlight, db: Database) -> None:
    made = make_project(db)
    first = greenlight("nightshift", "run", "--json").json
    assert first["queuedProjects"] >= 1
    assert {queue.get(db, UUID(first[name])).job_type for name in first if name != "queuedProjects"} == {
        "email.process_due",
        "drip.process_digests",
        "drip.process_nudges",
    }
    keys = {job.idempotency_key for job in queue.find(db, project_id=made)}
    assert keys == {f"nightshift:{made}:{today()}"}
    again = greenlight("nightshift", "run", "--json").json
    assert again == {**first, "queuedProjects": 0}
    plain = greenlight("nightshift", "run")
    assert "Queued the night's cycle of 0 projects." in plain.out
    assert first["queuedDripDigests"] in plain.out


def test_one_project_of_one_night(greenlight: Greenlight, db: Database) -> None:
    made = make_project(db)
    day = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    done = greenlight("nightshift", "run", "--project", made, "--date", day, "--json").json
    assert (done["queuedProjects"], done["outcome"], done["status"]) == (1, "created", "queued")
    assert queue.get(db, UUID(done["jobId"])).idempotency_key == f"nightshift:{made}:{day}"
    again = greenlight("nightshift", "run", "--project", made, "--date", day)
    assert f"The night of {day} is job {done['jobId']}, queued." in again.out
    another = greenlight("nightshift", "run", "--project", made)
    assert "Follow it: greenlight jobs tail" in another.out


def test_what_cannot_be_run_is_named(greenlight: Greenlight, db: Database) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    paused, off = make_project(db, status="paused"), make_project(db, night_shift=False)
    for arguments, error in (
        (("--date", "tomorrow"), "'tomorrow' is not a day."),
        (("--date", tomorrow), f"The night of {tomorrow} has not come yet."),
        (("--date", tomorrow, "--project", str(off)), f"The night of {tomorrow} has not come yet."),
        (("--project", "seven"), "--project 'seven' is not a UUID."),
        (("--project", str(UNKNOWN)), f"There is no project {UNKNOWN}."),
        (("--project", str(paused)), f"Project {paused} is paused."),
        (("--project", str(off)), f"Turn it on: greenlight nightshift on {off}"),
    ):
        ran = greenlight("nightshift", "run", *arguments)
        assert ran.code == 1
        assert error in ran.err


def test_a_night_is_shown_with_its_outcomes_and_their_reasons(greenlight: Greenlight, db: Database) -> None:
    made = night_project(db, phase=2)
    reader(db, made)
    draft(db, made)
    packet(db, made, 1, action("send_welcome_email_sequence"), action("trigger_phase3_deploy"))
    packet(db, made, 2, action("activate_meta_ads_campaign"))
    assert "No night yet." in greenlight("nightshift", "show", made).out
    Nights(db, Settings()).run(made)
    plain = greenlight("nightshift", "show", made).out
    assert "Night of 2026-03-01: Since " in plain
    assert "Phase 3 (go live) is not reached yet." in plain
    assert "Before it can be carried out: meta is not configured" in plain
    (night,) = greenlight("nightshift", "show", made, "--json").json
    assert night["day"] == "2026-03-01"
    assert {outcome["ending"] for outcome in night["outcomes"]} == {"proposed", "skipped"}


def test_the_switch_is_turned_once(greenlight: Greenlight, db: Database) -> None:
    made = make_project(db)
    assert greenlight("nightshift", "off", made, "--json").json["changed"] is True
    assert "already off" in greenlight("nightshift", "off", made).out
    assert "The night shift is on." in greenlight("nightshift", "on", made).out
    said = rows(db, "project_events", made)
    assert [row["event_type"] for row in said] == ["nightshift.turned_off", "nightshift.turned_on"]
    refused = greenlight("nightshift", "on", "00000000-0000-0000-0000-000000000000")
    assert refused.code == 1
    assert "There is no project" in refused.err
