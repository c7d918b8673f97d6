"""What can go wrong with Supabase Storage, and what a person then reads: a retry helps, or a setting is wrong."""

from __future__ import annotations

import socket

import pytest

from studio.errors import NotFound, SettingsError, StorageRefused, StorageUnavailable, StudioError
from studio.settings import Settings
from studio.storage import BUCKET, MAX_BYTES, storage_from_settings
from studio.storage.bucket import SupabaseStorage
from studio.storage.folder import FolderStorage
from tests.support.supabase_storage import KEY, SupabaseServer


def use(storage: SupabaseStorage) -> dict[str, StudioError | None]:
    """Try everything; return what each method raised."""
    found: dict[str, StudioError | None] = {}
    for name, attempt in {
        "upload": lambda: storage.upload("p/a", b"x", content_type="text/plain"),
        "read": lambda: storage.read("p/a"),
        "signed_url": lambda: storage.signed_url("p/a", expires_seconds=60),
        "list": lambda: storage.list("p"),
        "delete": lambda: storage.delete(["p/a"]),
        "is_public": storage.is_public,
    }.items():
        try:
            attempt()
            found[name] = None
        except StudioError as exc:
            found[name] = exc
    return found


def test_the_bucket_is_made_private_and_bounded_by_the_first_upload(
    supabase: SupabaseServer, bucket: SupabaseStorage
) -> None:
    assert bucket.list("") == []
    assert bucket.is_public() is None
    bucket.delete(["p/a"])
    with pytest.raises(NotFound):
        bucket.read("p/a")
    assert supabase.buckets == {}
    bucket.upload("p/a", b"x", content_type="text/plain")
    assert (supabase.buckets[BUCKET]["public"], supabase.buckets[BUCKET]["file_size_limit"]) == (False, MAX_BYTES)
    assert bucket.is_public() is False


def test_a_bucket_that_everybody_reads_is_noticed(supabase: SupabaseServer, bucket: SupabaseStorage) -> None:
    supabase.make_bucket(BUCKET, public=True)
    assert bucket.is_public() is True


def test_a_smaller_limit_of_the_project_is_a_refusal(supabase: SupabaseServer, bucket: SupabaseStorage) -> None:
    supabase.make_bucket(BUCKET, limit=3)
    with pytest.raises(StorageRefused, match="maximum allowed size"):
        bucket.upload("p/a", b"four", content_type="text/plain")


def test_a_server_that_is_not_there_is_worth_a_retry() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    storage = SupabaseStorage(f"http://127.0.0.1:{port}", KEY)
    found = use(storage)
    storage.close()
    assert {type(exc) for exc in found.values()} == {StorageUnavailable}, found
    assert not any(exc.permanent for exc in found.values() if exc)


def test_a_server_that_does_not_answer_is_worth_a_retry() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        storage = SupabaseStorage(f"http://127.0.0.1:{silent.getsockname()[1]}", KEY, timeout=0.2)
        with pytest.raises(StorageUnavailable, match="in time"):
            storage.read("p/a")
        storage.close()


@pytest.mark.parametrize("known_to_the_gateway", [False, True])
def test_a_wrong_key_is_named_and_no_retry_helps(supabase: SupabaseServer, known_to_the_gateway: bool) -> None:
    key = "the-key-of-another-project"
    if known_to_the_gateway:
        supabase.gateway_key = key
    storage = SupabaseStorage(supabase.url, key)
    found = use(storage)
    storage.close()
    assert {type(exc) for exc in found.values()} == {StorageRefused}, found
    assert all("SUPABASE_SERVICE_ROLE_KEY" in str(exc) for exc in found.values())
    assert key not in str(found)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"statusCode":"500","error":"Internal","message":"Internal Server Error"}'),
        (400, b'{"statusCode":"503","error":"SlowDown","message":"Slow down"}'),
        (544, b'{"statusCode":"544","error":"DatabaseTimeout","message":"timed out"}'),
        (429, b'{"message":"Too many requests"}'),
        (502, b"<html>Bad gateway</html>"),
        (200, b"<html>A captive portal</html>"),
        (200, b""),
    ],
)
def test_a_service_in_trouble_is_worth_a_retry(
    supabase: SupabaseServer, bucket: SupabaseStorage, status: int, body: bytes
) -> None:
    supabase.failing = (status, body)
    found = use(bucket)
    if status == 200:
        del found["read"]  # any bytes are a file
    assert {type(exc) for exc in found.values()} == {StorageUnavailable}, found


def test_the_key_goes_nowhere_else(supabase: SupabaseServer, bucket: SupabaseStorage) -> None:
    """A redirect is not followed: it would carry the key to whoever it names."""
    with SupabaseServer() as elsewhere:
        supabase.failing = (307, b"")
        supabase.location = f"{elsewhere.url}/storage/v1/object/list/project-assets"
        found = use(bucket)
        assert elsewhere.requests == []
    assert None not in found.values()


def test_the_settings_choose(supabase: SupabaseServer) -> None:
    assert isinstance(storage_from_settings(Settings()), FolderStorage)
    configured = Settings.model_validate({"supabase_url": supabase.url, "supabase_service_role_key": KEY})
    chosen = storage_from_settings(configured)
    assert isinstance(chosen, SupabaseStorage)
    assert storage_from_settings(configured) is chosen, "connections are kept"


@pytest.mark.parametrize(
    ("values", "lacking"),
    [
        ({"supabase_url": "https://x.supabase.co"}, "SUPABASE_SERVICE_ROLE_KEY"),
        ({"supabase_service_role_key": KEY}, "SUPABASE_URL"),
        ({"supabase_url": "x.supabase.co", "supabase_service_role_key": KEY}, "SUPABASE_URL"),
    ],
)
def test_half_a_configuration_is_an_error_that_names_the_rest(values: dict[str, str], lacking: str) -> None:
    with pytest.raises(SettingsError, match=lacking):
        storage_from_settings(Settings.model_validate(values))
