"""`activate_meta_ads_campaign`: create the ad campaign at Meta, paused, within both caps.

What starts it is a person, in Meta's own Ads Manager. The campaign's name carries the approval's id, by which it is
found again where nobody knows whether it was created.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from studio import projects
from studio.actions.context import ActionContext, Outcome, outward
from studio.database.connection import Connection
from studio.delivery import Courier, Receipt
from studio.errors import PermissionRefused
from studio.packets.fields import PacketModel
from studio.packets.phase2 import PaidAcquisition
from studio.providers.meta import Meta

# Meta's limit is 400 characters; this is what a list shows.
NAME_CHARS = 80
CENTS = Decimal(100)


def perform(context: ActionContext) -> Outcome:
    """Create the campaign, or find the one that an earlier attempt created."""
    receipt = context.deliver(_Campaign(context))
    budget = Decimal(receipt.response.get("daily_budget_cents", 0)) / CENTS
    return Outcome(
        f"Campaign {receipt.provider_id} is created at Meta, paused, with ${budget:.2f} a day",
        {"campaign_id": receipt.provider_id, **receipt.response},
    )


class _Ads(PacketModel):
    paid_acquisition: PaidAcquisition


class _Campaign(Courier):
    effect = "create_campaign"
    provider = "meta"
    can_be_asked = True

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self._meta: Meta | None = None

    def open(self) -> None:
        keys = self._context.credentials("meta")
        self._meta = Meta(self._context.settings, keys["access_token"], keys["ad_account_id"])

    def request(self, conn: Connection) -> dict[str, Any]:
        self._context.require_permission(conn)
        project = projects.get_in(conn, self._context.project_id)
        approved = self._context.packet(_Ads, 2).paid_acquisition
        if not approved.enabled:
            raise PermissionRefused("The approved packet runs no ads.", "Generate it again with ads permitted.")
        # Whichever is lower: what was approved, or what is permitted now.
        cap = min(approved.budget_cap_per_day, Decimal(str(project.permissions["ads_budget_cap"])))
        cents = int((cap * CENTS).to_integral_value(rounding=ROUND_DOWN))
        if cents < 1:
            raise PermissionRefused(
                "The cap for ads is less than a cent a day.", "Raise it with `greenlight projects permissions`."
            )
        marker = _marker(self._context)
        return {
            "name": f"{outward(project.name, NAME_CHARS) or 'Greenlight'} · {marker}",
            "marker": marker,
            "daily_budget_cents": cents,
            "status": "PAUSED",
        }

    def send(self, request: Mapping[str, Any], idempotency_key: str) -> Receipt:
        assert self._meta is not None  # noqa: S101 - opened before
        campaign = self._meta.create_campaign(request["name"], request["daily_budget_cents"])
        return _receipt(campaign.id, campaign.status, request)

    def ask(self, request: Mapping[str, Any]) -> Receipt | None:
        assert self._meta is not None  # noqa: S101 - opened before
        campaign = self._meta.find_campaign(_marker(self._context))
        return None if campaign is None else _receipt(campaign.id, campaign.status, request)


def _marker(context: ActionContext) -> str:
    return f"gl-{context.approved.id.hex}"


def _receipt(campaign_id: str, status: str | None, request: Mapping[str, Any]) -> Receipt:
    return Receipt(campaign_id, {"status": status, "daily_budget_cents": request["daily_budget_cents"]})
