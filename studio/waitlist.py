"""The waitlist of a published page: join, confirm by mail, leave, and never be asked again.

Anybody may type anybody's address, so an address hears from a project only after its owner has followed the
link in the one letter that a form may cause. The answer to a form is always the same, whoever is on the list.
"""

from __future__ import annotations

import html
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import psycopg

from studio import links
from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import InvalidInput, LinkRefused, RateLimited, StudioError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import dispatch, letters, sequences, suppression
from studio.mail.addresses import checked_address
from studio.mail.letters import Confirmation, Letter
from studio.page_checks.addresses import checking_job
from studio.settings import Settings
from studio.text import clip, storable

log = logging.getLogger(__name__)

# Domain specification §8.
SOURCE_LIMIT = 64
METADATA_KEYS = 20
METADATA_KEY_CHARS = 64
METADATA_VALUE_CHARS = 500
NAME_LIMIT = 120
# Beyond this, programs that read JSON round differently.
LARGEST_NUMBER = 2**53
DEFAULT_SOURCE = "landing_page"
# What a visitor says about himself never stands where the studio's own records do.
_RESERVED = frozenset(
    {"project_id", "projectid", "email", "ip", "ip_hash", "user_agent", "consent", "source", "status"}
)

# A week to find the letter. A link is a permission that lies in a mailbox, so not for ever.
CONFIRM_FOR = timedelta(days=7)
# One that got lost and one that was overlooked; more would be a nuisance that a stranger causes. So many from one
# list, and so many from all lists together.
LETTERS_A_DAY = 3
# A household or an office behind one address, and no more than that.
_PER_ADDRESS = (20, timedelta(hours=1))
# A page that is talked about gathers some hundreds an hour; a flood of invented ones hurts the sender's name.
_PER_PROJECT = (500, timedelta(hours=1))

_AGENT_CHARS = 300


@dataclass(frozen=True)
class Visitor:
    """Whom a request came from, as far as it says."""

    address: str
    user_agent: str = ""


@dataclass(frozen=True)
class Signup:
    """What a form says. `trap` is a field that people do not see; machines fill it in."""

    email: str
    project_id: UUID = SYSTEM_PROJECT_ID
    name: str | None = None
    source: str = DEFAULT_SOURCE
    metadata: dict[str, Any] = field(default_factory=dict)
    trap: str = ""


@dataclass(frozen=True)
class Invitation:
    """What a confirmation link is about: the list, the address, and where it stands."""

    signup_id: UUID
    project_id: UUID
    project_name: str
    email: str
    status: Literal["pending", "confirmed", "unsubscribed"]


@dataclass(frozen=True)
class Subscription:
    """Who writes to which address."""

    sender: str
    email: str


def join(db: Database, settings: Settings, signup: Signup, visitor: Visitor) -> None:
    """Put an address on a list as pending, and queue the letter that asks whether it is meant.

    The same address again gets the letter again, a few times a day; one that is on the list gets none. Returns
    nothing, so that nobody learns which it was. Raise `InvalidInput` that names the field, `NotFound` where there
    is no such list, `Conflict` while it takes nobody, `RateLimited` where too many come from one place.
    """
    email = checked_email(signup.email)
    source = _checked_source(signup.source)
    metadata = _checked_metadata(signup.metadata, signup.name)
    trapped = bool(signup.trap.strip())
    job_id = checking_job(settings, email)
    if job_id is not None and not trapped:
        # The studio's own check is no visitor: it takes nobody's place, on the list or before the door.
        _note_check(db, settings, signup.project_id, job_id, email, source, visitor)
        return
    _within_limits(db, signup.project_id, visitor)
    if trapped:
        return
    with translated(), db.transaction() as conn:
        consent = _consent(conn, settings, signup.project_id, visitor)
        row = conn.execute(
            "select * from public.join_waitlist(%s, %s, %s, %s::jsonb, %s::jsonb, %s)",
            [signup.project_id, email, source, json.dumps(metadata), json.dumps(consent), LETTERS_A_DAY],
        ).fetchone()
        # No row: this address gets no mail.
        queued = (
            row is not None
            and row["letter_no"] is not None
            and _queue_confirmation(conn, settings, signup.project_id, row, email)
        )
    if queued:
        _hurry(db)


