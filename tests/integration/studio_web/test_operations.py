"""Operations' pages and routes say what rows of traces say: to operators all of it, to every other owner his own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest

from studio.database.connection import Database
from tests.integration.studio_web.conftest import SECRETS, Desk
from tests.integration.studio_web.holdings import alert, company
from tests.integration.studio_web.test_clerk import Issuer
from tests.integration.studio_web.test_many_owners import Street
from tests.integration.studio_web.test_pages_project import Reader, read
from tests.support.postgres import TestServer
from tests.support.traced_jobs import OVERLOADED, Fault, Traces, Work, chat, crowd, lost, phase0, tool
from tests.support.web import StudioThread
from web.pages.operations.trace import seconds_between

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


@dataclass
class Ground:
    """A project of ada's with traces of every kind; `job` was tried twice."""

    desk: Desk
    project: UUID
    job: UUID
    failed: UUID
    ok: UUID
    lost: UUID
    open: UUID
    answer: UUID
    big: UUID


@pytest.fixture(scope="module")
def ground(desk: Desk) -> Ground:
    firm = company(desk, name="Wheels & Bread")
    traces = Traces(desk.db, firm.id)
    job = firm.job("phase0.generate_packet", "completed")
    for n in range(6):
        traces.store(phase0(searches=2), ago=timedelta(hours=30 + 5 * n), payloads=False)
    big = Work("job:chat.reply", 0, 900, [tool("read", 10, 800, output_data={"text": "long " * 20_000})])
    return Ground(
        desk=desk,
        project=firm.id,
        job=job,
        failed=traces.store(phase0(searches=2, fault=Fault()), job_id=job, ago=timedelta(hours=2), outcome="queued"),
        ok=traces.store(phase0(searches=2, slow=4, retries=2), job_id=job, claim_no=2, ago=timedelta(hours=1)),
        lost=traces.store(lost(), ago=timedelta(hours=3)),
        open=traces.store(phase0(open_=True), ago=timedelta(seconds=35)),
        answer=traces.store(chat(), ago=timedelta(hours=4), payloads=False),
        big=traces.store(big, ago=timedelta(hours=5)),
    )


def span_of(ground: Ground, trace: UUID, name: str) -> str:
    row = ground.desk.db.fetch_one(
        "select span_id from pipeline_spans where trace_id = %s and span_name = %s order by start_time limit 1",
        [trace, name],
    )
    assert row is not None
    return str(row["span_id"])


def hrefs(page: Reader) -> list[str]:
    return [link["href"] for link in page.all("a") if "href" in link]


# --- a trace


def test_a_trace_says_what_happened_and_leads_on(ground: Ground) -> None:
    page = read(ground.desk.ada, f"/traces/{ground.failed}")
    assert "overloaded" in page.text
    assert "Attempt 1: error" in page.text
    assert "Attempt 2: ok" in page.text
    assert f"/jobs/{ground.job}" in hrefs(page)
    assert f"/traces/{ground.ok.hex}" in hrefs(page)
    assert [line["data-name"] for line in page.all("li") if "data-name" in line][:3] == [
        "job:phase0.generate_packet",
        "queue:wait",
        "launch",
    ]
    assert page.all("svg")
    # What did not run after an error is no finding.
    assert "did not run" not in page.text


def test_a_trace_is_compared_with_what_is_usual(ground: Ground) -> None:
    page = read(ground.desk.ada, f"/traces/{ground.ok.hex}")
    assert re.search(r"tool:web_search took \d\.\d × its median", page.text)
    assert f"/operations/compare?trace={ground.ok.hex}" in hrefs(page)
    compared = read(ground.desk.ada, f"/operations/compare?trace={ground.ok.hex}")
    assert "Compared with 6 good runs" in compared.text
    with_one = read(ground.desk.ada, f"/operations/compare?trace={ground.ok.hex}&with={ground.failed.hex}")
    assert "The other run" in with_one.text
    assert "Which run?" in read(ground.desk.ada, "/operations/compare").text


