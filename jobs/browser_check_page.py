"""`browser.check_page`: look at a page, write down what was found, and offer the way back."""

from __future__ import annotations

import base64
import io
from typing import Any, cast

import dagster as dg
from PIL import Image

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.claims import Json
from studio.errors import StorageError
from studio.job_types import JOB_TYPES, BrowserPayload
from studio.page_checks.work import PageCheck

# Shown in Dagster's page among other things; its events are rows of a database.
_THUMBNAIL = (180, 240)
_CELL_CHARS = 200


def _check(work: Work) -> PageCheck:
    return PageCheck(
        claim=work.claim,
        payload=cast("BrowserPayload", work.payload),
        settings=work.settings,
        outbound=work.outbound,
        storage=work.storage,
        progress=work.progress,
    )


def _materialize(work: Work, looked: Json) -> None:
    """Record the check as an asset materialization, once, which the mirror turns into the artifact event."""
    if emitted_before(work, "page_check", str(work.claim.job_id)):
        return
    metadata: dict[str, Any] = {
        "page_check": str(work.claim.job_id),
        "url": dg.MetadataValue.url(looked["url"]),
        "final_url": looked["final_url"],
        "publication_no": looked["publication_no"],
        "passed": looked["passed"],
        "failed": _named(looked["results"], "failed"),
        "not_measured": _named(looked["results"], "not measured"),
        "checks": _table(looked["results"]),
        "pictures": _links(looked["pictures"]),
        "preview": _preview(work, looked["pictures"].get("desktop")),
    }
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["page_checks"],
            partition=str(work.claim.job.project_id),
            description=f"{looked['url']}: {_told(looked['results'])}",
            metadata={name: value for name, value in metadata.items() if value not in (None, "")},
        )
    )


def _told(results: list[Json]) -> str:
    """Return what came of the checks in a few words."""
    if all(result["outcome"] == "not applicable" for result in results):
        return "none of the checks applies to this page"
    failed, unmeasured = _named(results, "failed"), _named(results, "not measured")
    told = f"failed {failed}" if failed else "nothing failed"
    return f"{told}; not measured {unmeasured}" if unmeasured else told


def _named(results: list[Json], outcome: str) -> str:
    return ", ".join(result["check"] for result in results if result["outcome"] == outcome)


def _table(results: list[Json]) -> dg.MarkdownMetadataValue:
    rows = ["| check | outcome | what was found |", "|---|---|---|"]
    rows += [f"| {result['check']} | {result['outcome']} | {_cell(result['summary'])} |" for result in results]
    return dg.MetadataValue.md("\n".join(rows))


def _links(pictures: Json) -> dg.MarkdownMetadataValue | None:
    """Return where the pictures lie. A link that shows one expires, and an event stays."""
    if not pictures:
        return None
    return dg.MetadataValue.md("\n".join(f"- {name}: `{kept['storage_path']}`" for name, kept in pictures.items()))


def _preview(work: Work, kept: Json) -> dg.MarkdownMetadataValue | None:
    if kept is None:
        return None
    try:
        data = work.storage().read(kept["storage_path"])
    except StorageError as exc:
        work.dagster.log.warning(f"There is no preview: {exc.message}")
        return None
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        small = picture.convert("RGB")
    # The top of the page: the whole of a long one would be a line.
    small = small.crop((0, 0, small.width, min(small.height, small.width * _THUMBNAIL[1] // _THUMBNAIL[0])))
    small.thumbnail(_THUMBNAIL)
    written = io.BytesIO()
    small.save(written, "JPEG", quality=70)
    return dg.MetadataValue.md(f"![page](data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()})")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")[:_CELL_CHARS]


OPS = (
    AgentOp(
        "look",
        "Open the page in a browser as a laptop and as a telephone would, and judge it by each check.",
        lambda work: _check(work).look(),
        after=_materialize,
    ),
    AgentOp(
        "record",
        "Write down what was found, remember it, and tell the project.",
        lambda work, conn, looked: _check(work).record(conn, looked),
        needs=("look",),
        transactional=True,
    ),
    AgentOp(
        "follow_up",
        "Offer to go back to the page before it where a publication's check failed.",
        lambda work, conn, looked, recorded: _check(work).follow_up(conn, looked, recorded),
        needs=("look", "record"),
        transactional=True,
    ),
)

browser_check_page = build_agent_job(JOB_TYPES["browser.check_page"], OPS)