def invitation(db: Database, settings: Settings, token: str) -> Invitation:
    """Return what a confirmation link is about, changing nothing: scanners of mail open every link.

    Raise `LinkRefused` where the link is not genuine or has expired, and where the project is gone or killed.
    """
    signup_id = UUID(links.verify(settings, links.CONFIRM, token))
    row = db.fetch_one(
        "select s.id, s.project_id, s.email, s.status, p.name, p.status as life from public.waitlist_signups s"
        " join public.projects p on p.id = s.project_id where s.id = %s",
        [signup_id],
    )
    if row is None or row["life"] == "killed":
        raise LinkRefused("This list no longer exists.", "")
    return Invitation(
        row["id"], row["project_id"], _list_name(row["project_id"], row["name"]), row["email"], row["status"]
    )


def confirm(db: Database, settings: Settings, token: str) -> Invitation:
    """Confirm a place on a list; again and again it is confirmed once, and counted as one lead.

    Where the person has left since, nothing changes: whoever wants to come back fills in the form again. Raise
    `LinkRefused` as `invitation` does.
    """
    found = invitation(db, settings, token)
    welcomes = 0
    with db.transaction() as conn:
        row = conn.execute("select public.confirm_waitlist(%s) as outcome", [found.signup_id]).fetchone()
        if row is not None and row["outcome"] == "joined":
            # Who had left, and now asks for it, is written to again.
            suppression.lift(conn, found.email, project_id=found.project_id)
            welcomes = sequences.enroll(conn, found.project_id, found.email)
    if welcomes:
        _hurry(db)
    return invitation(db, settings, token)


def subscription(db: Database, settings: Settings, token: str) -> Subscription:
    """Return what an unsubscribe link would end, changing nothing; raise `LinkRefused` where it is not genuine."""
    project_id, email = links.unsubscriber(settings, token)
    row = db.fetch_one("select name from public.projects where id = %s", [project_id])
    if row is None:
        raise LinkRefused("Whoever sent this does not write any more: the project is gone.")
    return Subscription(_list_name(project_id, row["name"]), email)


def unsubscribe(db: Database, settings: Settings, token: str) -> Subscription:
    """End a project's mail to an address, and take it off the waitlist; again and again it ends once.

    Raise `LinkRefused` as `subscription` does.
    """
    ended = subscription(db, settings, token)
    project_id, email = links.unsubscriber(settings, token)
    with db.transaction() as conn:
        conn.execute("select public.leave_waitlist(%s, %s)", [project_id, email])
        suppression.suppress(conn, email, "unsubscribed", project_id=project_id)
    return ended


def asker(db: Database, settings: Settings, token: str) -> Subscription:
    """Return whose questions a block link would end, changing nothing; raise `LinkRefused` where it is not genuine."""
    project_id, email = links.blocker(settings, token)
    row = db.fetch_one("select name from public.projects where id = %s", [project_id])
    if row is None:
        raise LinkRefused("Whoever sent this does not write any more: the project is gone.")
    return Subscription(_list_name(project_id, row["name"]), email)


def block(db: Database, settings: Settings, token: str, *, everywhere: bool = False) -> Subscription:
    """Never ask an address again whether it wants to be on a list, of one project or (`everywhere`) of any.

    Also what else would be written to it is not: who never asked for mail gets none. Raise `LinkRefused` as
    `asker` does.
    """
    blocked = asker(db, settings, token)
    project_id, email = links.blocker(settings, token)
    with db.transaction() as conn:
        conn.execute("select public.leave_waitlist(%s, %s)", [project_id, email])
        suppression.suppress(conn, email, "blocked", project_id=None if everywhere else project_id)
    return blocked


def checked_email(text: str) -> str:
    """Return a mail address in lower case and ASCII; raise `InvalidInput` for what no mail can be sent to."""
    return checked_address(text).lower()


def _checked_source(source: str) -> str:
    source = storable(source).strip() or DEFAULT_SOURCE
    if len(source) > SOURCE_LIMIT:
        raise InvalidInput(f"source has {len(source)} characters; at most {SOURCE_LIMIT} are allowed.", "Shorten it.")
    return source


