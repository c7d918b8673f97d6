"""What the cited pages said when they were read: their text, stored under its hash, on which quotes are checked.

A page's text is what the service fetched for the model, else what the studio fetches itself. Where neither is to be
had, and where the page does not say what the search said of it, the search's own passages are kept in its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from studio import assets
from studio.assets import Write
from studio.database.connection import Connection
from studio.errors import OutboundFailed, OutboundRefused, StorageRefused
from studio.model.answers import FetchedPage, Passage
from studio.model.call import FETCHED_TOKENS
from studio.outbound import OutboundClient
from studio.parallel import side_by_side
from studio.reports.quotes import PageText, apart
from studio.storage import Storage
from studio.text import clip, sha256_hex, storable
from studio.webpage import read_page

RetrievedBy = Literal["fetch", "web_fetch", "web_search"]

# The text of a long book. What comes after it is not checked, and the report says so.
MOST_CHARS = 1_000_000
MOST_BYTES = 3 * 1024 * 1024
FETCH_SECONDS = 12.0
AT_ONCE = 4
# A report that cites more pages than these is checked by the search's own passages for the rest.
MOST_FETCHES = 40
# The service cuts what it fetches at FETCHED_TOKENS and does not say so. To count a letter of ASCII as a quarter of a
# token, one of two bytes as half of one and any other as one errs by less than a factor of two, so that a text of half
# as many tokens may have been cut.
UNCUT_TOKENS = FETCHED_TOKENS / 2
TITLE_CHARS = 300
TEXT_TYPE = "text/plain; charset=utf-8"
_HTML = ("text/html", "application/xhtml+xml", "")


class Snapshot(BaseModel):
    """A stored text. `whole` says whether it is the page's own text and not the search's passages alone.

    `differs` marks passages that the page itself, when fetched as a whole, did not contain; `cut` a text of which
    perhaps only the beginning is kept.
    """

    id: UUID
    url: str
    title: str
    text_sha256: str
    path: str
    retrieved_by: RetrievedBy
    retrieved_at: datetime
    whole: bool = True
    differs: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Keeper:
    """Stores texts of pages for a job."""

    write: Write
    storage: Storage
    project_id: UUID
    job_id: UUID

    def keep(
        self,
        url: str,
        title: str,
        text: str,
        by: RetrievedBy,
        at: datetime,
        *,
        whole: bool = True,
        differs: bool = False,
        cut: bool = False,
    ) -> Snapshot:
        """Store the text once, and say of which page it is; the same text of the same page is the same snapshot."""
        kept = storable(text[:MOST_CHARS])
        title = clip(storable(title or url), TITLE_CHARS)
        asset = assets.store(
            self.write,
            self.storage,
            self.project_id,
            phase=None,
            kind="page_snapshot",
            path=f"{self.project_id}/reports/snapshots/{sha256_hex(kept)}.txt",
            data=kept.encode(),
            filename=f"{sha256_hex(kept)}.txt",
            mime_type=TEXT_TYPE,
            metadata={"url": url, "title": title},
            created_by="research",
        )
        row = {
            "project": self.project_id,
            "job": self.job_id,
            "url": url,
            "title": title,
            "sha": sha256_hex(kept),
            "chars": len(kept),
            "asset": asset.id,
            "by": by,
            "at": at,
        }
        return Snapshot(
            id=self.write(lambda conn: _record(conn, row)),
            url=url,
            title=title,
            text_sha256=row["sha"],
            path=asset.storage_path,
            retrieved_by=by,
            retrieved_at=at,
            whole=whole,
            differs=differs,
            cut=cut or len(text) > MOST_CHARS,
        )

    def keep_fetched(self, pages: Sequence[FetchedPage]) -> list[Snapshot]:
        """Store the texts that the service has fetched; a page that is no text has none, a long one may be cut."""
        return [
            self.keep(
                page.url, page.title, page.text, "web_fetch", _moment(page.retrieved_at), cut=_may_be_cut(page.text)
            )
            for page in pages
            if page.text and page.text.strip()
        ]

    def text_of(self, snapshot: Snapshot) -> PageText:
        """Return the stored text; raise `StorageRefused` where it is not what was stored."""
        data = self.storage.read(snapshot.path)
        if hashlib.sha256(data).hexdigest() != snapshot.text_sha256:
            raise StorageRefused(
                f"The file {snapshot.path} is not the page that was stored: its hash differs.",
                "Somebody has changed it. Ask for the report again.",
            )
        return PageText(data.decode())


def _record(conn: Connection, row: dict[str, object]) -> UUID:
    found = conn.execute(
        "insert into public.page_snapshots (project_id, job_id, url, title, text_sha256, text_chars, asset_id,"
        " retrieved_by, retrieved_at) values (%(project)s, %(job)s, %(url)s, %(title)s, %(sha)s, %(chars)s, %(asset)s,"
        " %(by)s, %(at)s) on conflict (project_id, url, text_sha256) do update set asset_id = excluded.asset_id"
        " returning id",
        row,
    ).fetchone()
    assert found is not None  # noqa: S101 - an upsert returns its row
    return UUID(str(found["id"]))


def take(
    keeper: Keeper,
    outbound: Callable[[], OutboundClient],
    passages: Sequence[Passage],
    fetched: Sequence[Snapshot],
    searched_at: datetime,
    note: Callable[[str], None],
) -> list[Snapshot]:
    """Return snapshots that together hold every passage, in the order in which pages are cited.

    `fetched` are those that the service's own fetches have left. `note` is told of each page that could not be fetched.
    """
    cited: dict[str, list[Passage]] = {}
    for passage in passages:
        cited.setdefault(passage.url, []).append(passage)
    known: dict[str, list[Snapshot]] = {}
    for snapshot in fetched:
        # Read for several questions, and the same each time: one snapshot, as it was first read.
        if snapshot.text_sha256 not in {its.text_sha256 for its in known.setdefault(snapshot.url, [])}:
            known[snapshot.url].append(snapshot)
    unread = [url for url in cited if url not in known][:MOST_FETCHES]
    for batch in (unread[start : start + AT_ONCE] for start in range(0, len(unread), AT_ONCE)):
        pages = side_by_side(*(_fetch(outbound(), url) for url in batch))
        for url, page in zip(batch, pages, strict=True):
            if isinstance(page, str):
                note(f"{url} is cited by the search's own passages alone: {page}")
            else:
                known[url] = [keeper.keep(url, page.title, page.text, "fetch", page.at, cut=page.cut)]
    found: list[Snapshot] = []
    for url, its in cited.items():
        snapshots = known.get(url, [])
        texts = [keeper.text_of(snapshot) for snapshot in snapshots]
        lacking = [passage for passage in its if not any(text.find(passage.quote) for text in texts)]
        found += snapshots
        if lacking:
            by: RetrievedBy = "web_fetch" if all(p.tool == "web_fetch" for p in lacking) else "web_search"
            told = apart(dict.fromkeys(passage.quote for passage in lacking))
            # What is missing from a beginning may stand further down.
            differs = bool(snapshots) and not any(snapshot.cut for snapshot in snapshots)
            found.append(keeper.keep(url, lacking[0].title, told, by, searched_at, whole=False, differs=differs))
    return found


@dataclass(frozen=True)
class _Page:
    title: str
    text: str
    at: datetime
    cut: bool


def _fetch(outbound: OutboundClient, url: str) -> Callable[[], _Page | str]:
    """Return what fetches a page; it answers with the reason where there is no text to be had."""

    def fetch() -> _Page | str:
        try:
            answer = outbound.get(url, max_bytes=MOST_BYTES, timeout=FETCH_SECONDS)
        except (OutboundRefused, OutboundFailed) as exc:
            return exc.message
        if not 200 <= answer.status < 300:
            return f"it answers with status {answer.status}."
        text, title = answer.text, ""
        if answer.content_type in _HTML:
            page = read_page(text)
            text, title = page.text, page.title or ""
        if not text.strip():
            return f"it shows no text ({answer.content_type or 'no content type'})."
        return _Page(title, text, answer.fetched_at, answer.truncated)

    return fetch


def _may_be_cut(text: str) -> bool:
    ascii_letters = sum(char.isascii() for char in text)
    two_bytes = sum("\x80" <= char < "\u0800" for char in text)
    return ascii_letters / 4 + two_bytes / 2 + (len(text) - ascii_letters - two_bytes) >= UNCUT_TOKENS


def _moment(told: str | None) -> datetime:
    """Return when a page was fetched, by the service's own word where it gives a moment."""
    try:
        moment = datetime.fromisoformat(told or "")
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
