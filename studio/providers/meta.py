"""Meta's Marketing API: create a campaign, always paused, and find it again by the marker in its name.

https://developers.facebook.com/docs/marketing-api/reference/ad-account/campaigns/
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from studio.errors import OutcomeUnknown, ProviderUnavailable, SettingsError
from studio.providers.service import Reply, Service
from studio.settings import Settings

VERSION = "v21.0"
PAGE = 200
# A search that has to walk further is given up; then nobody knows.
MAX_PAGES = 50
# Without these the API leaves out what has been archived or deleted since.
_EVERY_STATUS = ["ACTIVE", "PAUSED", "DELETED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES"]
# Too many calls, by application, user, account, and ads management; 1 and 2: "try again later".
_LATER_CODES = frozenset({1, 2, 4, 17, 32, 341, 613, 80000, 80003, 80004, 80014})
_ACCOUNT = re.compile(r"(?:act_)?([0-9]{1,32})")


@dataclass(frozen=True)
class Campaign:
    """A campaign at Meta."""

    id: str
    name: str
    status: str | None


class Meta:
    """An ad account."""

    def __init__(self, settings: Settings, access_token: str, ad_account_id: str) -> None:
        """Raise `SettingsError` where the account's id is none: it becomes a part of the address."""
        account = _ACCOUNT.fullmatch(ad_account_id)
        if account is None:
            raise SettingsError(
                "The id of the Meta ad account is not a number.", "Correct META_AD_ACCOUNT_ID, or the project's own."
            )
        self._token = access_token
        self._path = f"/{VERSION}/act_{account[1]}/campaigns"
        self._service = Service(
            "Meta",
            settings.meta_url,
            timeout=settings.provider_timeout_seconds,
            secrets=[access_token],
            account="the Meta access token",
        )

    def create_campaign(self, name: str, daily_budget_cents: int) -> Campaign:
        """Create a paused campaign with a daily budget in the account's cents; return it.

        Raises `ProviderUnavailable`, `ProviderRefused`, and `OutcomeUnknown` where it may have been created.
        """
        form = {
            "name": name,
            "objective": "OUTCOME_TRAFFIC",
            "status": "PAUSED",
            "buying_type": "AUCTION",
            "special_ad_categories": "[]",
            "daily_budget": str(daily_budget_cents),
            "access_token": self._token,
        }
        reply = self._service.change("POST", self._path, headers={}, data=form)
        said = reply.json()
        if not reply.ok:
            raise self._failure(reply, said, changes=True)
        if not isinstance(said, dict) or not isinstance(said.get("id"), str | int):
            raise OutcomeUnknown("Meta's answer names no campaign.", "It is looked for at Meta.")
        return Campaign(str(said["id"]), name, "PAUSED")

    def find_campaign(self, marker: str) -> Campaign | None:
        """Return the campaign whose name contains `marker`, whatever its status; None where there is none.

        Raises `ProviderUnavailable` where Meta does not answer now, `OutcomeUnknown` where the list does not end.
        """
        query = {
            "fields": "id,name,status",
            "limit": str(PAGE),
            "effective_status": json.dumps(_EVERY_STATUS),
        }
        # The token in the address would end up in logs.
        headers = {"Authorization": f"Bearer {self._token}"}
        for _ in range(MAX_PAGES):
            reply = self._service.ask(self._path, headers=headers, params=query)
            said = reply.json()
            if not reply.ok:
                raise self._failure(reply, said, changes=False)
            rows = said.get("data") if isinstance(said, dict) else None
            if not isinstance(rows, list):
                raise ProviderUnavailable("Meta's list of campaigns cannot be read.", "It is asked again later.")
            for row in rows:
                if isinstance(row, dict) and marker in str(row.get("name", "")):
                    return Campaign(str(row.get("id")), str(row["name"]), row.get("status"))
            after = _after(said.get("paging"))
            if after is None:
                return None
            query = {**query, "after": after}
        raise OutcomeUnknown(f"Meta's list of campaigns has more than {MAX_PAGES * PAGE:,} rows.", "Look there.")

    def _failure(self, reply: Reply, said: Any, *, changes: bool) -> Exception:
        error = said.get("error") if isinstance(said, dict) else None
        error = error if isinstance(error, dict) else {}
        message = str(error.get("error_user_msg") or error.get("message") or "")
        later = error.get("is_transient") is True or error.get("code") in _LATER_CODES
        return self._service.failure(reply, message, changes=changes, later=later)


def _after(paging: Any) -> str | None:
    """Return the cursor of the next page; None where this was the last. A page that hides the next one is no answer."""
    if not isinstance(paging, dict) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    after = cursors.get("after") if isinstance(cursors, dict) else None
    if not after:
        raise ProviderUnavailable("Meta's list of campaigns cannot be read to its end.", "It is asked again later.")
    return str(after)
