"""Sign-in by a one-time link: for the owner of an installation that has no identity provider.

Whoever can run `greenlight` on the machine can make a link; whoever opens it first has a session in that browser.
Tokens are random and kept as hashes; the database's clock says what has expired.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from studio.database.connection import Database
from studio.errors import LinkRefused
from studio.text import clip, storable

# Time enough to walk from the terminal to the browser, and not for a link in a log file to be found.
LINK_LIFE = timedelta(hours=1)
_TOKEN_BYTES = 32
_TOKEN_LIMIT = 200
_AGENT_CHARS = 200
# A session is touched at most this often: each touch is a write, and nobody needs it to the second.
_TOUCH_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Session:
    """A browser that has signed in. Times are UTC, by the database's clock."""

    id: UUID
    owner_clerk_id: str
    user_agent: str | None
    last_seen_at: datetime
    created_at: datetime


def make_link_token(db: Database, owner_clerk_id: str, *, life: timedelta = LINK_LIFE) -> str:
    """Return the token of a new one-time link for `owner_clerk_id`; what has expired is removed on the way."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with db.transaction() as conn:
        conn.execute("delete from public.sign_in_links where expires_at < now()")
        conn.execute("delete from public.sign_in_sessions where expires_at < now()")
        conn.execute(
            "insert into public.sign_in_links (token_hash, owner_clerk_id, expires_at) values (%s, %s, now() + %s)",
            [_hash(token), owner_clerk_id, life],
        )
    return token


def is_open(db: Database, token: str) -> bool:
    """Say whether a link can still be used; this does not use it."""
    row = db.fetch_one(
        "select 1 from public.sign_in_links where token_hash = %s and used_at is null and expires_at > now()",
        [_hash(token)],
    )
    return row is not None


def redeem(db: Database, token: str, *, life: timedelta, user_agent: str | None = None) -> str:
    """Use a link up and return the token of the session that it opens.

    Raise `LinkRefused` where it was used, has expired or never was; of two at once one wins.
    """
    session = secrets.token_urlsafe(_TOKEN_BYTES)
    with db.transaction() as conn:
        row = conn.execute(
            "update public.sign_in_links set used_at = now()"
            " where token_hash = %s and used_at is null and expires_at > now() returning owner_clerk_id",
            [_hash(token)],
        ).fetchone()
        if row is None:
            raise LinkRefused(
                "This sign-in link opens nothing: it was used, has expired, or is not whole.",
                "Make a new one with `greenlight sign-in`.",
            )
        conn.execute(
            "insert into public.users (clerk_id) values (%s) on conflict (clerk_id) do nothing", [row["owner_clerk_id"]]
        )
        conn.execute(
            "insert into public.sign_in_sessions (token_hash, owner_clerk_id, user_agent, expires_at)"
            " values (%s, %s, %s, now() + %s)",
            [_hash(session), row["owner_clerk_id"], clip(storable(user_agent or ""), _AGENT_CHARS) or None, life],
        )
    return session


def session(db: Database, token: str, *, life: timedelta) -> Session | None:
    """Return whose session `token` is, None where it has ended; one that is used lasts `life` from now on."""
    row = db.fetch_one(
        "select id, owner_clerk_id, user_agent, last_seen_at, created_at, last_seen_at < now() - %s as stale"
        " from public.sign_in_sessions where token_hash = %s and expires_at > now()",
        [_TOUCH_AFTER, _hash(token)],
    )
    if row is None:
        return None
    if row.pop("stale"):
        db.execute(
            "update public.sign_in_sessions set last_seen_at = now(), expires_at = now() + %s where id = %s",
            [life, row["id"]],
        )
    return Session(**row)


def sessions(db: Database, owner_clerk_id: str) -> list[Session]:
    """Return the browsers in which an owner is signed in, the one used last first."""
    rows = db.fetch_all(
        "select id, owner_clerk_id, user_agent, last_seen_at, created_at from public.sign_in_sessions"
        " where owner_clerk_id = %s and expires_at > now() order by last_seen_at desc, id",
        [owner_clerk_id],
    )
    return [Session(**row) for row in rows]


def end(db: Database, owner_clerk_id: str, session_id: UUID | None = None) -> int:
    """End one session of an owner, or all of them; return how many."""
    row = db.fetch_one(
        "with ended as (delete from public.sign_in_sessions where owner_clerk_id = %(owner)s"
        " and (%(id)s::uuid is null or id = %(id)s) returning 1) select count(*)::int as n from ended",
        {"owner": owner_clerk_id, "id": session_id},
    )
    return int(row["n"]) if row else 0


def _hash(token: str) -> str:
    # Bounded, because it comes from outside; a real one is far shorter.
    return hashlib.sha256(token[:_TOKEN_LIMIT].encode("utf-8", "replace")).hexdigest()
