"""The onboarding scan: what a domain and a repository show, measured now or left open with the reason.

Nothing here is guessed. A field is None where nothing was measured, and `reasons` says why; competitors are never
looked for here, because that takes sources, which the research of Phase 0 brings (domain specification §11, D17, D42).
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urljoin

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from studio.addresses import parse_url
from studio.errors import OutboundRefused
from studio.onboarding.repository import RepositoryFacts, RepositoryLook
from studio.onboarding.technology import TechSign, tech_signs
from studio.outbound import OutboundClient
from studio.presence import Look, Note, Sighting, survey_domain

Dns = Literal["live", "parked", "none"]
Content = Literal["site", "parked", "none"]

# Domain specification §11.
EXCERPT_CHARS = 220
LANGUAGE_CHARS = 35
NO_DOMAIN = "No domain was given."
NO_REPOSITORY = "No repository was given."
NO_COMPETITORS = "Not looked for here: the research of Phase 0 does that, with its sources."
NOT_SCANNED = "Not looked at yet."
NO_PAGE = "No page was fetched."
NO_SITE = "The server answers, but shows no page."

_OF_SITE = ("url", "dns", "http_status", "existing_content", "meta", "tech_stack")


class Meta(BaseModel):
    """What a page says about itself. `description_from` is `text` where it is only the beginning of the page."""

    model_config = ConfigDict(frozen=True)

    title: str | None = None
    description: str | None = None
    description_from: Literal["meta", "text"] | None = None
    og_image: str | None = None
    language: str | None = None


class Scan(BaseModel):
    """What was found. Where a field is None, `reasons` says why under its name."""

    model_config = ConfigDict(frozen=True)

    domain: str | None = None
    url: str | None = Field(default=None, description="The page that was read, after redirects.")
    dns: Dns | None = None
    http_status: int | None = None
    detail: str | None = Field(default=None, description="What the look at the domain found, in a sentence.")
    existing_content: Content | None = None
    meta: Meta | None = None
    tech_stack: list[str] = Field(default_factory=list)
    tech_evidence: list[TechSign] = Field(default_factory=list)
    repo_url: str | None = None
    repo_summary: RepositoryFacts | None = None
    competitors_found: list[str] = Field(default_factory=list, description="Empty; see the reason.")
    reasons: dict[str, str] = Field(default_factory=dict)
    error: str | None = Field(default=None, description="What could not be measured, in a sentence or two.")
    scanned_at: AwareDatetime | None = Field(default=None, description="When the domain was measured, if it was.")

    @property
    def own_words(self) -> str | None:
        """How the site describes itself, else what it is called; None where there is no site."""
        if self.meta is None or self.existing_content != "site":
            return None
        return self.meta.description or self.meta.title

    @property
    def worth_keeping(self) -> bool:
        """Whether the domain's part may be shown again: it was measured, and a site says what it is (spec §11)."""
        if self.domain is None or self.error is not None or self.existing_content is None:
            return False
        if self.existing_content != "site":
            return True
        return self.meta is not None and bool(self.meta.title and self.meta.description)


def scan_site(domain: str, client: OutboundClient, *, seconds: float, note: Note) -> Scan:
    """Return the scan of a domain alone; `note` is given a line for each step as it happens.

    What cannot be reached is part of the answer. Raise `InvalidInput` where `domain` contains no domain.
    """
    look = survey_domain(domain, client, seconds=seconds, note=note)
    presence = look.presence
    reasons = {"competitors_found": NO_COMPETITORS, "repo_summary": NO_REPOSITORY}
    measured = presence.status != "not_measured"
    content = _content(look)
    scan = Scan(
        domain=presence.domain,
        detail=presence.detail,
        dns=_dns(look),
        existing_content=content,
        error=None if measured else presence.detail,
        scanned_at=presence.scanned_at,
    )
    if scan.dns is None:
        reasons["dns"] = presence.detail
    if content is None:
        reasons["existing_content"] = NO_SITE if measured else presence.detail
    if look.sighting is None:
        reasons |= dict.fromkeys(("http_status", "meta", "tech_stack", "url"), NO_PAGE)
        return scan.model_copy(update={"reasons": reasons})
    if look.sighting.rank > 0:
        # An error page says nothing about the site.
        reasons["meta"] = NO_SITE
    signs = tech_signs(look.sighting.fetched, look.sighting.page)
    for sign in signs:
        note(f"{sign.name}: {sign.evidence}")
    return scan.model_copy(
        update={
            "url": look.sighting.fetched.final_url,
            "http_status": look.sighting.fetched.status,
            "meta": None if look.sighting.rank > 0 else _meta(look.sighting),
            "tech_stack": [sign.name for sign in signs],
            "tech_evidence": signs,
            "reasons": reasons,
        }
    )


def without_site() -> Scan:
    """Return the scan of nothing: every field says why it is empty."""
    return _empty(None, NO_DOMAIN)


def unscanned(domain: str | None) -> Scan:
    """Return the scan of a domain that nobody has looked at."""
    return _empty(domain, NO_DOMAIN if domain is None else NOT_SCANNED)


def _empty(domain: str | None, why: str) -> Scan:
    reasons = {**dict.fromkeys(_OF_SITE, why), "competitors_found": NO_COMPETITORS, "repo_summary": NO_REPOSITORY}
    if domain is None:
        reasons["domain"] = why
    return Scan(domain=domain, reasons=reasons)


def without_repository(scan: Scan) -> Scan:
    """Return `scan` as it would be of its domain alone."""
    if scan.repo_url is None:
        return scan
    reasons = {**scan.reasons, "repo_summary": NO_REPOSITORY}
    error = (scan.error or "").removesuffix(scan.reasons.get("repo_summary", "")).strip() or None
    return scan.model_copy(update={"repo_url": None, "repo_summary": None, "reasons": reasons, "error": error})


def with_repository(scan: Scan, repo_url: str, look: RepositoryLook) -> Scan:
    """Return `scan` with what was found at `repo_url`; a failed look joins the scan's error."""
    reasons = {name: reason for name, reason in scan.reasons.items() if name != "repo_summary"}
    error = scan.error
    if look.facts is None:
        reasons["repo_summary"] = look.reason
        error = f"{error} {look.reason}" if error else look.reason
    return scan.model_copy(
        update={"repo_url": repo_url, "repo_summary": look.facts, "reasons": reasons, "error": error}
    )


def _dns(look: Look) -> Dns | None:
    if look.presence.status == "parked":
        return "parked"
    if look.in_dns is None:
        return None
    return "live" if look.in_dns else "none"


def _content(look: Look) -> Content | None:
    if look.presence.status == "parked":
        return "parked"
    if look.presence.status == "none":
        return "none"
    shown = look.sighting is not None and look.sighting.rank == 0
    return "site" if look.presence.status == "live" and shown else None


def _meta(sighting: Sighting) -> Meta:
    page = sighting.page
    excerpt = page.text[:EXCERPT_CHARS].rstrip() or None
    description = page.description or excerpt
    return Meta(
        title=page.title,
        description=description,
        description_from=("meta" if page.description else "text") if description else None,
        og_image=_image(sighting),
        language=page.root.get("lang", "").strip()[:LANGUAGE_CHARS] or None,
    )


def _image(sighting: Sighting) -> str | None:
    named = sighting.page.metas.get("og:image") or sighting.page.metas.get("og:image:url") or ""
    if not named.strip():
        return None
    try:
        # Only the address of a public host: it may be shown, and is not fetched here.
        return parse_url(urljoin(sighting.fetched.final_url, named.strip())).url
    except (OutboundRefused, ValueError):
        return None