def test_attempts_of_one_number_are_told_apart(ground: Ground) -> None:
    traces, job = Traces(ground.desk.db, ground.project), uuid4()
    first = traces.store(lost(), job_id=job, ago=timedelta(hours=9), attempt=1, outcome="queued")
    again = traces.store(chat(), job_id=job, claim_no=2, ago=timedelta(hours=8), attempt=1)
    page = read(ground.desk.ada, f"/traces/{first}")
    for table in ("pipeline_traces", "pipeline_spans"):
        ground.desk.db.execute(f"delete from {table} where trace_id = any (%s)", [[first, again]])  # type: ignore[arg-type]
    assert "Attempt 1, interrupted: lost" in page.text
    assert "Attempt 1, taken up again: ok" in page.text


def test_ids_of_jobs_lead_to_their_newest_trace(ground: Ground) -> None:
    answer = ground.desk.ada.get(f"/traces/{ground.job}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/traces/{ground.ok.hex}")
    assert f"/traces/{ground.failed.hex}" in hrefs(read(ground.desk.ada, f"/jobs/{ground.job}"))


def test_an_open_trace_is_asked_for_again_and_an_ended_one_is_not(ground: Ground) -> None:
    def every(trace: UUID) -> list[str]:
        page = read(ground.desk.ada, f"/parts/traces/{trace.hex}")
        return [part["data-every"] for part in page.all("div") if "data-every" in part]

    assert every(ground.open) == ["2"]
    assert every(ground.ok) == []
    assert "has been running for" in read(ground.desk.ada, f"/traces/{ground.open.hex}").text


def test_the_larger_an_open_trace_is_the_less_often_it_is_asked_for(ground: Ground) -> None:
    large = Traces(ground.desk.db, ground.project).store(phase0(open_=True), ago=timedelta(days=2), payloads=False)
    ground.desk.db.execute(
        "insert into public.pipeline_spans (span_id, trace_id, span_name, start_time, end_time, duration_ms, status)"
        " select lpad(to_hex(n), 16, '0'), %s, 'tool:read', now(), now(), 1, 'ok' from generate_series(1, 2000) n",
        [large],
    )
    page = read(ground.desk.ada, f"/parts/traces/{large.hex}")
    assert [part["data-every"] for part in page.all("div") if "data-every" in part] == ["10"]
    assert "Cost so far" in page.text
    ground.desk.db.execute("delete from public.pipeline_spans where trace_id = %s", [large])
    assert "No spans yet" in read(ground.desk.ada, f"/parts/traces/{large.hex}").text
    ground.desk.db.execute(
        "update public.pipeline_traces set end_time = start_time, status = 'lost' where trace_id = %s", [large]
    )
    assert "None of its spans is stored" in read(ground.desk.ada, f"/parts/traces/{large.hex}").text
    ground.desk.db.execute("delete from public.pipeline_traces where trace_id = %s", [large])


@pytest.mark.parametrize(
    ("spans", "seconds"), [(0, 2), (1_999, 2), (2_000, 10), (19_999, 10), (20_000, 30), (100_000, 30)]
)
def test_how_often_an_open_trace_is_asked_for(spans: int, seconds: int) -> None:
    assert seconds_between(spans) == seconds


def test_a_span_says_what_went_in_and_out(ground: Ground) -> None:
    span = span_of(ground, ground.ok, "llm:anthropic")
    page = read(ground.desk.ada, f"/parts/traces/{ground.ok.hex}/spans/{span}")
    for words in ("Who lends tools?", "Three competitors lend tools", "8,420, 6,100 of them from the cache", "529"):
        assert words in page.text
    whole = read(ground.desk.ada, f"/traces/{ground.ok.hex}?span={span}")
    assert "Who lends tools?" in whole.text
    failed = span_of(ground, ground.failed, "tool:web_search")
    assert "tool library prices Berlin" in read(ground.desk.ada, f"/parts/traces/{ground.failed}/spans/{failed}").text


def test_a_payload_that_was_cut_or_removed_says_so(ground: Ground) -> None:
    cut = read(ground.desk.ada, f"/parts/traces/{ground.big.hex}/spans/{span_of(ground, ground.big, 'tool:read')}")
    assert re.search(r"Cut: these are the first 4\d\.\d kB of 100\.0 kB", cut.text)
    gone = span_of(ground, ground.answer, "llm:anthropic")
    page = read(ground.desk.ada, f"/parts/traces/{ground.answer.hex}/spans/{gone}")
    assert "The payload was removed after 7 days." in page.text
    assert "258 bytes" in page.text


