"""Projects: what a founder starts with, and who owns it."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from studio import permissions
from studio.database.connection import Connection, Database
from studio.errors import InvalidInput, NotFound
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import drips
from studio.model import spend
from studio.model.prices import MICROS
from studio.presence import normalise_domain
from studio.project_events import record
from studio.settings import Settings
from studio.text import clip, require_storable

# One limit, at creation; whatever is stored is accepted by every phase. It is the length to which the
# onboarding composes an idea out of the founder's text and its context lines (domain specification §8).
IDEA_LIMIT = 3600
IDEA_MINIMUM = 3
NAME_LIMIT = 80
# git@host:path, as `git clone` takes it.
_SCP_ADDRESS = re.compile(r"[A-Za-z0-9._-]+@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^\s:]+)")
_NO_ADDRESS = re.compile(r"[\x00-\x20\x7f\\]")
# A shorter lead ("Idea: …") names nothing.
NAME_MINIMUM = 8


@dataclass(frozen=True)
class Project:
    """A row of `projects`. `phase` runs from 0 to 3; 4 is finished."""

    id: UUID
    owner_clerk_id: str
    name: str
    idea_description: str
    domain: str | None
    repo_url: str | None
    phase: int
    status: str
    runtime_mode: str
    permissions: dict[str, Any]
    night_shift: bool
    focus_areas: list[str]
    scan_results: dict[str, Any] | None
    live_url: str | None
    created_at: datetime


def _project(row: dict[str, Any]) -> Project:
    return Project(**{name: row[name] for name in Project.__dataclass_fields__})


def create(
    conn: Connection,
    settings: Settings,
    *,
    owner_clerk_id: str,
    idea: str,
    name: str | None = None,
    domain: str | None = None,
    repo_url: str | None = None,
    email: str | None = None,
    focus_areas: Sequence[str] = (),
    scan_results: dict[str, Any] | None = None,
    wizard_state: dict[str, Any] | None = None,
) -> UUID:
    """Create a project with every permission off and the default budget, in the caller's transaction.

    A repository may be anywhere, but must be one by its address. `scan_results` is what was measured, `wizard_state`
    what the founder was asked; both are kept as they are. Raises `InvalidInput` that names the field and what to
    change; see `checked`.
    """
    idea, domain = checked(idea, domain)
    name = require_storable(name.strip(), "The name") if name else None
    repo_url = repository_address(repo_url) if repo_url is not None else None
    if email is not None:
        require_storable(email, "The mail address")
    if name is not None and not 0 < len(name) <= NAME_LIMIT:
        raise InvalidInput(f"The name has {len(name)} characters; 1 to {NAME_LIMIT} are allowed.", "Shorten it.")
    user = conn.execute(
        "insert into public.users (clerk_id, email) values (%s, %s)"
        " on conflict (clerk_id) do update set email = coalesce(excluded.email, users.email) returning id",
        [owner_clerk_id, email],
    ).fetchone()
    row = conn.execute(
        "insert into public.projects (owner_clerk_id, user_id, name, domain, idea_description, repo_url, focus_areas,"
        " scan_results, wizard_state) values (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb) returning id",
        [
            owner_clerk_id,
            user and user["id"],
            name or domain or name_from(idea),
            domain,
            idea,
            repo_url,
            list(focus_areas),
            None if scan_results is None else json.dumps(scan_results),
            json.dumps(wizard_state or {}),
        ],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    project_id = UUID(str(row["id"]))
    spend.set_budget(
        conn, project_id, settings.project_budget_usd, settings.project_token_cap, settings.project_call_cap
    )
    record(conn, project_id, "project.created", f"Project created: {name or domain or name_from(idea)}")
    drips.welcome(conn, settings, owner_clerk_id, project_id)
    return project_id


def checked(idea: str, domain: str | None) -> tuple[str, str | None]:
    """Return the idea, trimmed to its 3 to 3,600 characters, and the bare domain; raise `InvalidInput`."""
    return _idea(idea), normalise_domain(domain) if domain and domain.strip() else None


def _idea(idea: str) -> str:
    require_storable(idea, "The idea")
    text = idea.strip()
    if len(text) < IDEA_MINIMUM:
        raise InvalidInput(
            "The idea is too short." if text else "The idea is empty.", "Describe it in a sentence or more."
        )
    if len(text) > IDEA_LIMIT:
        raise InvalidInput(
            f"The idea has {len(text):,} characters; at most {IDEA_LIMIT:,} are allowed.",
            "Keep the essence; details can follow as guidance or uploads.",
        )
    return text


def repository_address(text: str) -> str | None:
    """Return an address that could be a repository's, trimmed, None for an empty one; raise `InvalidInput`."""
    address = require_storable(text, "The repository").strip()
    if not address:
        return None
    remedy = "Give it as https://github.com/owner/name or git@github.com:owner/name, or leave it out."
    # Not repeated in the message: what is wrong may be a password in it.
    unusable = InvalidInput("The repository's address is no http(s) or ssh address of a repository.", remedy)
    if _NO_ADDRESS.search(address):
        raise unusable
    scp = _SCP_ADDRESS.fullmatch(address)
    if scp is not None:
        if not scp["path"].strip("/"):
            raise unusable
        return address
    try:
        parts = urllib.parse.urlsplit(address)
        _ = parts.port
    except ValueError as exc:
        raise unusable from exc
    if parts.scheme not in ("http", "https", "ssh") or not parts.hostname or not parts.path.strip("/"):
        raise unusable
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise InvalidInput("The repository's address contains credentials.", "Leave them out: agents read the address.")
    return address


