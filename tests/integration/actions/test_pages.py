"""The page that is published is, byte for byte, the one that was approved."""

from __future__ import annotations

from studio import pages
from studio.text import sha256_hex
from tests.support.actions import HTML, Stage
from tests.support.approvals import DEPLOY


def test_the_page_that_is_published_is_the_page_that_was_reviewed(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    stage.page(company, "<title>A newer draft</title>")
    stage.run(approval)
    live = pages.published(stage.db, company.id)
    assert live is not None
    assert (live.html, live.content_hash) == (HTML, approval.content_hash)
    assert company.row("live_url")["live_url"] == stage.executed(approval)["provider_response"]["live_url"]
    assert str(company.row("live_url")["live_url"]).startswith("https://pages.example.org/")


def test_a_page_whose_bytes_have_changed_is_not_published(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    (file,) = [path for path in stage.settings.data_dir.rglob("landing*.html") if str(company.id) in str(path)]
    file.write_bytes(file.read_bytes().replace(b"neighbours", b"burglars"))
    assert stage.run(approval) == "failed"
    assert "hash differs" in (stage.job(approval).last_error or "")
    assert pages.published(stage.db, company.id) is None
    assert stage.status(approval) == "failed"


def test_an_asset_that_is_another_one_by_now_is_not_published(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    stage.db.execute(
        "update public.project_assets set metadata = metadata || jsonb_build_object('sha256', repeat('0', 64))"
        " where id = %s",
        [approval.asset_id],
    )
    assert stage.run(approval) == "failed"
    assert "hash differs" in (stage.job(approval).last_error or "")
    assert pages.published(stage.db, company.id) is None


def test_a_page_that_was_replaced_with_its_row_is_not_published(stage: Stage) -> None:
    company, approval = stage.approved(DEPLOY)
    (file,) = [path for path in stage.settings.data_dir.rglob("landing*.html") if str(company.id) in str(path)]
    file.write_text("<title>Another page</title>")
    stage.db.execute(
        "update public.project_assets set metadata = metadata || jsonb_build_object('sha256', %s::text) where id = %s",
        [sha256_hex("<title>Another page</title>"), approval.asset_id],
    )
    assert stage.run(approval) == "failed"
    assert "not the one that was approved" in (stage.job(approval).last_error or "")
    assert pages.published(stage.db, company.id) is None