def test_what_is_in_a_trace_is_never_markup(ground: Ground) -> None:
    fault = Fault(error=HOSTILE, error_type=HOSTILE, stack=HOSTILE, fingerprint="fp-hostile")
    work = chat(fault=fault)
    work.children.append(tool(HOSTILE, 100, 200, attributes={HOSTILE: HOSTILE}, input_data={HOSTILE: HOSTILE}))
    trace = Traces(ground.desk.db, ground.project).store(work, subject=HOSTILE, ago=timedelta(days=20))
    span = span_of(ground, trace, f"tool:{HOSTILE}")
    for path in (
        f"/traces/{trace.hex}?span={span}",
        f"/traces/{trace.hex}?name={quote(HOSTILE)}",
        "/operations/errors/fp-hostile",
        "/operations/errors?since=90d",
        "/operations/traces?since=90d",
        f"/operations/time?since=30d&name={quote('tool:' + HOSTILE)}",
    ):
        page = read(ground.desk.ada, path)
        assert page.all("img") == []
        assert [script for script in page.all("script") if not script.get("src", "").startswith("/static/")] == []
    ground.desk.db.execute("delete from pipeline_traces where trace_id = %s", [trace])
    ground.desk.db.execute("delete from pipeline_spans where trace_id = %s", [trace])
    ground.desk.db.execute("delete from pipeline_issues where fingerprint = 'fp-hostile'")


def test_a_part_of_a_trace_is_opened(ground: Ground) -> None:
    trace = Traces(ground.desk.db, ground.project).store(crowd(150), ago=timedelta(days=2))
    whole = read(ground.desk.ada, f"/traces/{trace.hex}")
    assert "Showing 5 of 155 spans" in whole.text
    [more] = [link for link in hrefs(whole) if "open=" in link]
    opened = read(ground.desk.ada, more)
    assert len([line for line in opened.all("li") if line.get("data-name") == "tool:read_page"]) == 101
    named = read(ground.desk.ada, f"/traces/{trace.hex}?name=READ_page")
    assert "150 spans have “READ_page” in their names" in named.text
    agent = span_of(ground, trace, "agent:research")
    under = read(ground.desk.ada, f"/traces/{trace.hex}?under={agent}")
    assert [line["data-name"] for line in under.all("li") if "data-name" in line] == [
        "agent:research",
        "tool:read_page",
    ]
    for wrong in ("open=nothing:x:0", "open=nothing", "under=nothing", "span=0000000000000000"):
        assert ground.desk.ada.get(f"/traces/{trace.hex}?{wrong}").status_code == 404
    ground.desk.db.execute("delete from pipeline_traces where trace_id = %s", [trace])


# --- the list


def test_the_list_is_filtered(ground: Ground) -> None:
    def found(query: str) -> set[str]:
        page = read(ground.desk.ada, f"/operations/traces?project={ground.project}&{query}")
        return {link.removeprefix("/traces/") for link in hrefs(page) if link.startswith("/traces/")}

    assert found("status=failed") == {ground.failed.hex, ground.lost.hex}
    assert found("status=running") == {ground.open.hex}
    assert found("pipeline=chat.reply") == {ground.answer.hex, ground.big.hex}
    assert found("slower=100&since=24h") == {ground.ok.hex}
    assert found("text=OVERLOADED") == {ground.failed.hex}
    assert found("kind=synthetic") == set()
    assert found("pipeline=&status=&slower=&text=") >= {ground.ok.hex, ground.answer.hex}
    for wrong in ("status=x", "slower=x", "since=x", "kind=x", "before=x"):
        assert ground.desk.ada.get(f"/operations/traces?{wrong}").status_code == 422