def name_from(idea: str) -> str:
    """Return a name for a project that was given none: the idea's first words, at most 80 characters.

    Where the founder has put a name before a colon or a dash ("A tool library: neighbours …"), it is that.
    """
    first = re.split(r"(?<=[.!?])\s|\n", idea.strip(), maxsplit=1)[0].rstrip(".!?")
    name = re.split(r":\s|\s[-–—]\s", first, maxsplit=1)[0]
    if len(name) >= NAME_MINIMUM:
        first = name
    return clip(" ".join((first or idea).split()), NAME_LIMIT)


def get(db: Database, project_id: UUID) -> Project:
    """Return the project, or raise `NotFound`."""
    with db.connection() as conn:
        return get_in(conn, project_id)


def get_in(conn: Connection, project_id: UUID) -> Project:
    """Return the project as the caller's transaction sees it, or raise `NotFound`."""
    row = conn.execute("select * from public.projects where id = %s", [project_id]).fetchone()
    if row is None:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    return _project(row)


def find(db: Database, *, owner_clerk_id: str | None = None, limit: int = 100) -> list[Project]:
    """Return the newest projects first, without the system project; only those of an owner where given."""
    rows = db.fetch_all(
        "select * from public.projects where id <> %(system)s"
        " and (%(owner)s::text is null or owner_clerk_id = %(owner)s) order by created_at desc, id limit %(limit)s",
        {"system": SYSTEM_PROJECT_ID, "owner": owner_clerk_id, "limit": limit},
    )
    return [_project(row) for row in rows]


def set_budget(
    conn: Connection,
    settings: Settings,
    project_id: UUID,
    *,
    usd: Decimal | None = None,
    tokens: int | None = None,
    calls: int | None = None,
    by: str = "system",
    reason: str | None = None,
) -> None:
    """Set those of a project's spend caps that are given, in the caller's transaction, audited as an act of `by`.

    The others stay, or become those of a new project where there were none.
    """
    # Two who set caps of one project take turns, so that none undoes the other's.
    conn.execute("select 1 from public.projects where id = %s for no key update", [project_id])
    now = spend.budget_in(conn, project_id)
    default = {
        "cap_micros": int(settings.project_budget_usd * MICROS),
        "cap_tokens": settings.project_token_cap,
        "cap_calls": settings.project_call_cap,
    }
    caps = {name: value for name, value in default.items() if now is None or getattr(now, name) is None}
    if usd is not None:
        # Not yet a whole number of micro-dollars: what is far too large would take for ever to write out.
        caps["cap_micros"] = int(min(usd * MICROS, Decimal(spend.LARGEST_CAP + 1)))
    if tokens is not None:
        caps["cap_tokens"] = tokens
    if calls is not None:
        caps["cap_calls"] = calls
    permissions.change_limits_in(conn, project_id, by, budget=caps, reason=reason)
