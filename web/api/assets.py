"""Files of a project: what the studio has made, what people have brought, and bringing something.

A file is never shown from the studio's own address: links lead to the origin of public pages, those for saving into
the bucket where there is one, and are good for minutes (domain specification §14, D11).
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse
from pydantic import Field

from studio import assets, uploads
from studio.assets import Asset
from studio.database.connection import Database
from studio.errors import Conflict, NotFound, RateLimited
from studio.storage.choice import look_url
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import LARGEST_INTEGER, Answer, Done, Object, SeedBody, Text
from web.errors import CHANGING, NAMED, Responses, errors
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import studio_site

router = owner_router("assets")

# So long a place for a file is taken at the least.
_AGAIN_SECONDS = 5

NAME_LIMIT = 300
TYPE_LIMIT = 200
_LED: Responses = {
    307: {
        "description": "The file is at `Location`, for some minutes.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class AssetAnswer(Answer):
    """A file. `contentHash` is the SHA-256 of its bytes in hex."""

    id: UUID
    project_id: UUID
    phase: int | None
    kind: str
    filename: str
    mime_type: str | None
    size_bytes: int | None
    content_hash: str | None
    status: str
    metadata: Object


class AssetsAnswer(Answer):
    """The newest files first."""

    assets: list[AssetAnswer]


class UploadBody(SeedBody):
    """A file that is about to come."""

    name: Annotated[Text, Field(min_length=1, max_length=NAME_LIMIT)]
    size: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
    type: Annotated[Text, Field(max_length=TYPE_LIMIT)] = ""


class UploadAnswer(Done):
    """Where the bytes belong: `PUT` them to `url`, to the studio itself with `token` in the header `x-upload-token`."""

    asset_id: UUID
    bucket: str
    path: str
    token: str
    url: str


class ReceivedAnswer(Done):
    """The bytes are there. The file counts once the upload is completed."""

    asset_id: UUID
    size: int


class CompleteBody(SeedBody):
    """Which upload has ended."""

    asset_id: UUID


class CompletedAnswer(Done):
    """The file counts from now on."""

    asset: AssetAnswer


@router.get("/api/projects/{project_id}/assets", responses=NAMED)
def list_assets(project: OwnProject, request: Request) -> AssetsAnswer:
    """Return the project's files, made and uploaded."""
    found = assets.find(studio_site(request).db, project.id)
    return AssetsAnswer(assets=[AssetAnswer.model_validate(asset) for asset in found])


@router.post("/api/projects/{project_id}/assets/upload-url", responses=CHANGING)
def announce_upload(project: OwnProject, owner: SignedIn, request: Request, body: UploadBody) -> UploadAnswer:
    """Announce a file; the answer says where its bytes belong."""
    here = studio_site(request)
    announced = committed(
        here.db,
        lambda conn: uploads.announce(
            conn, here.settings, project.id, name=body.name, size=body.size, mime_type=body.type, by=owner.clerk_id
        ),
    )
    ticket = uploads.ticket(here.settings, here.storage, announced)
    return UploadAnswer(
        asset_id=announced.asset_id,
        bucket=announced.bucket,
        path=announced.path,
        token=ticket.token,
        url=ticket.url or f"/api/projects/{project.id}/assets/{announced.asset_id}/content",
    )


@router.put(
    "/api/projects/{project_id}/assets/{asset_id}/content",
    responses={**CHANGING, **errors(410)},
    openapi_extra={"requestBody": {"required": True, "content": _BYTES}},
)
async def receive_upload(
    project: OwnProject,
    asset_id: UUID,
    request: Request,
    x_upload_token: Annotated[str | None, Header(description="What the announcement has answered with.")] = None,
) -> ReceivedAnswer:
    """Take the bytes of an announced file."""
    here = studio_site(request)
    announced = await run_in_threadpool(uploads.pending, here.db, project.id, asset_id)
    if x_upload_token is not None:
        uploads.admit(here.settings, asset_id, x_upload_token)
    # Each stands in memory while it comes. Counted in the loop's thread alone.
    if here.uploads.locked():
        raise RateLimited("Too many files are on their way.", "Try again in a moment.", retry_after=_AGAIN_SECONDS)
    async with here.uploads:
        body = uploads.Body(announced)
        async for chunk in request.stream():
            body.add(chunk)
        await run_in_threadpool(lambda: uploads.keep(here.storage, announced, body.content()))
    return ReceivedAnswer(asset_id=announced.asset_id, size=announced.size)


@router.post("/api/projects/{project_id}/assets/complete", responses=CHANGING)
def complete_upload(project: OwnProject, owner: SignedIn, request: Request, body: CompleteBody) -> CompletedAnswer:
    """Let an uploaded file count, if it is what was announced."""
    here = studio_site(request)
    asset = uploads.complete(here.db, here.storage, project.id, body.asset_id, by=owner.clerk_id)
    return CompletedAnswer(asset=AssetAnswer.model_validate(asset))


@router.get(
    "/api/projects/{project_id}/assets/{asset_id}/preview",
    status_code=307,
    response_class=RedirectResponse,
    responses={**NAMED, **errors(409), **_LED},
)
def preview_asset(project: OwnProject, asset_id: UUID, request: Request) -> RedirectResponse:
    """Lead to a file for looking at it; what was uploaded is only ever downloaded."""
    here = studio_site(request)
    asset = _own(here.db, project.id, asset_id)
    if asset.kind == uploads.KIND:
        return _led(uploads.download_url(here.settings, here.storage, asset))
    return _led(look_url(here.settings, asset.storage_path, uploads.DOWNLOAD_LIFETIME))


@router.get(
    "/api/projects/{project_id}/assets/{asset_id}/download",
    status_code=307,
    response_class=RedirectResponse,
    responses={**NAMED, **errors(409), **_LED},
)
def download_asset(project: OwnProject, asset_id: UUID, request: Request) -> RedirectResponse:
    """Lead to a file for saving it."""
    here = studio_site(request)
    return _led(uploads.download_url(here.settings, here.storage, _own(here.db, project.id, asset_id)))


def _own(db: Database, project_id: UUID, asset_id: UUID) -> Asset:
    missing = NotFound(f"The project has no file {asset_id}.")
    try:
        asset = assets.get(db, asset_id)
    except NotFound:
        raise missing from None
    if asset.project_id != project_id:
        raise missing
    if asset.status != "uploaded":
        raise Conflict(f"{asset.filename} is not there yet.")
    return asset


def _led(url: str) -> RedirectResponse:
    return RedirectResponse(url, 307, {"Cache-Control": "private, no-store"})
