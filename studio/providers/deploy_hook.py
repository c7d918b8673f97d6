"""A deploy hook: an address that deploys when something is posted to it, as Vercel's do.

A person gave the address, so it is visited through the guarded client: https only, public addresses only, no
redirects. Whoever knows it may deploy, so it appears in no message.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from studio.errors import OutboundFailed, OutboundRefused, OutcomeUnknown, ProviderUnavailable
from studio.integrations import require_hook_address
from studio.outbound import OutboundClient
from studio.providers.service import Reply, Service
from studio.secret_addresses import secrets_in, shown_address
from studio.settings import Settings

__all__ = ["NAME", "shown_address", "trigger"]

NAME = "The deploy hook"


def trigger(
    outbound: OutboundClient, settings: Settings, url: str, payload: Mapping[str, Any], idempotency_key: str
) -> Reply:
    """Post `payload` to the hook, once, and return its answer.

    The key goes along as a header, for hooks that know what to do with it; none is relied on to. Raises
    `OutboundRefused`, `ProviderUnavailable`, `ProviderRefused` and `OutcomeUnknown`.
    """
    require_hook_address(url)
    timeout = settings.provider_timeout_seconds
    service = Service(NAME, url, timeout=timeout, secrets=_secrets(url), account="its address")
    try:
        answer = outbound.post(
            url,
            json.dumps(payload).encode(),
            content_type="application/json",
            headers={"Idempotency-Key": idempotency_key},
            timeout=timeout,
        )
    except OutboundRefused as exc:
        raise OutboundRefused(f"{NAME} is not visited: {exc.message}", exc.remedy) from None
    except OutboundFailed as exc:
        if exc.sent:
            what = f"{exc.message} It may have deployed or not."
            raise OutcomeUnknown(what, "See there what became of it.") from None
        raise ProviderUnavailable(exc.message, "It is tried again later.") from None
    reply = Reply(answer.status, answer.body)
    if not reply.ok:
        raise service.failure(reply, answer.text)
    return reply


def _secrets(url: str) -> list[str]:
    parts = urllib.parse.urlsplit(url)
    pieces = [piece for piece in parts.path.split("/") if any(c.isdigit() for c in piece)]
    whole = [url, f"{parts.path}?{parts.query}", parts.path, parts.query]
    return [*whole, *pieces, *parts.path.split("/")[-1:], *secrets_in(url)]
