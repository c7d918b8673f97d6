"""`deploy_landing_page`: publish exactly the page that was reviewed."""

from __future__ import annotations

from typing import Any

from studio import assets, pages
from studio.actions.context import ActionContext, Outcome
from studio.database.connection import Connection
from studio.errors import InvalidInput, SettingsError
from studio.page_checks import asking
from studio.text import require_storable


def perform(context: ActionContext) -> Outcome:
    """Put the approved asset's bytes out under the project's address, in one transaction; raise where they changed."""
    done = context.finished("publish")
    if done is None:
        base_url = context.settings.pages_base_url or context.settings.app_base_url
        if not base_url:
            raise SettingsError(
                "It is not configured where published pages live.", "Set GREENLIGHT_PAGES_URL or APP_BASE_URL."
            )
        html = _reviewed(context)

        def publish(conn: Connection) -> dict[str, Any]:
            page = pages.publish(
                conn,
                context.project_id,
                asset_id=context.approved.asset_id,
                content_hash=context.approved.content_hash or "",
                html=html,
                approval_id=context.approved.id,
                base_url=base_url,
            )
            asking.after_publication(conn, page)
            return {
                "live_url": page.live_url,
                "publication_no": page.publication_no,
                "content_hash": page.content_hash,
            }

        done = context.once("publish", publish)
    return Outcome(f"The landing page is live at {done['live_url']}", done)


def _reviewed(context: ActionContext) -> str:
    """Return the page as it was reviewed; raise `InvalidInput` where asset, bytes and approval do not agree."""
    approved = context.approved
    if approved.asset_id is None or approved.content_hash is None:
        raise InvalidInput(f"Approval {approved.id} names no page.", "Have it proposed anew.")
    asset = assets.get(context.claim.db, approved.asset_id)
    if asset.project_id != context.project_id or asset.kind != "landing_html":
        raise InvalidInput(
            f"Asset {asset.id} is no landing page of this project.", "Have the publication proposed anew."
        )
    if asset.content_hash != approved.content_hash:
        raise InvalidInput(
            "The page is not the one that was approved: its hash differs.", "Review the page as it is now."
        )
    # Checks the bytes against the asset's hash, and so against the approval's.
    data = assets.content(context.storage(), asset)
    try:
        return require_storable(data.decode("utf-8"), "The page")
    except UnicodeDecodeError as exc:
        raise InvalidInput("The page is not UTF-8.", "Generate it again.") from exc
