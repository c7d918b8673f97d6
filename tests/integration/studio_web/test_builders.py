"""Code, reports and page checks: asked for over HTTP, and shown as they stand, with all they rest on and as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from studio import lifecycle, rollbacks
from studio import pages as publications
from studio.code import local_repository
from studio.storage import storage_from_settings
from studio.text import sha256_hex
from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import company
from tests.integration.studio_web.test_pages_project import Reader, harmless, read
from tests.support.builders import COMMIT, QUOTE, Made
from tests.support.deck_samples import HOSTILE
from tests.support.traced_jobs import Traces, chat

KINDS = {"code": "generations", "reports": "reports", "checks": "checks"}
WISHES: dict[str, dict[str, Any]] = {
    "code": {"description": "A list of tools", "branch": "feature/list"},
    "reports": {"topic": "Who borrows tools", "format": "pptx", "maxSlides": 7},
    "checks": {"url": "https://example.org/", "checks": ["meta_tags"]},
}


@pytest.fixture(scope="module")
def pages(desk: Desk) -> Iterator[None]:
    """Let files have an address; nobody asks there."""
    desk.web.settings.pages_base_url = "https://pages.test"
    yield
    desk.web.settings.pages_base_url = None


@pytest.fixture
def made(desk: Desk, pages: None) -> Made:
    return Made(desk.db, desk.web.settings, company(desk).id)


def show(desk: Desk, made: Made, kind: str, job: UUID) -> dict[str, Any]:
    answer = desk.ada.get(f"/api/projects/{made.project}/{kind}/{job}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def page(desk: Desk, made: Made, kind: str, job: UUID) -> Reader:
    """Read a result's page, and that its part says the same."""
    path = f"/projects/{made.project}/{kind}/{job}"
    found = read(desk.ada, path)
    part = read(desk.ada, f"/parts{path}")
    assert part.text[:200] in found.text
    harmless(found)
    return found


def hrefs(found: Reader) -> list[str]:
    return [link["href"] for link in found.all("a") if "href" in link]


def page_out(desk: Desk, made: Made, html: str) -> None:
    with desk.db.transaction() as conn:
        publications.publish(
            conn, made.project, asset_id=None, content_hash=sha256_hex(html), html=html, approval_id=None,
            base_url="https://pages.test",
        )  # fmt: skip


# --- asking


@pytest.mark.parametrize("kind", KINDS)
def test_a_wish_becomes_a_job_that_is_listed_at_once(desk: Desk, made: Made, kind: str) -> None:
    answer = desk.ada.post(f"/api/projects/{made.project}/{kind}", json=WISHES[kind])
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["ok"], told["outcome"], told["status"]) == (True, "created", "queued")
    [listed] = desk.ada.get(f"/api/projects/{made.project}/{kind}").json()[KINDS[kind]]
    assert (listed["jobId"], listed["status"], listed["error"]) == (told["jobId"], "queued", None)
    payload = desk.ada.get(f"/api/jobs/{told['jobId']}").json()["payload"]
    assert WISHES[kind].items() <= payload.items()
    shown = read(desk.ada, f"/projects/{made.project}")
    assert f"/projects/{made.project}/{kind}/{told['jobId']}" in hrefs(shown)