def _checked_metadata(metadata: dict[str, Any], name: str | None) -> dict[str, Any]:
    if len(metadata) > METADATA_KEYS:
        raise InvalidInput(
            f"metadata has {len(metadata)} keys; at most {METADATA_KEYS} are allowed.", "Leave out the others."
        )
    kept: dict[str, Any] = {}
    for key, value in metadata.items():
        if len(key) > METADATA_KEY_CHARS:
            raise InvalidInput(f"A key of metadata has more than {METADATA_KEY_CHARS} characters.", "Shorten it.")
        if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
            raise InvalidInput(f"metadata.{clip(key, 40)} is no number that can be kept.", "Give it as text.")
        if isinstance(value, dict | list):
            raise InvalidInput(f"metadata.{clip(key, 40)} holds more than one value.", "Give text or a number.")
        if isinstance(value, str) and len(value) > METADATA_VALUE_CHARS:
            raise InvalidInput(
                f"metadata.{clip(key, 40)} has more than {METADATA_VALUE_CHARS} characters.", "Shorten it."
            )
        if key.lower().replace("-", "_") not in _RESERVED:
            kept[storable(key)] = storable(value) if isinstance(value, str) else value
    given = name if name is not None else kept.get("name")
    if isinstance(given, str) and given.strip():
        kept["name"] = clip(" ".join(storable(given).split()), NAME_LIMIT)
    return kept


def _within_limits(db: Database, project_id: UUID, visitor: Visitor) -> None:
    # In transactions of their own: what is refused afterwards has been asked for all the same.
    limits = (
        ("waitlist/address", visitor.address, *_PER_ADDRESS),
        ("waitlist/project", str(project_id), *_PER_PROJECT),
    )
    for scope, of, limit, window in limits:
        row = db.fetch_one(
            "select public.take_request_slot(%s, public.visitor_hash(%s), %s, %s) as wait", [scope, of, limit, window]
        )
        if row is not None and row["wait"] > 0:
            raise RateLimited("Too many sign-ups at the moment.", "Try again later.", retry_after=row["wait"])


def _note_check(
    db: Database, settings: Settings, project_id: UUID, job_id: UUID, email: str, source: str, visitor: Visitor
) -> None:
    """Note that the test address of a page check has arrived: it is put on no list, and gets no mail."""
    with translated(), db.transaction() as conn:
        consent = _consent(conn, settings, project_id, visitor)
        conn.execute(
            "select public.record_waitlist_check(%s, %s, %s, %s, %s::jsonb)",
            [job_id, project_id, email, source, json.dumps(consent)],
        )


def _consent(conn: Connection, settings: Settings, project_id: UUID, visitor: Visitor) -> dict[str, Any]:
    """Return what was agreed to, and by whom: the sentence of the page that is live, and that page's hash."""
    page = conn.execute(
        r"select substring(html_content from '<[a-z]+[^<>]*\sdata-consent[^<>]*>([^<]+)<') as words,"
        " encode(sha256(convert_to(html_content, 'UTF8')), 'hex') as sha256"
        " from public.project_deployments where project_id = %s",
        [project_id],
    ).fetchone()
    return {
        "words": html.unescape(page["words"]).strip() if page and page["words"] else None,
        "page_sha256": page["sha256"] if page else None,
        "ip_hash": links.keyed_hash(settings, "consent-address", visitor.address),
        "user_agent": clip(storable(visitor.user_agent), _AGENT_CHARS),
    }


def _queue_confirmation(
    conn: Connection, settings: Settings, project_id: UUID, row: dict[str, Any], email: str
) -> bool:
    letter = Letter(
        project_id=project_id,
        outbox_key=f"waitlist_confirm:{row['signup_id']}:{row['letter_no']}",
        to_email=email,
        template="waitlist_confirm",
        context={
            "project_name": _list_name(project_id, row["project_name"]),
            # Nothing a stranger typed goes to an address that is not known to be his: it would be his advertisement.
            "name": "",
            "days": CONFIRM_FOR.days,
        },
        category="waitlist",
        confirms=Confirmation(row["signup_id"], datetime.now(UTC) + CONFIRM_FOR),
    )
    return letters.enqueue(conn, settings, letter).outcome == "queued"


def _hurry(db: Database) -> None:
    """Have what was queued sent soon; where that fails, the next hour's round of due mail takes it."""
    try:
        dispatch.send_soon(db)
    except (StudioError, psycopg.Error) as exc:
        log.warning("a confirmation waits for the next round of due mail: %s", exc)


def _list_name(project_id: UUID, name: str) -> str:
    return "Greenlight" if project_id == SYSTEM_PROJECT_ID else name
