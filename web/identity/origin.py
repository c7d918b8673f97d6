"""No page of another origin changes anything in the name of a signed-in browser.

A browser says with every unsafe request from where it comes (`Origin`, RFC 6454; `Sec-Fetch-Site`, Fetch Metadata). One
that comes from elsewhere, or does not say, is refused wherever it could ride on a cookie. A bearer token is put into a
request by a program that has it, and by no browser.
"""

from __future__ import annotations

from collections.abc import Collection

from fastapi import Request

from web.origins import origin_of

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# From any page, with or without a cookie: what these do is not done in the name of somebody who has signed in.
FOR_EVERYBODY = frozenset({"/api/waitlist", "/api/onboarding/scan", "/api/nightshift/run"})
# Called by programs with a secret of their own.
_SECRETS = ("x-night-shift-secret", "x-worker-health-secret")


def is_foreign(request: Request, front_ends: Collection[str]) -> bool:
    """Say whether a request may have been made by a page of another origin, and would change something.

    `front_ends` are the other origins whose pages are the studio's own. The Host header has been looked at before.
    """
    if request.method in SAFE or request.url.path in FOR_EVERYBODY:
        return False
    if request.headers.get("authorization", "").lower().startswith("bearer ") or any(
        name in request.headers for name in _SECRETS
    ):
        return False
    # Asked first: a form of a page that sends no referrer has the origin `null`, and is from here all the same.
    if request.headers.get("sec-fetch-site") in ("same-origin", "none"):
        return False
    here = origin_of(f"{request.url.scheme}://{request.headers.get('host', '')}")
    return origin_of(request.headers.get("origin")) not in {here, *front_ends} - {None}
