"""The private bucket of a Supabase project.

Supabase answers most errors with the HTTP status 400 and the real one in the body, as `statusCode`; its
gateway answers some by itself. Both arrive here as the client's `StorageApiError`.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import ValidationError
from storage3.exceptions import StorageApiError

from studio.errors import NotFound, SettingsError, StorageConflict, StorageError, StorageRefused, StorageUnavailable
from studio.storage.base import (
    BUCKET,
    MAX_BYTES,
    StoredFile,
    checked_lifetime,
    checked_size,
    checked_type,
    missing,
)
from studio.storage.paths import checked_path, checked_prefix, key_of, path_of
from studio.tracing import names, record
from studio.tracing.headers import STATUS, trace_headers
from supabase import Client, ClientOptions, SupabaseException, create_client

# 25 MiB in this time are 4 Mbit/s.
TIMEOUT_SECONDS = 60.0
CONNECT_SECONDS = 10.0
# What one listing returns at most, and one deletion takes (the hosted service's own limit).
PAGE = 1000
# Assets never change under their path.
_CACHE_SECONDS = "3600"
_BUSY = frozenset({423, 429})


class SupabaseStorage:
    """The bucket `project-assets` of the Supabase project at `url`, with its service role key.

    The bucket is made, private, when the first upload finds none.
    """

    def __init__(self, url: str, key: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        """Connect to nothing yet. Raise `SettingsError` where `url` or `key` cannot be right."""
        # The client's own HTTP client follows redirects, which would carry the key elsewhere.
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
            follow_redirects=False,
            # What is sent is what there is, so that it can be bounded while it comes.
            headers={"accept-encoding": "identity"},
            event_hooks={"request": [_trace], "response": [_traced, _bound]},
        )
        options = ClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=self._http)
        try:
            self._client: Client = create_client(url, key, options)
        except SupabaseException as exc:
            raise SettingsError(
                f"Supabase cannot be used: {exc}.", "Check SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY."
            ) from exc
        self._bucket = self._client.storage.from_(BUCKET)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def upload(self, path: str, data: bytes, *, content_type: str, upsert: bool = False) -> StoredFile:
        """See `Storage.upload`."""
        path = checked_path(path)
        checked_size(path, data)
        checked_type(content_type)
        with _explained(path):
            try:
                self._put(path, data, content_type, upsert)
            except StorageApiError as exc:
                if not _no_bucket(exc):
                    raise
                self._make_bucket()
                self._put(path, data, content_type, upsert)
        return StoredFile(path, len(data), content_type, datetime.now(UTC))

    def read(self, path: str) -> bytes:
        """See `Storage.read`."""
        path = checked_path(path)
        with _explained(path):
            return self._bucket.download(key_of(path))

    def signed_url(self, path: str, *, expires_seconds: int) -> str:
        """See `Storage.signed_url`."""
        path = checked_path(path)
        checked_lifetime(expires_seconds)
        with _explained(path):
            url = self._bucket.create_signed_url(key_of(path), expires_seconds)["signedUrl"]
        if url is None:
            raise missing(path)
        return url

    def signed_upload(self, path: str) -> tuple[str, str]:
        """Return address and token with which a browser can store a file under `path` itself, once, for two hours."""
        key = key_of(checked_path(path))
        with _explained(path):
            try:
                signed = self._bucket.create_signed_upload_url(key)
            except StorageApiError as exc:
                if not _no_bucket(exc):
                    raise
                self._make_bucket()
                signed = self._bucket.create_signed_upload_url(key)
        return signed["signed_url"], signed["token"]

    def attachment_url(self, path: str, filename: str, *, expires_seconds: int) -> str:
        """Return a link like `signed_url`, under which a browser saves the file as `filename`."""
        path = checked_path(path)
        checked_lifetime(expires_seconds)
        with _explained(path):
            url = self._bucket.create_signed_url(key_of(path), expires_seconds, {"download": filename})["signedUrl"]
        if url is None:
            raise missing(path)
        return url

    def list(self, prefix: str) -> builtins.list[StoredFile]:
        """See `Storage.list`."""
        folders = [key_of(checked_prefix(prefix))]
        found: builtins.list[StoredFile] = []
        with contextlib.suppress(NotFound), _explained(prefix):
            # A folder at a time, which every version of the service can do.
            while folders:
                folder = folders.pop()
                for entry in self._entries(folder):
                    key = f"{folder}/{entry['name']}".lstrip("/")
                    if entry.get("id") is None:
                        folders.append(key)
                    else:
                        found.append(_file(key, entry))
        return sorted(found, key=lambda file: file.path)

    def delete(self, paths: Sequence[str]) -> None:
        """See `Storage.delete`."""
        keys = [key_of(checked_path(path)) for path in paths]
        # Without a bucket there is nothing to delete.
        with contextlib.suppress(NotFound), _explained("the files to delete"):
            for start in range(0, len(keys), PAGE):
                self._bucket.remove(keys[start : start + PAGE])

    def is_public(self) -> bool | None:
        """See `Storage.is_public`."""
        try:
            with _explained("the bucket"):
                return self._client.storage.get_bucket(BUCKET).public
        except NotFound:
            return None

    # --- inside

    def _put(self, path: str, data: bytes, content_type: str, upsert: bool) -> None:
        self._bucket.upload(
            key_of(path),
            data,
            {
                "content-type": content_type,
                "cache-control": _CACHE_SECONDS,
                "upsert": "true" if upsert else "false",
            },
        )

    def _make_bucket(self) -> None:
        try:
            self._client.storage.create_bucket(BUCKET, options={"public": False, "file_size_limit": MAX_BYTES})
        except StorageApiError as exc:
            # Somebody else has just made it.
            if _status(exc) != httpx.codes.CONFLICT:
                raise

    def _entries(self, folder: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._bucket.list(folder, {"limit": PAGE, "offset": offset})
            yield from page
            if len(page) < PAGE:
                return
            offset += len(page)


class _Bounded(httpx.SyncByteStream):
    """An answer's body, up to what the largest file has."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        left = MAX_BYTES
        for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise StorageRefused(
                    f"Supabase Storage sends more than {MAX_BYTES:,} bytes (25 MiB).",
                    "Remove the file from the bucket.",
                )
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _trace(request: httpx.Request) -> None:
    request.headers.update(trace_headers())
    request.extensions["greenlight_began"] = time.perf_counter_ns()


