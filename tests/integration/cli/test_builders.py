"""`greenlight code`, `report` and `check`: something is asked for, waited for, listed, shown and saved."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from PIL import Image

from greenlight_dagster.cli import output
from studio import events, queue
from studio.builders import CHECK
from studio.database.connection import Database
from studio.events import NewEvent
from studio.settings import Settings
from studio.storage import storage_from_settings
from tests.support.builders import COMMIT, QUOTE, Made
from tests.support.cli import NOBODY, Greenlight, claimed


@pytest.fixture
def made(db: Database, project: UUID, tmp_path: Path) -> Made:
    # The data folder of the commands, as `conftest.environment` sets it.
    return Made(db, Settings(data_dir=tmp_path / "data", link_secret="a secret"), project)


def test_what_is_asked_for_is_queued_and_can_be_followed(greenlight: Greenlight, db: Database, project: UUID) -> None:
    for group, arguments in (
        (
            "code",
            ["generate", project, "A list of tools", "--branch", "tools"],
        ),
        ("report", ["generate", project, "Who borrows tools", "--format", "pptx", "--slides", 5]),
        (
            "check",
            ["page", project, "https://example.org/", "--checks", "meta_tags,screenshot", "--checks", "page_weight"],
        ),
    ):
        first = greenlight(group, *arguments)
        assert first.code == 0, first.err
        [job_id] = re.findall(r"greenlight jobs tail (\S+)", first.out)
        assert f"greenlight {group} show {job_id}" in first.out
        assert queue.get(db, UUID(job_id)).status == "queued"
        # In another minute it is another question.
        asked = greenlight(group, *arguments, "--json").json
        assert (asked["outcome"], asked["status"]) in (("existing", "queued"), ("created", "queued"))
        assert (asked["job_id"] == job_id) is (asked["outcome"] == "existing")
    payloads = {job.job_type: job.payload for job in queue.find(db, project_id=project)}
    assert payloads["code.generate_mvp"]["branch"] == "tools"
    assert (payloads["research.generate_report"]["format"], payloads["research.generate_report"]["maxSlides"]) == (
        "pptx",
        5,
    )
    assert payloads[CHECK]["checks"] == ["screenshot", "meta_tags", "page_weight"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["code", "generate", NOBODY, "List"], "no project"),
        (["code", "show", NOBODY], "no code generation"),
        (["code", "list", NOBODY], "no project"),
        (["report", "show", NOBODY], "no report"),
        (["report", "download", NOBODY], "no report"),
        (["check", "page", "{project}"], "no published page"),
        (["check", "show", NOBODY], "no page check"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_one_sentence(
    greenlight: Greenlight, project: UUID, arguments: list[str], said: str
) -> None:
    greenlight(*[argument.format(project=project) for argument in arguments]).fails(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["code", "generate", "x", "List"], "is not a UUID"),
        (["code", "generate", "{project}", " "], "is empty"),
        (["code", "generate", "{project}", "List", "--branch", "a..b"], "name of a branch"),
        (["code", "generate", "{project}", "List", "--repo", "https://example.org/x"], "names no repository"),
        (["code", "show", "x"], "is not a UUID"),
        (["code", "list", "x"], "is not a UUID"),
        (["code", "list", "{project}", "--limit", "0"], "--limit"),
        (["report", "generate", "{project}", "ab"], "too short"),
        (["report", "generate", "{project}", "Tools", "--format", "docx"], "no report format 'docx'"),
        (["report", "generate", "{project}", "Tools", "--slides", "31"], "--slides"),
        (["report", "show", "x"], "is not a UUID"),
        (["report", "download", "x"], "is not a UUID"),
        (["report", "download", NOBODY, "-o", "/tmp"], "is a directory"),
        (["check", "page", "{project}", "ftp://example.org"], "none of a page on the web"),
        (["check", "page", "{project}", "https://example.org/", "--checks", "axe"], "no check 'axe'"),
        (["check", "page", "{project}", "https://example.org/", "--checks", ","], "No check is named"),
        (["check", "show", "x"], "is not a UUID"),
        (["check", "show", NOBODY, "-o", "/etc/passwd"], "is a file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_value_that_cannot_be_used_is_a_wrong_call(
    greenlight: Greenlight, db: Database, project: UUID, arguments: list[str], said: str
) -> None:
    greenlight(*[argument.format(project=project) for argument in arguments]).fails(said, code=2)
    assert queue.find(db, project_id=project) == []


def test_code_is_listed_and_shown(greenlight: Greenlight, made: Made) -> None:
    assert "Nothing has been written yet" in greenlight("code", "list", made.project).said
    job, waits = made.code(), made.code_job()
    listed = greenlight("code", "list", made.project)
    assert all(text in listed.out for text in (str(job), str(waits), "1 check not passed", "greenlight/mvp-v1"))
    told = greenlight("code", "list", made.project, "--json").json
    assert {one["job_id"] for one in told} == {str(job), str(waits)}
    assert all(one["code"] is None or "files" not in one["code"] for one in told)
    shown = greenlight("code", "show", job)
    for text in (
        COMMIT,
        "git clone --branch greenlight/mvp-v1 -- https://github.com/acme/hallway.git",
        "AssertionError: 303 != 409",
        "old/index.html",
        "It would run with the repository's secrets.",
        "https://github.com/acme/hallway/pull/12",
    ):
        assert text in shown.out, text
    whole = greenlight("code", "show", job, "--json").json["code"]
    assert (len(whole["files"]), whole["checks_failed"], whole["finished"]) == (4, 1, True)
    assert "queued" in greenlight("code", "show", waits).said


def test_unfinished_code_says_why(greenlight: Greenlight, made: Made) -> None:
    job = made.code(finished=False, unfinished_reason="It used 30 turns.", checks=[], sandbox="none")
    shown = greenlight("code", "show", job)
    assert all(text in shown.said for text in ("no: It used 30 turns.", "no sandbox", "declares none"))
    assert "unfinished" in greenlight("code", "list", made.project).out


def test_a_report_is_listed_shown_and_saved(
    greenlight: Greenlight, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing has been researched yet" in greenlight("report", "list", made.project).said
    job = made.report()
    assert "Tool rental in European cities" in greenlight("report", "list", made.project).out
    assert greenlight("report", "list", made.project, "--json").json[0]["report"]["pages"] == 12
    shown = greenlight("report", "show", job)
    for text in (
        f"“{QUOTE}” [1]",
        "(called unsupported) The quote does not say 13 minutes.",
        "Removed by the checker",
        "Statements 1 and 2 do not agree",
        "https://cities.test/tools-2025",
        f"greenlight report download {job}",
    ):
        assert text in shown.out, text
    told = greenlight("report", "show", job, "--json").json
    assert [claim["source"] for claim in told["claims"]] == [1, 2, 2, None]
    assert [source["number"] for source in told["sources"]] == [1, 2]
    monkeypatch.chdir(tmp_path)
    assert "Wrote tool-rental.pdf" in greenlight("report", "download", job).out
    target = tmp_path / "mine.pdf"
    assert greenlight("report", "download", job, "-o", target, "--json").json == {"file": str(target), "bytes": 15}
    assert target.read_bytes() == (tmp_path / "tool-rental.pdf").read_bytes()
    target.write_bytes(b"mine")
    greenlight("report", "download", job, "-o", target).fails("is there already", "--output", "--force")
    assert target.read_bytes() == b"mine"
    assert "Wrote" in greenlight("report", "download", job, "-o", target, "--force").out
    assert target.read_bytes() == (tmp_path / "tool-rental.pdf").read_bytes()
    greenlight("report", "download", job, "-o", tmp_path / "no" / "such").fails("cannot be written")
    greenlight("report", "download", made.report_job("failed")).fails("its job is failed", "greenlight jobs show")


def test_a_report_that_found_nothing_tells_how_much_had_been_asked_for(greenlight: Greenlight, made: Made) -> None:
    shown = greenlight("report", "show", made.report(nothing_found=True, pages=3))
    assert "3 of the 12 pages asked for, as nothing was found" in shown.said


def test_a_file_that_was_changed_is_not_saved(greenlight: Greenlight, db: Database, made: Made, tmp_path: Path) -> None:
    job = made.report()
    row = db.fetch_one(
        "select storage_path from project_assets where kind = 'report' and project_id = %s", [made.project]
    )
    assert row is not None
    storage_from_settings(made.settings).upload(
        row["storage_path"], b"other", content_type="application/pdf", upsert=True
    )
    greenlight("report", "download", job, "-o", tmp_path / "x.pdf").fails("its hash differs")
    assert not (tmp_path / "x.pdf").exists()


def test_a_look_is_listed_shown_and_its_pictures_saved(greenlight: Greenlight, made: Made, tmp_path: Path) -> None:
    assert "No page has been looked at yet" in greenlight("check", "list", made.project).said
    job = made.check()
    approval = made.rollback(job)
    asked = greenlight("approvals", "show", approval)
    assert f"greenlight check show {job}" in asked.out
    assert f"greenlight pages list {made.project}" in asked.out
    assert "3 of 6 checks failed" in greenlight("check", "list", made.project).out
    shown = greenlight("check", "show", job, "--output", tmp_path / "shots")
    for text in ("main > table.prices", "not applicable", f"greenlight approvals show {approval}", "color-contrast"):
        assert text in shown.out, text
    assert sorted(path.name for path in (tmp_path / "shots").iterdir()) == [
        "desktop.png",
        "difference-desktop.png",
        "mobile.png",
    ]
    with Image.open(io.BytesIO((tmp_path / "shots" / "mobile.png").read_bytes())) as picture:
        assert picture.width == 375
    told = greenlight("check", "show", job, "--json").json
    assert told["look"]["failed"] == ["mobile_responsive", "accessibility", "visual_difference"]
    assert told["rollback"]["approval_id"] == str(approval)
    assert "results" not in greenlight("check", "list", made.project, "--json").json[0]["look"]
    greenlight("check", "show", job, "-o", tmp_path / "shots" / "mobile.png" / "in").fails("is no folder")
    greenlight("check", "show", made.check_job(), "-o", tmp_path).fails("There are no pictures", "queued")


def test_nothing_that_was_written_steers_the_terminal(greenlight: Greenlight, made: Made) -> None:
    evil = "\x1b[2J[bold red]x[/]\u202e"
    made.description, made.files = evil, False
    code = made.code(summary=evil, branch=evil, files=[{"path": evil}], checks=[{"name": evil, "output": evil}])
    report = made.report(title=evil, summary=evil)
    check = made.check(results=[{"check": evil, "outcome": "failed", "summary": evil, "evidence": {"a": evil}}])
    for arguments in (["code", "show", code], ["report", "show", report], ["check", "show", check]):
        ran = greenlight(*arguments)
        assert ran.code == 0, ran.err
        assert "\x1b" not in ran.out
        assert "\u202e" not in ran.out
        assert "[bold red]" in ran.out


def test_lists_stay_within_a_narrow_terminal(
    greenlight: Greenlight, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.files = False
    ids = made.everything()
    monkeypatch.setattr(output.out, "_width", 80)
    for group, name in (("code", "generation"), ("report", "report"), ("check", "check")):
        listed = greenlight(group, "list", made.project)
        assert str(ids[name]) in listed.out
        assert all(len(line) <= 80 for line in listed.out.splitlines()), listed.out


# --- waiting


def work(db: Database, project: UUID, end: Callable[[UUID], None]) -> threading.Thread:
    """Do the next job of the project as a worker would: claim it, say something, `end` it."""

    def run() -> None:
        done = threading.Event()
        for _ in range(600):
            jobs = [job for job in queue.find(db, project_id=project) if job.status == "queued"]
            if jobs:
                end(jobs[0].id)
                return
            done.wait(0.05)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def say(db: Database, job: UUID) -> None:
    claim = claimed(db, job)
    with claim.transaction() as conn:
        events.append(conn, job, [NewEvent("log", "Looking at the page", {})], claim.claim_no)
    claim.complete()


def test_watching_follows_the_job_and_shows_what_came_of_it(greenlight: Greenlight, db: Database, made: Made) -> None:
    def looked(job: UUID) -> None:
        made.row_of_check(job, passed=True, results=made.evidence[:1])
        say(db, job)

    worker = work(db, made.project, looked)
    ran = greenlight("check", "page", made.project, "https://example.org/", "--watch")
    worker.join()
    assert ran.code == 0, ran.err
    assert ran.out.index("Looking at the page") < ran.out.index("1 check passed")


def test_watching_a_look_that_failed_is_exit_code_1_and_one_json(
    greenlight: Greenlight, db: Database, made: Made
) -> None:
    def looked(job: UUID) -> None:
        made.row_of_check(job, passed=False, results=made.evidence[:2])
        say(db, job)

    worker = work(db, made.project, looked)
    ran = greenlight("check", "page", made.project, "https://example.org/", "--watch", "--json")
    worker.join()
    assert (ran.code, ran.json["look"]["failed"]) == (1, ["mobile_responsive"])


def test_watching_a_look_that_finds_nothing_to_check_is_no_pass(
    greenlight: Greenlight, db: Database, made: Made
) -> None:
    def looked(job: UUID) -> None:
        made.row_of_check(job, passed=True, results=[{"check": "form_post", "outcome": "not applicable"}])
        say(db, job)

    worker = work(db, made.project, looked)
    ran = greenlight("check", "page", made.project, "https://example.org/", "--watch")
    worker.join()
    assert (ran.code, "None of the checks applies to this page" in ran.said) == (1, True)


def test_what_builders_have_made_is_among_the_projects_files(greenlight: Greenlight, made: Made) -> None:
    made.report()
    archive = made.file("code_archive", "code.tar.gz", b"tar", "application/gzip")
    listed = greenlight("projects", "files", made.project)
    assert listed.code == 0, listed.err
    for told in ("Code, code.tar.gz:", "Report, tool-rental.pdf:"):
        assert told in listed.out
    told = greenlight("projects", "files", made.project, "--json").json
    assert [(one["phase"], one["kind"], one["status"]) for one in told] == [
        (None, "code_archive", "stored"),
        (None, "report", "stored"),
    ]
    assert (told[0]["asset_id"], told[0]["storage_path"]) == (str(archive.id), archive.storage_path)
    assert greenlight("projects", "files", made.project, "--phase", 1, "--json").json == []


def test_watching_what_fails_shows_why(greenlight: Greenlight, db: Database, made: Made) -> None:
    def fail(job: UUID) -> None:
        claimed(db, job).fail("No browser could be started.", permanent=True, retry_base=timedelta(0))

    worker = work(db, made.project, fail)
    ran = greenlight("report", "generate", made.project, f"Tools {uuid4()}", "--watch")
    worker.join()
    assert (ran.code, "No browser could be started." in ran.out) == (1, True)
