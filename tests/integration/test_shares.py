"""A share link shows one version of a packet to whoever has it, nothing else of the project, and not for ever."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import lifecycle, shares
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, LinkRefused, NotFound
from studio.model.spend import Spent
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.queue import NewJob, enqueue
from studio.settings import Settings
from studio.shares import Share
from studio.text import canonical_json
from tests.support import deck_samples
from tests.support.postgres import TestServer
from tests.support.rows import make_owner


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has a project of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as opened:
        yield opened


@pytest.fixture
def project(db: Database) -> UUID:
    with db.transaction() as conn:
        return UUID(str(make_owner(conn, f"ada-{uuid4()}").project_id))


def save(
    db: Database, project: UUID, phase: int = 0, *, model: str = "claude-sonnet-4-5", **changes: Any
) -> PacketVersion:
    packet = (deck_samples.pitch, deck_samples.validation)[phase]() | changes
    with db.transaction() as conn:
        job = enqueue(conn, NewJob("phase0.generate_packet", project, {"projectId": str(project), "ownerClerkId": "a"}))
        return versions.save(
            conn,
            project,
            phase,
            packet,
            synopsis=packet["reasoning_synopsis"],
            job_id=job.job_id,
            claim_no=1,
            model=model,
            prompt_version="p",
            spent=Spent(0, 0, 0, 0, 0),
            provenance={"secret": "none of a stranger's business"},
        )


def create(db: Database, project: UUID, phase: int = 0, **options: Any) -> Share:
    with db.transaction() as conn:
        return shares.create(conn, project, phase, created_by="user_ada_7", **options)


def token(share: Share) -> str:
    assert share.token is not None
    return share.token


def ledger(db: Database, project: UUID) -> list[str]:
    rows = db.fetch_all("select event_type from project_events where project_id = %s order by created_at", [project])
    return [row["event_type"] for row in rows]


def refusal(db: Database, of: str) -> tuple[type[Exception], str]:
    with pytest.raises((NotFound, LinkRefused)) as caught:
        shares.opened(db, of)
    return caught.type, str(caught.value)


def test_a_link_shows_the_version_it_was_made_for(db: Database, project: UUID) -> None:
    save(db, project)
    share = create(db, project)
    save(db, project, tagline="Something else by now")
    shown = shares.opened(db, token(share))
    assert (shown.project_name, shown.phase, shown.version) == ("A", 0, 1)
    assert shown.packet["tagline"] == deck_samples.pitch()["tagline"]
    assert (shown.verdict, shown.confidence, shown.sandbox, shown.readable) == ("greenlight", 64, False, True)
    assert next(source.url for source in shown.sources) == deck_samples.LENDLY["url"]
    assert shares.opened(db, token(create(db, project))).packet["tagline"] == "Something else by now"
    assert shares.opened(db, token(create(db, project, version=1))).version == 1
    assert ledger(db, project) == ["packet.shared"] * 3


def test_nothing_of_the_owner_or_the_work_is_shown(db: Database, project: UUID) -> None:
    version = save(db, project, 1, model="sandbox-1", internal={"cost": 12})
    share = create(db, project, 1)
    shown = shares.opened(db, token(share))
    said = canonical_json({key: str(value) for key, value in dataclasses.asdict(shown).items()})
    hidden = [
        project,
        version.id,
        version.source_job_id,
        share.id,
        "user_ada_7",
        "sandbox-1",
        "internal",
        "proposed_actions",
    ]
    assert [one for one in map(str, hidden) if one in said] == []
    assert shown.sandbox


def test_the_database_holds_no_token(db: Database, project: UUID) -> None:
    save(db, project)
    share = create(db, project)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token(share))
    row = db.fetch_one("select token from packet_share_links where id = %s", [share.id])
    assert row is not None
    assert token(share) not in row["token"]
    # What a copy of the database tells opens nothing either.
    assert refusal(db, row["token"])[0] is NotFound
    assert [one.token for one in shares.listed(db, project)] == [None]


def test_unknown_revoked_and_killed_look_the_same(db: Database, project: UUID) -> None:
    save(db, project)
    unknown = refusal(db, "x" * 43)
    revoked = create(db, project)
    killed = create(db, project)
    with db.transaction() as conn:
        assert shares.revoke(conn, project, revoked.id, "ada")
        assert not shares.revoke(conn, project, revoked.id, "ada")
    assert refusal(db, token(revoked)) == unknown
    assert shares.opened(db, token(killed))
    lifecycle.set_status(db, project, "killed", "ada")
    assert refusal(db, token(killed)) == unknown
    assert [refusal(db, bad) for bad in ("", "a b", "x" * 500, "\x00" * 20, "%' or true")] == [unknown] * 5
    with pytest.raises(Conflict, match="killed"):
        create(db, project)
    assert ledger(db, project).count("packet.share_revoked") == 1


def test_a_link_expires_by_the_clock_of_the_database(db: Database, project: UUID) -> None:
    save(db, project)
    share = create(db, project, days=2)
    row = db.fetch_one("select expires_at - created_at as life from packet_share_links where id = %s", [share.id])
    assert row is not None
    assert row["life"].days == 2
    db.execute("update packet_share_links set expires_at = now() where id = %s", [share.id])
    with pytest.raises(LinkRefused) as caught:
        shares.opened(db, token(share))
    assert caught.value.expired
    assert [one.live for one in shares.listed(db, project)] == [False]
    with db.transaction() as conn:
        shares.revoke(conn, project, share.id, "ada")
    assert refusal(db, token(share))[0] is NotFound


def test_another_projects_links_look_missing(db: Database, project: UUID) -> None:
    save(db, project)
    share = create(db, project)
    with db.transaction() as conn:
        stranger = UUID(str(make_owner(conn, f"bob-{uuid4()}").project_id))
    with db.transaction() as conn, pytest.raises(NotFound):
        shares.revoke(conn, stranger, share.id, "bob")
    assert shares.listed(db, stranger) == []
    assert shares.opened(db, token(share))


def test_what_cannot_be_shared_is_refused(db: Database, project: UUID) -> None:
    with pytest.raises(NotFound, match="no packet of phase 0"):
        create(db, project)
    save(db, project)
    with pytest.raises(NotFound, match="no version 7"):
        create(db, project, version=7)
    with pytest.raises(NotFound, match="no project"):
        create(db, uuid4())
    for days in (0, 366, -1):
        with pytest.raises(InvalidInput, match="1 to 365 days"):
            create(db, project, days=days)
    with pytest.raises(InvalidInput, match="no phase 4"):
        create(db, project, 4)


def test_a_project_has_so_many_live_links(db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "LIVE_LINKS", 2)
    save(db, project)
    first = create(db, project)
    create(db, project)
    with pytest.raises(Conflict, match="2 live share links"):
        create(db, project)
    with db.transaction() as conn:
        shares.revoke(conn, project, first.id, "ada")
    create(db, project)


def test_links_of_another_client_show_what_was_there_when_they_were_made(db: Database, project: UUID) -> None:
    """They hold the token itself, and know no versions."""
    save(db, project)
    raw = f"legacy-{uuid4()}"
    db.execute("insert into packet_share_links (project_id, token) values (%s, %s)", [project, raw])
    save(db, project, tagline="Later")
    assert shares.opened(db, raw).version == 1
    assert [(one.version, one.live) for one in shares.listed(db, project)] == [(None, True)]


def test_a_packet_in_another_shape_shows_only_what_a_packet_has(db: Database, project: UUID) -> None:
    packet = {"tagline": "Ours", "owner_email": "ada@example.org", "recommendation": "kill"}
    db.execute(
        "insert into phase_packets (project_id, phase, packet, confidence, synopsis)"
        " values (%s, 0, %s::jsonb, 5, '{}')",
        [project, json.dumps(packet)],
    )
    shown = shares.opened(db, token(create(db, project)))
    assert (shown.packet, shown.readable) == ({"tagline": "Ours", "recommendation": "kill"}, False)


def test_the_address_is_on_the_public_pages() -> None:
    settings = Settings.model_validate({"pages_base_url": "https://pages.test/", "app_base_url": "https://app.test"})
    assert shares.share_url(settings, "abc") == "https://pages.test/packet/share/abc"
