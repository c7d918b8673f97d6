"""What the ops of `browser.check_page` do. Each returns JSON, which is the job's checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from studio import assets, memory, project_events
from studio.claims import Claim, Json
from studio.database.connection import Connection
from studio.errors import BrowserUnavailable
from studio.job_types import CHECKS, BrowserPayload
from studio.outbound import OutboundClient
from studio.page_checks import drafts
from studio.page_checks.checking import Checked, Wanted, Way, check_page
from studio.page_checks.follow_up import helpless, offer_rollback
from studio.page_checks.limits import Limits
from studio.page_checks.posting import Arrived, take_arrival
from studio.page_checks.sending import SentOnce
from studio.progress import Progress
from studio.settings import Settings
from studio.storage import Storage
from studio.text import clip

KIND = "page_picture"
# A name of the internet may be longer than what a memory's key has room for.
_HOST_CHARS = 180


@dataclass(frozen=True)
class PageCheck:
    """One check of a page under way."""

    claim: Claim
    payload: BrowserPayload
    settings: Settings
    outbound: Callable[[], OutboundClient]
    storage: Callable[[], Storage]
    progress: Progress
    limits: Limits | None = None
    # How pages are reached, where that is not what the settings say.
    way: Way | None = None

    @property
    def url(self) -> str:
        """The address that is checked."""
        return str(self.payload.url)

    @property
    def project_id(self) -> UUID:
        """The project that it is checked for."""
        return self.claim.job.project_id

    def look(self) -> Json:
        """Look at the page in a browser; return each check's result, and where its pictures are kept.

        Raise `BrowserUnavailable` where no browser can be started, or where it had too little time and another attempt
        is left; a page that cannot be looked at is a result.
        """
        draft = drafts.approved(
            self.claim.db, self.settings, self.storage(), self.project_id, self.url, self.payload.publication_no
        )
        wanted = Wanted(self.url, self.payload.checks, self.claim.job_id, draft.html, draft.why_not)
        self.progress.log(f"Looking at {self.url} for {', '.join(self.payload.checks)}", url=self.url)
        # What an attempt before this one has left is not what this one sends.
        self._arrival()
        limits = self.limits or Limits.within(self.settings.browser_seconds)
        way = self.way or Way.guarded(self.settings, self.outbound(), limits, self.url)
        once = SentOnce(self.claim)
        checked = check_page(self.settings, wanted, way=way, arrival=self._arrival, once=once, limits=limits)
        for result in checked.results:
            self.progress.log(f"{result.check} {result.outcome}: {result.line}", check=result.check)
        job = self.claim.job
        if (again := checked.worth_another_attempt) and job.attempts < job.max_attempts:
            why = next(result.line for result in checked.results if result.check == again[0])
            raise BrowserUnavailable(
                f"The browser could not measure {', '.join(again)}: {why}",
                "It is tried again; where it lacks time, give it more with GREENLIGHT_BROWSER_SECONDS.",
            )
        pictures = {name: self._keep(name, data) for name, data in checked.pictures.items()}
        return {
            "url": self.url,
            "final_url": checked.final_url,
            "publication_no": draft.publication_no,
            "passed": checked.passed,
            "nothing_applies": checked.nothing_applies,
            "results": self._results(checked, pictures),
            "pictures": pictures,
        }

    def record(self, conn: Connection, looked: Json) -> Json:
        """Write the check's row, remember it and tell the project, in the caller's transaction."""
        results = looked["results"]
        named = {
            outcome: [result["check"] for result in results if result["outcome"] == outcome]
            for outcome in ("passed", "failed", "not measured")
        }
        failed, unmeasured = named["failed"], named["not measured"]
        passed = bool(named["passed"]) and not failed and not unmeasured
        said = _said(looked["url"], sum(map(len, named.values())), failed, unmeasured)
        conn.execute(
            "insert into public.page_checks (job_id, project_id, url, final_url, publication_no, passed, results,"
            " desktop_asset_id, mobile_asset_id) values (%s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s)"
            " on conflict (job_id) do nothing",
            [
                self.claim.job_id,
                self.project_id,
                looked["url"],
                looked["final_url"],
                looked["publication_no"],
                passed,
                json.dumps(results),
                *(looked["pictures"].get(name, {}).get("asset_id") for name in ("desktop", "mobile")),
            ],
        )
        self._forget_other_pictures(conn, looked["pictures"])
        # One whose check died before it could look for it.
        take_arrival(conn, self.claim.job_id)
        memory.remember(
            conn,
            self.project_id,
            "learning",
            f"qa_check_{clip(urlsplit(looked['url']).hostname or '', _HOST_CHARS)}",
            said,
            agent_key=self.claim.job.agent_key,
            job_id=self.claim.job_id,
        )
        project_events.record(
            conn,
            self.project_id,
            "page.checked",
            said,
            {
                "job_id": str(self.claim.job_id),
                "url": looked["url"],
                "publication_no": looked["publication_no"],
                "passed": passed,
                "failed": failed,
                "not_measured": unmeasured,
            },
        )
        return {"said": said, "failed": failed, "passed": passed}

    def follow_up(self, conn: Connection, looked: Json, recorded: Json) -> Json:
        """Offer to go back where a publication's check failed; return what became of it, or why it is not offered."""
        number, failed = looked["publication_no"], recorded["failed"]
        if number is None or not failed:
            return {"rollback": None}
        if self.payload.publication_no is None and set(self.payload.checks) != set(CHECKS):
            offered = "Not offered: somebody looked at a part of the page by hand."
        elif why := helpless(looked["results"], failed, looked["final_url"]):
            offered = f"Not offered: {why}."
        else:
            offered = offer_rollback(
                conn, self.project_id, publication_no=number, failed=failed, job_id=self.claim.job_id
            )
        self.progress.log(f"Rollback: {offered}")
        return {"rollback": offered}

    def _forget_other_pictures(self, conn: Connection, kept: Json) -> None:
        """Drop what an attempt has kept that was killed before its checkpoint; `assets.sweep` takes the files."""
        conn.execute(
            "delete from public.project_assets where project_id = %s and kind = %s and metadata ->> 'job_id' = %s"
            " and id <> all(%s::uuid[])",
            [self.project_id, KIND, str(self.claim.job_id), [picture["asset_id"] for picture in kept.values()]],
        )

    def _arrival(self) -> Arrived | None:
        arrived = self.claim.write(lambda conn: take_arrival(conn, self.claim.job_id))
        # A list of another project's is none that this page was meant to fill.
        return arrived if arrived is not None and arrived.project_id == self.project_id else None

    def _keep(self, name: str, data: bytes) -> Json:
        asset = assets.store(
            self.claim.write,
            self.storage(),
            self.project_id,
            phase=None,
            kind=KIND,
            path=f"{self.project_id}/qa/{str(self.claim.job_id)[:8]}-{name}.png",
            data=data,
            filename=f"{name}.png",
            mime_type="image/png",
            metadata={"url": self.url, "job_id": str(self.claim.job_id)},
            created_by=self.claim.job.agent_key,
        )
        return {"asset_id": str(asset.id), "storage_path": asset.storage_path, "sha256": asset.content_hash}

    def _results(self, checked: Checked, pictures: dict[str, Json]) -> list[Json]:
        results = [result.as_json() for result in checked.results]
        shown = {"screenshot": ("desktop", "mobile"), "visual_difference": ("difference-desktop", "difference-mobile")}
        for result in results:
            kept = {name: pictures[name] for name in shown.get(result["check"], ()) if name in pictures}
            if kept:
                result["evidence"]["pictures"] = kept
        return results


def _said(url: str, asked: int, failed: list[str], unmeasured: list[str]) -> str:
    """Return what came of the `asked` checks that apply, in a sentence or two; what was not measured has not failed."""
    if not asked:
        return f"None of the checks applies to {url}."
    if not failed and not unmeasured:
        return f"All {asked} checks of {url} passed."
    told = [f"{len(failed)} of {asked} checks of {url} failed: {', '.join(failed)}."] if failed else []
    if unmeasured:
        rest = "" if failed else "; none failed"
        told.append(f"{len(unmeasured)} of {asked} checks of {url} were not measured: {', '.join(unmeasured)}{rest}.")
    return " ".join(told)
