"""`greenlight projects share`, `shares`, `unshare` and `export`: a packet leaves the studio, and its link is ended."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest

from studio import shares
from studio.database.connection import Database
from studio.errors import NotFound
from tests.integration.test_shares import save
from tests.support.cli import Greenlight


def test_a_packet_is_shared_and_taken_back(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing is shared" in greenlight("projects", "shares", project).said
    greenlight("projects", "share", project).fails("no packet of phase 0")
    save(db, project)
    greenlight("projects", "share", project).fails("GREENLIGHT_PAGES_URL")
    assert shares.listed(db, project) == []
    monkeypatch.setenv("GREENLIGHT_PAGES_URL", "https://pages.test")
    made = greenlight("projects", "share", project, "--days", 3)
    found = re.match(r"https://pages\.test/packet/share/(\S+)\n", made.out)
    assert found is not None
    assert shares.opened(db, found[1]).version == 1
    other = greenlight("projects", "share", project, "--json").json
    assert other["url"].endswith(other["token"])
    listed = greenlight("projects", "shares", project, "--json").json
    assert [(one["live"], "token" in one) for one in listed] == [(True, False)] * 2
    assert "no more" not in greenlight("projects", "unshare", project, listed[1]["id"]).said
    with pytest.raises(NotFound):
        shares.opened(db, found[1])
    assert greenlight("projects", "shares", project).out.count("revoked") == 1
    greenlight("projects", "unshare", project, project).fails("no share link")


def test_a_packet_is_written_as_a_pdf(greenlight: Greenlight, db: Database, project: UUID, tmp_path: Path) -> None:
    save(db, project, 1)
    file = tmp_path / "packet.pdf"
    done = greenlight("projects", "export", project, "--phase", 1, "-o", file)
    assert (done.code, file.read_bytes()[:5]) == (0, b"%PDF-")
    greenlight("projects", "export", project, "--phase", 2, "-o", file).fails("no such packet of phase 2")
    greenlight("projects", "export", project, "--phase", 1, "-o", tmp_path).fails("cannot be written")
