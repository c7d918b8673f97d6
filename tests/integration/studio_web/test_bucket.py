"""Artifacts in a bucket are looked at on the origin of public pages, as those in the folder are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from studio import assets, deliverables
from studio.database.connection import Database
from studio.storage import storage_from_settings
from tests.integration.studio_web.conftest import SECRETS, Desk
from tests.integration.studio_web.holdings import company, stored
from tests.integration.studio_web.test_pages_project import read
from tests.support.approvals import DEPLOY
from tests.support.postgres import TestServer
from tests.support.supabase_storage import KEY, SupabaseServer
from tests.support.web import StudioThread, WebThread

HTML = b"<!doctype html><title>A deck</title>"


@pytest.fixture(scope="module")
def desk(postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("bucket") / "data"
    with ExitStack() as stack:
        supabase = stack.enter_context(SupabaseServer())
        database = stack.enter_context(
            Database(postgres.url(stack.enter_context(postgres.temporary(database_template))))
        )
        kept = {"supabase_url": supabase.url, "supabase_service_role_key": KEY}
        pages = stack.enter_context(WebThread(database, folder, **kept))
        web = stack.enter_context(StudioThread(database, folder, pages_base_url=pages.url, **kept, **SECRETS))
        desk = Desk(web)
        stack.callback(desk.close)
        yield desk


def looked_at(desk: Desk, link: str) -> httpx.Response:
    """Follow a link as a frame of the page would, whose policy must allow it."""
    policy = desk.ada.get("/inbox").headers["content-security-policy"]
    [frames] = [part for part in policy.split("; ") if part.startswith("frame-src ")]
    parts = urlsplit(link)
    assert f"{parts.scheme}://{parts.netloc}" in frames.split()
    return httpx.get(link, verify=False)


def test_a_file_is_looked_at_on_the_public_origin_and_saved_from_the_bucket(desk: Desk) -> None:
    project = desk.project()
    asset = stored(desk, project, "deck.html", HTML, "text/html; charset=utf-8")
    where = f"/api/projects/{project}/assets/{asset}"
    preview = desk.ada.get(f"{where}/preview")
    assert preview.status_code == 307
    shown = looked_at(desk, preview.headers["location"])
    assert (shown.status_code, shown.content) == (200, HTML)
    assert shown.headers["content-security-policy"].endswith("; sandbox")
    saved = desk.ada.get(f"{where}/download").headers["location"]
    assert saved.startswith(str(desk.web.settings.supabase_url))


def test_the_packet_and_the_inbox_show_frames(desk: Desk) -> None:
    firm = company(desk)
    version = firm.packet()
    drafted = assets.store(
        assets.writing(desk.db),
        storage_from_settings(desk.web.settings),
        firm.id,
        phase=1,
        kind="landing_html",
        path=f"{firm.id}/phase-1/v1/landing.html",
        data=HTML,
        filename="landing.html",
        mime_type="text/html; charset=utf-8",
        metadata={"selected_variant": True},
        created_by="designer",
    )
    with desk.db.transaction() as conn:
        deliverables.enlist(conn, version, [deliverables.stored("landing_html", "Landing page", drafted)])
    [frame] = read(desk.ada, f"/projects/{firm.id}/phases/1").all("iframe")
    assert looked_at(desk, frame["src"]).content == HTML
    [frame] = read(desk.ada, f"/inbox/{firm.asked(DEPLOY).id}").all("iframe")
    assert looked_at(desk, desk.ada.get(frame["src"]).headers["location"]).content == HTML