def test_the_list_goes_on_page_by_page(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.pages.operations.traces.PER_PAGE", 5)
    seen: list[str] = []
    path: str | None = f"/operations/traces?project={ground.project}"
    while path:
        page = read(ground.desk.ada, path)
        seen += [link for link in hrefs(page) if link.startswith("/traces/")]
        path = next((link for link in hrefs(page) if "before=" in link), None)
    assert len(seen) == len(set(seen)) == 12


def test_who_has_no_traces_is_told_when_they_appear(street: Street) -> None:
    with street.owner("user_new") as new:
        assert "No traces yet" in read(new, "/operations/traces").text
        assert "No open errors" in read(new, "/operations/errors").text
        assert "Nothing was spent" in read(new, "/operations/cost").text
        assert "No traces yet" in read(new, "/operations/time").text
        assert "No traces yet" in read(new, "/operations").text


# --- errors, times, money, health


def test_errors_are_listed_by_kind_and_one_says_all(ground: Ground) -> None:
    page = read(ground.desk.ada, "/operations/errors")
    assert f"/operations/errors/{OVERLOADED}" in hrefs(page)
    assert "LostWorker" in page.text
    one = read(ground.desk.ada, f"/operations/errors/{OVERLOADED}")
    for words in ("overloaded", "What was tried", "Who lends tools?", "the attempt", "Wheels & Bread"):
        assert words in one.text
    assert any(link.startswith(f"/traces/{ground.failed.hex}?span=") for link in hrefs(one))
    assert "LostWorker" not in read(ground.desk.ada, "/operations/errors?error_class=model").text
    # The trace is kept for less long than the memory of its error.
    ground.desk.db.execute(
        "update pipeline_issues set last_trace_id = %s where fingerprint = 'fp-lost-worker'", [uuid4()]
    )
    assert "no longer kept" in read(ground.desk.ada, "/operations/errors/fp-lost-worker").text


def test_times_are_shown_with_the_runs_behind_them(ground: Ground) -> None:
    page = read(ground.desk.ada, "/operations/time?since=24h&name=step:research")
    points = sorted({link for link in hrefs(page) if "at=" in link})
    assert points
    runs = [
        link.partition("?")[0].removeprefix("/traces/")
        for point in points
        for link in hrefs(read(ground.desk.ada, point))
        if link.startswith("/traces/")
    ]
    assert {ground.ok.hex, ground.failed.hex} <= set(runs)
    assert "tool:web_search" in page.text


def test_money_is_added_up(ground: Ground) -> None:
    row = ground.desk.db.fetch_one("select sum(cost_micros)::bigint as micros from pipeline_traces")
    assert row is not None
    page = read(ground.desk.ada, "/operations/cost?since=30d")
    assert f"${row['micros'] / 1_000_000:,.2f}" in page.text
    assert "claude-sonnet-4-5" in read(ground.desk.ada, "/operations/cost?group=model").text
    assert "Wheels & Bread" in read(ground.desk.ada, "/operations/cost?group=project&since=24h").text
    assert ground.desk.ada.get("/operations/cost?group=x").status_code == 422


def test_alerts_are_listed_and_acknowledged(ground: Ground) -> None:
    told = alert(ground.desk.db, ground.project)
    page = read(ground.desk.ada, "/operations/alerts")
    assert "Near its cap" in page.text
    answer = ground.desk.ada.post(f"/api/operations/alerts/{told}/acknowledge")
    assert answer.json()["acknowledgedBy"] == "ada"
    assert "You know of it" in read(ground.desk.ada, "/parts/operations/alerts").text
    listed = ground.desk.ada.get("/api/operations/alerts", params={"state": "open"}).json()["alerts"]
    assert str(told) in [one["id"] for one in listed]
    ground.desk.db.execute("delete from alerts where id = %s", [told])


def test_the_overview_says_how_the_installation_fares(ground: Ground) -> None:
    page = read(ground.desk.ada, "/operations")
    for words in ("Lanes", "Realtime", "Write the pitch", "ModelUnavailable", "open errors"):
        assert words in page.text
    answer = ground.desk.ada.get("/api/operations/health").json()
    assert {lane["name"] for lane in answer["lanes"]} == {"realtime", "standard", "heavy"}
    assert any(section.get("class") == f"health {answer['status']}" for section in page.all("section"))


# --- the API


def test_the_api_lists_traces_page_by_page(ground: Ground) -> None:
    params = {"projectId": str(ground.project), "limit": 5}
    first = ground.desk.ada.get("/api/traces", params=params).json()
    second = ground.desk.ada.get("/api/traces", params={**params, "before": first["next"]}).json()
    ids = [trace["id"] for trace in first["traces"] + second["traces"]]
    assert len(ids) == len(set(ids)) == 10
    assert ids[0] == ground.open.hex
    assert first["traces"][0]["durationMs"] is None
    assert first["traces"][0]["elapsedMs"] > 30_000


def test_the_api_tells_a_trace_its_spans_and_one_of_them(ground: Ground) -> None:
    ada = ground.desk.ada
    assert ada.get(f"/api/traces/{ground.failed}").json()["errorClass"] == "model"
    spans = ada.get(f"/api/traces/{ground.ok}/spans").json()
    assert spans["spans"] == len(spans["rows"])
    assert any(row["onCriticalPath"] for row in spans["rows"])
    one = ada.get(f"/api/traces/{ground.ok}/spans/{span_of(ground, ground.ok, 'llm:anthropic')}").json()
    assert one["inputData"]["system"] == "You research markets."
    compared = ada.get(f"/api/traces/{ground.ok}/comparison").json()
    assert compared["enough"]
    assert any("web_search" in finding for finding in compared["findings"])
    assert ada.get(f"/api/traces/{ground.ok}/comparison", params={"with": str(ground.failed)}).json()["runs"] == 1
    names = ada.get("/api/operations/names", params={"days": 2}).json()["names"]
    assert sum(one["share"] for one in names) == pytest.approx(1)
    costs = ada.get("/api/operations/cost", params={"by": "hour", "days": 1}).json()["costs"]
    assert {one["key"] for one in costs} >= {"phase0.generate_packet"}


# --- who sees what


@pytest.fixture(scope="module")
def street(postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A studio behind Clerk, in which `user_op` alone is an operator."""
    issuer = Issuer()
    folder = tmp_path_factory.mktemp("street") / "data"
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as database:
        with StudioThread(database, folder, clerk_issuer=issuer.url, operators="user_op", **SECRETS) as web:
            issuer.party = web.url
            yield Street(web, issuer)
    issuer.close()


def test_an_operator_sees_all_and_an_owner_his_own(street: Street) -> None:
    with street.owner("user_ann") as ann, street.owner("user_bob") as bob, street.owner("user_op") as op:
        mine = Traces(street.db, street.project(ann)).store(chat(fault=Fault(fingerprint="fp-anns")))
        theirs = Traces(street.db, street.project(bob)).store(chat(fault=Fault(fingerprint="fp-bobs")))
        for who, sees, misses in ((ann, mine, theirs), (bob, theirs, mine)):
            assert _traces(who) == {sees.hex}
            assert who.get(f"/traces/{misses.hex}").status_code == 404
            assert who.get(f"/api/traces/{misses}").status_code == 404
            assert who.get(f"/operations/compare?trace={sees.hex}&with={misses.hex}").status_code == 404
        assert _traces(op) == {mine.hex, theirs.hex}
        assert op.get(f"/traces/{theirs.hex}").status_code == 200
        # Of somebody else's job there is a trace, and no page to lead to.
        assert not any(link.startswith("/jobs/") for link in hrefs(read(op, f"/traces/{theirs.hex}")))
        assert "fp-bobs" not in read(ann, "/operations/errors").text
        assert ann.get("/operations/errors/fp-bobs").status_code == 404
        assert ann.get("/operations/errors/fp-anns").status_code == 200


def test_what_is_of_the_installation_is_for_operators(street: Street) -> None:
    with street.owner("user_cat") as cat, street.owner("user_op") as op:
        Traces(street.db, street.project(cat)).store(chat(fault=Fault(fingerprint="fp-cats")))
        for path in ("/operations/alerts", "/api/operations/alerts", "/api/operations/health"):
            assert (cat.get(path).status_code, op.get(path).status_code) == (404, 200)
        page = read(cat, "/operations")
        assert "Lanes" not in page.text
        assert "/operations/alerts" not in hrefs(page)
        assert "Lanes" in read(op, "/operations").text
        shown = read(cat, "/operations/errors/fp-cats")
        assert [form for form in shown.all("form") if "data-api" in form] == []
        resolve = "/api/operations/errors/fp-cats/resolve"
        assert cat.post(resolve).status_code == 403
        assert op.post(resolve).json() == {"ok": True, "status": "resolved"}
        assert "resolved" in read(cat, "/operations/errors/fp-cats").text
        assert op.post("/api/operations/errors/fp-cats/reopen").json()["status"] == "open"


def _traces(client: httpx.Client) -> set[str]:
    return {trace["id"] for trace in client.get("/api/traces").json()["traces"]}
