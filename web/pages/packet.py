"""A phase's packet as a document, `GET /projects/{project}/phases/{phase}`, and what changed between two versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from studio import events, shares
from studio.errors import StudioError
from studio.packets.diff import changes
from studio.projects import Project
from studio.storage.choice import look_url
from studio.views import packet as views
from studio.views.packet import File, PacketPage
from studio.views.project import phase_view
from web.identity.owner import OwnProject, SignedIn
from web.packet_view import PacketView, differences
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

# A page that stays open over a working day still shows what is in its frames.
_LINK = timedelta(hours=12)
_LARGEST = 2**31 - 1

_Version = Annotated[int | None, Query(ge=1, le=_LARGEST)]


@dataclass(frozen=True)
class Shown:
    """A file as the page shows it; `frame` is the address of one that can be looked at in place."""

    file: File
    frame: str | None


@router.get("/projects/{project_id}/phases/{phase}")
def packet(
    project: OwnProject,
    owner: SignedIn,
    phase: int,
    request: Request,
    version: _Version = None,
    against: _Version = None,
) -> Response:
    """Show a version of the packet, by default the latest, or what it changed against another one."""
    here = studio_site(request)
    seq = events.last_seq(here.db, project.id)
    found = views.packet_page(here.db, project, phase, version)
    shared: dict[str, Any] = {"project": project, "phase": phase, "seq": seq}
    shared |= _state(here, project, phase, None if found is None else found.version.version)
    if found is None:
        return page(request, "phase_empty.html", owner, **shared)
    shared |= {"found": found, "head": found.head}
    if against is not None:
        before = views.find_version(here.db, project, phase, against)
        found_changes = differences(changes(before.packet, found.version.packet))
        return page(request, "diff.html", owner, **shared, before=before, differences=found_changes)
    shared |= _shares(here, project, phase)
    shared |= {"view": PacketView.of(phase, found.version.packet), "files": _shown(here, found)}
    return page(request, "packet.html", owner, **shared)


@router.get("/parts/projects/{project_id}/phases/{phase}/state")
def state_part(project: OwnProject, owner: SignedIn, phase: int, request: Request, shown: _Version = None) -> Response:
    """Return where the phase stands, for a reader of version `shown`."""
    here = studio_site(request)
    return page(request, "parts/packet_state.html", owner, project=project, **_state(here, project, phase, shown))


@router.get("/parts/projects/{project_id}/phases/{phase}/empty")
def empty_part(project: OwnProject, owner: SignedIn, phase: int, request: Request) -> Response:
    """Return what a phase without a packet shows, or that the packet is there now."""
    here = studio_site(request)
    return page(request, "parts/phase_empty.html", owner, project=project, **_state(here, project, phase, None))


@router.get("/parts/projects/{project_id}/phases/{phase}/shares")
def shares_part(project: OwnProject, owner: SignedIn, phase: int, request: Request) -> Response:
    """Return the links by which the packet is shared."""
    here = studio_site(request)
    return page(request, "parts/packet_shares.html", owner, project=project, **_shares(here, project, phase))


def _state(here: StudioSite, project: Project, phase: int, shown: int | None) -> dict[str, Any]:
    return {"standing": phase_view(here.db, project, phase), "shown_version": shown}


def _shares(here: StudioSite, project: Project, phase: int) -> dict[str, Any]:
    links = [share for share in shares.listed(here.db, project.id) if share.phase == phase and share.live]
    return {"phase": phase, "shares": links, "share_days": shares.DAYS, "longest_days": shares.LONGEST_DAYS}


def _shown(here: StudioSite, found: PacketPage) -> list[Shown]:
    return [Shown(file, _frame(here, file)) for file in found.files]


def _frame(here: StudioSite, file: File) -> str | None:
    """Return a link to a page on the origin that never carries a session; None where it cannot be looked at."""
    if not file.html or file.entry.storage_path is None:
        return None
    try:
        return look_url(here.settings, file.entry.storage_path, _LINK)
    except StudioError:
        # Without an address of the pages, or while the file is away: it stands in the list without a look at it.
        return None
