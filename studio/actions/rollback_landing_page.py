"""`rollback_landing_page`: put out again what the world saw before, where that is still what was approved."""

from __future__ import annotations

from typing import Any

from studio import pages
from studio.actions.context import ActionContext, Outcome
from studio.database.connection import Connection
from studio.errors import InvalidInput
from studio.page_checks import asking


def perform(context: ActionContext) -> Outcome:
    """Put out the approved publication instead of the one that the approval names, while nobody else can publish.

    Raise `InvalidInput` where the world sees another page by now, or the one to go back to has not the approved bytes.
    """
    came_from, to = (_number(context, name) for name in ("from", "to"))

    def go_back(conn: Connection) -> dict[str, Any]:
        # Before the look: what somebody else is just publishing was never weighed against the earlier page.
        now = pages.held(conn, context.project_id)
        if now is None or now.publication_no != came_from:
            raise InvalidInput(
                f"The page has changed since: publication {came_from} is not what the world sees.",
                "Look at the page as it is now.",
            )
        page = pages.rollback(conn, context.project_id, to=to, by=f"approval {context.approved.id}")
        if page.content_hash != context.approved.content_hash:
            # It went out in this transaction alone, which ends with this.
            raise InvalidInput(
                f"Publication {to} is not the page that was approved: its hash differs.", "Have the page checked again."
            )
        asking.after_publication(conn, page)
        return {
            "live_url": page.live_url,
            "publication_no": page.publication_no,
            "restores_no": page.restores_no,
            "content_hash": page.content_hash,
        }

    done = context.once("roll_back", go_back)
    return Outcome(f"Publication {to} is live again at {done['live_url']}", done)


def _number(context: ActionContext, name: str) -> int:
    value = context.approved.payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInput(f"The approval names no publication to go {name}.", "Have the page checked again.")
    return value
