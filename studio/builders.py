"""Asking the builders and the checker for something: code, a report, a look at a page.

The same rules for every front end. A wish is keyed by what it says and by its occasion, by default the minute in which
somebody asked: asked twice by mistake it is one job, asked again later it is done again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from studio.approvals import hold_active_project
from studio.code import remote
from studio.database.connection import Connection
from studio.errors import Conflict, InvalidInput, PermissionRefused
from studio.job_types import CHECKS, CheckName
from studio.page_checks.origins import require_visitable, require_way_out
from studio.queue import Enqueued, NewJob, enqueue
from studio.settings import Settings, get_settings
from studio.text import one_line, require_storable

CODE = "code.generate_mvp"
REPORT = "research.generate_report"
CHECK = "browser.check_page"
REPO_WRITE = "repo_write"

ReportFormat = Literal["pptx", "pdf"]
FORMATS: tuple[ReportFormat, ...] = ("pdf", "pptx")

# Those of the payloads in `studio.job_types`; here they are told in words.
DESCRIPTION_LIMIT = 20_000
TOPIC_MINIMUM = 3
TOPIC_LIMIT = 2000
SLIDES_MINIMUM = 3
SLIDES_LIMIT = 30
SLIDES = 15
BRANCH = "greenlight/mvp-v1"
BRANCH_LIMIT = 121
# Longer ones are data, and no page's address.
URL_LIMIT = 2000

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
# What git itself refuses of these characters (`git check-ref-format`).
_NO_BRANCH = re.compile(r"\.\.|//|/\.|\.lock(/|$)|[./]$")
_NO_ADDRESS = re.compile(r"[\x00-\x20\x7f\\]")


def ask_code(
    conn: Connection,
    project_id: UUID,
    description: str,
    *,
    repo_url: str | None = None,
    branch: str | None = None,
    occasion: str | None = None,
    settings: Settings | None = None,
) -> Enqueued:
    """Enqueue the writing of code in the caller's transaction, in the name of the project's owner.

    `description` says in 1 to 20,000 characters what is to be written. Without `repo_url` the job takes the project's
    repository where that is at GitHub, else one of the studio's own; `settings` name the server if it is not
    github.com. `branch` is the name of the new branch. Raises `InvalidInput` for what cannot be used, `NotFound` for an
    unknown project, `PermissionRefused` for one that is not active or may not write to its repository, `NoHandler`
    where nothing could run it.
    """
    settings = settings or get_settings()
    wish: dict[str, Any] = {
        "description": _text(description, "description of what to write", 1, DESCRIPTION_LIMIT),
        "branch": _branch(branch),
    }
    if repo_url is not None and repo_url.strip():
        where = remote.named(settings, repo_url.strip())
        wish["repoUrl"] = f"https://github.com/{where}"
    project = hold_active_project(conn, project_id)
    # Asked again when it is pushed; here it saves the owner from waiting for a no.
    address = remote.chosen(settings, wish.get("repoUrl"), project["repo_url"])
    if address is not None and project["permissions"].get(REPO_WRITE) is not True:
        raise PermissionRefused(
            f"The project does not permit {REPO_WRITE}.",
            "Permit it with `greenlight projects permissions --repo-write`.",
        )
    return _ask(conn, project_id, CODE, {**wish, "ownerClerkId": project["owner_clerk_id"]}, occasion)


def ask_report(
    conn: Connection,
    project_id: UUID,
    topic: str,
    *,
    format: ReportFormat = "pdf",
    max_slides: int = SLIDES,
    occasion: str | None = None,
) -> Enqueued:
    """Enqueue the research of `topic` (3 to 2,000 characters) and a report of `max_slides` pages (3 to 30).

    In the caller's transaction; raises as `ask_code` does.
    """
    if format not in FORMATS:
        raise InvalidInput(f"There is no report format {one_line(format, 40)!r}.", f"One of: {', '.join(FORMATS)}.")
    if not SLIDES_MINIMUM <= max_slides <= SLIDES_LIMIT:
        raise InvalidInput(
            f"A report has {SLIDES_MINIMUM} to {SLIDES_LIMIT} slides, not {max_slides}.", "Choose a number in between."
        )
    wish = {
        "topic": _text(topic, "topic", TOPIC_MINIMUM, TOPIC_LIMIT),
        "format": format,
        "maxSlides": max_slides,
    }
    hold_active_project(conn, project_id)
    return _ask(conn, project_id, REPORT, wish, occasion)


def ask_check(
    conn: Connection,
    project_id: UUID,
    url: str | None = None,
    *,
    checks: Sequence[str] | None = None,
    occasion: str | None = None,
    settings: Settings | None = None,
) -> Enqueued:
    """Enqueue a look at a page, by default the project's published one, with `checks` or all of them.

    In the caller's transaction. Raises as `ask_code` does, and `Conflict` where no address is given and no page is
    published. An address that shows by itself that it is never visited (a private one, another port than 80 and 443)
    is refused here, unless it is the studio's own as `settings` say; where a name leads is for the browser's guard.
    So is every address that is not on this machine where outbound requests are turned off.
    """
    wish: dict[str, Any] = {"checks": _checks(checks)}
    given = page_address(url) if url is not None and url.strip() else None
    hold_active_project(conn, project_id)
    live = live_page(conn, project_id)
    if given is not None and given != live:
        require_visitable(settings or get_settings(), given)
    url = given if given is not None else live
    if url is None:
        raise Conflict(
            "The project has no published page that could be looked at.", "Give an address, or publish the page first."
        )
    require_way_out(settings or get_settings(), url)
    wish["url"] = url
    return _ask(conn, project_id, CHECK, wish, occasion)


def live_page(conn: Connection, project_id: UUID) -> str | None:
    """Return the address of the page that the world sees of a project; None where it sees none."""
    row = conn.execute(
        "select u.live_url from public.page_publications u"
        " join public.project_deployments d on d.project_id = u.project_id and d.status = 'ready'"
        " join public.projects p on p.id = u.project_id and p.status <> 'killed'"
        " where u.project_id = %s and u.withdrawn_at is null order by u.publication_no desc limit 1",
        [project_id],
    ).fetchone()
    return None if row is None else str(row["live_url"])


def page_address(text: str) -> str:
    """Return the address of a page, trimmed; raise `InvalidInput` unless it is one of the web without credentials."""
    address = require_storable(text, "The address").strip()
    remedy = "Give it like https://example.org/page."
    if len(address) > URL_LIMIT:
        raise InvalidInput(f"The address has {len(address):,} characters; at most {URL_LIMIT:,} are taken.", remedy)
    # Not repeated in the message: what is wrong may be a password in it.
    unusable = InvalidInput("The address is none of a page on the web.", remedy)
    if _NO_ADDRESS.search(address):
        raise unusable
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as exc:
        raise unusable from exc
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise unusable
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("The address contains credentials.", "Leave them out: a page is looked at as a stranger.")
    return address


def _ask(conn: Connection, project_id: UUID, job_type: str, wish: dict[str, Any], occasion: str | None) -> Enqueued:
    if occasion is None:
        row = conn.execute(
            "select to_char(now() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI\"Z\"') as minute"
        ).fetchone()
        assert row is not None  # noqa: S101 - a select without a table returns a row
        occasion = str(row["minute"])
    return enqueue(conn, NewJob(job_type, project_id, {**wish, "occasion": occasion}))


def _text(value: str, what: str, least: int, most: int) -> str:
    text = require_storable(value, f"The {what}").strip()
    if len(text) < least:
        raise InvalidInput(f"The {what} is {'too short' if text else 'empty'}.", "Say in a sentence what you want.")
    if len(text) > most:
        raise InvalidInput(f"The {what} has {len(text):,} characters; at most {most:,} are allowed.", "Shorten it.")
    return text


def _branch(value: str | None) -> str:
    name = (value or "").strip() or BRANCH
    if len(name) > BRANCH_LIMIT or not _BRANCH.fullmatch(name) or _NO_BRANCH.search(name):
        raise InvalidInput(
            f"{one_line(name, 80)!r} cannot be the name of a branch.",
            f"Letters, digits and . _ / - make one, such as {BRANCH}.",
        )
    return name


def _checks(given: Sequence[str] | None) -> list[CheckName]:
    """Return the checks in the order of the registry, each once: the same wish is the same job however it is said."""
    if given is None:
        return list(CHECKS)
    if unknown := [name for name in given if name not in CHECKS]:
        raise InvalidInput(f"There is no check {one_line(unknown[0], 40)!r}.", f"The checks are {', '.join(CHECKS)}.")
    if not given:
        raise InvalidInput("No check is named.", f"Leave them out for all, or name some: {', '.join(CHECKS)}.")
    return [name for name in CHECKS if name in given]