def _traced(response: httpx.Response) -> None:
    request = response.request
    attributes = {
        "http.request.method": request.method,
        "server.address": request.url.host,
        "url.path": request.url.path,
        STATUS: response.status_code,
    }
    began = request.extensions["greenlight_began"]
    record(names.named(names.HTTP, request.method.lower()), began, time.perf_counter_ns(), attributes)


def _bound(response: httpx.Response) -> None:
    # Other clients write to the bucket too, and one that somebody else has made may have no limit.
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _Bounded(response.stream)


def _file(key: str, entry: dict[str, Any]) -> StoredFile:
    metadata = entry.get("metadata") or {}
    return StoredFile(
        path_of(key),
        int(metadata.get("size", 0)),
        str(metadata.get("mimetype", "")),
        datetime.fromisoformat(entry["updated_at"]),
    )


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as exc:
        raise _unavailable("does not answer in time") from exc
    except httpx.TransportError as exc:
        raise _unavailable(f"cannot be reached ({exc})") from exc
    except StorageApiError as exc:
        raise _translated(exc, path) from exc
    except (json.JSONDecodeError, ValidationError, KeyError, TypeError) as exc:
        raise _unavailable("gives answers that are not those of Supabase Storage") from exc


def _unavailable(what: str) -> StorageUnavailable:
    return StorageUnavailable(f"Supabase Storage {what}.", "It is retried; check SUPABASE_URL and the service.")


def _translated(exc: StorageApiError, path: str) -> StorageError | Exception:
    status = _status(exc)
    said = " ".join(str(exc.message).split())[:300]
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _BUSY:
        return _unavailable(f"is not able to serve now: {said}")
    # Where nothing has been stored yet, there is no bucket either.
    if status == httpx.codes.NOT_FOUND or _no_bucket(exc):
        return missing(path)
    if status == httpx.codes.CONFLICT:
        return StorageConflict(f"A file lies under {path} already.", "Choose another path, or replace it on purpose.")
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) or _is_about_the_key(exc):
        return StorageRefused(f"Supabase Storage refuses the key: {said}.", "Check SUPABASE_SERVICE_ROLE_KEY.")
    return StorageRefused(f"Supabase Storage refuses {path}: {said}.", "Check the path, the size and the type.")


def _status(exc: StorageApiError) -> int:
    return int(exc.status) if str(exc.status).isdigit() else int(httpx.codes.BAD_REQUEST)


def _no_bucket(exc: StorageApiError) -> bool:
    return str(exc.code) in ("Bucket not found", "NoSuchBucket") or str(exc.message) == "Bucket not found"


def _is_about_the_key(exc: StorageApiError) -> bool:
    return str(exc.code) in ("InvalidJWT", "Invalid JWT", "Unauthorized", "jwt")