@pytest.mark.parametrize(
    ("kind", "body", "status", "said"),
    [
        ("code", {}, 422, "description is missing"),
        ("code", {"description": " "}, 422, "is empty"),
        ("code", {"description": "List", "branch": "../x"}, 422, "name of a branch"),
        ("code", {"description": "List", "repoUrl": "file:///etc"}, 422, "names no repository"),
        ("code", {"description": "List", "ownerClerkId": "bob"}, 422, "is not known here"),
        ("reports", {"topic": "ab"}, 422, "at least 3 characters"),
        ("reports", {"topic": "Tools", "format": "docx"}, 422, "must be one of"),
        ("reports", {"topic": "Tools", "maxSlides": 31}, 422, "at most 30"),
        ("checks", {}, 409, "no published page"),
        ("checks", {"url": "http://u:p@example.org/"}, 422, "contains credentials"),
        ("checks", {"url": "https://example.org/", "checks": []}, 422, "at least 1 entry"),
        ("checks", {"url": "https://example.org/", "checks": ["axe"]}, 422, "must be one of"),
    ],
)
def test_a_wish_that_cannot_be_meant_is_refused(
    desk: Desk, made: Made, kind: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = desk.ada.post(f"/api/projects/{made.project}/{kind}", json=body)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
    assert desk.ada.get(f"/api/projects/{made.project}/{kind}").json() == {KINDS[kind]: []}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_asked_by_another_site_or_of_a_project_that_rests(desk: Desk, made: Made, kind: str) -> None:
    path = f"/api/projects/{made.project}/{kind}"
    assert desk.ada.post(path, json=WISHES[kind], headers={"Origin": "https://evil.example"}).status_code == 403
    lifecycle.set_status(desk.db, made.project, "paused", "ada")
    refused = desk.ada.post(path, json=WISHES[kind])
    assert (refused.status_code, "paused" in refused.json()["error"]) == (403, True)
    assert desk.ada.get(path).json() == {KINDS[kind]: []}
    # The page offers nothing that would be refused.
    forms = [form.get("data-api", "") for form in read(desk.ada, f"/projects/{made.project}").all("form")]
    assert not [form for form in forms if form.endswith(f"/{kind}")]


# --- what came of it


def test_code_is_shown_with_its_branch_files_and_checks(desk: Desk, made: Made) -> None:
    job = made.code()
    told = show(desk, made, "code", job)
    assert (told["commitSha"], told["filesChanged"], told["checksFailed"], told["finished"]) == (COMMIT, 4, 1, True)
    assert [file["path"] for file in told["files"]] == ["app.py", "bin/serve", "README.md", "old/index.html"]
    assert [check["outcome"] for check in told["checks"]] == ["passed", "failed"]
    assert told["leftOut"][0]["path"] == ".github/workflows/deploy.yml"
    shown = page(desk, made, "code", job)
    for text in (
        "git clone --branch greenlight/mvp-v1 -- https://github.com/acme/hallway.git",
        "AssertionError: 303 != 409",
        "4 files , 2 added , 1 modified , 1 deleted",
        "It would run with the repository's secrets.",
        "$0.81",
    ):
        assert text.replace(" ,", ",") in shown.text.replace(" ,", ","), text
    assert {
        "https://github.com/acme/hallway/pull/12",
        f"https://github.com/acme/hallway/commit/{COMMIT}",
        "https://github.com/acme/hallway/tree/greenlight/mvp-v1",
        f"/jobs/{job}",
    } <= set(hrefs(shown))


def test_code_that_is_not_finished_says_so_and_where_it_lies(desk: Desk, made: Made) -> None:
    job = made.code(
        repository="the project's local repository", finished=False, checks=[],
        unfinished_reason="It used 30 turns, the most there are.",
        pull_request_url=None, base_branch=None, base_commit=None, left_out=[],
    )  # fmt: skip
    shown = page(desk, made, "code", job)
    assert "It used 30 turns, the most there are." in shown.text
    where = local_repository.path(desk.web.settings, made.project)
    assert f"-- {where} mvp-{str(made.project)[:8]}" in shown.text
    assert "declares no build and no tests" in shown.text
    # A path of the machine is nothing to programs.
    assert show(desk, made, "code", job)["repository"] is None
    assert "unfinished" in read(desk.ada, f"/projects/{made.project}/builders").text


def test_a_report_is_shown_with_every_claim_its_quote_and_its_source(desk: Desk, made: Made) -> None:
    job = made.report()
    told = show(desk, made, "reports", job)
    assert told["link"].startswith("https://pages.test/files/")
    assert [claim["outcome"] for claim in told["claims"]] == ["supported", "supported", "marked", "removed"]
    assert (told["claims"][0]["quote"], told["claims"][0]["source"]) == (QUOTE, 1)
    assert told["contradictionList"][0]["claims"] == [1, 2]
    assert [source["number"] for source in told["sourceList"]] == [1, 2]
    shown = page(desk, made, "reports", job)
    for text in (QUOTE, "The quote does not say 13 minutes.", "No page that was read says so.", "called unsupported"):
        assert text in shown.text, text
    assert "https://figures.test/tools-2025" in hrefs(shown)
    [download] = [href for href in hrefs(shown) if href.endswith("/download")]
    led = desk.ada.get(download)
    assert (led.status_code, led.headers["location"].startswith("https://pages.test/")) == (307, True)


def test_a_report_that_found_nothing_says_so(desk: Desk, made: Made) -> None:
    shown = page(desk, made, "reports", made.report(nothing_found=True, contradictions=0, pages=3))
    assert "3 of the 12 pages asked for, as nothing was found" in shown.text
    assert "Nothing was found that could be quoted" in shown.text
    assert "nothing found" in read(desk.ada, f"/projects/{made.project}").text


def test_a_source_that_an_earlier_report_has_read_is_this_ones_too(desk: Desk, made: Made) -> None:
    first = made.report()
    source = desk.db.fetch_one("select id from page_snapshots where job_id = %s order by url limit 1", [first])
    assert source is not None
    second = made.report_job("running")
    made.claim(second, 1, "How many?", "Many.", "many", source["id"])
    told = show(desk, made, "reports", second)
    assert [one["url"] for one in told["sourceList"]] == ["https://cities.test/tools-2025"]
    assert (told["title"], told["claims"][0]["source"]) == (None, 1)


def test_a_look_is_shown_with_its_evidence_and_pictures(desk: Desk, made: Made) -> None:
    job = made.check()
    approval = made.rollback(job)
    told = show(desk, made, "checks", job)
    assert (told["passed"], told["failed"]) == (False, ["mobile_responsive", "accessibility", "visual_difference"])
    assert told["rollbackApprovalId"] == str(approval)
    assert told["results"][1]["evidence"]["widest"] == "main > table.prices"
    assert "pictures" not in told["results"][-1]["evidence"]
    assert [one["name"] for one in told["results"][-1]["pictures"]] == ["difference-desktop"]
    shown = page(desk, made, "checks", job)
    pictures = {picture["alt"]: picture["src"] for picture in shown.all("img")}
    assert list(pictures) == ["On a desk", "On a phone", "What differs on a desk"]
    assert all(src.startswith("https://pages.test/files/") for src in pictures.values())
    assert "img-src 'self' data: https://pages.test" in _policy(desk, made, job)
    assert {f"/inbox/{approval}", made.url} <= set(hrefs(shown))
    assert "main > table.prices" in shown.text
    # Another look at the same publication finds that the question waits already.
    assert show(desk, made, "checks", made.check())["rollbackApprovalId"] == str(approval)
    assert show(desk, made, "checks", made.check(publication_no=4))["rollbackApprovalId"] is None


def test_what_was_not_measured_is_named_and_has_not_failed(desk: Desk, made: Made) -> None:
    results = [{"check": "screenshot", "outcome": "passed"}, {"check": "meta_tags", "outcome": "not measured"}]
    job = made.check(results=results)
    [listed] = desk.ada.get(f"/api/projects/{made.project}/checks").json()["checks"]
    for told in (listed, show(desk, made, "checks", job)):
        assert (told["passed"], told["failed"], told["notMeasured"]) == (False, [], ["meta_tags"])


def test_going_back_rests_on_the_check_that_failed_and_on_no_packet(desk: Desk, made: Made) -> None:
    job = made.check()
    inbox = read(desk.ada, f"/inbox/{made.rollback(job)}")
    assert f"/projects/{made.project}/checks/{job}" in hrefs(inbox)
    assert "Fits a phone" in inbox.text
    rests = inbox.text.partition("What it rests on")[2].partition("What a yes does")[0]
    assert "acket" not in rests


def test_what_a_newer_page_has_ended_says_so(desk: Desk, made: Made) -> None:
    approval = made.rollback(made.check())
    for number in range(1, 5):
        page_out(desk, made, f"<p>{number}")
    with desk.db.transaction() as conn:
        rollbacks.end_outdated(conn, made.project)
    for path in (f"/inbox/{approval}", "/inbox"):
        shown = read(desk.ada, path).text
        assert "nother page" in shown
        assert "ewer question" not in shown


@pytest.mark.parametrize("live", [None, 3, 4])
def test_a_look_at_a_page_that_is_gone_says_so(desk: Desk, made: Made, live: int | None) -> None:
    for number in range(1, (live or 0) + 1):
        page_out(desk, made, f"<p>{number}")
    shown = page(desk, made, "checks", made.check(publication_no=3))
    says = {None: "no page is published now", 3: "", 4: "publication 4 is live now"}[live]
    opens = {None: "Open its address", 3: "Open the page", 4: "Open what is published now"}[live]
    assert ("is not what the world sees any more" in shown.text) == bool(says)
    assert says in shown.text
    assert opens in shown.text


def _policy(desk: Desk, made: Made, job: UUID) -> str:
    return str(desk.ada.get(f"/projects/{made.project}/checks/{job}").headers["content-security-policy"])


def test_what_waits_works_or_has_failed_is_shown_without_a_result(desk: Desk, made: Made) -> None:
    error = "Project budget does not cover the next call. Raise it with `greenlight projects budget`."
    jobs = {"code": made.code_job, "reports": made.report_job, "checks": made.check_job}
    for kind, leave in jobs.items():
        waits, works, failed, done = (
            leave("queued"),
            leave("running"),
            leave("failed", last_error=error),
            leave("completed"),
        )
        assert "waiting since" in page(desk, made, kind, waits).text
        assert "being picked up" in page(desk, made, kind, works).text
        gone = page(desk, made, kind, failed)
        assert "It failed" in gone.text
        assert f"/projects/{made.project}/settings#budget" in hrefs(gone)
        assert f"POST /api/jobs/{failed}/retry" in [form.get("data-api") for form in gone.all("form")]
        assert "The job has ended" in page(desk, made, kind, done).text
        assert (show(desk, made, kind, failed)["status"], show(desk, made, kind, failed)["error"]) == ("failed", error)
        listed = desk.ada.get(f"/api/projects/{made.project}/{kind}").json()[KINDS[kind]]
        assert {one["status"] for one in listed} == {"queued", "running", "failed", "completed"}


def test_its_traces_are_linked(desk: Desk, made: Made) -> None:
    job = made.code()
    trace = Traces(desk.db, made.project).store(chat(), ago=timedelta(minutes=5), job_id=job)
    assert f"/traces/{trace.hex}" in hrefs(page(desk, made, "code", job))


def test_more_than_a_few_are_a_page_away(desk: Desk, made: Made) -> None:
    jobs = [made.check_job() for _ in range(6)]
    front = hrefs(read(desk.ada, f"/projects/{made.project}"))
    assert f"/projects/{made.project}/builders#checks" in front
    everything = hrefs(read(desk.ada, f"/projects/{made.project}/builders"))
    assert {f"/projects/{made.project}/checks/{job}" for job in jobs} <= set(everything)
    assert len(desk.ada.get(f"/api/projects/{made.project}/checks?limit=2").json()["checks"]) == 2


def test_an_id_of_another_kind_or_project_is_nothing(desk: Desk, made: Made) -> None:
    made.files = False
    ids = made.everything()
    other = company(desk).id
    for kind, job in (
        ("code", ids["report"]),
        ("reports", ids["check"]),
        ("checks", ids["generation"]),
        ("code", uuid4()),
    ):
        for path in ("/api/projects/{}/{}/{}", "/projects/{}/{}/{}", "/parts/projects/{}/{}/{}"):
            assert desk.ada.get(path.format(made.project, kind, job)).status_code == 404
    for kind, name in (("code", "generation"), ("reports", "report"), ("checks", "check")):
        assert desk.ada.get(f"/api/projects/{other}/{kind}/{ids[name]}").status_code == 404


# --- what models and pages have written


def test_whatever_was_written_is_text(desk: Desk, made: Made) -> None:
    hostile = HOSTILE.replace("\x00", "")
    script = "javascript:alert(1)"
    made.description, made.topic, made.url = hostile, hostile, script
    code = made.code(
        branch=hostile, summary=hostile, sandbox=hostile, base_branch=hostile, repository="https://x.test/" + hostile,
        pull_request_url=script, finished=False, unfinished_reason=hostile,
        files=[{"path": hostile, "status": hostile, "size": "many"}, "no object", None],
        left_out=[{"path": hostile, "reason": {"a": hostile}}, 7],
        checks=[{"name": hostile, "command": ["make", hostile], "outcome": hostile, "output": hostile, "seconds": "x"}],
    )  # fmt: skip
    report = made.report(title=hostile, summary=hostile)
    desk.db.execute("update page_snapshots set url = %s, title = %s where job_id = %s", [script, hostile, report])
    desk.db.execute(
        "update report_claims set question = %s, statement = %s, quote = %s, reason = %s where job_id = %s",
        [hostile] * 4 + [report],
    )
    check = made.check(
        final_url=script,
        results=[
            {"check": hostile, "outcome": hostile, "summary": hostile, "evidence": {hostile: [hostile, None, 1.5]}},
            {"check": "meta_tags", "outcome": "failed", "evidence": [hostile]},
            {"check": None, "evidence": {"pictures": {"a": {"asset_id": "no id"}, "b": 7}}},
            {"check": "screenshot", "outcome": "passed", "evidence": {"pictures": {"a": {"asset_id": str(uuid4())}}}},
            "no object",
        ],
    )
    for kind, job in (("code", code), ("reports", report), ("checks", check)):
        page(desk, made, kind, job)
        show(desk, made, kind, job)
    for path in (f"/projects/{made.project}", f"/projects/{made.project}/builders"):
        harmless(read(desk.ada, path))


def test_a_payload_of_another_client_is_shown_all_the_same(desk: Desk, made: Made) -> None:
    for job_type, kind in (
        ("code.generate_mvp", "code"),
        ("research.generate_report", "reports"),
        ("browser.check_page", "checks"),
    ):
        job = made.job(job_type, {"description": 7, "topic": None, "url": ["x"], "maxSlides": "many"})
        page(desk, made, kind, job)
        show(desk, made, kind, job)


def test_a_picture_that_is_away_is_told_of(desk: Desk, made: Made) -> None:
    job = made.check()
    rows = desk.db.fetch_all(
        "select storage_path from project_assets where project_id = %s and kind = 'page_picture'", [made.project]
    )
    storage_from_settings(desk.web.settings).delete([row["storage_path"] for row in rows])
    shown = page(desk, made, "checks", job)
    assert shown.all("img") == []
    assert "cannot be shown here" in shown.text
    assert show(desk, made, "checks", job)["desktop"]["link"] is None


def test_the_answers_keep_to_their_owner(desk: Desk, made: Made) -> None:
    job = made.code()

    def asked(client: httpx.Client, path: str) -> int:
        return client.get(path).status_code

    for path in (f"/api/projects/{made.project}/code/{job}", f"/projects/{made.project}/code/{job}"):
        assert (asked(desk.ada, path), asked(desk.bob, path)) == (200, 404)
