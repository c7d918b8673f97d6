"""A published page is checked, written down, remembered and told; where it fails, the way back is offered once."""

from __future__ import annotations

import json
from typing import Any

from studio import assets, pages
from studio.job_types import CHECKS
from studio.page_checks import asking
from studio.page_checks.work import PageCheck
from tests.integration.page_checks.conftest import LIMITS
from tests.integration.page_checks.published import NOBODY, Published


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
    done = run(project.check(claim, LIMITS))
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


def test_a_second_attempt_repeats_nothing_that_was_done(project: Published) -> None:
    page = project.publish()
    check = project.check(project.asked(page, "screenshot"), LIMITS)
    check.claim.once("look", check.look)
    before = project.one(
        "select count(*) from project_assets where kind = 'page_picture' and project_id = %s", project.id
    )
    project.db.execute("update project_deployments set status = 'failed' where project_id = %s", [project.id])
    # The page is gone by now: whoever looked again would see that.
    again = project.check(check.claim, LIMITS)
    done = run(again)
    assert done["looked"]["passed"]
    after = project.one(
        "select count(*) from project_assets where kind = 'page_picture' and project_id = %s", project.id
    )
    assert (before, after) == (2, 2)


def test_a_page_that_is_gone_is_a_result(project: Published) -> None:
    page = project.publish()
    project.db.execute("update project_deployments set status = 'failed' where project_id = %s", [project.id])
    claim = project.asked(page, "screenshot", "form_post", "failed_requests")
    done = run(project.check(claim, LIMITS))
    summaries = {result["check"]: result["summary"] for result in done["looked"]["results"]}
    assert summaries["screenshot"] == "The page answers with status 404."
    assert "no form that a visitor could" in summaries["form_post"]
    # There is none before it.
    assert offers(project) == []
    assert "no earlier page" in done["followed"]["rollback"]


def test_a_publication_that_was_replaced_is_not_compared_and_nothing_is_offered(project: Published) -> None:
    page = project.publish()
    project.publish(project.html.replace("<h1", "<h1 title='new'"))
    with project.db.transaction() as conn:
        assert pages.rollback(conn, project.id, by="ada").publication_no == 3
    claim = project.asked(page, "visual_difference")
    looked = project.check(claim, LIMITS).look()
    (compared,) = [one for one in looked["results"] if one["check"] == "visual_difference"]
    assert (compared["outcome"], "replaced since" in compared["summary"]) == ("not applicable", True)
    assert json.dumps(looked)


def test_a_publication_is_asked_about_once(project: Published) -> None:
    page = project.publish()
    with project.db.transaction() as conn:
        asked = [asking.after_publication(conn, page) for _ in range(2)]
    assert [made.outcome for made in asked] == ["created", "existing"]
    assert asked[0].job_id == asked[1].job_id
    payload = project.one("select payload from agent_jobs where id = %s", asked[0].job_id)
    assert (payload["url"], payload["publicationNo"]) == (page.live_url, 1)
    assert payload["checks"] == list(CHECKS)
