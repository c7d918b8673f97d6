"""What every storage does, whichever it is: both run through the same tests, over real files and real HTTP."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from studio.errors import NotFound, StorageConflict, StorageRefused
from studio.storage import MAX_BYTES, Storage
from tests.integration.storage.conftest import opened
from tests.support.waiting import eventually

HTML = "text/html; charset=utf-8"

BAD_PATHS = {
    "empty": "",
    "absolute": "/etc/passwd",
    "climbing": "a/../../etc/passwd",
    "climbing at the start": "../a",
    "only dots": "..",
    "hidden": "a/.ssh",
    "this folder": "a/./b",
    "double slash": "a//b",
    "trailing slash": "a/",
    "backslash": "a\\..\\b",
    "nul": "a/b\x00.html",
    "newline": "a/b\nc",
    "escape": "a/\x1b[2J",
    "turns text around": "a/\u202egpj.exe",
    "lone surrogate": "a/\ud800",
    "trailing dot": "a/b.",
    "leading space": "a/ b",
    "long name": "a/" + "x" * 201,
    "long path": "/".join(["x" * 99] * 10),
    "long in another script": "/".join(["ä" * 90] * 4),
}

GOOD_PATHS = [
    "a",
    "p/phase-1/v2/landing.html",
    "p/Größe & Maß (neu), 100%.html",
    "p/日本語/資料.pptx",
    "p/a+b=c?d#e:f;g@h!'i'*$.txt",
    "p/%2e%2e/x",
    "p/=41.txt",
    "p/emoji 🎈.png",
    "p/" + "x" * 200,
]


def upload(storage: Storage, path: str, data: bytes = b"content", **options: object) -> None:
    storage.upload(path, data, **{"content_type": HTML, **options})  # type: ignore[arg-type]


def paths(storage: Storage, prefix: str = "") -> list[str]:
    return [file.path for file in storage.list(prefix)]


@pytest.mark.parametrize("data", [b"", b"<h1>Hello</h1>", bytes(range(256)) * 400], ids=["empty", "html", "binary"])
def test_what_was_uploaded_is_read_and_listed_as_it_was(storage: Storage, data: bytes) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    stored = storage.upload("p/phase-1/v1/page.html", data, content_type=HTML)
    assert (stored.path, stored.size_bytes, stored.content_type) == ("p/phase-1/v1/page.html", len(data), HTML)
    assert storage.read("p/phase-1/v1/page.html") == data
    [listed] = storage.list("p")
    assert (listed.path, listed.size_bytes, listed.content_type) == (stored.path, len(data), HTML)
    assert before < listed.modified_at < datetime.now(UTC) + timedelta(seconds=2)


def test_what_lies_there_is_replaced_only_on_purpose(storage: Storage) -> None:
    upload(storage, "p/a", b"first")
    with pytest.raises(StorageConflict, match="p/a"):
        upload(storage, "p/a", b"second")
    assert storage.read("p/a") == b"first"
    storage.upload("p/a", b"third", content_type="image/png", upsert=True)
    assert storage.read("p/a") == b"third"
    [listed] = storage.list("p")
    assert (listed.size_bytes, listed.content_type) == (5, "image/png")


def test_a_link_opens_the_file_for_anybody_and_expires(storage: Storage) -> None:
    upload(storage, "p/Maß 1.txt", b"secret words", content_type="text/plain; charset=utf-8")
    lasting = storage.signed_url("p/Maß 1.txt", expires_seconds=600)
    assert opened(lasting) == (200, b"secret words", "text/plain; charset=utf-8")
    short = storage.signed_url("p/Maß 1.txt", expires_seconds=1)
    expired = eventually(lambda: (found := opened(short)).status != 200 and found, 10, "the end of the link")
    assert b"secret" not in expired.body
    assert opened(lasting).status == 200


def test_a_link_is_good_for_its_own_file_only(storage: Storage) -> None:
    for name in ("one", "two"):
        upload(storage, f"p/{name}.txt", name.encode())
    link = storage.signed_url("p/one.txt", expires_seconds=600)
    for wrong in (
        link.replace("one.txt", "two.txt"),
        link.replace("p/one.txt", quote("p/../p/one.txt", safe="")),
        link[:-4] + ("AAAA" if link[-4:] != "AAAA" else "BBBB"),
        link.partition("?")[0],
        link.partition("=")[0] + "=",
    ):
        found = opened(wrong)
        assert found.status >= 400, wrong
        assert found.body not in (b"one", b"two")


def test_there_is_no_link_to_what_is_not_there(storage: Storage) -> None:
    upload(storage, "p/a")
    with pytest.raises(NotFound, match="p/b"):
        storage.signed_url("p/b", expires_seconds=60)


@pytest.mark.parametrize("seconds", [0, -1, 8 * 24 * 3600])
def test_a_link_lives_a_second_to_seven_days(storage: Storage, seconds: int) -> None:
    upload(storage, "p/a")
    with pytest.raises(StorageRefused, match=str(seconds)):
        storage.signed_url("p/a", expires_seconds=seconds)


def test_a_listing_is_of_a_folder_and_everything_below_it(storage: Storage) -> None:
    for path in ("p/1/b", "p/1/a", "p/1/sub/deep/c", "p/10/x", "q/1/a"):
        upload(storage, path)
    assert paths(storage) == ["p/1/a", "p/1/b", "p/1/sub/deep/c", "p/10/x", "q/1/a"]
    assert paths(storage, "p/1") == paths(storage, "p/1/") == ["p/1/a", "p/1/b", "p/1/sub/deep/c"]
    assert paths(storage, "p/2") == []


def test_a_long_listing_is_whole(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.storage.bucket.PAGE", 7)
    for number in range(20):
        upload(storage, f"p/{number:03}")
        upload(storage, f"p/folder-{number:03}/x")
    assert paths(storage, "p") == sorted(
        [f"p/{number:03}" for number in range(20)] + [f"p/folder-{number:03}/x" for number in range(20)]
    )


def test_what_is_deleted_is_gone_and_the_rest_stays(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.storage.bucket.PAGE", 2)
    for name in "abcdef":
        upload(storage, f"p/{name}")
    link = storage.signed_url("p/a", expires_seconds=600)
    storage.delete(["p/a", "p/b", "p/c", "p/never there", "p/d", "p/e"])
    storage.delete([])
    assert paths(storage) == ["p/f"]
    with pytest.raises(NotFound, match="p/a"):
        storage.read("p/a")
    assert opened(link).status >= 400
    upload(storage, "p/a", b"again")
    assert storage.read("p/a") == b"again"


def test_nothing_larger_than_25_mebibytes_is_stored(storage: Storage) -> None:
    upload(storage, "p/full", bytes(MAX_BYTES))
    assert len(storage.read("p/full")) == MAX_BYTES
    with pytest.raises(StorageRefused, match="25 MiB"):
        upload(storage, "p/more", bytes(MAX_BYTES + 1))
    assert paths(storage) == ["p/full"]


@pytest.mark.parametrize("path", BAD_PATHS.values(), ids=BAD_PATHS.keys())
def test_a_bad_path_is_refused_by_every_method(storage: Storage, path: str) -> None:
    for attempt in (
        lambda: upload(storage, path),
        lambda: storage.read(path),
        lambda: storage.signed_url(path, expires_seconds=60),
        lambda: storage.delete([path]),
    ):
        with pytest.raises(StorageRefused, match="path"):
            attempt()
    assert paths(storage) == []


def test_a_name_may_be_of_any_script_and_hold_any_mark(storage: Storage) -> None:
    for number, path in enumerate(GOOD_PATHS):
        upload(storage, path, str(number).encode())
    for number, path in enumerate(GOOD_PATHS):
        assert storage.read(path) == str(number).encode(), path
        assert opened(storage.signed_url(path, expires_seconds=60)).body == str(number).encode(), path
    assert paths(storage) == sorted(GOOD_PATHS)


def test_a_name_is_the_same_however_its_accents_are_written(storage: Storage) -> None:
    upload(storage, "p/Cafe\u0301.txt", b"one")
    assert storage.read("p/Caf\u00e9.txt") == b"one"
    assert paths(storage) == ["p/Caf\u00e9.txt"]


@pytest.mark.parametrize("kind", ["", "html", "text/", "text/html\r\nX-Evil: 1", "text/ü"])
def test_a_content_type_that_no_header_can_hold_is_refused(storage: Storage, kind: str) -> None:
    with pytest.raises(StorageRefused, match="content type"):
        upload(storage, "p/a", content_type=kind)


def test_of_many_who_write_at_once_one_is_whole(storage: Storage) -> None:
    written = {f"type/{number}": bytes([number]) * 300_000 for number in range(8)}
    barrier = threading.Barrier(len(written))

    def write(kind: str, data: bytes) -> None:
        barrier.wait()
        storage.upload("p/a", data, content_type=kind, upsert=True)

    threads = [threading.Thread(target=write, args=item) for item in written.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [listed] = storage.list("")
    assert storage.read("p/a") == written[listed.content_type]


def test_of_many_who_come_first_only_one_does(storage: Storage) -> None:
    upload(storage, "p/there")
    barrier = threading.Barrier(6)
    outcomes: list[str] = []

    def write(number: int) -> None:
        barrier.wait()
        try:
            upload(storage, "p/a", str(number).encode())
            outcomes.append("stored")
        except StorageConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 5 + ["stored"]
