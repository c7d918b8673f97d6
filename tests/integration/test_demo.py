"""`make demo`: an idea becomes a packet on a stack of its own, the last line says so as JSON, and nothing stays."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image

from studio.job_types import CHECKS
from studio.paths import ROOT
from tests.support.demos import left_behind
from tests.support.size import FULL

KEYS = {
    "job_id",
    "project_id",
    "packet_id",
    "status",
    "recommendation",
    "confidence",
    "events",
    "dagster_run_id",
    "attempt",
    "seconds",
}
# On a busy machine all four phases take many minutes.
LIMIT_SECONDS = 900
pytestmark = pytest.mark.timeout(LIMIT_SECONDS + 30)
TRICKY = """Say "drills" & `ladders`; it's $50 or $(HOME) for 100% of us #1 \\o/"""


def demo(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with its temporary files below `folder`."""
    kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "PYTHONPATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    return subprocess.run(
        [Path(sys.executable).with_name("greenlight"), "demo", *arguments],
        env={**environment, "TMPDIR": str(folder), **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def git(repository: Path, *arguments: str) -> str:
    """Ask git; root may read what another user has made."""
    command = ["git", "-c", "safe.directory=*", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("d")


def test_an_idea_of_ones_own_becomes_a_packet_and_nothing_stays(folder: Path) -> None:
    done = demo(folder, "--", "-- A map of quiet cafés for people who work on the road")
    assert done.returncode == 0, done.stdout + done.stderr
    *shown, last = done.stdout.strip().splitlines()
    result = json.loads(last)
    assert set(result) == KEYS
    assert (result["status"], result["attempt"]) == ("completed", 1)
    assert result["recommendation"] in ("greenlight", "revise", "kill")
    assert 0 <= result["confidence"] <= 100
    assert result["events"] > 20
    assert result["seconds"] > 0
    for name in ("job_id", "project_id", "packet_id", "dagster_run_id"):
        UUID(result[name])
    text = "\n".join(shown)
    # The steps as they went, what they cost, and the packet for people.
    for word in ("load_context", "synthesize", "announce", "$", "tokens", result["recommendation"]):
        assert word in text.lower(), f"{word} is not shown"
    assert left_behind(folder) == [], done.stdout + done.stderr


def test_an_idea_goes_all_the_way_and_what_it_became_is_kept(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    done = demo(folder, "--full", "--keep", str(kept), "--", "A tea shop: tins that tell where the leaves grew")
    assert done.returncode == 0, done.stdout + done.stderr
    *shown, last = done.stdout.strip().splitlines()
    result = json.loads(last)
    counted = ("status", "phase", "live", "packets", "published", "confirmed_signups", "decks")
    assert [result[name] for name in counted] == ["completed", 4, True, 4, True, 1, 5]
    # Four gates, the page, the welcome sequence and the lifecycle mail: each asked for once, and carried out once.
    assert (result["decisions"], result["executions"]) == ({"approved": 7}, {"completed": 3})
    assert set(result["jobs"]) == {"completed"}
    assert set(result["mails"]) == {"sent", "queued"}, "mails of later days wait, and no other"
    assert all("picture" in entry for entry in result["missing"])

    # The published page was looked at, code was written and tested, and a report says that nothing was found.
    check = result["page_check"]
    assert check["passed"]
    assert set(check["checks"]) == set(CHECKS)
    assert "failed" not in check["checks"].values()
    for picture in check["pictures"]:
        with Image.open(picture) as opened:
            assert opened.width in (375, 1440)
    code = result["code"]
    assert (code["finished"], set(code["checks"].values())) == (True, {"passed"})
    bare = Path(result["folder"]) / "repository.git"
    named = git(bare, "log", "-1", "--format=%H", code["branch"]).strip()
    assert named == code["commit"]
    report = result["report"]
    assert (report["pages"], report["nothing_found"]) == (3, True)
    assert Path(report["storage_path"]).read_bytes().startswith(b"%PDF-")

    # What was approved is what lies there, and what a visitor saw.
    made = Path(result["folder"])
    page = (made / "page.html").read_bytes()
    assert page == (made / "files/phase-1/v1/landing.html").read_bytes()
    assert hashlib.sha256(page).hexdigest() in done.stdout
    # To the visitor the confirmation and two mails that were approved; to the founder a welcome and four notices.
    to = Counter(path.name.split("_")[1] for path in (made / "outbox").glob("*.eml"))
    assert to == {"visitor@example.org": 3, "founder@example.org": 5}
    # What the agent kept for its own next attempt is no result.
    assert [path.name for path in (made / "files/code").rglob("*") if path.is_file()] == ["code.tar.gz"]
    for name in (*(f"phase-{n}/v1/phase-{n}-packet.pptx" for n in range(4)), "phase-1/v1/brand-brief.pptx"):
        assert zipfile.is_zipfile(made / "files" / name), name
    text = " ".join(" ".join(shown).split())
    for word in ("(given by the demo)", "has confirmed the address", "SHA-256"):
        assert word in text, f"{word} is not shown"
    assert left_behind(folder) == [], done.stdout + done.stderr


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more stack")
def test_a_job_that_does_not_complete_is_no_success(folder: Path) -> None:
    done = demo(folder, GREENLIGHT_PROJECT_TOKEN_CAP="0")
    assert done.returncode == 1
    assert done.stdout, done.stderr
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert set(result) == KEYS
    assert (result["status"], result["packet_id"], result["recommendation"]) == ("failed", None, None)
    assert "budget" in done.stderr.lower()
    assert "Traceback" not in done.stdout + done.stderr
    assert left_behind(folder) == []


@pytest.mark.parametrize(
    ("arguments", "said"), [(["   "], "The idea is empty."), (["A tea shop", "--domain", "127.0.0.1"], "not a domain")]
)
def test_what_cannot_be_used_starts_nothing(folder: Path, arguments: list[str], said: str) -> None:
    done = demo(folder, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "stack" not in done.stdout.lower()
    assert "Traceback" not in done.stderr
    assert left_behind(folder) == []


@pytest.mark.parametrize(("idea", "passed"), [(TRICKY, ["demo", "--", TRICKY]), ("", ["demo"])])
def test_make_hands_the_idea_on_as_it_stands(tmp_path: Path, idea: str, passed: list[str]) -> None:
    for name, text in {
        "greenlight": f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n",
        "installed": "",
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    said = subprocess.run(
        ["make", "demo", f"IDEA={idea}", f"BIN={tmp_path}", f"STAMP={tmp_path}/installed"],
        # The suite itself may be a part of make, which would then speak of folders.
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(said.stdout.splitlines()[-1]) == passed
