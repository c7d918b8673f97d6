"""Supabase Storage for tests: a local server with the service's REST interface, as its own code has it.

What is taken from there: most errors come with the HTTP status 400 and the real one as `statusCode`; keys may hold
ASCII letters, figures and some marks only; a listing shows one folder, subfolders without an id; a signed link
carries a JWT that names bucket and key. The gateway before it knows API keys.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import re
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.listening import listening_socket

KEY = "service-role-key-of-a-test"
_VALID_KEY = re.compile(r"[\w/!\-.*'() &$@=;:+,?]+", re.ASCII)
_JWT_SECRET = b"the project's JWT secret"
_DEADLINE_SECONDS = 20.0


class Failure(Exception):
    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.body = {"statusCode": str(status), "error": error, "message": message}
        self.http = 500 if status == 500 else 400


@dataclass
class Thing:
    data: bytes
    content_type: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def described(self, name: str) -> dict[str, Any]:
        stamp = self.updated_at.isoformat().replace("+00:00", "Z")
        return {
            "name": name,
            "id": self.id,
            "updated_at": stamp,
            "created_at": stamp,
            "last_accessed_at": stamp,
            "metadata": {
                "eTag": f'"{hashlib.md5(self.data).hexdigest()}"',
                "size": len(self.data),
                "mimetype": self.content_type,
                "cacheControl": "max-age=3600",
                "lastModified": stamp,
                "contentLength": len(self.data),
                "httpStatusCode": 200,
            },
        }


class SupabaseServer:
    """The service on `url`, in a thread. `failing` answers for it while it is set; `requests` are those it got."""

    def __init__(self, listener: socket.socket | None = None) -> None:
        self.reset()
        self._socket = listener or listening_socket("127.0.0.1", 0)
        host, port = self._socket.getsockname()
        self.url = f"http://{host}:{port}"
        app = Starlette(
            routes=[
                Route("/storage/v1/bucket", self._create_bucket, methods=["POST"]),
                Route("/storage/v1/bucket/{bucket}", self._get_bucket, methods=["GET"]),
                Route("/storage/v1/object/list/{bucket}", self._list, methods=["POST"]),
                Route("/storage/v1/object/sign/{bucket}/{key:path}", self._sign, methods=["POST"]),
                Route("/storage/v1/object/sign/{bucket}/{key:path}", self._signed, methods=["GET"]),
                Route("/storage/v1/object/{bucket}", self._remove, methods=["DELETE"]),
                Route("/storage/v1/object/{bucket}/{key:path}", self._upload, methods=["POST"]),
                Route("/storage/v1/object/{bucket}/{key:path}", self._download, methods=["GET"]),
            ],
            exception_handlers={Failure: lambda _request, exc: JSONResponse(exc.body, exc.http)},
        )
        app.add_middleware(_Gateway, server=self)
        config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._server = uvicorn.Server(config)
        # Signals are the test runner's.
        self._server.capture_signals = _nothing  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._run, name="supabase", daemon=True)

    def reset(self) -> None:
        """Forget everything: no bucket, no object, no request."""
        self.buckets: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, Thing]] = {}
        self.failing: tuple[int, bytes] | None = None
        self.requests: list[tuple[str, str]] = []
        self.gateway_key = KEY
        self.location = ""

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> SupabaseServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(_DEADLINE_SECONDS)
        self._socket.close()

    # --- buckets

    async def _create_bucket(self, request: Request) -> Response:
        said = await request.json()
        if said["id"] in self.buckets:
            raise Failure(409, "Duplicate", "The resource already exists")
        self.make_bucket(said["id"], public=said.get("public", False), limit=said.get("file_size_limit"))
        return JSONResponse({"name": said["id"]})

    def make_bucket(self, name: str, *, public: bool = False, limit: int | None = None) -> None:
        stamp = datetime.now(UTC).isoformat()
        self.buckets[name] = {
            "id": name,
            "name": name,
            "owner": "",
            "public": public,
            "file_size_limit": limit,
            "allowed_mime_types": None,
            "created_at": stamp,
            "updated_at": stamp,
        }
        self.objects[name] = {}

    async def _get_bucket(self, request: Request) -> Response:
        return JSONResponse(self._bucket(request))

    def _bucket(self, request: Request) -> dict[str, Any]:
        found = self.buckets.get(request.path_params["bucket"])
        if found is None:
            raise Failure(404, "Bucket not found", "Bucket not found")
        return found

    def _thing(self, request: Request) -> Thing:
        self._bucket(request)
        found = self.objects[request.path_params["bucket"]].get(request.path_params["key"])
        if found is None:
            raise Failure(404, "not_found", "Object not found")
        return found

    # --- objects

    async def _upload(self, request: Request) -> Response:
        bucket, name, key = self._bucket(request), request.path_params["bucket"], request.path_params["key"]
        if not _VALID_KEY.fullmatch(key):
            raise Failure(400, "InvalidKey", f"Invalid key: {key}")
        async with request.form(max_part_size=64 * 1024 * 1024) as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            data, kind = await file.read(), file.content_type or "application/octet-stream"
        if bucket["file_size_limit"] is not None and len(data) > bucket["file_size_limit"]:
            raise Failure(413, "Payload too large", "The object exceeded the maximum allowed size")
        if key in self.objects[name] and request.headers.get("x-upsert") != "true":
            raise Failure(409, "Duplicate", "The resource already exists")
        self.objects[name][key] = thing = Thing(data, kind)
        return JSONResponse({"Key": f"{name}/{key}", "Id": thing.id})

    async def _download(self, request: Request) -> Response:
        thing = self._thing(request)
        return Response(thing.data, headers={"content-type": thing.content_type})

    async def _remove(self, request: Request) -> Response:
        self._bucket(request)
        prefixes = (await request.json())["prefixes"]
        if not prefixes:
            raise Failure(400, "Error", "body/prefixes must NOT have fewer than 1 items")
        objects = self.objects[request.path_params["bucket"]]
        gone = [(key, objects.pop(key)) for key in prefixes if key in objects]
        return JSONResponse([thing.described(key) for key, thing in gone])

    async def _list(self, request: Request) -> Response:
        self._bucket(request)
        said = await request.json()
        prefix = f"{said['prefix'].strip('/')}/".lstrip("/")
        entries: dict[str, dict[str, Any]] = {}
        for key, thing in self.objects[request.path_params["bucket"]].items():
            if key.startswith(prefix):
                name, slash, _ = key.removeprefix(prefix).partition("/")
                folder = {"name": name, "id": None, "updated_at": None, "created_at": None, "metadata": None}
                entries[name + slash] = folder if slash else thing.described(name)
        ordered = sorted(entries.values(), key=lambda entry: entry["name"])
        return JSONResponse(ordered[said["offset"] : said["offset"] + said["limit"]])

    # --- links

    async def _sign(self, request: Request) -> Response:
        self._thing(request)
        lifetime = int((await request.json())["expiresIn"])
        if lifetime < 1:
            raise Failure(400, "Error", "body/expiresIn must be >= 1")
        path = f"{request.path_params['bucket']}/{request.path_params['key']}"
        now = int(time.time())
        token = _jwt({"url": path, "iat": now, "exp": now + lifetime})
        return JSONResponse({"signedURL": f"/object/sign/{request.url.path.partition('/sign/')[2]}?token={token}"})

    async def _signed(self, request: Request) -> Response:
        said = _verified(request.query_params.get("token", ""))
        if said["url"] != f"{request.path_params['bucket']}/{request.path_params['key']}":
            raise Failure(400, "InvalidSignature", "The url do not match the signature")
        return await self._download(request)


class _Gateway:
    """What stands before the service: it counts, fails where a test wants that, and knows the API key."""

    def __init__(self, app: Any, server: SupabaseServer) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        self._server.requests.append((request.method, request.url.path))
        answer: Any = self._app
        if self._server.failing is not None:
            status, body = self._server.failing
            answer = Response(body, status, {"location": self._server.location}, media_type="application/json")
        elif not (request.method == "GET" and "/object/sign/" in request.url.path):
            if request.headers.get("apikey") != self._server.gateway_key:
                answer = JSONResponse({"message": "Invalid API key", "hint": "Double check it."}, 401)
            elif request.headers.get("authorization") != f"Bearer {KEY}":
                answer = JSONResponse(Failure(403, "Unauthorized", "Invalid Compact JWS").body, 400)
        await answer(scope, receive, send)


@contextmanager
def _nothing() -> Any:
    yield


def _jwt(payload: dict[str, Any]) -> str:
    parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, payload)]
    return ".".join([*parts, _signature(".".join(parts))])


def _verified(token: str) -> dict[str, Any]:
    said, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature, _signature(said)):
        raise Failure(400, "InvalidJWT", "signature verification failed")
    payload: dict[str, Any] = json.loads(base64.urlsafe_b64decode(said.partition(".")[2] + "=="))
    if payload["exp"] <= time.time():
        raise Failure(400, "InvalidJWT", '"exp" claim timestamp check failed')
    return payload


def _signature(said: str) -> str:
    return _base64(hmac.new(_JWT_SECRET, said.encode(), hashlib.sha256).digest())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
