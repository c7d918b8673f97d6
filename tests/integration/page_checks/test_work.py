"""A published page is checked, written down, remembered and told; where it fails, the way back is offered once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from studio import assets
from studio.claims import Claim
from studio.errors import BrowserUnavailable, LeaseLost, NotFound
from studio.job_types import CHECKS, CheckName
from studio.page_checks import asking, drafts
from studio.page_checks.posting import SENT_BEFORE
from studio.page_checks.sending import SentOnce
from studio.page_checks.work import PageCheck
from studio.pages import PublishedPage
from studio.views import builders_checks as views
from tests.integration.page_checks.conftest import LIMITS
from tests.integration.page_checks.published import NOBODY, Published
from tests.support.model import Recorder


def run(check: PageCheck) -> dict[str, Any]:
    """Run the ops under their claim, as the factory does, and complete the job."""
    claim = check.claim
    looked = claim.once("look", check.look)
    recorded = claim.once_in_transaction("record", lambda conn: check.record(conn, looked))
    followed = claim.once_in_transaction("follow_up", lambda conn: check.follow_up(conn, looked, recorded))
    claim.complete()
    return {"looked": looked, "recorded": recorded, "followed": followed}


def offers(project: Published) -> list[dict[str, Any]]:
    """Return what a person is asked in the project."""
    return project.db.fetch_all("select * from approval_queue where project_id = %s", [project.id])


def test_a_published_page_passes_everything(project: Published) -> None:
    page = project.publish()
    claim = project.asked(page)
    looked = claim.once("look", project.check(claim, LIMITS).look)
    # A second attempt repeats nothing that was done: the page is gone by now, and whoever looked would see that.
    project.db.execute("update project_deployments set status = 'failed' where project_id = %s", [project.id])
    done = run(project.check(claim, LIMITS))
    assert done["looked"] == looked
    pictures = "select count(*) from project_assets where kind = 'page_picture' and project_id = %s"
    assert project.one(pictures, project.id) == 2
    told = {result["check"]: (result["outcome"], result["summary"]) for result in done["looked"]["results"]}
    assert list(told) == list(CHECKS)
    assert {name: said for name, said in told.items() if said[0] != "passed"} == {}
    assert offers(project) == []

    row = project.db.fetch_one("select * from page_checks where job_id = %s", [claim.job_id])
    assert row is not None
    assert (row["passed"], row["publication_no"], row["final_url"]) == (True, 1, page.live_url)
    for asset_id, width in ((row["desktop_asset_id"], 1440), (row["mobile_asset_id"], 375)):
        asset = assets.get(project.db, asset_id)
        assert asset.kind == "page_picture"
        picture = assets.content(project.storage, asset)
        assert picture[:4] == b"\x89PNG"
        assert int.from_bytes(picture[16:20]) == width
    value = project.one(
        "select value from agent_memory where key = 'qa_check_127.0.0.1' and project_id = %s", project.id
    )
    assert value == f"All 12 checks of {page.live_url} passed."
    event = project.one(
        "select data from project_events where event_type = 'page.checked' and project_id = %s", project.id
    )
    assert (event["passed"], event["failed"]) == (True, [])
    # A check is no visitor.
    assert project.counts() == NOBODY


def test_a_page_that_is_not_what_was_approved_fails_and_the_way_back_is_offered(project: Published) -> None:
    project.publish()
    page = project.publish("<!doctype html><title>Hacked</title><p>Nothing here.", approved=project.html)
    claim = project.asked(page, "waitlist_form", "meta_tags", "visual_difference")
    done = run(project.check(claim, LIMITS))
    assert not done["looked"]["passed"]
    failed = done["recorded"]["failed"]
    assert failed == ["waitlist_form", "meta_tags", "visual_difference"]
    (offer,) = offers(project)
    assert str(offer["id"]) in done["followed"]["rollback"]
    assert (offer["action_type"], offer["status"]) == ("rollback_landing_page", "pending")
    assert {name: offer["payload"][name] for name in ("from", "to", "failed", "job_id")} == {
        "from": 2,
        "to": 1,
        "failed": failed,
        "job_id": str(claim.job_id),
    }
    (difference,) = [one for one in done["looked"]["results"] if one["check"] == "visual_difference"]
    drawn = difference["evidence"]["pictures"]["difference-desktop"]
    assert project.storage.read(drawn["storage_path"])[:4] == b"\x89PNG"
    assert difference["evidence"]["desktop"]["different_share"] > 0.01


def test_what_the_browser_had_no_time_for_is_tried_again_and_no_failure(project: Published) -> None:
    project.publish()
    page = project.publish()
    claim = project.asked(page, "screenshot", "meta_tags")
    hurried = replace(LIMITS, picture=0.001)
    pictures = "select count(*) from project_assets where kind = 'page_picture' and project_id = %s"
    with pytest.raises(BrowserUnavailable, match=r"could not measure screenshot: .* too little time"):
        project.check(claim, hurried).look()
    assert project.one(pictures, project.id) == 0

    last = Claim(claim.db, replace(claim.job, attempts=claim.job.max_attempts))
    done = run(project.check(last, hurried))
    told = {result["check"]: result["outcome"] for result in done["looked"]["results"]}
    assert told == {"screenshot": "not measured", "meta_tags": "passed"}
    summary = done["looked"]["results"][0]["summary"]
    assert summary == "There is no desktop picture: the browser had too little time for it."
    assert (done["looked"]["passed"], done["recorded"]["failed"], offers(project)) == (False, [], [])
    value = project.one(
        "select value from agent_memory where key = 'qa_check_127.0.0.1' and project_id = %s", project.id
    )
    assert value == f"1 of 2 checks of {page.live_url} were not measured: screenshot; none failed."
    look = views.page_check(project.db, project.id, claim.job_id).look
    assert look is not None
    assert (look.verdict, look.failed) == ("1 of 2 checks passed, 1 not measured", [])


def test_a_strangers_form_is_sent_once_whatever_becomes_of_the_attempt(project: Published) -> None:
    sent: list[str] = []

    def sends(**told: Any) -> Callable[[], dict[str, Any]]:
        def send() -> dict[str, Any]:
            sent.append("sent")
            return {"reached": True, "requests": ["long"], **told}

        return send

    def is_killed() -> None:
        raise KeyboardInterrupt

    filled, other = project.asked(None, "form_post"), project.asked(None, "form_post", "meta_tags")
    # One that could not be filled in was not sent.
    assert SentOnce(filled)(sends(pressed=False)) is not None
    assert SentOnce(filled)(sends(pressed=True, sent=True)) is not None
    assert SentOnce(filled)(sends()) == {"reached": True, "pressed": True, "sent": True}
    assert len(sent) == 2
    with pytest.raises(KeyboardInterrupt):
        SentOnce(other)(is_killed)
    assert SentOnce(other)(sends()) == SENT_BEFORE
    assert len(sent) == 2
    # Whoever has lost the claim sends nothing.
    lost = Claim(project.db, replace(project.asked(None, "form_post", "broken_links").job, claim_no=10**9))
    with pytest.raises(LeaseLost):
        SentOnce(lost)(sends())
    assert len(sent) == 2


def test_a_part_looked_at_by_hand_offers_no_way_back(project: Published) -> None:
    page = project.publish()
    claim = project.asked(page, "meta_tags")
    by_hand = project.check(claim, LIMITS)
    by_hand = replace(by_hand, payload=by_hand.payload.model_copy(update={"publication_no": None}))
    looked = seen(page, ("meta_tags", "failed"))
    with project.db.transaction() as conn:
        followed = by_hand.follow_up(conn, looked, {"failed": ["meta_tags"]})
    assert "by hand" in followed["rollback"]
    assert offers(project) == []


SLOW: dict[str, Any] = {"largest_paint_ms": 4000, "layout_shift": 0.1, "limits": {"layout_shift": 0.1}}


def seen(
    page: PublishedPage,
    *outcomes: tuple[CheckName, str],
    status: int | None = 200,
    evidence: dict[str, Any] | None = None,
    **changed: Any,
) -> dict[str, Any]:
    """Return what a browser would have brought home of a page; `evidence` is what each check has seen besides."""
    results = [
        {"check": check, "outcome": outcome, "summary": "As told.", "evidence": {"status": status, **(evidence or {})}}
        for check, outcome in outcomes
    ]
    looked = {"url": page.live_url, "final_url": page.live_url, "publication_no": page.publication_no}
    return {**looked, "passed": False, "results": results, "pictures": {}, **changed}


@pytest.mark.parametrize(
    ("failed", "changed", "why"),
    [
        (["screenshot", "meta_tags"], {"status": 502}, "answered with status 502, which is no page's doing"),
        (["screenshot", "meta_tags"], {"status": 429}, "answered with status 429, which is no page's doing"),
        (["screenshot"], {"final_url": None, "status": None}, "nothing answered"),
        # It answered with a page that no browser survives.
        (["screenshot"], {"final_url": None, "evidence": {"ended": True}}, None),
        (["screenshot"], {"final_url": None, "status": None, "evidence": {"ended": True}}, None),
        (["screenshot"], {"final_url": None, "status": 502, "evidence": {"ended": True}}, "with status 502"),
        (
            ["screenshot"],
            {"final_url": None, "status": None, "evidence": {"hops": ["http://a.test/", "http://b.test/"]}},
            "the address led on to http://b.test/, which is no page's doing",
        ),
        (["web_vitals"], {"evidence": SLOW}, "only web_vitals failed, whose times may be those of the machine"),
        # No machine makes a page move about, leave itself unpainted, or answer nothing.
        (["web_vitals"], {"evidence": {**SLOW, "layout_shift": 0.2}}, None),
        (["web_vitals"], {"evidence": {**SLOW, "largest_paint_ms": None}}, None),
        (["web_vitals"], {}, None),
        (["meta_tags", "web_vitals"], {}, None),
        (["screenshot"], {}, None),
    ],
)
def test_a_way_back_is_offered_only_where_it_may_help(
    project: Published, failed: list[CheckName], changed: dict[str, Any], why: str | None
) -> None:
    project.publish("<p>One")
    page = project.publish("<p>Two")
    check = project.check(project.asked(page), LIMITS)
    outcomes = [(name, "failed" if name in failed else "passed") for name in CHECKS]
    looked = seen(page, *outcomes, **changed)
    with project.db.transaction() as conn:
        followed = check.follow_up(conn, looked, check.record(conn, looked))["rollback"]
    assert len(offers(project)) == (why is None)
    assert followed.startswith("Not offered: " if why else "It waits for a decision.")
    assert why is None or why in followed
    assert isinstance(check.progress, Recorder)
    assert [said for said, _ in check.progress.logs] == [f"Rollback: {followed}"]


def test_where_no_check_applies_nothing_has_passed(project: Published) -> None:
    page = project.publish()
    check = project.check(project.asked(page), LIMITS)
    # However the browser's part of it sums up.
    looked = seen(page, ("visual_difference", "not applicable"), ("form_post", "not applicable"), passed=True)
    with project.db.transaction() as conn:
        recorded = check.record(conn, looked)
    said = f"None of the checks applies to {page.live_url}."
    assert recorded == {"said": said, "failed": [], "passed": False}
    assert project.one("select passed from page_checks where project_id = %s", project.id) is False
    assert project.one("select value from agent_memory where project_id = %s and key like 'qa_%%'", project.id) == said
    told = project.db.fetch_one(
        "select message, data from project_events where project_id = %s and event_type = 'page.checked'", [project.id]
    )
    assert told is not None
    assert (told["message"], told["data"]["passed"]) == (said, False)
    look = views.page_check(project.db, project.id, check.claim.job_id).look
    assert look is not None
    assert look.verdict == "None of the checks applies to this page"


def test_what_a_killed_attempt_has_kept_goes(project: Published) -> None:
    page = project.publish()
    claims = [project.asked(page), project.asked(page, "meta_tags")]

    def keep(claim: Claim, data: bytes) -> assets.Asset:
        return assets.store(
            claim.write,
            project.storage,
            project.id,
            phase=None,
            kind="page_picture",
            path=f"{project.id}/qa/{str(claim.job_id)[:8]}-desktop.png",
            data=data,
            filename="desktop.png",
            mime_type="image/png",
            metadata={"job_id": str(claim.job_id)},
            created_by="qa",
        )

    lost, kept, others = keep(claims[0], b"lost"), keep(claims[0], b"kept"), keep(claims[1], b"another's")
    looked = seen(page, ("meta_tags", "passed"), pictures={"desktop": {"asset_id": str(kept.id)}})
    with project.db.transaction() as conn:
        project.check(claims[0], LIMITS).record(conn, looked)
    left = {row["id"] for row in project.db.fetch_all("select id from project_assets where kind = 'page_picture'")}
    assert {kept.id, others.id} <= left
    assert lost.id not in left
    assets.sweep(project.db, project.storage, older_than=timedelta(0))
    with pytest.raises(NotFound):
        project.storage.read(lost.storage_path)
    assert project.storage.read(kept.storage_path) == b"kept"


def test_which_draft_a_publication_is_compared_with(project: Published) -> None:
    def draft(url: str, number: int | None = None) -> drafts.Draft:
        return drafts.approved(project.db, project.web.settings, project.storage, project.id, url, number)

    page = project.publish()
    for found in (draft(page.live_url), draft(page.live_url, 1)):
        assert (found.html, found.publication_no) == (project.html.encode(), 1)
    assert draft("https://example.org/").html is None
    assert "no publication of this project" in draft(f"{project.web.url}/launch/{uuid4()}").why_not
    assert "no such publication" in draft(page.live_url, 7).why_not
    new = project.publish(project.html.replace("<h1", "<h1 title='new'"))
    # What was replaced since says nothing of what is live.
    assert "replaced since" in draft(new.live_url, 1).why_not
    assert (draft(new.live_url).publication_no, b"title='new'" in (draft(new.live_url).html or b"")) == (2, True)
    # The draft is gone; what went out is still known.
    project.storage.delete([row["storage_path"] for row in project.db.fetch_all("select * from project_assets")])
    assert b"title='new'" in (draft(new.live_url, 2).html or b"")


def test_a_publication_is_asked_about_once(project: Published) -> None:
    page = project.publish()
    with project.db.transaction() as conn:
        asked = [asking.after_publication(conn, page) for _ in range(2)]
    assert [made.outcome for made in asked] == ["created", "existing"]
    assert asked[0].job_id == asked[1].job_id
    payload = project.one("select payload from agent_jobs where id = %s", asked[0].job_id)
    assert (payload["url"], payload["publicationNo"]) == (page.live_url, 1)
    assert payload["checks"] == list(CHECKS)
