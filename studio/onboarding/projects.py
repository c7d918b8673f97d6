"""Creating projects from the onboarding: one per domain, out of what the founder said and what a scan has measured.

Whatever a client asks for, a new project is shared, may do nothing in the world and works at night; permissions are
given later, and audited. What a client says a scan has found is not taken: only the studio's own scans count
(domain specification §8, D17, D21, D26).
"""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from studio import operators, projects
from studio.addresses import parse_url
from studio.database.connection import Connection
from studio.errors import Conflict, InvalidInput, OutboundRefused
from studio.onboarding import cache, request
from studio.onboarding.composition import compose
from studio.onboarding.form import MAX_DOMAINS, Onboarding
from studio.onboarding.repository import RepositoryLook
from studio.onboarding.scan import Scan, unscanned, with_repository, without_repository
from studio.presence import normalise_domain
from studio.settings import Settings
from studio.text import canonical_json, require_storable_json, sha256_hex

# A key guards against the second click and the resent request, not for ever.
_KEPT = "7 days"


class Created(NamedTuple):
    """The projects of a form, in the order of its domains. `created` is false where it had made them before.

    `shortened` names the fields that did not fit whole into the text that agents read; they are kept whole beside it.
    """

    project_ids: list[UUID]
    created: bool = True
    shortened: tuple[str, ...] = ()


def create_from_onboarding(
    conn: Connection, settings: Settings, owner_clerk_id: str, onboarding: Onboarding, email: str | None = None
) -> Created:
    """Create the projects of a form in the caller's transaction, one per domain, or one where it names none.

    With a `creation_key`, the same form again returns the same projects. Raise `InvalidInput` that names the field,
    `NotFound` for a scan that does not exist, `Conflict` where the key has come with another form before,
    `PermissionRefused` where the owner may not have so many projects.
    """
    form = require_storable_json(onboarding.model_dump(mode="json", exclude=_IGNORED), "the form")
    domains = _domains(onboarding)
    repo_url = request.one_address(onboarding.repo_url) if onboarding.repo_url else None
    if not (domains or repo_url or onboarding.idea_description):
        raise InvalidInput("A project needs something to start with.", "Give an idea, a domain or a repository.")
    if onboarding.demo_url:
        _require_address(onboarding.demo_url)
    before = _made_before(conn, owner_clerk_id, onboarding.creation_key, form)
    if before is not None:
        return Created(before, created=False)
    wanted: list[str | None] = [*domains] or [None]
    operators.require_room(conn, settings, owner_clerk_id, len(wanted))
    scanned = _own_scan(conn, onboarding.scan_job_id)
    made: list[UUID] = []
    shortened: dict[str, None] = {}
    for domain in wanted:
        scan = _scan_for(conn, scanned, domain, repo_url)
        text = compose(onboarding, domain, repo_url, scan)
        project_id = projects.create(
            conn,
            settings,
            owner_clerk_id=owner_clerk_id,
            idea=text.idea,
            # Ten projects of one name could not be told apart.
            name=onboarding.name if onboarding.name and len(wanted) == 1 else text.name,
            domain=domain,
            repo_url=repo_url,
            email=email,
            focus_areas=onboarding.focus_areas,
            scan_results=None if scan is None else scan.model_dump(mode="json"),
            wizard_state={"form": form, "shortened": list(text.shortened)},
        )
        if onboarding.mission:
            conn.execute(
                "insert into public.project_brain_documents (project_id, mission_markdown, memory_markdown)"
                " values (%s, %s, '')",
                [project_id, onboarding.mission],
            )
        made.append(project_id)
        shortened |= dict.fromkeys(text.shortened)
    if onboarding.creation_key is not None:
        conn.execute(
            "update public.project_creations set project_ids = %s where owner_clerk_id = %s and creation_key = %s",
            [made, owner_clerk_id, onboarding.creation_key],
        )
    return Created(made, shortened=tuple(shortened))


# What a client may say for the sake of older ones, and nobody takes from it; the key is no content.
_IGNORED = {"runtime_mode", "permissions", "night_shift", "scan_results", "creation_key", "scan_job_id"}


def _domains(onboarding: Onboarding) -> list[str]:
    """Return the domains in one spelling, each once, in the order in which they were given."""
    named = [domain for domain in (onboarding.domain, *onboarding.domains) if domain and domain.strip()]
    domains = list(dict.fromkeys(normalise_domain(domain) for domain in named))
    if len(domains) > MAX_DOMAINS:
        raise InvalidInput(f"There are {len(domains)} domains; at most {MAX_DOMAINS} are allowed.", "Leave some out.")
    return domains


def _require_address(url: str) -> None:
    try:
        parse_url(url)
    except OutboundRefused as exc:
        raise InvalidInput(f"The demo: {exc.message}", "Give the http or https address of a public page.") from exc


def _made_before(conn: Connection, owner: str, key: str | None, form: dict[str, Any]) -> list[UUID] | None:
    """Take the owner's key for this form, and return None; or the projects that the same form has made with it."""
    if key is None:
        return None
    asked = sha256_hex(canonical_json(form))
    # The second of two requests at once waits here until the first has committed.
    taken = conn.execute(
        "insert into public.project_creations (owner_clerk_id, creation_key, request_hash) values (%s, %s, %s)"
        " on conflict (owner_clerk_id, creation_key) do nothing returning 1 as new",
        [owner, key, asked],
    ).fetchone()
    if taken is not None:
        conn.execute(
            "delete from public.project_creations where ctid in (select ctid from public.project_creations"
            " where created_at < now() - %s::interval limit 50 for update skip locked)",
            [_KEPT],
        )
        return None
    row = conn.execute(
        "select request_hash, project_ids from public.project_creations"
        " where owner_clerk_id = %s and creation_key = %s for update",
        [owner, key],
    ).fetchone()
    if row is None or row["request_hash"] != asked:
        raise Conflict("This form has been sent before, with other content.", "Send it under a new key.")
    left = conn.execute(
        "select id from public.projects where id = any (%s) and owner_clerk_id = %s", [row["project_ids"], owner]
    ).fetchall()
    there = {found["id"] for found in left}
    # Where all of them are gone, the form may make new ones.
    return [project_id for project_id in row["project_ids"] if project_id in there] or None


def _own_scan(conn: Connection, job_id: UUID | None) -> Scan | None:
    """Return what a scan of ours has found so far; raise `NotFound` where there is no such scan."""
    return None if job_id is None else request.result_in(conn, job_id).scan


def _scan_for(conn: Connection, scanned: Scan | None, domain: str | None, repo_url: str | None) -> Scan | None:
    """Return what was measured about this project: by the scan that was named, or of its domain within a day."""
    site = scanned if scanned is not None and scanned.domain == domain else None
    if site is None and domain is not None:
        site = cache.cached(conn, domain)
    has_repository = scanned is not None and repo_url is not None and scanned.repo_url == repo_url
    if not has_repository:
        return None if site is None or (domain is None and scanned is site) else without_repository(site)
    assert scanned is not None  # noqa: S101 - it has the repository
    look = RepositoryLook(facts=scanned.repo_summary, reason=scanned.reasons.get("repo_summary", ""))
    return with_repository(
        unscanned(domain) if site is None else without_repository(site), scanned.repo_url or "", look
    )
