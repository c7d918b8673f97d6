"""Each cited page is stored as it was read; where it cannot be read, what the search said of it stands in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from studio.assets import writing
from studio.database.connection import Database
from studio.errors import StorageRefused
from studio.model.answers import FetchedPage, Passage
from studio.outbound import OutboundClient
from studio.reports import snapshots
from studio.reports.snapshots import Keeper, Snapshot, take
from tests.support.local_web import LocalWeb, PageFunction, html, local_web, redirect
from tests.support.outbound import client_for
from tests.support.phase0 import folder_storage, rows
from tests.support.reports import Reporting

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
PAGE = "http://site.test/page"
WORDS = "Lendly lends drills to neighbours."


@pytest.fixture
def keeper(db: Database, studio: Reporting) -> Keeper:
    claim = studio.asked(studio.project())
    return Keeper(writing(db), folder_storage(), claim.job.project_id, claim.job_id)


@contextmanager
def site(**pages: PageFunction) -> Iterator[tuple[OutboundClient, LocalWeb]]:
    with local_web({f"/{name}": page for name, page in pages.items()}) as web:
        yield client_for(web)[0], web


def taken(
    keeper: Keeper, outbound: OutboundClient, *passages: Passage, fetched: list[Snapshot] | None = None
) -> tuple[list[Snapshot], list[str]]:
    notes: list[str] = []
    return take(keeper, lambda: outbound, passages, fetched or [], AT, notes.append), notes


def test_a_page_is_fetched_and_stored_under_its_hash(keeper: Keeper, db: Database) -> None:
    markup = f"<title>Lendly</title><script>var drills</script><p>{WORDS}</p><p>Since 2019.</p>"
    with site(page=html(markup)) as (outbound, web):
        ((snapshot,), notes) = taken(keeper, outbound, Passage(PAGE, "As the search calls it", WORDS))
    text = f"{WORDS} Since 2019."
    sha = hashlib.sha256(text.encode()).hexdigest()
    assert notes == []
    assert len(web.requests) == 1
    assert (snapshot.text_sha256, snapshot.title, snapshot.retrieved_by) == (sha, "Lendly", "fetch")
    assert (snapshot.whole, snapshot.differs, snapshot.cut) == (True, False, False)
    assert keeper.storage.read(f"{keeper.project_id}/reports/snapshots/{sha}.txt").decode() == text
    assert keeper.text_of(snapshot).find(WORDS) == WORDS
    (row,) = rows(db, "page_snapshots", keeper.project_id)
    assert (row["url"], row["text_sha256"], row["text_chars"]) == (PAGE, sha, len(text))
    assert (row["id"], row["job_id"]) == (snapshot.id, keeper.job_id)
    (asset,) = rows(db, "project_assets", keeper.project_id)
    assert (asset["id"], asset["kind"]) == (row["asset_id"], "page_snapshot")


def test_what_the_service_has_fetched_is_not_fetched_again(keeper: Keeper) -> None:
    with site(page=html("another text")) as (outbound, web):
        pages = [FetchedPage(PAGE, "Lendly", f"# Lendly\n\n{WORDS}", "2026-01-02T03:04:05Z")] * 2
        kept = keeper.keep_fetched(pages)
        ((snapshot,), _) = taken(keeper, outbound, Passage(PAGE, "Lendly", WORDS, "web_fetch"), fetched=kept)
    assert web.requests == []
    assert (snapshot.retrieved_by, snapshot.retrieved_at) == ("web_fetch", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_a_page_that_has_changed_since_the_search_is_kept_beside_what_the_search_said(keeper: Keeper) -> None:
    with site(page=html(f"<p>{WORDS}</p>")) as (outbound, _):
        found, _ = taken(
            keeper,
            outbound,
            Passage(PAGE, "Lendly", WORDS),
            Passage(PAGE, "Lendly", "Lendly lends ladders to everybody."),
        )
    page, passage = found
    assert (page.whole, page.differs, page.retrieved_by) == (True, False, "fetch")
    assert (passage.whole, passage.differs, passage.retrieved_by) == (False, True, "web_search")
    assert keeper.text_of(passage).text == "Lendly lends ladders to everybody."
    assert passage.retrieved_at == AT


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (html("gone", status=404), "status 404"),
        (html("", status=503), "status 503"),
        (html("<script>render()</script>"), "no text"),
        (lambda request: request.answer(200, b"%PDF-1.7 ...", Content_Type="application/pdf"), "application/pdf"),
        (lambda request: request.answer(200, b"\x89PNG", Content_Type="image/png"), "image/png"),
        (redirect("http://local.test/"), "not public"),
        (redirect("file:///etc/passwd"), "file"),
    ],
)
def test_where_a_page_cannot_be_read_the_searchs_passages_stand(keeper: Keeper, page: PageFunction, why: str) -> None:
    with site(page=page) as (outbound, _):
        ((snapshot,), (note,)) = taken(
            keeper, outbound, Passage(PAGE, "Lendly", WORDS), Passage(PAGE, "Lendly", "Members pay 5 euros.")
        )
    assert why in note
    assert (snapshot.retrieved_by, snapshot.whole, snapshot.differs) == ("web_search", False, False)
    text = keeper.text_of(snapshot)
    assert [text.find(quote) for quote in (WORDS, "Members pay 5 euros.")] == [WORDS, "Members pay 5 euros."]
    # What stands in two passages stands in no sentence.
    assert text.find("neighbours. Members pay") is None
    assert text.around(WORDS, 600) == WORDS


def test_a_pdf_that_the_service_read_is_kept_by_its_passages(keeper: Keeper) -> None:
    with site() as (outbound, _):
        kept = keeper.keep_fetched([FetchedPage(PAGE, "A study", None)])
        assert kept == []
        ((snapshot,), _) = taken(keeper, outbound, Passage(PAGE, "A study", WORDS, "web_fetch"), fetched=kept)
    assert (snapshot.retrieved_by, snapshot.whole) == ("web_fetch", False)


def test_a_huge_page_is_kept_in_part_and_says_so(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_BYTES", 10_000)
    monkeypatch.setattr(snapshots, "MOST_CHARS", 5_000)
    end = "At its end it says something else."
    with site(page=html(f"<p>{WORDS}</p>" + "<p>word</p>" * 10_000 + end)) as (outbound, _):
        found, _ = taken(keeper, outbound, Passage(PAGE, "Lendly", WORDS), Passage(PAGE, "Lendly", end))
    page, passage = found
    assert page.cut
    assert len(keeper.text_of(page).text) <= 5_000
    # It may stand further down.
    assert (passage.whole, passage.differs) == (False, False)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (f"{WORDS} " + "word " * 5_000, False),
        (f"{WORDS} " + "word " * 20_000, True),
        (f"{WORDS} " + "слово " * 8_000, True),
        (f"{WORDS} " + "市場" * 8_000, True),
        (f"{WORDS} " + "市場" * 4_000, False),
    ],
)
def test_a_page_that_the_service_may_have_cut_is_not_said_to_lack_anything(
    keeper: Keeper, text: str, cut: bool
) -> None:
    with site() as (outbound, _):
        kept = keeper.keep_fetched([FetchedPage(PAGE, "Lendly", text)])
        (page, passage), _ = taken(
            keeper, outbound, Passage(PAGE, "Lendly", WORDS), Passage(PAGE, "Lendly", "Its end."), fetched=kept
        )
    assert (page.cut, passage.differs) == (cut, not cut)


def test_pages_in_other_scripts_are_kept_letter_for_letter(keeper: Keeper) -> None:
    japanese, arabic = "工具レンタル市場は120億円に達した。", "بلغ حجم السوق ٣٤ مليون دولار."
    shift_jis = f"<meta charset=shift_jis><p>{japanese}</p>".encode("shift_jis")
    pages: dict[str, PageFunction] = {
        "page": lambda request: request.answer(200, shift_jis, Content_Type="text/html"),
        "ar": html(f"<html dir=rtl><p>{arabic}</p>"),
    }
    with site(**pages) as (outbound, _):
        found, _ = taken(
            keeper, outbound, Passage(PAGE, "日本", japanese), Passage("http://site.test/ar", "سوق", arabic)
        )
    assert [(snapshot.whole, snapshot.retrieved_by) for snapshot in found] == [(True, "fetch")] * 2
    assert keeper.text_of(found[0]).find(japanese) == japanese
    assert keeper.text_of(found[1]).find(arabic) == arabic


def test_a_text_that_somebody_has_changed_is_refused(keeper: Keeper) -> None:
    snapshot = keeper.keep(PAGE, "Lendly", WORDS, "fetch", AT)
    keeper.storage.upload(snapshot.path, b"Lendly lends money.", content_type="text/plain", upsert=True)
    with pytest.raises(StorageRefused, match="its hash differs"):
        keeper.text_of(snapshot)


def test_the_same_text_of_two_pages_is_two_snapshots_of_one_file(keeper: Keeper, db: Database) -> None:
    first = keeper.keep(PAGE, "Lendly", WORDS, "fetch", AT)
    second = keeper.keep(f"{PAGE}/copy", "Lendly", WORDS, "fetch", AT)
    again = keeper.keep(PAGE, "Lendly", WORDS, "web_fetch", AT)
    assert first.id == again.id != second.id
    assert {UUID(str(row["id"])) for row in rows(db, "page_snapshots", keeper.project_id)} == {first.id, second.id}
    assert len(rows(db, "project_assets", keeper.project_id)) == 1
