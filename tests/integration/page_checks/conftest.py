"""One sample site and one browser for all pages; whoever breaks a browser takes one of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from studio.browser.session import BrowserSession, browser_session
from studio.database.connection import Database
from studio.egress import with_own_origins
from studio.job_types import CheckName
from studio.outbound import OutboundClient
from studio.page_checks.checking import Checked, Wanted, Way, check_in
from studio.page_checks.limits import Limits
from studio.page_checks.posting import Arrived, Once
from studio.settings import Settings
from tests.integration.page_checks.published import Published
from tests.support.page_samples import SampleSite, sample_site
from tests.support.phase_fixtures import db
from tests.support.web import LINK_SECRET, WebThread

__all__ = ["db"]

# A page of this machine is there at once; the one that never ends is given up soon.
LIMITS = Limits(load=4.0, quiet=0.15, settle=1.5, form=3.0, link=3.0)

# Somebody else's site, of which nobody here knows that it is the samples.
NEIGHBOUR = "neighbour.test"

Check = Callable[..., Checked]


@pytest.fixture(scope="module")
def web(db: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebThread]:
    with WebThread(db, tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.fixture
def project(web: WebThread) -> Iterator[Published]:
    """A project, and nothing that an earlier test's visitors have left."""
    for table in ("page_visits", "request_counts"):
        web.database.execute(f"delete from public.{table}".encode())  # type: ignore[arg-type]
    with closing(Published(web)) as project:
        yield project


@pytest.fixture
def other(web: WebThread) -> Iterator[Published]:
    with closing(Published(web)) as project:
        yield project


@pytest.fixture(scope="package")
def site() -> Iterator[SampleSite]:
    with sample_site(private="http://10.0.0.1/", metadata="http://169.254.169.254/latest/", away="/good.html") as site:
        yield site


@pytest.fixture(scope="package")
def settings(site: SampleSite, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a studio whose published pages are the sample site."""
    folder = tmp_path_factory.mktemp("data")
    return Settings.model_validate({"data_dir": folder, "link_secret": LINK_SECRET, "pages_base_url": site.url})


@pytest.fixture(scope="package")
def way(settings: Settings, site: SampleSite) -> Way:
    guarded = Way.guarded(settings, OutboundClient(allow={(NEIGHBOUR, 80): site.endpoint}), LIMITS, site.url)
    return replace(guarded, resolve=with_own_origins(guarded.resolve, {(NEIGHBOUR, 80): site.endpoint}))


@pytest.fixture(scope="package")
def session(settings: Settings, way: Way) -> Iterator[BrowserSession]:
    with browser_session(settings, resolve=way.resolve, seconds=600, max_bytes=LIMITS.bytes) as session:
        yield session


@pytest.fixture(scope="package")
def check(session: BrowserSession, settings: Settings, site: SampleSite, way: Way) -> Check:
    """Check a page of the samples by its name, or any address; `draft` names the sample that was approved."""

    def check_one(
        page: str,
        *checks: CheckName,
        draft: str | None = None,
        limits: Limits = LIMITS,
        reached: Way = way,
        once: Once = lambda send: send(),
        known: Settings = settings,
    ) -> Checked:
        url = page if "://" in page else f"{site.url}/{page}"
        drawn = (Path(__file__).parents[2] / "page_samples" / draft).read_bytes() if draft else None
        before = len(site.signups)

        def arrival() -> Arrived | None:
            return Arrived(uuid4(), "landing_page", None) if len(site.signups) > before else None

        wanted = Wanted(url, checks, uuid4(), draft=drawn)
        return check_in(session, known, wanted, way=reached, arrival=arrival, once=once, limits=limits)

    return check_one
